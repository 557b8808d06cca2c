//! Parameter Store's errors, in AWS's words.

use fogbank_core::ApiError;

/// `ParameterNotFound`, about which AWS says nothing more.
pub fn not_found() -> ApiError {
    ApiError::new("ParameterNotFound", "")
}

/// `ValidationException`: what the model itself cannot rule out.
pub fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationException", message).status(400)
}

/// `ParameterVersionNotFound`.
pub fn no_version(name: &str, version: impl std::fmt::Display) -> ApiError {
    ApiError::new(
        "ParameterVersionNotFound",
        format!(
            "Systems Manager could not find version {version} of {name}. Verify the version and \
             try again."
        ),
    )
}
