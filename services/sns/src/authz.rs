//! What must be allowed before an operation runs.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html>

use std::sync::Arc;

use fogbank_core::{Check, Cx, Result, Value};

use crate::address::Address;
use crate::error::unauthorized;
use crate::{Sns, policy};

/// An operation on a topic, which the topic's policy may open to others.
pub async fn topic(sns: &Sns, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    on(sns, cx, input.str("TopicArn").unwrap_or_default()).await
}

/// Publish: to a topic by either name.
pub async fn publish(sns: &Sns, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    match input.str("TopicArn").or_else(|| input.str("TargetArn")) {
        Some(arn) => on(sns, cx, arn).await,
        // What the handler will say is no permission's affair.
        None => Ok(vec![Check::new("sns:Publish", "*")]),
    }
}

/// Operations on tags name their resource.
pub async fn resource(sns: &Sns, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    on(sns, cx, input.str("ResourceArn").unwrap_or_default()).await
}

/// CreateTopic: with tags it needs two permissions.
pub async fn create_topic(_: &Sns, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let arn = Address::own(cx, input.str("Name").unwrap_or_default()).arn();
    let tags = input.get("Tags").map_or(&[][..], Value::items);
    let mut checks = vec![Check::new("sns:CreateTopic", arn.clone())];
    if !tags.is_empty() {
        checks.push(Check::new("sns:TagResource", arn));
    }
    for check in &mut checks {
        for tag in tags {
            let (k, v) = (tag.str("Key").unwrap_or_default(), tag.str("Value").unwrap_or_default());
            check.context.push((format!("aws:RequestTag/{k}").into(), vec![v.to_owned()]));
        }
    }
    Ok(checks)
}

/// Subscribe: the policy may look at endpoint and protocol.
pub async fn subscribe(sns: &Sns, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let mut checks = topic(sns, cx, input).await?;
    for check in &mut checks {
        for (key, member) in [("sns:Endpoint", "Endpoint"), ("sns:Protocol", "Protocol")] {
            if let Some(v) = input.str(member) {
                check.context.push((key.into(), vec![v.to_owned()]));
            }
        }
    }
    Ok(checks)
}

/// Operations on a subscription are for its topic's policies and its owner's. Who holds a token, or
/// comes by the link in a message, is asked for nothing.
pub async fn subscription(sns: &Sns, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let (at, id) = Address::of_subscription(input.str("SubscriptionArn").unwrap_or_default())?;
    if cx.principal.is_anonymous() {
        return Ok(Vec::new());
    }
    let found = sns.subscription(&at, &id).await?;
    let owner = found.map(|s| s.owner).unwrap_or_else(|| at.account.clone());
    if owner == cx.account {
        return Ok(vec![Check::new(format!("sns:{}", cx.operation), at.arn())]);
    }
    let mut checks = on(sns, cx, &at.arn()).await?;
    for check in &mut checks {
        check.resource_account = Some(owner.clone());
    }
    Ok(checks)
}

/// ConfirmSubscription.
pub async fn confirm(sns: &Sns, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    if cx.principal.is_anonymous() {
        return Ok(Vec::new());
    }
    topic(sns, cx, input).await
}

async fn on(sns: &Sns, cx: &Cx, arn: &str) -> Result<Vec<Check>> {
    let at = Address::of_arn(arn)?;
    let operation = cx.operation.strip_suffix("Batch").unwrap_or(cx.operation);
    if at.region != cx.region {
        return Err(crate::error::invalid("TopicArn"));
    }
    let mut check = Check::new(format!("sns:{operation}"), at.arn());
    check.resource_account = Some(at.account.clone());
    if let Some(source) = &cx.source {
        check.context.push(("aws:SourceOwner".into(), vec![source.account.clone()]));
    }
    match sns.look_up(&at).await? {
        Some(found) => {
            let own = found.topic.settings.policy.as_deref();
            check.resource_policy = Some(policy::text(&at, own));
            for (k, v) in &found.topic.tags {
                check.context.push((format!("aws:ResourceTag/{k}").into(), vec![v.clone()]));
            }
            cx.remember(Arc::new(found));
        }
        None if at.account != cx.account => {
            return Err(unauthorized(format!(
                "User: {} is not authorized to perform: SNS:{operation} on resource: {arn}",
                cx.principal.arn
            )));
        }
        None => {}
    }
    Ok(vec![check])
}
