//! Dead-letter queues: redrive policies, who may use a queue as one, and who does.

use std::borrow::Cow;

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::{Part, Range, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::address::Address;
use crate::attribute::Settings;
use crate::error::bad_value;
use crate::queue::Page;
use crate::{Sqs, authz};

pub const OPS: &[Op<Sqs>] = ops![
    ListDeadLetterSourceQueues => list_dead_letter_source_queues [authz::queue],
];

/// `(account, region, dead-letter queue, source queue)`.
static SOURCES: Table<()> = Table::new("sqs.source");

/// `RedrivePolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Redrive {
    /// An ARN.
    #[n(0)]
    pub target: String,
    #[n(1)]
    pub max_receives: u32,
}

/// `RedriveAllowPolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Allow {
    #[n(0)]
    All,
    #[n(1)]
    None,
    /// The ARNs of source queues.
    #[n(2)]
    By(#[n(0)] Vec<String>),
}

impl Redrive {
    /// # Errors
    /// AWS's sentence about what is wrong with it.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |reason: &str| bad_value(text, "RedrivePolicy", reason);
        let json: Json = serde_json::from_str(text)
            .map_err(|_| bad("Redrive policy is not a valid JSON map."))?;
        let Some(map) = json.as_object() else {
            return Err(bad("Redrive policy is not a valid JSON map."));
        };
        if map.keys().any(|k| k != "deadLetterTargetArn" && k != "maxReceiveCount") {
            return Err(bad(
                "Only following attributes are allowed: [deadLetterTargetArn, maxReceiveCount].",
            ));
        }
        let target = map.get("deadLetterTargetArn").and_then(Json::as_str);
        let Some(target) = target.filter(|t| !t.is_empty()) else {
            return Err(bad(
                "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.",
            ));
        };
        let Some(count) = map.get("maxReceiveCount") else {
            return Err(bad(
                "Redrive policy does not contain mandatory attribute: maxReceiveCount.",
            ));
        };
        // A number, or the text of one: consoles and templates send both.
        let number = count.as_u64().or_else(|| count.as_str()?.parse().ok());
        let max_receives = number
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| (1..=1000).contains(n))
            .ok_or_else(|| {
                bad(&format!(
                    "Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 \
                     both inclusive."
                ))
            })?;
        Ok(Redrive { target: target.to_owned(), max_receives })
    }

    pub fn text(&self) -> String {
        let Redrive { target, max_receives } = self;
        format!("{{\"deadLetterTargetArn\":{},\"maxReceiveCount\":{max_receives}}}", json!(target))
    }
}

impl Allow {
    /// # Errors
    /// AWS's sentence about what is wrong with it.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |reason: &str| bad_value(text, "RedriveAllowPolicy", reason);
        let json: Json = serde_json::from_str(text).map_err(|_| {
            bad("Amazon SQS can't create the redrive allow policy, as it’s not a valid JSON map.")
        })?;
        let permission = json["redrivePermission"].as_str();
        let sources = json["sourceQueueArns"].as_array();
        match (permission, sources) {
            (Some("allowAll"), None) => Ok(Allow::All),
            (Some("denyAll"), None) => Ok(Allow::None),
            (Some("byQueue"), Some(arns)) if (1..=10).contains(&arns.len()) => {
                let arn = |a: &Json| {
                    a.as_str().filter(|a| Address::of_arn(a).is_some()).map(str::to_owned)
                };
                let arns: Option<Vec<String>> = arns.iter().map(arn).collect();
                arns.map(Allow::By).ok_or_else(|| bad("A source queue ARN is not valid."))
            }
            (Some("byQueue"), _) => Err(bad(
                "You must specify between 1 and 10 source queue ARNs when the redrivePermission \
                 parameter is set to byQueue.",
            )),
            (Some("allowAll" | "denyAll"), Some(_)) => Err(bad(
                "You can specify sourceQueueArns only when the redrivePermission parameter is set \
                 to byQueue.",
            )),
            _ => Err(bad("redrivePermission must be one of allowAll, denyAll, byQueue.")),
        }
    }

    pub fn text(&self) -> String {
        match self {
            Allow::All => json!({"redrivePermission": "allowAll"}),
            Allow::None => json!({"redrivePermission": "denyAll"}),
            Allow::By(arns) => json!({"redrivePermission": "byQueue", "sourceQueueArns": arns}),
        }
        .to_string()
    }

    fn lets(&self, source: &Address) -> bool {
        match self {
            Allow::All => true,
            Allow::None => false,
            Allow::By(arns) => arns.contains(&source.arn()),
        }
    }
}

/// Whether the redrive policy of the queue `at` names a queue that can be its dead-letter queue.
///
/// # Errors
/// AWS's sentence about why not.
pub async fn check(sqs: &Sqs, at: &Address, settings: &Settings) -> Result<()> {
    let Some(redrive) = &settings.redrive else { return Ok(()) };
    let bad = |reason: &str| Err(bad_value(redrive.text(), "RedrivePolicy", reason));
    let Some(target) = Address::of_arn(&redrive.target) else {
        return bad("Invalid value for deadLetterTargetArn.");
    };
    if target.account != at.account || target.region != at.region {
        return bad("Dead-letter target owner should be same as the source.");
    }
    if target == *at {
        return bad("Dead-letter target cannot be the source queue itself.");
    }
    let Some(found) = sqs.look_up(&target).await? else {
        return bad("Dead letter target does not exist.");
    };
    if found.fifo() != settings.fifo {
        return bad("Dead-letter queue must be same type of queue as the source.");
    }
    if found.queue.settings.allow.is_some_and(|a| !a.lets(at)) {
        return bad(&format!(
            "Queue {} does not have permissions to use {} as a dead-letter queue.",
            at.arn(),
            target.arn()
        ));
    }
    Ok(())
}

/// Keeps the list of a dead-letter queue's sources when a source's policy changes.
pub fn index(tx: &mut Tx, at: &Address, old: Option<&Redrive>, new: Option<&Redrive>) {
    let key = |r: &Redrive| Address::of_arn(&r.target).map(|t| t.key().str(&at.name));
    if let Some(key) = old.and_then(key) {
        tx.delete(&SOURCES, &key);
    }
    if let Some(key) = new.and_then(key) {
        tx.put(&SOURCES, &key, &());
    }
}

impl Sqs {
    /// The names of the queues whose dead letters come to `at`.
    pub(crate) async fn sources(
        &self,
        at: &Address,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let mut range = Range::prefix(&at.key());
        if let Some(last) = after {
            range = range.after(&at.key().str(last));
        }
        let found = self.store.scan(&SOURCES, range, limit).await?;
        Ok(found.iter().filter_map(|(k, ())| k.parts().nth(3).map(|p| part_text(&p))).collect())
    }
}

/// A part of a key that is text.
pub fn part_text(part: &Part<'_>) -> String {
    match part {
        Part::Str(s) => Cow::clone(s).into_owned(),
        Part::Bytes(_) | Part::U64(_) => String::new(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SourcesInput {
    queue_url: String,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
struct SourcesOutput {
    #[serde(rename = "queueUrls")]
    queue_urls: Vec<String>,
    #[serde(rename = "NextToken")]
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListDeadLetterSourceQueues.html>
async fn list_dead_letter_source_queues(
    sqs: &Sqs,
    cx: &Cx,
    input: SourcesInput,
) -> Result<SourcesOutput> {
    let at = sqs.of_request(cx, &input.queue_url).await?.at.clone();
    let page = Page::of(input.max_results, input.next_token.as_deref())?;
    let names = sqs.sources(&at, page.after.as_deref(), page.limit + 1).await?;
    let (names, next_token) = page.cut(names);
    let url = |name: &String| Address { name: name.clone(), ..at.clone() }.url(cx);
    Ok(SourcesOutput { queue_urls: names.iter().map(url).collect(), next_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DLQ: &str = "arn:aws:sqs:us-east-1:000000000000:d";

    #[test]
    fn redrive_policies() {
        for count in ["3", "\"3\""] {
            let text = format!(r#"{{"maxReceiveCount":{count}, "deadLetterTargetArn":"{DLQ}"}}"#);
            let read = Redrive::parse(&text).unwrap();
            assert_eq!(
                read.text(),
                format!(r#"{{"deadLetterTargetArn":"{DLQ}","maxReceiveCount":3}}"#)
            );
        }
        for bad in [
            "{",
            "[]",
            "{}",
            r#"{"deadLetterTargetArn":"x"}"#,
            r#"{"maxReceiveCount":1}"#,
            r#"{"deadLetterTargetArn":"x","maxReceiveCount":0}"#,
            r#"{"deadLetterTargetArn":"x","maxReceiveCount":1001}"#,
            r#"{"deadLetterTargetArn":"x","maxReceiveCount":1,"more":1}"#,
        ] {
            assert_eq!(Redrive::parse(bad).unwrap_err().code(), "InvalidParameterValue", "{bad}");
        }
    }

    #[test]
    fn redrive_allow_policies() {
        let by = format!(r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{DLQ}"]}}"#);
        let source = Address::of_arn(DLQ).unwrap();
        assert!(Allow::parse(&by).unwrap().lets(&source));
        assert_eq!(Allow::parse(&by).unwrap().text(), by);
        assert!(!Allow::parse(r#"{"redrivePermission":"denyAll"}"#).unwrap().lets(&source));
        for bad in [
            "",
            "{}",
            r#"{"redrivePermission":"x"}"#,
            r#"{"redrivePermission":"byQueue"}"#,
            r#"{"redrivePermission":"byQueue","sourceQueueArns":[]}"#,
            r#"{"redrivePermission":"byQueue","sourceQueueArns":["x"]}"#,
        ] {
            assert!(Allow::parse(bad).is_err(), "{bad}");
        }
    }
}
