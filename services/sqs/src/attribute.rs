//! Attributes of queues: what they may be, and how they are told.

use std::collections::BTreeMap;

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use fogbank_policy::{Policy, error::Usage};
use fogbank_store::Lock;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::error::{bad_attribute, no_such_queue, unknown_attribute};
use crate::queue::{Found, QUEUES, generation};
use crate::redrive::{self, Allow, Redrive};
use crate::{Sqs, authz, flight, job, tally};

pub const OPS: &[Op<Sqs>] = ops![
    GetQueueAttributes => get_queue_attributes [authz::queue],
    SetQueueAttributes => set_queue_attributes [authz::owner],
];

/// What a client can set. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Settings {
    #[n(0)]
    pub fifo: bool,
    #[n(1)]
    pub delay: u64,
    /// In bytes.
    #[n(2)]
    pub max_size: u64,
    #[n(3)]
    pub retention: u64,
    #[n(4)]
    pub wait: u64,
    #[n(5)]
    pub visibility: u64,
    #[n(6)]
    pub policy: Option<String>,
    #[n(7)]
    pub redrive: Option<Redrive>,
    #[n(8)]
    pub allow: Option<Allow>,
    #[n(9)]
    pub kms_key: Option<String>,
    #[n(10)]
    pub kms_reuse: u64,
    /// Encryption with keys of SQS's own.
    #[n(11)]
    pub managed_sse: bool,
    #[n(12)]
    pub content_based: bool,
    /// Deduplication looks at a message group, not at the whole queue.
    #[n(13)]
    pub scope_group: bool,
    /// The throughput quota is a message group's.
    #[n(14)]
    pub limit_group: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            fifo: false,
            delay: 0,
            max_size: 1 << 20,
            retention: 345_600,
            wait: 0,
            visibility: 30,
            policy: None,
            redrive: None,
            allow: None,
            kms_key: None,
            kms_reuse: 300,
            managed_sse: true,
            content_based: false,
            scope_group: false,
            limit_group: false,
        }
    }
}

/// Attributes that only AWS sets.
const COUNTS: [&str; 3] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
];
const FACTS: [&str; 3] = ["QueueArn", "CreatedTimestamp", "LastModifiedTimestamp"];
/// Those that can be set, in the order in which they are told.
const SETTABLE: [&str; 15] = [
    "VisibilityTimeout",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "DelaySeconds",
    "ReceiveMessageWaitTimeSeconds",
    "Policy",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
];

impl Settings {
    /// The settings of a new queue.
    ///
    /// # Errors
    /// `InvalidAttributeName`, `InvalidAttributeValue`, and those of redrive policies.
    pub fn create(attributes: &BTreeMap<String, String>) -> Result<Self> {
        let mut s = Settings::default();
        match attributes.get("FifoQueue").map(String::as_str) {
            None => {}
            Some("true") => s.fifo = true,
            // AWS knows no such attribute of a standard queue.
            Some("false") => return Err(unknown_attribute("FifoQueue")),
            Some(_) => return Err(bad_attribute("FifoQueue")),
        }
        s.apply(attributes)?;
        Ok(s)
    }

    /// Changes those that are given.
    ///
    /// # Errors
    /// As [`Settings::create`].
    pub fn apply(&mut self, attributes: &BTreeMap<String, String>) -> Result<()> {
        for (name, value) in attributes {
            self.set(name, value)?;
        }
        if self.limit_group && !self.scope_group {
            return Err(bad_attribute("FifoThroughputLimit"));
        }
        let given =
            |name: &str| attributes.get(name).is_some_and(|v| !v.is_empty() && v != "false");
        if given("KmsMasterKeyId") && given("SqsManagedSseEnabled") {
            return Err(ApiError::new(
                "InvalidAttributeValue",
                "You can use one type of server-side encryption (SSE) at one time. You can either \
                 enable KMS SSE or SQS SSE.",
            )
            .status(400));
        }
        self.managed_sse &= self.kms_key.is_none();
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let number = |range: std::ops::RangeInclusive<u64>| {
            let n = value.parse().ok().filter(|n| range.contains(n));
            n.ok_or_else(|| bad_attribute(name))
        };
        let flag = || match value {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(bad_attribute(name)),
        };
        let one_of = |yes: &str, no: &str| match value {
            v if v == yes => Ok(true),
            v if v == no => Ok(false),
            _ => Err(bad_attribute(name)),
        };
        let text = || Some(value.to_owned()).filter(|v| !v.is_empty());
        match name {
            "VisibilityTimeout" => self.visibility = number(0..=43_200)?,
            "MaximumMessageSize" => self.max_size = number(1024..=1 << 20)?,
            "MessageRetentionPeriod" => self.retention = number(60..=1_209_600)?,
            "DelaySeconds" => self.delay = number(0..=900)?,
            "ReceiveMessageWaitTimeSeconds" => self.wait = number(0..=20)?,
            "Policy" => {
                if !value.is_empty() {
                    Policy::parse(value, Usage::Resource)
                        .map_err(|e| bad_attribute("Policy").context(e.to_string()))?;
                }
                self.policy = text();
            }
            "RedrivePolicy" => self.redrive = text().map(|t| Redrive::parse(&t)).transpose()?,
            "RedriveAllowPolicy" => self.allow = text().map(|t| Allow::parse(&t)).transpose()?,
            "KmsMasterKeyId" => self.kms_key = text(),
            "KmsDataKeyReusePeriodSeconds" => self.kms_reuse = number(60..=86_400)?,
            "SqsManagedSseEnabled" => {
                self.managed_sse = flag()?;
                if self.managed_sse {
                    self.kms_key = None;
                }
            }
            // Said when the queue was made; saying it again changes nothing.
            "FifoQueue" if self.fifo && value == "true" => {}
            "FifoQueue" => return Err(unknown_attribute(name)),
            "ContentBasedDeduplication" | "DeduplicationScope" | "FifoThroughputLimit"
                if !self.fifo =>
            {
                return Err(unknown_attribute(name));
            }
            "ContentBasedDeduplication" => self.content_based = flag()?,
            "DeduplicationScope" => self.scope_group = one_of("messageGroup", "queue")?,
            "FifoThroughputLimit" => {
                self.limit_group = one_of("perMessageGroupId", "perQueue")?;
            }
            _ => return Err(unknown_attribute(name)),
        }
        Ok(())
    }

    /// An attribute as it is told; `None` for one that has no value.
    fn get(&self, name: &str) -> Option<String> {
        let fifo =
            |yes: bool, t: &str, f: &str| self.fifo.then(|| (if yes { t } else { f }).to_owned());
        match name {
            "VisibilityTimeout" => Some(self.visibility.to_string()),
            "MaximumMessageSize" => Some(self.max_size.to_string()),
            "MessageRetentionPeriod" => Some(self.retention.to_string()),
            "DelaySeconds" => Some(self.delay.to_string()),
            "ReceiveMessageWaitTimeSeconds" => Some(self.wait.to_string()),
            "Policy" => self.policy.clone(),
            "RedrivePolicy" => self.redrive.as_ref().map(Redrive::text),
            "RedriveAllowPolicy" => self.allow.as_ref().map(Allow::text),
            "KmsMasterKeyId" => self.kms_key.clone(),
            "KmsDataKeyReusePeriodSeconds" => {
                self.kms_key.as_ref().map(|_| self.kms_reuse.to_string())
            }
            "SqsManagedSseEnabled" => Some(self.managed_sse.to_string()),
            "FifoQueue" => fifo(true, "true", ""),
            "ContentBasedDeduplication" => fifo(self.content_based, "true", "false"),
            "DeduplicationScope" => fifo(self.scope_group, "messageGroup", "queue"),
            "FifoThroughputLimit" => fifo(self.limit_group, "perMessageGroupId", "perQueue"),
            _ => None,
        }
    }

    /// Whether a queue with these settings is what `wanted` asks for.
    ///
    /// # Errors
    /// `QueueNameExists` with the first attribute that differs.
    pub fn same_as(&self, wanted: &Settings, given: &BTreeMap<String, String>) -> Result<()> {
        let differs = |name: &&str| given.contains_key(*name) && self.get(name) != wanted.get(name);
        let other_kind = (self.fifo != wanted.fifo).then_some("FifoQueue");
        match other_kind.or_else(|| SETTABLE.iter().copied().find(differs)) {
            None => Ok(()),
            Some(name) => Err(ApiError::new(
                "QueueNameExists",
                format!(
                    "A queue already exists with the same name and a different value for \
                     attribute {name}"
                ),
            )),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetQueueAttributesInput {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetQueueAttributesOutput {
    attributes: Option<BTreeMap<String, String>>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>
async fn get_queue_attributes(
    sqs: &Sqs,
    cx: &Cx,
    input: GetQueueAttributesInput,
) -> Result<GetQueueAttributesOutput> {
    let found = sqs.of_request(cx, &input.queue_url).await?;
    let known = || SETTABLE.iter().chain(&COUNTS).chain(&FACTS).copied();
    let mut names = Vec::new();
    for asked in &input.attribute_names {
        match known().find(|n| n == asked) {
            Some(name) => names.push(name),
            None if asked == "All" => names.extend(known()),
            None => return Err(unknown_attribute(asked)),
        }
    }
    let mut out = BTreeMap::new();
    if names.iter().any(|n| COUNTS.contains(n)) {
        let total = tally::total(&sqs.store, &found.at).await?;
        let hidden = flight::count(&sqs.store, found.generation(), cx.now, usize::MAX).await?;
        let visible = total.saturating_sub(hidden.in_flight + hidden.delayed);
        let counts = [visible, hidden.in_flight, hidden.delayed];
        for (name, n) in COUNTS.iter().zip(counts).filter(|(name, _)| names.contains(name)) {
            out.insert((*name).to_owned(), n.to_string());
        }
    }
    for name in names {
        let value = found.fact(name).or_else(|| found.queue.settings.get(name));
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    }
    Ok(GetQueueAttributesOutput { attributes: Some(out).filter(|o| !o.is_empty()) })
}

impl Found {
    fn fact(&self, name: &str) -> Option<String> {
        match name {
            "QueueArn" => Some(self.at.arn()),
            "CreatedTimestamp" => Some(self.queue.created.to_string()),
            "LastModifiedTimestamp" => Some(self.queue.modified.to_string()),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SetQueueAttributesInput {
    queue_url: String,
    attributes: BTreeMap<String, String>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>
async fn set_queue_attributes(sqs: &Sqs, cx: &Cx, input: SetQueueAttributesInput) -> Result<()> {
    let at = Address::of_url(cx, &input.queue_url)?;
    let mut wanted = sqs.find(&at).await?.queue.settings;
    wanted.apply(&input.attributes)?;
    if input.attributes.contains_key("RedrivePolicy") {
        redrive::check(sqs, &at, &wanted).await?;
    }
    let mut tx = sqs.store.lock(&[Lock::exclusive(&QUEUES, &at.key())]).await;
    let mut queue = tx.get(&QUEUES, &at.key()).await?.ok_or_else(no_such_queue)?;
    let old = queue.settings.clone();
    queue.settings.apply(&input.attributes)?;
    queue.modified = cx.now.as_second();
    redrive::index(&mut tx, &at, old.redrive.as_ref(), queue.settings.redrive.as_ref());
    if queue.settings.retention != old.retention {
        queue.sweep = generation(cx);
        job::sweep_later(&mut tx, cx.now, &at, &queue);
    }
    tx.put(&QUEUES, &at.key(), &queue);
    tx.commit().await?;
    sqs.wake_worker();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn what_is_not_a_setting_is_refused_by_name() {
        for (name, value, code) in [
            ("Nope", "1", "InvalidAttributeName"),
            ("QueueArn", "x", "InvalidAttributeName"),
            ("FifoQueue", "false", "InvalidAttributeName"),
            ("FifoQueue", "yes", "InvalidAttributeValue"),
            ("ContentBasedDeduplication", "true", "InvalidAttributeName"),
            ("VisibilityTimeout", "43201", "InvalidAttributeValue"),
            ("VisibilityTimeout", "-1", "InvalidAttributeValue"),
            ("VisibilityTimeout", "", "InvalidAttributeValue"),
            ("MaximumMessageSize", "1023", "InvalidAttributeValue"),
            ("MaximumMessageSize", "1048577", "InvalidAttributeValue"),
            ("MessageRetentionPeriod", "59", "InvalidAttributeValue"),
            ("DelaySeconds", "901", "InvalidAttributeValue"),
            ("ReceiveMessageWaitTimeSeconds", "21", "InvalidAttributeValue"),
            ("Policy", "{", "InvalidAttributeValue"),
            ("SqsManagedSseEnabled", "1", "InvalidAttributeValue"),
            ("KmsDataKeyReusePeriodSeconds", "59", "InvalidAttributeValue"),
        ] {
            let e = Settings::create(&attributes(&[(name, value)])).unwrap_err();
            assert_eq!(e.code(), code, "{name}={value}");
        }
        let fifo = [("FifoQueue", "true"), ("FifoThroughputLimit", "perMessageGroupId")];
        assert!(Settings::create(&attributes(&fifo)).is_err());
        let both = [("KmsMasterKeyId", "k"), ("SqsManagedSseEnabled", "true")];
        assert!(Settings::create(&attributes(&both)).is_err());
    }

    #[test]
    fn a_queue_is_the_same_only_by_what_is_given() {
        let a = Settings::create(&attributes(&[("DelaySeconds", "5")])).unwrap();
        let same = |pairs: &[(&str, &str)]| {
            let given = attributes(pairs);
            a.same_as(&Settings::create(&given).unwrap(), &given)
        };
        assert!(same(&[]).is_ok() && same(&[("DelaySeconds", "5")]).is_ok());
        assert_eq!(same(&[("DelaySeconds", "6")]).unwrap_err().code(), "QueueNameExists");
        assert!(same(&[("VisibilityTimeout", "30")]).is_ok(), "the default, said aloud");
    }
}
