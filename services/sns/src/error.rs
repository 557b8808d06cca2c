//! The errors of SNS, in its words.

use fogbank_core::ApiError;

/// `Invalid parameter: …`
pub fn invalid(what: impl std::fmt::Display) -> ApiError {
    ApiError::new("InvalidParameterException", format!("Invalid parameter: {what}"))
}

/// A value of a message attribute.
pub fn invalid_value(text: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterValueException", text)
}

pub fn no_topic() -> ApiError {
    ApiError::new("NotFoundException", "Topic does not exist")
}

pub fn no_subscription() -> ApiError {
    ApiError::new("NotFoundException", "Subscription does not exist")
}

/// Another account's affair.
pub fn unauthorized(text: impl Into<String>) -> ApiError {
    ApiError::new("AuthorizationErrorException", text)
}
