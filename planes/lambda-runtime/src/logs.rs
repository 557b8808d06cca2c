//! What an environment says: the function's own output and the platform's events.

use jiff::Timestamp;

/// Where log lines go; the service ships them to CloudWatch Logs.
pub trait Logs: Send + Sync {
    /// One event. Must not block: it is called from the threads that read the pipes.
    fn line(&self, at: Timestamp, line: Line);
}

/// One log event, without the final line break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Written by the function or its runtime; may hold line breaks.
    Function(String),
    /// Written by an extension.
    Extension(String),
    /// `INIT_START`, `START`, `END`, `REPORT` and the like, in the function's log format.
    Platform(String),
}

impl Line {
    /// The text, whoever wrote it.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Line::Function(s) | Line::Extension(s) | Line::Platform(s) => s,
        }
    }
}
