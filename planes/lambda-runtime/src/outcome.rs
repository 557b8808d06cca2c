//! An invocation and what comes of it.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

/// One event for the function.
#[derive(Debug)]
pub struct Invocation {
    pub request_id: String,
    pub payload: Bytes,
    /// How long the function may take: its timeout.
    pub deadline: Duration,
    /// The client context as JSON text.
    pub client_context: Option<String>,
    /// `{"cognitoIdentityId":…,"cognitoIdentityPoolId":…}`.
    pub cognito_identity: Option<String>,
    /// `Root=1-…;Parent=…;Sampled=0`; without one the environment makes it.
    pub trace_id: Option<String>,
    pub tenant: Option<String>,
    /// The ARN that was invoked, with its version or alias.
    pub invoked_arn: String,
    /// Where the parts of a streamed response go. A function that answers at once sends its whole
    /// payload as one part. Without one, a streamed response is collected.
    pub streaming: Option<mpsc::Sender<Part>>,
}

/// A part of a streamed response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first: the content type that the runtime named (`application/json`, or
    /// `application/vnd.awslambda.http-integration-response`, whose data begin with a prelude).
    Head {
        content_type: String,
    },
    Data(Bytes),
}

/// What came of an invocation.
#[derive(Debug)]
pub struct Outcome {
    /// The response; empty when it was streamed.
    pub result: Result<Bytes, Failure>,
    /// The content type that the runtime gave its response.
    pub content_type: Option<String>,
    pub duration: Duration,
    pub billed_ms: u64,
    pub max_memory_mb: u32,
    /// How long the start took, on the first invocation of an environment.
    pub init: Option<Duration>,
    /// The last 4 KB of the invocation's log.
    pub log_tail: Bytes,
}

/// Why there is no response. Everything but `Handled` also ends the environment's runtime, which
/// is started anew at the next invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The function reported an error; `body` is what the caller gets.
    Handled {
        error_type: String,
        body: Bytes,
    },
    /// The runtime reported an error of its start (`Runtime.ImportModuleError`).
    Init {
        error_type: String,
        body: Bytes,
    },
    Timeout {
        request_id: String,
        after: Duration,
    },
    OutOfMemory {
        request_id: String,
    },
    /// The runtime ended by itself: `exit status 1`, `signal: killed`.
    Exited {
        request_id: String,
        status: String,
    },
    /// An extension ended or reported an error.
    Extension {
        request_id: String,
        error_type: String,
    },
    /// The response was larger than 6 MB (or, streamed, 20 MB).
    TooLarge {
        size: u64,
        limit: u64,
    },
    /// The runtime broke the protocol.
    Protocol {
        error_type: String,
        message: String,
    },
}

impl Failure {
    /// The error's type, as in the body that the caller gets.
    #[must_use]
    pub fn error_type(&self) -> &str {
        match self {
            Failure::Handled { error_type, .. }
            | Failure::Init { error_type, .. }
            | Failure::Extension { error_type, .. }
            | Failure::Protocol { error_type, .. } => error_type,
            Failure::Timeout { .. } => "Sandbox.Timedout",
            Failure::OutOfMemory { .. } => "Runtime.OutOfMemory",
            Failure::Exited { .. } => "Runtime.ExitError",
            Failure::TooLarge { .. } => "Function.ResponseSizeTooLarge",
        }
    }

    /// The payload of `Invoke`'s answer, which carries `X-Amz-Function-Error: Unhandled`.
    #[must_use]
    pub fn body(&self) -> Bytes {
        let message = match self {
            Failure::Handled { body, .. } | Failure::Init { body, .. } => return body.clone(),
            Failure::Timeout { request_id, after } => format!(
                "RequestId: {request_id} Error: Task timed out after {:.2} seconds",
                after.as_secs_f64()
            ),
            Failure::OutOfMemory { request_id } => {
                format!("RequestId: {request_id} Error: Runtime exited with error: signal: killed")
            }
            Failure::Exited { request_id, status } if status == "exit status 0" => {
                format!("RequestId: {request_id} Error: Runtime exited without providing a reason")
            }
            Failure::Exited { request_id, status } => {
                format!("RequestId: {request_id} Error: Runtime exited with error: {status}")
            }
            Failure::Extension { request_id, error_type } => {
                format!("RequestId: {request_id} Error: {error_type}")
            }
            Failure::TooLarge { limit, .. } => format!(
                "Response payload size exceeded maximum allowed payload size ({limit} bytes)."
            ),
            Failure::Protocol { message, .. } => message.clone(),
        };
        let body = json!({ "errorType": self.error_type(), "errorMessage": message });
        Bytes::from(body.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_as_lambda_words_them() {
        let r = || "r-1".to_owned();
        let after = Duration::from_secs(3);
        for (failure, kind, message) in [
            (
                Failure::Timeout { request_id: r(), after },
                "Sandbox.Timedout",
                "RequestId: r-1 Error: Task timed out after 3.00 seconds",
            ),
            (
                Failure::Exited { request_id: r(), status: "exit status 1".into() },
                "Runtime.ExitError",
                "RequestId: r-1 Error: Runtime exited with error: exit status 1",
            ),
            (
                Failure::Exited { request_id: r(), status: "exit status 0".into() },
                "Runtime.ExitError",
                "RequestId: r-1 Error: Runtime exited without providing a reason",
            ),
        ] {
            let body: serde_json::Value = serde_json::from_slice(&failure.body()).unwrap();
            assert_eq!(body["errorType"], kind);
            assert_eq!(body["errorMessage"], message);
        }
    }
}
