//! Where events end: destinations with a record of the invocation, dead letters with the event.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>

use fogbank_core::{ApiError, Arn, Cx, Result, Value, map};
use fogbank_lambda_runtime::Outcome;
use serde_json::{Value as Json, json};

use super::{Condition, Ending, Function};
use crate::name::LATEST;

/// Sends the record of an invocation to a destination, with the function's rights.
///
/// # Errors
/// The destination's.
pub(super) async fn send(
    end: &Ending<'_>,
    function: &Function,
    to: &str,
    condition: Condition,
    outcome: Option<&Outcome>,
) -> Result<()> {
    let record = record(end, function, condition, outcome);
    let cx = end.lambda.roles.cx(end.cloud, &end.event.target().with(None), &function.role).await?;
    deliver(&cx, to, condition == Condition::Success, &record).await
}

/// Sends a record to any of the destinations that there are.
///
/// # Errors
/// The destination's.
pub async fn deliver(cx: &Cx, to: &str, success: bool, record: &Json) -> Result<()> {
    let arn = Arn::parse(to).ok_or_else(|| ApiError::internal("a destination that is no ARN"))?;
    let text = record.to_string();
    match arn.service {
        "sqs" => {
            let input = map! { "QueueUrl" => queue_url(cx, &arn), "MessageBody" => text };
            cx.call("sqs", "SendMessage", input).await?;
        }
        "sns" => {
            let input = map! { "TopicArn" => to, "Message" => text };
            cx.call("sns", "Publish", input).await?;
        }
        "lambda" => {
            let input = map! { "FunctionName" => to, "InvocationType" => "Event" };
            let Value::Map(mut members) = input else { return Ok(()) };
            members.push(("Payload".into(), Value::Blob(text.into())));
            cx.call("lambda", "Invoke", Value::Map(members)).await?;
        }
        "events" => {
            let kind = if success { "Success" } else { "Failure" };
            let bus = arn.resource.trim_start_matches("event-bus/");
            let function = record["requestContext"]["functionArn"].as_str().unwrap_or_default();
            let entry = map! {
                "Source" => "lambda",
                "DetailType" => format!("Lambda Function Invocation Result - {kind}"),
                "Detail" => text,
                "EventBusName" => bus,
                "Resources" => vec![Value::from(to), Value::from(function)],
            };
            cx.call("events", "PutEvents", map! { "Entries" => vec![entry] }).await?;
        }
        other => return Err(ApiError::internal(format!("no destination in {other}"))),
    }
    Ok(())
}

/// The URL of a queue: the part before the path does not matter to the service.
#[must_use]
pub fn queue_url(cx: &Cx, arn: &Arn<'_>) -> String {
    format!("{}/{}/{}", cx.cloud.endpoint(), arn.account, arn.resource)
}

fn record(
    end: &Ending<'_>,
    function: &Function,
    condition: Condition,
    outcome: Option<&Outcome>,
) -> Json {
    let event = end.event;
    let target = event.target();
    let shown = target.with(Some(target.qualifier.as_deref().unwrap_or(LATEST)));
    let condition = match condition {
        Condition::Success => "Success",
        Condition::RetriesExhausted => "RetriesExhausted",
        Condition::EventAgeExceeded => "EventAgeExceeded",
    };
    let mut record = json!({
        "version": "1.0",
        "timestamp": end.cloud.clock().now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": shown.arn(),
            "condition": condition,
            "approximateInvokeCount": if condition == "Success" { event.attempts + 1 } else { event.attempts },
        },
        "requestPayload": json_or_text(&event.payload),
    });
    let Some(outcome) = outcome else { return record };
    let mut response = json!({ "statusCode": 200, "executedVersion": function.version });
    record["responsePayload"] = match &outcome.result {
        Ok(bytes) => json_or_text(bytes),
        Err(failure) => {
            response["functionError"] = json!("Unhandled");
            json_or_text(&failure.body())
        }
    };
    record["responseContext"] = response;
    record
}

fn json_or_text(bytes: &[u8]) -> Json {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| Json::String(String::from_utf8_lossy(bytes).into_owned()))
}

/// Sends an event that the function would not take to its dead-letter queue or topic.
///
/// # Errors
/// The queue's or topic's.
pub(super) async fn dead_letter(
    end: &Ending<'_>,
    function: &Function,
    to: &str,
    outcome: Option<&Outcome>,
) -> Result<()> {
    let event = end.event;
    let cx = end.lambda.roles.cx(end.cloud, &event.target().with(None), &function.role).await?;
    let arn = Arn::parse(to).ok_or_else(|| ApiError::internal("a dead letter that is no ARN"))?;
    let failure = outcome.and_then(|o| o.result.as_ref().err());
    let message = failure.map(|f| String::from_utf8_lossy(&f.body()).into_owned());
    let text = |kind: &str, value: String| {
        map! { "DataType" => kind, "StringValue" => value }
    };
    let mut attributes = vec![
        ("RequestID".into(), text("String", event.request_id.clone())),
        ("ErrorCode".into(), text("Number", "200".to_owned())),
    ];
    if let Some(m) = message.and_then(|m| error_message(&m)) {
        attributes.push(("ErrorMessage".into(), text("String", m)));
    }
    let body = String::from_utf8_lossy(&event.payload).into_owned();
    if arn.service == "sns" {
        let input = map! {
            "TopicArn" => to, "Message" => body, "MessageAttributes" => Value::Map(attributes)
        };
        cx.call("sns", "Publish", input).await?;
    } else {
        let input = map! {
            "QueueUrl" => queue_url(&cx, &arn),
            "MessageBody" => body,
            "MessageAttributes" => Value::Map(attributes),
        };
        cx.call("sqs", "SendMessage", input).await?;
    }
    Ok(())
}

/// The first kilobyte of the error's message.
fn error_message(body: &str) -> Option<String> {
    let error: Json = serde_json::from_str(body).ok()?;
    let text = error["errorMessage"].as_str()?;
    let cut = (0..=text.len().min(1024)).rev().find(|n| text.is_char_boundary(*n))?;
    Some(text[..cut].to_owned()).filter(|t| !t.is_empty())
}
