//! The errors of SQS, in its words.

use fogbank_core::ApiError;

pub fn no_such_queue() -> ApiError {
    ApiError::new("QueueDoesNotExist", "The specified queue does not exist.")
}

pub fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterValue", message).status(400)
}

/// `Value 11 for parameter MaxNumberOfMessages is invalid. Reason: …`
pub fn bad_value(value: impl std::fmt::Display, parameter: &str, reason: &str) -> ApiError {
    invalid(format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}"))
}

pub fn missing(parameter: &str) -> ApiError {
    let text = format!("The request must contain the parameter {parameter}.");
    ApiError::new("MissingParameter", text).status(400)
}

pub fn bad_attribute(name: &str) -> ApiError {
    ApiError::new("InvalidAttributeValue", format!("Invalid value for the parameter {name}."))
        .status(400)
}

pub fn unknown_attribute(name: &str) -> ApiError {
    ApiError::new("InvalidAttributeName", format!("Unknown Attribute {name}.")).status(400)
}

pub fn bad_handle() -> ApiError {
    ApiError::new("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
}

pub fn no_such_resource(message: &str) -> ApiError {
    ApiError::new("ResourceNotFoundException", message)
}

/// Not an error of the client's: the record of a queue changed under the request, several times.
pub fn too_busy() -> ApiError {
    ApiError::internal("a queue changed faster than a request could follow")
}
