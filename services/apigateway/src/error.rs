//! API Gateway's errors in its own words.

use fogbank_core::ApiError;

pub fn bad_request(message: impl Into<String>) -> ApiError {
    ApiError::new("BadRequestException", message).status(400)
}

pub fn conflict(message: impl Into<String>) -> ApiError {
    ApiError::new("ConflictException", message).status(409)
}

pub fn limit(message: impl Into<String>) -> ApiError {
    ApiError::new("LimitExceededException", message).status(429)
}

/// Something that is not there, by the word AWS has for it.
pub fn not_found(kind: &str) -> ApiError {
    ApiError::new("NotFoundException", format!("Invalid {kind} identifier specified")).status(404)
}

pub fn no_such_api(account: &str, id: &str) -> ApiError {
    let text = format!("Invalid API identifier specified {account}:{id}");
    ApiError::new("NotFoundException", text).status(404)
}
