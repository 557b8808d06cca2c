//! DynamoDB over an ephemeral store, for tests of its operations.

use std::sync::Arc;

use fogbank_core::{Principal, Result, Service, Value, map};
use fogbank_store::Store;
use fogbank_testkit::handler::Alone;

use crate::Dynamo;

pub struct World {
    pub ddb: Arc<Dynamo>,
    pub cloud: Arc<Alone>,
    services: [Service; 2],
}

impl World {
    pub fn new() -> Self {
        let cloud = Arc::new(Alone::default());
        let ddb = Dynamo::new(Store::ephemeral(), cloud.clock.clone(), cloud.ids.clone());
        World { services: ddb.services(), ddb, cloud }
    }

    /// With a table `things`, whose keys are `p` and `c`, texts.
    pub async fn with_table() -> Self {
        let world = World::new();
        world.ok("CreateTable", table("things")).await;
        world
    }

    pub async fn run(&self, operation: &'static str, input: Value) -> Result<Value> {
        let service = self.services.iter().find(|s| s.has(operation)).unwrap_or(&self.services[0]);
        self.cloud.run(service, operation, Principal::root("123456789012"), input).await
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

pub fn table(name: &str) -> Value {
    let attribute = |n: &str| map! {"AttributeName" => n, "AttributeType" => "S"};
    let key = |n: &str, kind: &str| map! {"AttributeName" => n, "KeyType" => kind};
    map! {
        "TableName" => name,
        "BillingMode" => "PAY_PER_REQUEST",
        "AttributeDefinitions" => vec![attribute("p"), attribute("c")],
        "KeySchema" => vec![key("p", "HASH"), key("c", "RANGE")],
    }
}

pub fn key(p: &str, c: &str) -> Value {
    map! {"p" => map! {"S" => p}, "c" => map! {"S" => c}}
}

pub fn item(p: &str, c: &str, v: i64) -> Value {
    map! {"p" => map! {"S" => p}, "c" => map! {"S" => c}, "v" => map! {"N" => v.to_string()}}
}
