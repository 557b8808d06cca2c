//! Queues: messages received in batches, deleted when the function is done with them.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>

use std::sync::Arc;
use std::time::Duration;

use fogbank_core::{ApiError, Arn, Cx, Result, Value, map};
use serde_json::{Map, Value as Json, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Mapping;
use super::batch::{self, Filters, Verdict, hand_over};
use super::json::json as to_json;
use super::poller::Poll;
use crate::Lambda;
use crate::asynchronous::queue_url;
use crate::config::Config;
use crate::error::invalid;
use crate::name::Target;
use crate::role;

/// Batches at once where the mapping sets no limit.
const BATCHES: u32 = 50;
/// The longest poll that SQS does.
const WAIT: i64 = 20;

/// Whether the function's role may read the queue, and the queue hides messages for long enough.
///
/// # Errors
/// `InvalidParameterValueException`.
pub async fn check(cx: &Cx, target: &Target, config: &Config, source: &str) -> Result<()> {
    for action in ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"] {
        role::may(cx, target, &config.role, action, source).await?;
    }
    let lambda = role::acting(&cx.cloud, target);
    let session = lambda.assume(&config.role, &role::session_name(target)).await?;
    let inside = lambda.in_session(&session);
    let arn = Arn::parse(source).ok_or_else(|| invalid("Unrecognized event source."))?;
    let input = map! {
        "QueueUrl" => queue_url(cx, &arn),
        "AttributeNames" => vec![Value::from("VisibilityTimeout")],
    };
    let found = inside.call("sqs", "GetQueueAttributes", input).await.map_err(|e| {
        let message = e.message();
        invalid(format!(
            "Error occurred while ReceiveMessage. SQS Error Code: {}. SQS Error Message: {message}",
            e.code()
        ))
    })?;
    let hidden = found.get("Attributes").and_then(|a| a.str("VisibilityTimeout"));
    let hidden: u32 = hidden.and_then(|t| t.parse().ok()).unwrap_or(30);
    if hidden < config.timeout {
        return Err(invalid(format!(
            "Queue visibility timeout: {hidden} seconds is less than Function timeout: {} seconds",
            config.timeout
        )));
    }
    Ok(())
}

/// A message and the record made of it.
struct Message {
    id: String,
    handle: String,
    record: Json,
    size: usize,
    trace: Option<String>,
}

/// Reads the queue until the mapping changes.
pub async fn run(poll: Poll) {
    let most = poll.mapping.concurrency.unwrap_or(BATCHES);
    let places = Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(1)));
    let filters = Arc::new(Filters::new(&poll.mapping));
    let mut broken = 0_u32;
    while !poll.is_over() {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match gather(&poll, &filters).await {
            Ok(messages) => {
                broken = 0;
                if !messages.is_empty() {
                    tokio::spawn(process(poll.clone(), messages, place));
                }
            }
            Err(e) => {
                broken = broken.saturating_add(1);
                tracing::debug!("{} cannot be read: {e}", poll.mapping.source);
                poll.pause(Duration::from_millis(500 * u64::from(broken.min(40)))).await;
            }
        }
    }
}

/// The function's session, in which the queue is read.
async fn session(lambda: &Lambda, poll: &Poll) -> Result<Cx> {
    let target = poll.mapping.target();
    let function = lambda.function(&target).await?;
    let (_, config) = lambda.version_of(&target, &function).await?;
    lambda.roles.cx(&poll.cloud, &target.with(None), &config.role).await
}

/// One batch: what there is at once, or what comes within the batching window.
async fn gather(poll: &Poll, filters: &Filters) -> Result<Vec<Message>> {
    let Some(lambda) = poll.lambda.upgrade() else { return Ok(Vec::new()) };
    let mapping = &poll.mapping;
    let cx = session(&lambda, poll).await?;
    drop(lambda);
    let wanted = usize::try_from(mapping.batch).unwrap_or(10);
    let mut batch: Vec<Message> = Vec::new();
    let mut size = 0;
    let mut until: Option<Instant> = None;
    loop {
        let left = until.map(|u| u.saturating_duration_since(Instant::now()));
        let wait = left.map_or(WAIT, |l| i64::try_from(l.as_secs()).unwrap_or(0).min(WAIT));
        let some = (wanted - batch.len()).min(10);
        let mut stop = poll.stop.clone();
        let received = tokio::select! {
            received = receive(&cx, mapping, some, wait) => received,
            // What a poll in vain would have received comes back after its visibility timeout.
            _ = stop.changed() => return Ok(batch),
        };
        let messages = match received {
            Ok(messages) => messages,
            Err(e) if batch.is_empty() => return Err(e),
            Err(_) => return Ok(batch),
        };
        let short = messages.len() < some;
        let (pass, drop): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|m| filters.pass(&m.record, Some("body")));
        delete(&cx, mapping, &drop).await;
        for message in pass {
            size += message.size;
            batch.push(message);
        }
        if mapping.window == 0 || batch.len() >= wanted || size >= batch::BYTES {
            return Ok(batch);
        }
        if until.is_none() && !batch.is_empty() {
            until = Some(Instant::now() + Duration::from_secs(mapping.window.into()));
        }
        if until.is_some_and(|u| Instant::now() >= u) {
            return Ok(batch);
        }
        if short && wait == 0 {
            let rest = until.map(|u| u.saturating_duration_since(Instant::now()));
            poll.pause(rest.unwrap_or_default().min(Duration::from_millis(200))).await;
        }
    }
}

async fn receive(cx: &Cx, mapping: &Mapping, some: usize, wait: i64) -> Result<Vec<Message>> {
    let arn = Arn::parse(&mapping.source).ok_or_else(|| ApiError::internal("no queue's ARN"))?;
    let input = map! {
        "QueueUrl" => queue_url(cx, &arn),
        "MaxNumberOfMessages" => Value::Int(i64::try_from(some).unwrap_or(10)),
        "WaitTimeSeconds" => Value::Int(wait),
        "AttributeNames" => vec![Value::from("All")],
        "MessageAttributeNames" => vec![Value::from("All")],
    };
    let answer = cx.call("sqs", "ReceiveMessage", input).await?;
    let messages = answer.get("Messages").map(Value::items).unwrap_or_default();
    Ok(messages.iter().map(|m| message(m, mapping)).collect())
}

fn message(m: &Value, mapping: &Mapping) -> Message {
    let text = |name: &str| m.str(name).unwrap_or_default().to_owned();
    let attributes = m.get("Attributes").map_or_else(|| json!({}), to_json);
    let mut own = Map::new();
    if let Some(Value::Map(all)) = m.get("MessageAttributes") {
        for (name, value) in all {
            let mut attribute = Map::new();
            if let Some(s) = value.str("StringValue") {
                attribute.insert("stringValue".into(), json!(s));
            }
            if let Some(b) = value.get("BinaryValue") {
                attribute.insert("binaryValue".into(), to_json(b));
            }
            attribute.insert("stringListValues".into(), json!([]));
            attribute.insert("binaryListValues".into(), json!([]));
            attribute.insert("dataType".into(), json!(value.str("DataType").unwrap_or("String")));
            own.insert(name.clone().into_owned(), Json::Object(attribute));
        }
    }
    let trace = attributes["AWSTraceHeader"].as_str().map(str::to_owned);
    let mut record = json!({
        "messageId": text("MessageId"),
        "receiptHandle": text("ReceiptHandle"),
        "body": text("Body"),
        "attributes": attributes,
        "messageAttributes": own,
        "md5OfBody": text("MD5OfBody"),
        "eventSource": "aws:sqs",
        "eventSourceARN": mapping.source,
        "awsRegion": mapping.region,
    });
    if let Some(md5) = m.str("MD5OfMessageAttributes") {
        record["md5OfMessageAttributes"] = json!(md5);
    }
    let size = text("Body").len();
    Message { id: text("MessageId"), handle: text("ReceiptHandle"), record, size, trace }
}

/// Hands a batch over and deletes what the function is done with. The rest comes back by itself.
async fn process(poll: Poll, messages: Vec<Message>, _place: OwnedSemaphorePermit) {
    let Some(lambda) = poll.lambda.upgrade() else { return };
    let records: Vec<Json> = messages.iter().map(|m| m.record.clone()).collect();
    let ids: Vec<String> = messages.iter().map(|m| m.id.clone()).collect();
    let trace = messages.iter().find_map(|m| m.trace.clone());
    let mut verdict = Verdict::NotRun(String::new());
    // Throttled batches are tried again for a while before their messages return to the queue.
    for pause in [0_u64, 200, 500, 1000, 2000, 4000] {
        poll.pause(Duration::from_millis(pause)).await;
        verdict =
            hand_over(&lambda, &poll.cloud, &poll.mapping, &records, &ids, trace.clone()).await;
        if !matches!(verdict, Verdict::NotRun(_)) {
            break;
        }
    }
    let done: Vec<Message> = match verdict {
        Verdict::Done => messages,
        Verdict::Partly(failed) => {
            messages.into_iter().filter(|m| !failed.contains(&m.id)).collect()
        }
        Verdict::Failed { .. } => return,
        Verdict::NotRun(why) => {
            tracing::debug!("a batch of {} was not run: {why}", poll.mapping.source);
            return;
        }
    };
    match session(&lambda, &poll).await {
        Ok(cx) => delete(&cx, &poll.mapping, &done).await,
        Err(e) => tracing::debug!("messages of {} are not deleted: {e}", poll.mapping.source),
    }
}

async fn delete(cx: &Cx, mapping: &Mapping, messages: &[Message]) {
    let Some(arn) = Arn::parse(&mapping.source) else { return };
    for ten in messages.chunks(10) {
        let entries: Vec<Value> = ten
            .iter()
            .enumerate()
            .map(|(n, m)| map! { "Id" => n.to_string(), "ReceiptHandle" => m.handle.clone() })
            .collect();
        let input = map! { "QueueUrl" => queue_url(cx, &arn), "Entries" => entries };
        if let Err(e) = cx.call("sqs", "DeleteMessageBatch", input).await {
            tracing::debug!("messages of {} are not deleted: {e}", mapping.source);
        }
    }
}
