//! CloudFormation's errors.

use fogbank_core::ApiError;

/// `ValidationError`: what CloudFormation answers to nearly everything that is wrong.
pub fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message).status(400)
}

/// There is no such stack.
pub fn no_such_stack(name: &str) -> ApiError {
    validation(format!("Stack with id {name} does not exist"))
}

/// A fault of a template.
pub fn template(e: &fogbank_cfn::Error) -> ApiError {
    validation(e.to_string())
}
