//! Runtimes: which may still be used for new functions.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>

use fogbank_core::{Cx, Result};

use crate::error::invalid;

/// Runtimes that AWS no longer lets functions be created with.
const BLOCKED: &[&str] = &[
    "nodejs",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs16.x",
    "java8",
    "python2.7",
    "python3.6",
    "python3.7",
    "python3.8",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "dotnet6",
    "go1.x",
    "ruby2.5",
    "ruby2.7",
    "provided",
];

/// Checks the runtime of a function that is created or changed.
///
/// # Errors
/// `InvalidParameterValueException` in AWS's words for a runtime that is no longer supported;
/// `NotImplemented` for one that fogbank has no way to run.
pub fn check(cx: &Cx, runtime: &str) -> Result<()> {
    if BLOCKED.contains(&runtime) {
        return Err(invalid(format!(
            "The runtime parameter of {runtime} is no longer supported for creating or updating \
             AWS Lambda functions. We recommend you use a supported runtime while creating or \
             updating functions."
        )));
    }
    let runs = ["python3.", "nodejs", "provided."].iter().any(|p| runtime.starts_with(p));
    if runs { Ok(()) } else { Err(cx.refuse_member(&format!("Runtime {runtime}"))) }
}
