//! Notices: records of what happened to objects, on their way to queues, topics and functions.
//!
//! A notice is a job that is written with the change it tells of, so that no change goes untold.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>

use std::sync::Arc;

use bytes::Bytes;
use fogbank_bus::{Job, Jobs, Next, Options, Worker};
use fogbank_core::{ApiError, Arn, Clock, Cloud, Cx, Result, Source, Value, map};
use fogbank_store::Tx;
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};

use crate::S3;
use crate::error::invalid_argument;
use crate::notification::{self, Kind, Rule};
use crate::owner::canonical_id;
use crate::record::BucketRecord;

static JOBS: Jobs<Notice> = Jobs::new("s3.notice");

/// A record and where it goes.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Notice {
    #[n(0)]
    destination: String,
    #[n(1)]
    body: String,
    /// The bucket, its owner and its region.
    #[n(2)]
    bucket: String,
    #[n(3)]
    owner: String,
    #[n(4)]
    region: String,
    #[n(5)]
    attempts: u32,
}
fogbank_store::record!(Notice, version = 1);

/// How often a destination that fails is tried, and the longest pause, in seconds.
const ATTEMPTS: u32 = 40;
const PAUSE: i64 = 300;

/// Something that happened to an object.
pub(crate) struct What<'a> {
    /// `ObjectCreated:Put`.
    pub event: &'a str,
    pub key: &'a str,
    pub size: Option<u64>,
    pub etag: Option<&'a str>,
    pub version: Option<&'a str>,
    pub seq: u64,
}

/// Adds what a bucket's rules want told to the transaction of the change.
///
/// # Errors
/// When the rules cannot be read.
pub(crate) async fn put(
    s3: &S3,
    cx: &Cx,
    tx: &mut Tx,
    bucket: &BucketRecord,
    what: &What<'_>,
) -> Result<()> {
    if !bucket.has.notices {
        return Ok(());
    }
    for rule in notification::rules(s3, bucket).await? {
        if rule.wants(what.event, what.key) {
            let notice = Notice {
                destination: rule.arn.clone(),
                body: record(cx, bucket, &rule, what).to_string(),
                bucket: bucket.name.clone(),
                owner: bucket.owner.clone(),
                region: bucket.region.clone(),
                attempts: 0,
            };
            JOBS.put(tx, cx.now, &cx.ids().uuid(), &notice);
        }
    }
    Ok(())
}

/// What a query string leaves as it is, and the slash.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

fn record(cx: &Cx, bucket: &BucketRecord, rule: &Rule, what: &What<'_>) -> Json {
    let key = utf8_percent_encode(what.key, PLAIN).to_string().replace("%20", "+");
    let mut object = json!({ "key": key });
    if let Some(size) = what.size {
        object["size"] = size.into();
    }
    if let Some(etag) = what.etag {
        object["eTag"] = etag.into();
    }
    if let Some(version) = what.version {
        object["versionId"] = version.into();
    }
    object["sequencer"] = format!("{:016X}", what.seq).into();
    let plain = ["ObjectCreated:", "ObjectRemoved:"].iter().any(|f| what.event.starts_with(f));
    let who = if cx.principal.id.is_empty() { "Anonymous" } else { &cx.principal.id };
    json!({"Records": [{
        "eventVersion": if plain { "2.1" } else { "2.3" },
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": cx.now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        "eventName": what.event,
        "userIdentity": {"principalId": format!("AWS:{who}")},
        "requestParameters": {"sourceIPAddress": cx.source_ip.to_string()},
        "responseElements": {
            "x-amz-request-id": cx.request_id,
            "x-amz-id-2": format!("{}{}", cx.request_id, bucket.generation),
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": rule.id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": canonical_id(&bucket.owner)},
                "arn": format!("arn:aws:s3:::{}", bucket.name),
            },
            "object": object,
        },
    }]})
}

/// Tries a destination before it is accepted: a test event, or whether the function may be invoked.
///
/// # Errors
/// `InvalidArgument` with the destination and why it cannot be one.
pub(crate) async fn test(cx: &Cx, bucket: &BucketRecord, rule: &Rule) -> Result<()> {
    let body = json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": cx.now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        "Bucket": bucket.name,
        "RequestId": cx.request_id,
        "HostId": format!("{}{}", cx.request_id, bucket.generation),
    })
    .to_string();
    let mode = if rule.kind == Kind::Function { "DryRun" } else { "" };
    let acting = acting(&cx.cloud, &bucket.name, &bucket.owner, &bucket.region);
    send(&acting, &rule.arn, body, mode).await.map_err(|e| {
        let what = match rule.kind {
            Kind::Queue => "queue",
            Kind::Topic => "topic",
            Kind::Function => "function",
        };
        let missing =
            ["NotFound", "NonExistent", "DoesNotExist"].iter().any(|c| e.code().contains(c));
        let why = match (missing, rule.kind) {
            (true, _) => format!("The destination {what} does not exist"),
            (false, Kind::Function) => format!("Not authorized to invoke function [{}]", rule.arn),
            (false, _) => format!(
                "Permissions on the destination {what} do not allow S3 to publish notifications \
                 from this bucket"
            ),
        };
        let text = "Unable to validate the following destination configurations";
        invalid_argument(&rule.arn, &why, text).context(e.to_string())
    })
}

fn acting(cloud: &Arc<dyn Cloud>, bucket: &str, owner: &str, region: &str) -> Cx {
    let source = Source { arn: format!("arn:aws:s3:::{bucket}"), account: owner.to_owned() };
    Cx::acting(cloud, "s3.amazonaws.com", "s3", owner, region.to_owned(), Some(source))
}

/// Sends a record; the destination's own policy decides.
async fn send(cx: &Cx, destination: &str, body: String, mode: &str) -> Result<()> {
    let missing = || ApiError::new("NotFound", "it is no destination");
    let arn = Arn::parse(destination).ok_or_else(missing)?;
    match arn.service {
        "sqs" => {
            let url = format!("/{}/{}", arn.account, arn.resource);
            let input = map! { "QueueUrl" => url, "MessageBody" => body };
            cx.call("sqs", "SendMessage", input).await?;
        }
        "sns" => {
            let input = map! {
                "TopicArn" => destination,
                "Subject" => "Amazon S3 Notification",
                "Message" => body,
            };
            cx.call("sns", "Publish", input).await?;
        }
        "lambda" => {
            let input = map! {
                "FunctionName" => destination,
                "InvocationType" => if mode.is_empty() { "Event" } else { mode },
                "Payload" => Value::Blob(Bytes::from(body)),
            };
            cx.call("lambda", "Invoke", input).await?;
        }
        _ => return Err(missing()),
    }
    Ok(())
}

/// Starts the worker that sends notices.
pub(crate) fn start(s3: &S3, clock: Clock, cloud: &Arc<dyn Cloud>) -> Worker {
    let cloud = Arc::clone(cloud);
    let now = clock.clone();
    Worker::start(s3.store.clone(), clock, &JOBS, Options::default(), move |job: Job<Notice>| {
        let (cloud, now) = (Arc::clone(&cloud), now.clone());
        async move {
            let n = job.what;
            let cx = acting(&cloud, &n.bucket, &n.owner, &n.region);
            match send(&cx, &n.destination, n.body.clone(), "").await {
                Ok(()) => Next::Done,
                Err(e) if n.attempts < ATTEMPTS => {
                    tracing::debug!(
                        "{} does not take a notice of {}: {e}",
                        n.destination,
                        n.bucket
                    );
                    let pause = (1_i64 << n.attempts.min(9)).min(PAUSE);
                    let due = now.now().saturating_add(SignedDuration::from_secs(pause));
                    let attempts = n.attempts + 1;
                    Next::At(due.unwrap_or(Timestamp::MAX), Notice { attempts, ..n })
                }
                Err(e) => {
                    tracing::warn!("a notice of {} is lost: {}: {e}", n.bucket, n.destination);
                    Next::Done
                }
            }
        }
    })
}
