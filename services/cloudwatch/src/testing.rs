//! CloudWatch over an ephemeral store, for tests of its operations.

use std::sync::Arc;

use fogbank_core::{Principal, Result, Service, Value};
use fogbank_store::Store;
use fogbank_testkit::handler::Alone;
use jiff::{SignedDuration, Timestamp};

use crate::CloudWatch;

pub const ACCOUNT: &str = "123456789012";

pub struct World {
    pub cw: Arc<CloudWatch>,
    pub service: Service,
    pub cloud: Arc<Alone>,
}

impl World {
    /// An empty one, whose clock stands at the beginning of an hour, about.
    pub fn new() -> Self {
        let cw = CloudWatch::new(Store::ephemeral());
        let w = World { service: cw.service(), cw, cloud: Arc::default() };
        let into = w.cloud.clock.now().as_second() % 3600;
        w.cloud.clock.set_offset(SignedDuration::from_secs(-into));
        w
    }

    pub fn now(&self) -> i64 {
        self.cloud.clock.now().as_second()
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
}

/// A moment on the wire.
pub fn at(second: i64) -> Value {
    Value::Time(Timestamp::from_second(second).unwrap())
}

/// The numbers of a list.
pub fn numbers(v: Option<&Value>) -> Vec<f64> {
    let number = |v: &Value| match v {
        Value::Float(f) => *f,
        Value::Int(n) => *n as f64,
        other => panic!("{other:?}"),
    };
    v.map(Value::items).unwrap_or_default().iter().map(number).collect()
}
