//! AWS Security Token Service: who am I, and temporary sessions of roles and users.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>
//!
//! **Invariant:** no state. What STS knows about roles it asks the directory (IAM); the sessions it
//! gives are in their tokens.

mod assume_role;
mod caller;
mod grant;
mod jwt;
mod session_token;
mod tags;
#[cfg(test)]
mod testing;
mod web_identity;

use std::sync::Arc;

use fogbank_core::{ApiError, Service};
use fogbank_identity::{Directory, Issuers, Sessions};

/// The service's state.
pub struct Sts {
    directory: Arc<dyn Directory>,
    issuers: Arc<dyn Issuers>,
    sessions: Sessions,
}

/// STS as the gateway serves it. `issuers` tells where keys of web identity providers come from
/// ([`fogbank_identity::NoIssuers`] when nowhere).
#[must_use]
pub fn service(
    directory: Arc<dyn Directory>,
    issuers: Arc<dyn Issuers>,
    sessions: Sessions,
) -> Service {
    let state = Arc::new(Sts { directory, issuers, sessions });
    Service::new(
        "sts",
        state,
        &[assume_role::OPS, caller::OPS, session_token::OPS, web_identity::OPS],
    )
}

/// `ValidationError`: 400.
fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message).status(400)
}

/// `AccessDenied`: 403.
fn access_denied(message: impl Into<String>) -> ApiError {
    ApiError::new("AccessDenied", message).status(403)
}

/// A constraint of the model, in AWS's words.
fn violated(member: &str, value: &str, constraint: &str) -> ApiError {
    validation(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: \
         {constraint}"
    ))
}
