//! What the tests of this crate share.

use std::sync::Arc;

use fogbank_core::{Principal, Result, Service, Value, map};
use fogbank_store::Store;
use fogbank_testkit::handler::Alone;

use crate::Sqs;

pub fn root() -> Principal {
    Principal::root("000000000000")
}

/// SQS in a cloud of its own.
pub struct Fixture {
    pub alone: Arc<Alone>,
    pub sqs: Arc<Sqs>,
    service: Service,
}

impl Fixture {
    pub fn new() -> Self {
        let alone = Arc::new(Alone::default());
        let sqs = Sqs::new(Store::ephemeral(), alone.clock.clone(), alone.ids.clone());
        Fixture { service: sqs.service(), alone, sqs }
    }

    pub async fn run(&self, operation: &'static str, input: Value) -> Result<Value> {
        self.alone.run(&self.service, operation, root(), input).await
    }

    /// Makes a queue; its URL.
    pub async fn queue(&self, name: &str, attributes: &[(&'static str, &str)]) -> String {
        let attributes = attributes.iter().map(|(k, v)| ((*k).into(), Value::from(*v))).collect();
        let input = map! {"QueueName" => name, "Attributes" => Value::Map(attributes)};
        let made = self.run("CreateQueue", input).await.unwrap();
        made.str("QueueUrl").unwrap().to_owned()
    }

    pub async fn send(&self, url: &str, body: &str, group: Option<&str>) -> Value {
        let input = map! {
            "QueueUrl" => url,
            "MessageBody" => body,
            "MessageGroupId" => group.map(str::to_owned),
        };
        self.run("SendMessage", input).await.unwrap()
    }

    pub async fn receive(&self, url: &str, most: i64) -> Vec<Value> {
        let names = Value::List(vec![Value::from("All")]);
        let input = map! {
            "QueueUrl" => url, "MaxNumberOfMessages" => most, "AttributeNames" => names,
        };
        self.run("ReceiveMessage", input)
            .await
            .unwrap()
            .get("Messages")
            .map_or_else(Vec::new, |m| m.items().to_vec())
    }

    pub async fn bodies(&self, url: &str, most: i64) -> Vec<String> {
        let all = self.receive(url, most).await;
        all.iter().map(|m| m.str("Body").unwrap().to_owned()).collect()
    }

    pub async fn delete(&self, url: &str, message: &Value) -> Result<Value> {
        let handle = message.str("ReceiptHandle").unwrap();
        self.run("DeleteMessage", map! {"QueueUrl" => url, "ReceiptHandle" => handle}).await
    }

    /// Visible, in flight, delayed.
    pub async fn counts(&self, url: &str) -> [u64; 3] {
        let names = Value::List(vec![Value::from("All")]);
        let input = map! {"QueueUrl" => url, "AttributeNames" => names};
        let got = self.run("GetQueueAttributes", input).await.unwrap();
        ["", "NotVisible", "Delayed"].map(|s| {
            let name = format!("ApproximateNumberOfMessages{s}");
            got.get("Attributes").unwrap().str(&name).unwrap().parse().unwrap()
        })
    }

    /// Moves the clock ahead.
    pub fn advance(&self, seconds: i64) {
        let clock = &self.alone.clock;
        clock.set_offset(clock.offset() + jiff::SignedDuration::from_secs(seconds));
    }
}
