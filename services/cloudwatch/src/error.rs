//! The errors of CloudWatch, in its words.

use fogbank_core::ApiError;

pub fn invalid_value(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterValue", message)
}

pub fn invalid_combination(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterCombination", message)
}

pub fn missing(message: impl Into<String>) -> ApiError {
    ApiError::new("MissingParameter", message)
}

pub fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message).status(400)
}

pub fn bad_token() -> ApiError {
    ApiError::new("InvalidNextToken", "The next token specified is invalid.")
}
