//! Secrets Manager's errors, in AWS's words.

use fogbank_core::ApiError;

/// `ResourceNotFoundException` for a secret that is not there.
pub fn no_secret() -> ApiError {
    not_found("Secrets Manager can't find the specified secret.")
}

/// `ResourceNotFoundException`.
pub fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::new("ResourceNotFoundException", message)
}

/// `InvalidParameterException`.
pub fn invalid_parameter(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterException", message)
}

/// `InvalidRequestException`.
pub fn invalid_request(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidRequestException", message)
}

/// `InvalidRequestException` for a secret that waits for its deletion.
pub fn deleted() -> ApiError {
    invalid_request(
        "You can't perform this operation on the secret because it was marked for deletion.",
    )
}

/// `ResourceExistsException`.
pub fn exists(message: impl Into<String>) -> ApiError {
    ApiError::new("ResourceExistsException", message)
}

/// `ValidationException`: what the model itself cannot rule out.
pub fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationException", message).status(400)
}
