//! Lambda's errors, in AWS's words.

use fogbank_core::ApiError;

fn user(code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(code, message).field("Type", "User")
}

/// `InvalidParameterValueException`: 400.
pub fn invalid(message: impl Into<String>) -> ApiError {
    user("InvalidParameterValueException", message)
}

/// `ValidationException`, in the words of the front end's own checks: 400.
pub fn validation(value: &str, member: &str, constraint: &str) -> ApiError {
    let message = format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: \
         {constraint}"
    );
    ApiError::new("ValidationException", message).status(400)
}

/// `ResourceNotFoundException`: 404.
pub fn not_found(message: impl Into<String>) -> ApiError {
    user("ResourceNotFoundException", message)
}

/// `ResourceConflictException`: 409.
pub fn conflict(message: impl Into<String>) -> ApiError {
    user("ResourceConflictException", message)
}

/// `PreconditionFailedException` for a stale `RevisionId`: 412.
pub fn stale() -> ApiError {
    user(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the \
         GetFunction/GetAlias API to retrieve the latest Revision Id",
    )
}

/// `PolicyLengthExceededException`: 400.
pub fn policy_too_long() -> ApiError {
    user("PolicyLengthExceededException", "The final policy size is bigger than the limit (20480).")
}

/// `RequestTooLargeException`: 413.
pub fn too_large(size: usize, kind: &str, limit: usize) -> ApiError {
    user(
        "RequestTooLargeException",
        format!(
            "{size} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
        ),
    )
}

/// `InvalidRequestContentException` for a payload that is not JSON: 400.
pub fn not_json(detail: &str) -> ApiError {
    user(
        "InvalidRequestContentException",
        format!(
            "Could not parse request body into json: Could not parse payload into json: {detail}"
        ),
    )
}

/// `TooManyRequestsException`: 429, with its reason.
pub fn throttled(reason: &'static str) -> ApiError {
    user("TooManyRequestsException", "Rate Exceeded.").field("Reason", reason)
}

/// `ResourceNotFoundException` for a function: 404.
pub fn function_missing(arn: &str) -> ApiError {
    not_found(format!("Function not found: {arn}"))
}
