//! Attributes of topics.

use std::collections::BTreeMap;

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_policy::{Policy, error::Usage};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::error::invalid;
use crate::retry::Retry;
use crate::{Sns, authz, policy};

pub const OPS: &[Op<Sns>] = ops![
    GetTopicAttributes => get_topic_attributes [authz::topic],
    SetTopicAttributes => set_topic_attributes [authz::topic],
];

/// What a client can set.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Settings {
    #[n(0)]
    pub display_name: String,
    #[n(1)]
    pub policy: Option<String>,
    /// The delivery policy as it was given.
    #[n(2)]
    pub delivery: Option<String>,
    #[n(3)]
    pub kms_key: Option<String>,
    #[n(4)]
    pub content_based: bool,
    /// SHA-256 instead of SHA-1.
    #[n(5)]
    pub signature_2: Option<bool>,
    #[n(6)]
    pub tracing: Option<String>,
    /// Deduplication looks at a message group.
    #[n(7)]
    pub scope_group: Option<bool>,
    /// Attributes that are told and have no effect: delivery status logging.
    #[n(8)]
    pub told: BTreeMap<String, String>,
}

impl Settings {
    /// # Errors
    /// `InvalidParameter`.
    pub fn set(&mut self, cx: &Cx, at: &Address, name: &str, value: &str) -> Result<()> {
        let bad = |reason: &str| Err(invalid(format!("{name} Reason: {reason}")));
        let text = || Some(value.to_owned()).filter(|v| !v.is_empty());
        let fifo = at.is_fifo();
        match name {
            "DisplayName" if value.chars().count() > 100 => return Err(invalid("DisplayName")),
            "DisplayName" => value.clone_into(&mut self.display_name),
            "Policy" => {
                if !value.is_empty()
                    && let Err(e) = Policy::parse(value, Usage::Resource)
                {
                    return bad("Policy Error: null").map_err(|a| a.context(e.to_string()));
                }
                self.policy = text();
            }
            "DeliveryPolicy" => {
                if !value.is_empty() {
                    Retry::of_topic(value)?;
                }
                self.delivery = text();
            }
            "KmsMasterKeyId" => self.kms_key = text(),
            "ContentBasedDeduplication" if fifo => match value {
                "true" => self.content_based = true,
                "false" => self.content_based = false,
                _ => return bad("must be true or false"),
            },
            "FifoThroughputScope" if fifo => match value {
                "MessageGroup" => self.scope_group = Some(true),
                "Topic" => self.scope_group = Some(false),
                _ => return bad("must be one of Topic, MessageGroup"),
            },
            "SignatureVersion" => match value {
                "1" => self.signature_2 = Some(false),
                "2" => self.signature_2 = Some(true),
                _ => return bad("must be 1 or 2"),
            },
            "TracingConfig" => match value {
                "PassThrough" | "Active" => {
                    if value == "Active" {
                        cx.ignore_member("TracingConfig");
                    }
                    self.tracing = text();
                }
                _ => return bad("must be one of PassThrough, Active"),
            },
            "ArchivePolicy" | "DataProtectionPolicy" => return Err(cx.refuse_member(name)),
            name if is_status_logging(name) => {
                cx.ignore_member(name.to_owned());
                self.told.insert(name.to_owned(), value.to_owned());
                self.told.retain(|_, v| !v.is_empty());
            }
            _ => return Err(invalid("AttributeName")),
        }
        Ok(())
    }
}

/// `SQSSuccessFeedbackRoleArn` and its like: where AWS would log how deliveries went.
fn is_status_logging(name: &str) -> bool {
    let kinds = ["SQS", "Lambda", "HTTP", "Firehose", "Application"];
    let facts = ["SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"];
    kinds.iter().any(|k| name.strip_prefix(k).is_some_and(|rest| facts.contains(&rest)))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TopicInput {
    topic_arn: String,
}

/// Attributes, of topics and of subscriptions.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attributes {
    pub attributes: BTreeMap<String, String>,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_GetTopicAttributes.html>
async fn get_topic_attributes(sns: &Sns, cx: &Cx, input: TopicInput) -> Result<Attributes> {
    let found = sns.of_request(cx, &input.topic_arn).await?;
    let (at, topic) = (&found.at, &found.topic);
    let s = &topic.settings;
    let mut out: BTreeMap<String, String> = s.told.clone();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(v) = value {
            out.insert(name.to_owned(), v);
        }
    };
    put("TopicArn", Some(at.arn()));
    put("Owner", Some(at.account.clone()));
    put("DisplayName", Some(s.display_name.clone()));
    put("Policy", Some(policy::text(at, s.policy.as_deref()).to_string()));
    put("SubscriptionsConfirmed", Some(topic.confirmed.to_string()));
    put("SubscriptionsPending", Some(topic.pending.to_string()));
    put("SubscriptionsDeleted", Some(topic.deleted.to_string()));
    put("EffectiveDeliveryPolicy", Some(Retry::effective_topic(s.delivery.as_deref())));
    put("DeliveryPolicy", s.delivery.clone());
    put("KmsMasterKeyId", s.kms_key.clone());
    put("TracingConfig", s.tracing.clone());
    let version = |two| (if two { "2" } else { "1" }).to_owned();
    put("SignatureVersion", s.signature_2.map(version));
    if at.is_fifo() {
        put("FifoTopic", Some("true".to_owned()));
        put("ContentBasedDeduplication", Some(s.content_based.to_string()));
        let scope = |group| (if group { "MessageGroup" } else { "Topic" }).to_owned();
        put("FifoThroughputScope", s.scope_group.map(scope));
    }
    Ok(Attributes { attributes: out })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SetTopicAttributesInput {
    topic_arn: String,
    attribute_name: String,
    attribute_value: Option<String>,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html>
async fn set_topic_attributes(sns: &Sns, cx: &Cx, input: SetTopicAttributesInput) -> Result<()> {
    let at = Address::of_arn(&input.topic_arn)?;
    let value = input.attribute_value.unwrap_or_default();
    sns.edit(&at, |t| t.settings.set(cx, &at, &input.attribute_name, &value)).await
}
