//! Faults: what goes wrong within a state, with AWS's error names and words.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>

/// An error with its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub error: String,
    pub cause: Option<String>,
    /// The field whose JSONata failed: the history tells of it.
    pub location: Option<String>,
    /// The cause begins with the state and the event at which it was entered.
    pub placed: bool,
}

pub const RUNTIME: &str = "States.Runtime";
pub const QUERY: &str = "States.QueryEvaluationError";
pub const INTRINSIC: &str = "States.IntrinsicFailure";
pub const RESULT_PATH: &str = "States.ResultPathMatchFailure";
pub const DATA_LIMIT: &str = "States.DataLimitExceeded";
pub const TIMEOUT: &str = "States.Timeout";
pub const HEARTBEAT: &str = "States.HeartbeatTimeout";
pub const NO_CHOICE: &str = "States.NoChoiceMatched";
pub const TASK_FAILED: &str = "States.TaskFailed";
pub const ALL: &str = "States.ALL";

impl Fault {
    /// A fault of the definition or the data.
    #[must_use]
    pub fn runtime(cause: impl Into<String>) -> Self {
        Fault::placed(RUNTIME, cause)
    }

    /// A fault whose cause is preceded by where it happened.
    #[must_use]
    pub fn placed(error: &str, cause: impl Into<String>) -> Self {
        Fault { error: error.to_owned(), cause: Some(cause.into()), location: None, placed: true }
    }

    /// A JSONata expression that failed in the field at `location`.
    #[must_use]
    pub fn query(location: &str, cause: impl Into<String>) -> Self {
        Fault { location: Some(location.to_owned()), ..Fault::placed(QUERY, cause) }
    }

    /// An error as it comes from a task or a Fail state.
    #[must_use]
    pub fn plain(error: Option<String>, cause: Option<String>) -> Self {
        Fault { error: error.unwrap_or_default(), cause, location: None, placed: false }
    }

    /// A result that is too large; `of` is the state or the task.
    #[must_use]
    pub fn too_large(of: &str) -> Self {
        let cause = format!(
            "The state/task '{of}' returned a result with a size exceeding the maximum number of \
             bytes service limit."
        );
        Fault { placed: false, ..Fault::placed(DATA_LIMIT, cause) }
    }

    /// Whether `name`, in an `ErrorEquals`, means this error.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        let terminal = matches!(self.error.as_str(), RUNTIME | DATA_LIMIT);
        match name {
            ALL => !terminal,
            TASK_FAILED => !terminal && self.error != TIMEOUT && self.error != HEARTBEAT,
            TIMEOUT => self.error == TIMEOUT || self.error == HEARTBEAT,
            name => self.error == name && self.error != RUNTIME,
        }
    }
}
