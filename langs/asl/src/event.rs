//! History events: what an execution did, in the order and the words of GetExecutionHistory.

use minicbor::{Decode, Encode};
use serde_json::{Map, Value, json};

use crate::text::Json;

/// One event of a history.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Event {
    #[n(0)]
    pub id: u64,
    /// The event that led to it.
    #[n(1)]
    pub previous: u64,
    /// Microseconds since 1970.
    #[n(2)]
    pub at: i64,
    /// AWS's name of its type: `PassStateEntered`.
    #[n(3)]
    pub kind: String,
    /// Its details, as the API shows them.
    #[n(4)]
    pub details: Option<Json>,
}

impl Event {
    /// The member of a `HistoryEvent` in which the details of a type stand; `None` for types that
    /// have none.
    #[must_use]
    pub fn member(kind: &str) -> Option<String> {
        let name = match kind {
            "ExecutionStarted" | "ExecutionFailed" | "ExecutionSucceeded" | "ExecutionAborted"
            | "ExecutionTimedOut" | "ExecutionRedriven" | "MapStateStarted" | "MapRunStarted"
            | "MapRunFailed" | "MapRunRedriven" | "EvaluationFailed" => kind,
            k if k.ends_with("StateEntered") => "StateEntered",
            k if k.ends_with("StateExited") => "StateExited",
            k if k.starts_with("MapIteration") || k.starts_with("LambdaFunction") => k,
            k if k.starts_with("Activity") => k,
            k if k.starts_with("Task") && !k.starts_with("TaskState") => k,
            _ => return None,
        };
        let mut chars = name.chars();
        let first = chars.next()?.to_ascii_lowercase();
        Some(format!("{first}{}EventDetails", chars.as_str()))
    }
}

/// `{name: text, nameDetails: {truncated: false}}`: how events show data.
#[must_use]
pub fn data(name: &str, text: String) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert(name.to_owned(), text.into());
    out.insert(format!("{name}Details"), json!({"truncated": false}));
    out
}

/// The members of an error.
#[must_use]
pub fn failure(error: Option<&str>, cause: Option<&str>) -> Map<String, Value> {
    let mut out = Map::new();
    if let Some(e) = error {
        out.insert("error".to_owned(), e.into());
    }
    if let Some(c) = cause {
        out.insert("cause".to_owned(), c.into());
    }
    out
}
