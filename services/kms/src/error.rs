//! KMS's errors, in AWS's words.

use fogbank_core::ApiError;

/// `NotFoundException`.
pub fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::new("NotFoundException", message)
}

/// `ValidationException`: what the model itself cannot rule out.
pub fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationException", message).status(400)
}

/// `AccessDeniedException`, for what no policy was asked about.
pub fn access_denied(message: impl Into<String>) -> ApiError {
    ApiError::new("AccessDeniedException", message).status(400)
}

/// `DisabledException`.
pub fn disabled(arn: &str) -> ApiError {
    ApiError::new("DisabledException", format!("{arn} is disabled."))
}

/// `KMSInvalidStateException`: `arn` and what is wrong with it.
pub fn invalid_state(arn: &str, what: &str) -> ApiError {
    ApiError::new("KMSInvalidStateException", format!("{arn} {what}."))
}

/// `InvalidCiphertextException`, about which AWS says nothing more.
pub fn invalid_ciphertext() -> ApiError {
    ApiError::new("InvalidCiphertextException", "")
}

/// `UnsupportedOperationException`, about which AWS says nothing more.
pub fn unsupported() -> ApiError {
    ApiError::new("UnsupportedOperationException", "")
}

/// `LimitExceededException`.
pub fn limit_exceeded(message: impl Into<String>) -> ApiError {
    ApiError::new("LimitExceededException", message)
}

/// What a dry run that would have succeeded answers.
pub fn dry_run(asked: Option<bool>) -> Result<(), ApiError> {
    if asked != Some(true) {
        return Ok(());
    }
    Err(ApiError::new(
        "DryRunOperationException",
        "The request would have succeeded, but the DryRun option is set.",
    )
    .status(412))
}
