//! SQS: queues and their policies.

use fogbank_core::Result;
use serde_json::{Value, json};

use super::{Kind, Made, Props};
use crate::kind;
use crate::maker::{Maker, text};
use crate::record::Instance;

pub const KINDS: &[Kind] = &[
    kind!("AWS::SQS::Queue" {
        properties: [
            "ContentBasedDeduplication", "DeduplicationScope", "DelaySeconds", "FifoQueue",
            "FifoThroughputLimit", "KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId",
            "MaximumMessageSize", "MessageRetentionPeriod", "QueueName",
            "ReceiveMessageWaitTimeSeconds", "RedriveAllowPolicy", "RedrivePolicy",
            "SqsManagedSseEnabled", "Tags", "VisibilityTimeout",
        ],
        required: [],
        replaces: ["FifoQueue", "QueueName"],
        create: create_queue,
        update: update_queue,
        delete: delete_queue,
    }),
    kind!("AWS::SQS::QueuePolicy" {
        properties: ["PolicyDocument", "Queues"],
        required: ["PolicyDocument", "Queues"],
        replaces: [],
        create: create_policy,
        update: update_policy,
        delete: delete_policy,
    }),
];

async fn create_queue(m: &Maker<'_>, p: &Props) -> Result<Made> {
    let fifo = text(p.get("FifoQueue")) == "true";
    let mut name = m.named(p, "QueueName", if fifo { 75 } else { 80 });
    if fifo && !name.ends_with(".fifo") {
        name += ".fifo";
    }
    let mut attributes = attributes(p);
    if fifo {
        attributes["FifoQueue"] = json!("true");
    }
    let input = json!({
        "QueueName": name,
        "Attributes": attributes,
        "tags": Maker::tag_map(&m.tags(p)),
    });
    let made = m.call("sqs", "CreateQueue", input).await?;
    Ok(queue(m, &text(made.get("QueueUrl")), &name))
}

async fn update_queue(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    let url = &old.physical_id;
    let mut wanted = attributes(p);
    // What the template no longer has goes back to its default.
    for (name, default) in DEFAULTS {
        if old.props().contains_key(*name) && !p.contains_key(*name) {
            wanted[*name] = json!(default);
        }
    }
    m.call("sqs", "SetQueueAttributes", json!({"QueueUrl": url, "Attributes": wanted})).await?;
    let tags = m.tags(p);
    let before = m.tags(&old.props());
    let gone: Vec<&String> =
        before.iter().map(|(k, _)| k).filter(|k| !tags.iter().any(|(n, _)| n == *k)).collect();
    if !gone.is_empty() {
        m.call("sqs", "UntagQueue", json!({"QueueUrl": url, "TagKeys": gone})).await?;
    }
    if !tags.is_empty() {
        m.call("sqs", "TagQueue", json!({"QueueUrl": url, "Tags": Maker::tag_map(&tags)})).await?;
    }
    let name = text(old.attrs().get("QueueName"));
    Ok(queue(m, url, &name))
}

async fn delete_queue(m: &Maker<'_>, i: &Instance) -> Result<()> {
    let absent = ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"];
    m.find("sqs", "DeleteQueue", json!({"QueueUrl": i.physical_id}), &absent).await.map(drop)
}

fn queue(m: &Maker<'_>, url: &str, name: &str) -> Made {
    Made::new(url).with("Arn", m.arn("sqs", name)).with("QueueName", name).with("QueueUrl", url)
}

/// Defaults of what an update may take away.
const DEFAULTS: &[(&str, &str)] = &[
    ("DelaySeconds", "0"),
    ("MessageRetentionPeriod", "345600"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("RedrivePolicy", ""),
    ("VisibilityTimeout", "30"),
];

/// Attributes are texts, whatever the template has.
fn attributes(p: &Props) -> Value {
    let mut all = serde_json::Map::new();
    for (k, v) in p {
        if matches!(k.as_str(), "QueueName" | "Tags" | "FifoQueue") {
            continue;
        }
        let value = if v.is_object() { v.to_string() } else { text(Some(v)) };
        all.insert(k.clone(), Value::from(value));
    }
    Value::Object(all)
}

async fn create_policy(m: &Maker<'_>, p: &Props) -> Result<Made> {
    set_policy(m, p).await?;
    Ok(Made::new(m.name(80)).with("Id", m.name(80)))
}

async fn update_policy(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    let left = queues(&old.props()).into_iter().filter(|q| !queues(p).contains(q)).collect();
    clear(m, left).await?;
    set_policy(m, p).await?;
    Ok(Made::new(&old.physical_id).with("Id", old.physical_id.as_str()))
}

async fn delete_policy(m: &Maker<'_>, i: &Instance) -> Result<()> {
    clear(m, queues(&i.props())).await
}

async fn set_policy(m: &Maker<'_>, p: &Props) -> Result<()> {
    let policy = p.get("PolicyDocument").map(Value::to_string).unwrap_or_default();
    for url in queues(p) {
        let input = json!({"QueueUrl": url, "Attributes": {"Policy": policy}});
        m.call("sqs", "SetQueueAttributes", input).await?;
    }
    Ok(())
}

async fn clear(m: &Maker<'_>, queues: Vec<String>) -> Result<()> {
    let absent = ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"];
    for url in queues {
        let input = json!({"QueueUrl": url, "Attributes": {"Policy": ""}});
        m.find("sqs", "SetQueueAttributes", input, &absent).await?;
    }
    Ok(())
}

fn queues(p: &Props) -> Vec<String> {
    p.get("Queues").and_then(Value::as_array).into_iter().flatten().map(|q| text(Some(q))).collect()
}
