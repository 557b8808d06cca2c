//! Logs over an ephemeral store, for tests of its operations.

use std::sync::Arc;

use fogbank_core::{Principal, Result, Service, Value, map};
use fogbank_store::Store;
use fogbank_testkit::handler::Alone;
pub use fogbank_testkit::handler::text_at as at;

use crate::Logs;

pub const ACCOUNT: &str = "123456789012";

pub struct World {
    pub logs: Arc<Logs>,
    pub service: Service,
    pub cloud: Arc<Alone>,
}

impl World {
    /// An empty one.
    pub fn new() -> Self {
        let logs = Logs::new(Store::ephemeral());
        World { service: logs.service(), logs, cloud: Arc::default() }
    }

    /// One with a group `g` and a stream `s`.
    pub async fn with_stream() -> Self {
        let w = World::new();
        w.ok("CreateLogGroup", map! {"logGroupName" => "g"}).await;
        w.ok("CreateLogStream", map! {"logGroupName" => "g", "logStreamName" => "s"}).await;
        w
    }

    /// Milliseconds since 1970.
    pub fn now(&self) -> i64 {
        self.cloud.clock.now().as_millisecond()
    }

    pub async fn run(&self, operation: &'static str, input: Value) -> Result<Value> {
        self.cloud.run(&self.service, operation, Principal::root(ACCOUNT), input).await
    }

    /// Runs an operation that must succeed.
    pub async fn ok(&self, operation: &'static str, input: Value) -> Value {
        self.run(operation, input).await.unwrap_or_else(|e| panic!("{operation}: {e}"))
    }

    /// Runs an operation that must fail, and gives `Code: message`.
    pub async fn err(&self, operation: &'static str, input: Value) -> String {
        match self.run(operation, input).await {
            Ok(v) => panic!("{operation} succeeded: {v:?}"),
            Err(e) => e.to_string(),
        }
    }

    /// Puts events into a stream of `g`.
    pub async fn put(&self, stream: &str, events: &[(i64, &str)]) -> Value {
        let events = events.iter().map(|(t, m)| map! {"timestamp" => *t, "message" => *m});
        let input = map! {"logGroupName" => "g", "logStreamName" => stream,
        "logEvents" => events.collect::<Vec<_>>()};
        self.ok("PutLogEvents", input).await
    }
}

/// The texts of the events in an answer.
pub fn messages(answer: &Value) -> Vec<&str> {
    let events = answer.get("events").map(Value::items).unwrap_or_default();
    events.iter().map(|e| e.str("message").unwrap()).collect()
}
