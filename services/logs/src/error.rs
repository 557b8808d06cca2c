//! The errors of CloudWatch Logs, in its words.

use fogbank_core::ApiError;

pub fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterException", message)
}

pub fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::new("ResourceNotFoundException", message)
}

pub fn no_group() -> ApiError {
    not_found("The specified log group does not exist.")
}

pub fn no_stream() -> ApiError {
    not_found("The specified log stream does not exist.")
}

pub fn exists(message: impl Into<String>) -> ApiError {
    ApiError::new("ResourceAlreadyExistsException", message)
}

pub fn limit_exceeded(message: impl Into<String>) -> ApiError {
    ApiError::new("LimitExceededException", message)
}
