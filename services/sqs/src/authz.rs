//! What must be allowed before an operation runs.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html>

use std::sync::Arc;

use fogbank_core::{ApiError, Check, Cx, Result, Value};

use crate::Sqs;
use crate::address::Address;
use crate::move_task;
use crate::queue::Found;

/// An operation on a queue, which the queue's policy may open to others.
pub async fn queue(sqs: &Sqs, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let at = Address::of_url(cx, input.str("QueueUrl").unwrap_or_default())?;
    on(sqs, cx, &at).await
}

/// An operation on a queue that only its own account may do.
pub async fn owner(sqs: &Sqs, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let checks = queue(sqs, cx, input).await?;
    own_only(cx, checks)
}

/// GetQueueUrl.
pub async fn named(sqs: &Sqs, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let mut at = Address::own(cx, input.str("QueueName").unwrap_or_default());
    if let Some(account) = input.str("QueueOwnerAWSAccountId") {
        at.account = account.to_owned();
    }
    on(sqs, cx, &at).await
}

/// CreateQueue: with tags it needs two permissions.
pub async fn create_queue(_: &Sqs, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let arn = Address::own(cx, input.str("QueueName").unwrap_or_default()).arn();
    let tags = requested(input.get("tags"));
    let mut checks = vec![Check::new("sqs:CreateQueue", arn.clone())];
    if !tags.is_empty() {
        checks.push(Check::new("sqs:TagQueue", arn));
    }
    for check in &mut checks {
        check.context.extend(tags.iter().cloned());
    }
    Ok(checks)
}

/// Operations on message move tasks name a dead-letter queue by its ARN.
pub async fn source(sqs: &Sqs, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    match Address::of_arn(input.str("SourceArn").unwrap_or_default()) {
        Some(at) => own_only(cx, on(sqs, cx, &at).await?),
        None => Err(move_task::no_such_source()),
    }
}

/// CancelMessageMoveTask.
pub async fn task(sqs: &Sqs, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let handle = input.str("TaskHandle").unwrap_or_default();
    let at = move_task::Handle::parse(handle)?.source;
    own_only(cx, on(sqs, cx, &at).await?)
}

async fn on(sqs: &Sqs, cx: &Cx, at: &Address) -> Result<Vec<Check>> {
    let found = sqs.look_up(at).await?;
    let mut check = Check::new(action(cx.operation), at.arn());
    check.resource_account = Some(at.account.clone());
    if let Some(found) = found {
        check.resource_policy = found.queue.settings.policy.as_deref().map(Arc::from);
        let tag =
            |(k, v): (&String, &String)| (format!("aws:ResourceTag/{k}").into(), vec![v.clone()]);
        check.context.extend(found.queue.tags.iter().map(tag));
        cx.remember::<Found>(Arc::new(found));
    }
    Ok(vec![check])
}

/// IAM's name of an operation's action.
fn action(operation: &'static str) -> String {
    format!("sqs:{}", operation.strip_suffix("Batch").unwrap_or(operation))
}

fn requested(tags: Option<&Value>) -> Vec<(fogbank_core::Str, Vec<String>)> {
    let Some(Value::Map(tags)) = tags else { return Vec::new() };
    let keys = ("aws:TagKeys".into(), tags.iter().map(|(k, _)| k.clone().into_owned()).collect());
    let tag = |(k, v): &(fogbank_core::Str, Value)| {
        (format!("aws:RequestTag/{k}").into(), vec![v.as_str().unwrap_or_default().to_owned()])
    };
    let mut out: Vec<_> = tags.iter().map(tag).collect();
    if !tags.is_empty() {
        out.push(keys);
    }
    out
}

/// Other accounts never do this, whatever the queue's policy says.
fn own_only(cx: &Cx, checks: Vec<Check>) -> Result<Vec<Check>> {
    let foreign = |c: &Check| c.resource_account.as_ref().is_some_and(|a| *a != cx.account);
    match checks.iter().find(|c| foreign(c)) {
        None => Ok(checks),
        Some(c) => Err(ApiError::new(
            "AccessDeniedException",
            format!(
                "User: {} is not authorized to perform: {} on resource: {} because no \
                 identity-based policy allows the {} action",
                cx.principal.arn, c.action, c.resource, c.action
            ),
        )
        .status(403)),
    }
}
