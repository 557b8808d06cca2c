//! Event notifications: what a bucket tells EventBridge, queues, topics and functions of its objects.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html>

use fogbank_core::{Arn, Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::S3;
use crate::authz::check;
use crate::config::{self, BucketInput};
use crate::error::invalid_argument;
use crate::notice;
use crate::record::BucketRecord;

pub const OPS: &[Op<S3>] = ops![
    PutBucketNotificationConfiguration => put_bucket_notification_configuration [check],
    GetBucketNotificationConfiguration => get_bucket_notification_configuration [check],
];

/// Under which a bucket's rules are kept.
const KIND: &str = "notification";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutBucketNotificationConfigurationInput {
    bucket: String,
    notification_configuration: Configuration,
    #[serde(default)]
    skip_destination_validation: bool,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    topic_configurations: Vec<Destination>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    queue_configurations: Vec<Destination>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lambda_function_configurations: Vec<Destination>,
    event_bridge_configuration: Option<Empty>,
}

/// A destination of one of three kinds, of which it has the one ARN.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Destination {
    id: Option<String>,
    topic_arn: Option<String>,
    queue_arn: Option<String>,
    lambda_function_arn: Option<String>,
    #[serde(default)]
    events: Vec<String>,
    filter: Option<Filter>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    key: Option<KeyFilter>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyFilter {
    #[serde(default)]
    filter_rules: Vec<FilterRule>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FilterRule {
    name: Option<String>,
    value: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Empty {}

/// What kind of destination a rule has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Queue,
    Topic,
    Function,
}

/// A rule as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub id: String,
    pub kind: Kind,
    pub arn: String,
    /// `s3:ObjectCreated:*`.
    pub events: Vec<String>,
    pub prefix: Option<String>,
    pub suffix: Option<String>,
}

impl Rule {
    /// Whether it is for this event (`ObjectCreated:Put`) of this key.
    pub fn wants(&self, event: &str, key: &str) -> bool {
        self.events.iter().any(|e| covers(e, event))
            && self.prefix.as_deref().is_none_or(|p| key.starts_with(p))
            && self.suffix.as_deref().is_none_or(|s| key.ends_with(s))
    }

    /// Whether some event of some key is for both.
    fn overlaps(&self, other: &Rule) -> bool {
        let plain = |e: &str| e.trim_start_matches("s3:").to_owned();
        let events = self
            .events
            .iter()
            .any(|a| other.events.iter().any(|b| covers(a, &plain(b)) || covers(b, &plain(a))));
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        let (p, q) = (text(&self.prefix), text(&other.prefix));
        let (s, t) = (text(&self.suffix), text(&other.suffix));
        events && (p.starts_with(&q) || q.starts_with(&p)) && (s.ends_with(&t) || t.ends_with(&s))
    }
}

/// Whether an event of a rule, perhaps with a wildcard, is or includes another.
fn covers(rule: &str, event: &str) -> bool {
    let rule = rule.trim_start_matches("s3:");
    rule == event
        || rule.strip_suffix('*').is_some_and(|family| event.starts_with(family) || event == rule)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html>
async fn put_bucket_notification_configuration(
    s3: &S3,
    cx: &Cx,
    input: PutBucketNotificationConfigurationInput,
) -> Result<()> {
    let c = input.notification_configuration;
    let event_bridge = c.event_bridge_configuration.is_some();
    let mut rules = Vec::new();
    for (kind, all) in [
        (Kind::Topic, c.topic_configurations),
        (Kind::Queue, c.queue_configurations),
        (Kind::Function, c.lambda_function_configurations),
    ] {
        for d in all {
            rules.push(rule(cx, kind, d)?);
        }
    }
    check_rules(&rules)?;
    let bucket = s3.bucket(&input.bucket).await?;
    if !input.skip_destination_validation {
        for rule in &rules {
            notice::test(cx, &bucket, rule).await?;
        }
    }
    let kept = if rules.is_empty() { None } else { Some(config::encode(&rules)?) };
    s3.set_config(&input.bucket, KIND, kept, |b| {
        b.has.notification = event_bridge;
        b.has.notices = !rules.is_empty();
        Ok(())
    })
    .await
}

fn rule(cx: &Cx, kind: Kind, d: Destination) -> Result<Rule> {
    let arn = match kind {
        Kind::Topic => d.topic_arn,
        Kind::Queue => d.queue_arn,
        Kind::Function => d.lambda_function_arn,
    };
    let arn = arn.unwrap_or_default();
    let service = match kind {
        Kind::Topic => "sns",
        Kind::Queue => "sqs",
        Kind::Function => "lambda",
    };
    let parsed = Arn::parse(&arn).filter(|a| a.service == service);
    if parsed.is_none() {
        return Err(invalid_argument("ARN", &arn, "The ARN could not be parsed"));
    }
    if arn.ends_with(".fifo") {
        let what = if kind == Kind::Queue { "FIFO SQS queues" } else { "FIFO SNS topics" };
        return Err(invalid_argument("ARN", &arn, &format!("{what} are not supported")));
    }
    if let Some(e) = d.events.iter().find(|e| !is_event(e)) {
        let text = "The event is not supported for notifications";
        return Err(invalid_argument("Event", e, text));
    }
    let (mut prefix, mut suffix) = (None, None);
    let rules = d.filter.and_then(|f| f.key).map(|k| k.filter_rules).unwrap_or_default();
    for FilterRule { name, value } in rules {
        let name = name.unwrap_or_default().to_ascii_lowercase();
        let place = match name.as_str() {
            "prefix" => &mut prefix,
            "suffix" => &mut suffix,
            _ => {
                let text = "filter rule name must be either prefix or suffix";
                return Err(invalid_argument("FilterRule.Name", &name, text));
            }
        };
        let value = value.unwrap_or_default();
        if value.len() > 1024 {
            let text = "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation";
            return Err(invalid_argument("FilterRule.Value", &value, text));
        }
        if place.replace(value).is_some() {
            let text = format!("Cannot specify more than one {name} rule in a filter.");
            return Err(invalid_argument("FilterRule.Name", &name, &text));
        }
    }
    let id = d.id.filter(|id| !id.is_empty()).unwrap_or_else(|| cx.ids().uuid());
    Ok(Rule { id, kind, arn, events: d.events, prefix, suffix })
}

fn check_rules(rules: &[Rule]) -> Result<()> {
    if rules.len() > 100 {
        let text = "The number of notification configurations exceeds the limit of 100";
        return Err(invalid_argument("NotificationConfiguration", &rules.len().to_string(), text));
    }
    for (n, rule) in rules.iter().enumerate() {
        for other in &rules[n + 1..] {
            if rule.id == other.id {
                let text = "Same ID used for multiple configurations.";
                return Err(invalid_argument("Id", &rule.id, text));
            }
            if rule.overlaps(other) {
                let text = "Configurations overlap. Configurations on the same bucket cannot \
                            share a common event type.";
                return Err(invalid_argument("Event", &other.events.join(","), text));
            }
        }
    }
    Ok(())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketNotificationConfiguration.html>
async fn get_bucket_notification_configuration(
    s3: &S3,
    _: &Cx,
    input: BucketInput,
) -> Result<Configuration> {
    let bucket = s3.bucket(&input.bucket).await?;
    let mut c = Configuration {
        event_bridge_configuration: bucket.has.notification.then_some(Empty {}),
        ..Configuration::default()
    };
    for Rule { id, kind, arn, events, prefix, suffix } in rules(s3, &bucket).await? {
        let part = |name: &str, value: Option<String>| {
            value.map(|v| FilterRule { name: Some(name.to_owned()), value: Some(v) })
        };
        let filter_rules: Vec<FilterRule> =
            part("Prefix", prefix).into_iter().chain(part("Suffix", suffix)).collect();
        let filter =
            (!filter_rules.is_empty()).then_some(Filter { key: Some(KeyFilter { filter_rules }) });
        let d = Destination { id: Some(id), events, filter, ..Destination::default() };
        match kind {
            Kind::Topic => {
                c.topic_configurations.push(Destination { topic_arn: Some(arn), ..d });
            }
            Kind::Queue => {
                c.queue_configurations.push(Destination { queue_arn: Some(arn), ..d });
            }
            Kind::Function => {
                let lambda_function_arn = Some(arn);
                c.lambda_function_configurations.push(Destination { lambda_function_arn, ..d });
            }
        }
    }
    Ok(c)
}

/// The rules of a bucket.
///
/// # Errors
/// When the store fails.
pub(crate) async fn rules(s3: &S3, bucket: &BucketRecord) -> Result<Vec<Rule>> {
    if !bucket.has.notices {
        return Ok(Vec::new());
    }
    let kept = s3.config(&bucket.name, KIND).await?;
    let read = kept.map(|b| serde_json::from_slice(&b)).transpose();
    Ok(read.map_err(|e| fogbank_core::ApiError::internal(e.to_string()))?.unwrap_or_default())
}

fn is_event(name: &str) -> bool {
    const FAMILIES: [(&str, &[&str]); 7] = [
        ("s3:ObjectCreated:", &["*", "Put", "Post", "Copy", "CompleteMultipartUpload"]),
        ("s3:ObjectRemoved:", &["*", "Delete", "DeleteMarkerCreated"]),
        ("s3:ObjectRestore:", &["*", "Post", "Completed", "Delete"]),
        (
            "s3:Replication:",
            &[
                "*",
                "OperationFailedReplication",
                "OperationNotTracked",
                "OperationMissedThreshold",
                "OperationReplicatedAfterThreshold",
            ],
        ),
        ("s3:LifecycleExpiration:", &["*", "Delete", "DeleteMarkerCreated"]),
        ("s3:ObjectTagging:", &["*", "Put", "Delete"]),
        ("s3:ObjectAcl:", &["Put"]),
    ];
    const SINGLE: [&str; 3] =
        ["s3:IntelligentTiering", "s3:LifecycleTransition", "s3:ReducedRedundancyLostObject"];
    SINGLE.contains(&name)
        || FAMILIES
            .iter()
            .any(|(family, all)| name.strip_prefix(family).is_some_and(|e| all.contains(&e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(events: &[&str], prefix: &str, suffix: &str) -> Rule {
        Rule {
            id: format!("{events:?}{prefix}{suffix}"),
            kind: Kind::Queue,
            arn: String::new(),
            events: events.iter().map(|e| (*e).to_owned()).collect(),
            prefix: Some(prefix.to_owned()),
            suffix: Some(suffix.to_owned()),
        }
    }

    #[test]
    fn a_rule_is_for_its_events_and_keys() {
        let r = rule(&["s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"], "a/", ".png");
        for (event, key, wanted) in [
            ("ObjectCreated:Put", "a/b.png", true),
            ("ObjectRemoved:Delete", "a/b.png", true),
            ("ObjectRemoved:DeleteMarkerCreated", "a/b.png", false),
            ("ObjectCreated:Put", "b/a.png", false),
            ("ObjectCreated:Put", "a/b.jpg", false),
        ] {
            assert_eq!(r.wants(event, key), wanted, "{event} {key}");
        }
    }

    #[test]
    fn rules_must_not_share_an_event() {
        let all = |a: Rule, b: Rule| check_rules(&[a, b]).is_ok();
        let put = || rule(&["s3:ObjectCreated:Put"], "a", "");
        assert!(!all(put(), rule(&["s3:ObjectCreated:*"], "ab", "")));
        assert!(all(put(), rule(&["s3:ObjectCreated:*"], "b", "")));
        assert!(all(put(), rule(&["s3:ObjectRemoved:*"], "a", "")));
        let jpg = || rule(&["s3:ObjectCreated:Put"], "", ".jpg");
        assert!(all(jpg(), rule(&["s3:ObjectCreated:Put"], "", ".png")));
        assert!(!all(jpg(), rule(&["s3:ObjectCreated:Put"], "", "g")));
    }

    #[test]
    fn events_are_known_by_name() {
        assert!(is_event("s3:ObjectCreated:*") && is_event("s3:LifecycleTransition"));
        for bad in ["s3:ObjectCreated:", "s3:ObjectCreated:Nope", "ObjectCreated:Put", "s3:*"] {
            assert!(!is_event(bad), "{bad}");
        }
    }
}
