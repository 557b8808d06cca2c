//! IAM's errors, in AWS's words.

use fogbank_core::ApiError;

/// `NoSuchEntity`: 404.
pub fn no_such_entity(message: impl Into<String>) -> ApiError {
    ApiError::new("NoSuchEntity", message)
}

/// `EntityAlreadyExists`: 409.
pub fn already_exists(message: impl Into<String>) -> ApiError {
    ApiError::new("EntityAlreadyExists", message)
}

/// `DeleteConflict`: 409.
pub fn delete_conflict(message: impl Into<String>) -> ApiError {
    ApiError::new("DeleteConflict", message)
}

/// `LimitExceeded` with the quota's name and value: 409.
pub fn quota(name: &str, limit: usize) -> ApiError {
    limit_exceeded(format!("Cannot exceed quota for {name}: {limit}"))
}

/// `LimitExceeded`: 409.
pub fn limit_exceeded(message: impl Into<String>) -> ApiError {
    ApiError::new("LimitExceeded", message)
}

/// `InvalidInput`: 400.
pub fn invalid_input(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidInput", message)
}

/// `ValidationError`: 400.
pub fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message).status(400)
}

/// `UnmodifiableEntity`: 400.
pub fn unmodifiable(message: impl Into<String>) -> ApiError {
    ApiError::new("UnmodifiableEntity", message)
}

/// `MalformedPolicyDocument`: 400.
pub fn malformed_policy(message: impl Into<String>) -> ApiError {
    ApiError::new("MalformedPolicyDocument", message)
}
