//! IAM over an ephemeral store, for tests of its operations.

use std::sync::Arc;

use fogbank_core::{Cx, Principal, Result, Service, Value};
use fogbank_identity::Sessions;
use fogbank_store::Store;
use fogbank_testkit::handler::Alone;
pub use fogbank_testkit::handler::text_at as at;

use crate::Iam;

pub const ACCOUNT: &str = "123456789012";

/// Lets everything.
pub const ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
/// Lets Lambda in.
pub const LAMBDA: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

pub struct World {
    pub iam: Arc<Iam>,
    pub service: Service,
    pub sessions: Sessions,
    pub cloud: Arc<Alone>,
}

impl World {
    pub async fn new() -> Self {
        let cloud = Arc::new(Alone::default());
        let store = Store::ephemeral();
        let sessions = Sessions::open(&store, &cloud.ids).await.unwrap();
        let iam = Iam::new(store, sessions.clone(), cloud.clock.clone());
        World { service: iam.service(), iam, sessions, cloud }
    }

    pub fn cx(&self, operation: &'static str) -> Cx {
        self.cloud.cx("iam", operation, Principal::root(ACCOUNT))
    }

    /// Runs an operation as root.
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
