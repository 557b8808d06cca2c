//! SNS: topics, subscriptions, topic policies.

use fogbank_core::Result;
use serde_json::{Value, json};

use super::{Kind, Made, Props};
use crate::kind;
use crate::maker::{Maker, text};
use crate::record::Instance;

pub const KINDS: &[Kind] = &[
    kind!("AWS::SNS::Topic" {
        properties: [
            "ContentBasedDeduplication", "DisplayName", "FifoTopic", "KmsMasterKeyId",
            "SignatureVersion", "Subscription", "Tags", "TopicName", "TracingConfig",
            "FifoThroughputScope",
        ],
        required: [],
        replaces: ["FifoTopic", "TopicName"],
        create: create_topic,
        update: update_topic,
        delete: delete_topic,
    }),
    kind!("AWS::SNS::Subscription" {
        properties: [
            "DeliveryPolicy", "Endpoint", "FilterPolicy", "FilterPolicyScope", "Protocol",
            "RawMessageDelivery", "RedrivePolicy", "ReplayPolicy", "Region",
            "SubscriptionRoleArn", "TopicArn",
        ],
        required: ["Protocol", "TopicArn"],
        replaces: ["Endpoint", "Protocol", "TopicArn"],
        create: create_subscription,
        update: update_subscription,
        delete: delete_subscription,
    }),
    kind!("AWS::SNS::TopicPolicy" {
        properties: ["PolicyDocument", "Topics"],
        required: ["PolicyDocument", "Topics"],
        replaces: [],
        create: create_policy,
        update: update_policy,
        delete: delete_policy,
    }),
];

/// Attributes of a topic as its properties name them.
const TOPIC: &[&str] = &[
    "ContentBasedDeduplication",
    "DisplayName",
    "FifoThroughputScope",
    "KmsMasterKeyId",
    "SignatureVersion",
    "TracingConfig",
];

async fn create_topic(m: &Maker<'_>, p: &Props) -> Result<Made> {
    let fifo = text(p.get("FifoTopic")) == "true";
    let mut name = m.named(p, "TopicName", if fifo { 251 } else { 256 });
    let mut attributes = serde_json::Map::new();
    if fifo {
        if !name.ends_with(".fifo") {
            name += ".fifo";
        }
        attributes.insert("FifoTopic".into(), json!("true"));
    }
    for k in TOPIC.iter().filter(|k| p.contains_key(**k)) {
        attributes.insert((*k).into(), Value::from(text(p.get(*k))));
    }
    let tags = Maker::tag_list(&m.tags(p));
    let input = json!({"Name": name, "Attributes": attributes, "Tags": tags});
    let arn = text(m.call("sns", "CreateTopic", input).await?.get("TopicArn"));
    for s in p.get("Subscription").and_then(Value::as_array).into_iter().flatten() {
        let input =
            json!({"TopicArn": arn, "Protocol": s.get("Protocol"), "Endpoint": s.get("Endpoint")});
        m.call("sns", "Subscribe", input).await?;
    }
    Ok(topic(&arn))
}

async fn update_topic(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    let arn = &old.physical_id;
    for k in TOPIC.iter().filter(|k| p.get(**k) != old.props().get(**k)) {
        let value = text(p.get(*k));
        let input = json!({"TopicArn": arn, "AttributeName": k, "AttributeValue": value});
        m.call("sns", "SetTopicAttributes", input).await?;
    }
    let tags = m.tags(p);
    if !tags.is_empty() {
        let input = json!({"ResourceArn": arn, "Tags": Maker::tag_list(&tags)});
        m.call("sns", "TagResource", input).await?;
    }
    Ok(topic(arn))
}

async fn delete_topic(m: &Maker<'_>, i: &Instance) -> Result<()> {
    m.find(
        "sns",
        "DeleteTopic",
        json!({"TopicArn": i.physical_id}),
        &["NotFound", "NotFoundException"],
    )
    .await
    .map(drop)
}

fn topic(arn: &str) -> Made {
    let name = arn.rsplit(':').next().unwrap_or_default();
    Made::new(arn).with("TopicArn", arn).with("TopicName", name)
}

const SUBSCRIPTION: &[&str] = &[
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
];

fn attribute(v: &Value) -> String {
    if v.is_object() { v.to_string() } else { text(Some(v)) }
}

async fn create_subscription(m: &Maker<'_>, p: &Props) -> Result<Made> {
    let attributes: serde_json::Map<_, _> = SUBSCRIPTION
        .iter()
        .filter_map(|k| Some(((*k).to_owned(), Value::from(attribute(p.get(*k)?)))))
        .collect();
    let input = json!({
        "TopicArn": p.get("TopicArn"),
        "Protocol": p.get("Protocol"),
        "Endpoint": p.get("Endpoint"),
        "Attributes": attributes,
        "ReturnSubscriptionArn": true,
    });
    let arn = text(m.call("sns", "Subscribe", input).await?.get("SubscriptionArn"));
    Ok(Made::new(&*arn).with("Arn", arn.as_str()))
}

async fn update_subscription(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    for k in SUBSCRIPTION.iter().filter(|k| p.get(**k) != old.props().get(**k)) {
        let value = p.get(*k).map(attribute).unwrap_or_default();
        let input = json!({
            "SubscriptionArn": old.physical_id, "AttributeName": k, "AttributeValue": value,
        });
        m.call("sns", "SetSubscriptionAttributes", input).await?;
    }
    Ok(Made::new(&old.physical_id).with("Arn", old.physical_id.as_str()))
}

async fn delete_subscription(m: &Maker<'_>, i: &Instance) -> Result<()> {
    let input = json!({"SubscriptionArn": i.physical_id});
    m.find("sns", "Unsubscribe", input, &["NotFound", "NotFoundException"]).await.map(drop)
}

async fn create_policy(m: &Maker<'_>, p: &Props) -> Result<Made> {
    set_policy(m, p).await?;
    Ok(Made::new(m.name(80)).with("Id", m.name(80)))
}

async fn update_policy(m: &Maker<'_>, old: &Instance, p: &Props) -> Result<Made> {
    set_policy(m, p).await?;
    Ok(Made::new(&old.physical_id).with("Id", old.physical_id.as_str()))
}

/// A topic always has a policy: the one it was made with comes back.
async fn delete_policy(m: &Maker<'_>, i: &Instance) -> Result<()> {
    for topic in i.props().get("Topics").and_then(Value::as_array).into_iter().flatten() {
        let owner = json!({
            "Version": "2008-10-17", "Id": "__default_policy_ID",
            "Statement": [{
                "Sid": "__default_statement_ID", "Effect": "Allow", "Principal": {"AWS": "*"},
                "Action": [
                    "SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission",
                    "SNS:RemovePermission", "SNS:DeleteTopic", "SNS:Subscribe",
                    "SNS:ListSubscriptionsByTopic", "SNS:Publish",
                ],
                "Resource": topic,
                "Condition": {"StringEquals": {"AWS:SourceOwner": m.cx.account}},
            }],
        });
        let input = json!({
            "TopicArn": topic, "AttributeName": "Policy", "AttributeValue": owner.to_string(),
        });
        m.find("sns", "SetTopicAttributes", input, &["NotFound", "NotFoundException"]).await?;
    }
    Ok(())
}

async fn set_policy(m: &Maker<'_>, p: &Props) -> Result<()> {
    let policy = p.get("PolicyDocument").map(Value::to_string).unwrap_or_default();
    for topic in p.get("Topics").and_then(Value::as_array).into_iter().flatten() {
        let input = json!({
            "TopicArn": topic, "AttributeName": "Policy", "AttributeValue": policy,
        });
        m.call("sns", "SetTopicAttributes", input).await?;
    }
    Ok(())
}
