//! What topics do, through the operations, with a queue that is not there.

use std::sync::Arc;

use fogbank_core::{Cloud, Principal, Result, Service, Value, map};
use fogbank_store::Store;
use fogbank_testkit::handler::{Alone, text_at};

use crate::Sns;

struct Fixture {
    alone: Arc<Alone>,
    sns: Arc<Sns>,
    service: Service,
}

impl Fixture {
    fn new() -> Self {
        let alone = Arc::new(Alone::default());
        let sns = Sns::new(Store::ephemeral(), alone.clock.clone(), alone.ids.clone());
        Fixture { service: sns.service(), alone, sns }
    }

    async fn run(&self, operation: &'static str, input: Value) -> Result<Value> {
        self.alone.run(&self.service, operation, Principal::root("000000000000"), input).await
    }

    async fn topic(&self, name: &str, attributes: Value) -> String {
        let made = self.run("CreateTopic", map! {"Name" => name, "Attributes" => attributes}).await;
        text_at(&made.unwrap(), "TopicArn").to_owned()
    }
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_by_its_sentence() {
    let f = Fixture::new();
    let topic = f.topic("t", map! {}).await;
    let fifo = f.topic("t.fifo", map! {"FifoTopic" => "true"}).await;
    let t = topic.as_str();
    for (input, sentence) in [
        (map! {"TopicArn" => t, "Message" => ""}, "Invalid parameter: Empty message"),
        (
            map! {"TopicArn" => t, "Message" => "x".repeat(262_145)},
            "Invalid parameter: Message too long",
        ),
        (
            map! {"TopicArn" => t, "Message" => "x", "Subject" => "a\nb"},
            "Invalid parameter: Subject",
        ),
        (
            map! {"TopicArn" => t, "Message" => "{}", "MessageStructure" => "json"},
            "Invalid parameter: Message Structure - No default entry in JSON message body",
        ),
        (
            map! {"TopicArn" => t, "Message" => "x", "MessageStructure" => "json"},
            "Invalid parameter: Message Structure - JSON message body failed to parse",
        ),
        (
            map! {"TopicArn" => fifo.as_str(), "Message" => "x"},
            "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
        ),
        (map! {"TopicArn" => format!("{t}x"), "Message" => "x"}, "Topic does not exist"),
        (map! {"TopicArn" => "x", "Message" => "x"}, "Invalid parameter: TopicArn"),
    ] {
        assert_eq!(f.run("Publish", input).await.unwrap_err().message(), sentence);
    }
    f.run("Publish", map! {"TopicArn" => t, "Message" => "x", "Subject" => "s"}).await.unwrap();
}

#[tokio::test]
async fn a_fifo_topic_knows_duplicates() {
    let f = Fixture::new();
    let attributes = map! {"FifoTopic" => "true", "ContentBasedDeduplication" => "true"};
    let topic = f.topic("t.fifo", attributes).await;
    let publish = |text: &'static str| {
        let input = map! {"TopicArn" => topic.as_str(), "Message" => text, "MessageGroupId" => "g"};
        f.run("Publish", input)
    };
    let (a, b, c) =
        (publish("a").await.unwrap(), publish("a").await.unwrap(), publish("b").await.unwrap());
    assert_eq!(text_at(&a, "MessageId"), text_at(&b, "MessageId"));
    assert!(text_at(&a, "SequenceNumber") < text_at(&c, "SequenceNumber"));
    f.alone.clock.set_offset(jiff::SignedDuration::from_secs(301));
    assert_ne!(text_at(&publish("a").await.unwrap(), "MessageId"), text_at(&a, "MessageId"));
}

#[tokio::test]
async fn what_nobody_takes_is_forgotten() {
    let f = Fixture::new();
    let cloud: Arc<dyn Cloud> = f.alone.clone();
    f.sns.start(&cloud);
    let topic = f.topic("t", map! {}).await;
    let input = map! {
        "TopicArn" => topic.as_str(), "Protocol" => "sqs",
        "Endpoint" => "arn:aws:sqs:us-east-1:000000000000:none",
        "Attributes" => map! {"RawMessageDelivery" => "true"},
    };
    f.run("Subscribe", input).await.unwrap();
    f.run("Publish", map! {"TopicArn" => topic.as_str(), "Message" => "x"}).await.unwrap();
    let waits = async || {
        let tables = f.sns.store.stats().await.unwrap().tables;
        tables.iter().any(|t| t.name == "sns.delivery")
    };
    while waits().await {
        tokio::task::yield_now().await;
    }
}
