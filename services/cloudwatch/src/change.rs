//! A change of an alarm's state, and what it sets off: history, actions, events, other alarms.

use std::sync::Arc;

use fogbank_bus::{Job, Jobs, Next, Options, Worker};
use fogbank_core::cx::Event;
use fogbank_core::{ApiError, Arn, Cloud, Cx, Result, Source, Value, map};
use fogbank_store::Lock;
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};
use serde_json::json;

use crate::alarm::{self, ALARMS, Alarm};
use crate::history::{self, Item};
use crate::message;
use crate::{CloudWatch, composite};

static ACTIONS: Jobs<Action> = Jobs::new("cloudwatch.action");

/// Whose alarm, and where.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Scope {
    #[n(0)]
    pub account: String,
    #[n(1)]
    pub region: String,
}

impl Scope {
    pub fn of(cx: &Cx) -> Self {
        Scope { account: cx.account.clone(), region: cx.region.clone().into_owned() }
    }
}

/// The state that an alarm comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct To {
    pub value: String,
    pub reason: String,
    pub data: Option<String>,
}

/// Something to do because an alarm has come to a state.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Action {
    #[n(0)]
    scope: Scope,
    #[n(1)]
    alarm: String,
    /// What to do: a topic, a function, a scaling policy.
    #[n(2)]
    target: String,
    #[n(3)]
    subject: String,
    /// For a topic.
    #[n(4)]
    message: String,
    /// For a function.
    #[n(5)]
    event: String,
    #[n(6)]
    tries: u32,
}
fogbank_store::record!(Action, version = 1);

/// Brings an alarm to a state; `false` when it is not there, or no longer of this generation.
pub async fn set(
    cw: &CloudWatch,
    cloud: &Arc<dyn Cloud>,
    scope: &Scope,
    name: &str,
    generation: Option<u64>,
    to: To,
) -> Result<bool> {
    let now = cloud.clock().now();
    let key = alarm::key(&scope.account, &scope.region, name);
    let mut tx = cw.store.lock(&[Lock::exclusive(&ALARMS, &key)]).await;
    let Some(mut alarm) = tx.get(&ALARMS, &key).await? else { return Ok(false) };
    if generation.is_some_and(|g| g != alarm.generation) {
        return Ok(false);
    }
    let before = alarm.state.clone();
    if before.value == to.value && generation.is_some() {
        return Ok(true); // evaluated, and the same
    }
    let us = now.as_microsecond();
    let changed = before.value != to.value;
    alarm.state.value = to.value;
    alarm.state.reason = to.reason;
    alarm.state.data = to.data;
    alarm.state.updated = us;
    if changed {
        alarm.state.transitioned = us;
    }
    tx.put(&ALARMS, &key, &alarm);
    if changed {
        let item = Item::state(&alarm, &before);
        history::add(&mut tx, scope, &alarm, item, now).await?;
        if alarm.actions_enabled {
            let targets = match alarm.state.value.as_str() {
                "OK" => &alarm.actions.ok,
                "ALARM" => &alarm.actions.alarm,
                _ => &alarm.actions.insufficient,
            };
            for (i, target) in targets.iter().enumerate() {
                let action = Action {
                    scope: scope.clone(),
                    alarm: alarm.name.clone(),
                    target: target.clone(),
                    subject: message::subject(scope, &alarm),
                    message: message::sns(scope, &alarm, &before.value),
                    event: message::lambda(scope, &alarm, &before),
                    tries: 0,
                };
                let id = format!("{us:016x}-{i}-{:016x}", alarm.generation);
                ACTIONS.put(&mut tx, now, &id, &action);
            }
        }
        composite::tell_parents(&mut tx, scope, &alarm, now).await?;
    }
    tx.commit().await?;
    if changed {
        cw.wake();
        publish(cloud, scope, &alarm, &before);
    }
    Ok(true)
}

/// A context in which CloudWatch acts for an alarm.
fn acting(cloud: &Arc<dyn Cloud>, host: &str, scope: &Scope, alarm: &str) -> Cx {
    let arn = alarm::arn(&scope.account, &scope.region, alarm);
    let source = Source { arn, account: scope.account.clone() };
    let region = scope.region.clone();
    Cx::acting(cloud, host, "cloudwatch", &scope.account, region, Some(source))
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html>
fn publish(cloud: &Arc<dyn Cloud>, scope: &Scope, alarm: &Alarm, before: &alarm::State) {
    let cx = acting(cloud, "cloudwatch.amazonaws.com", scope, &alarm.name);
    let detail = message::detail(alarm, before);
    let event = Event {
        source: "aws.cloudwatch".into(),
        detail_type: "CloudWatch Alarm State Change".into(),
        resources: vec![alarm::arn(&scope.account, &scope.region, &alarm.name)],
        detail: value(&detail),
    };
    cloud.publish(&cx, event);
}

/// JSON as a value.
fn value(v: &serde_json::Value) -> Value {
    use serde_json::Value as J;
    match v {
        J::Null => Value::Null,
        J::Bool(b) => Value::Bool(*b),
        J::Number(n) => n.as_i64().map_or(Value::Float(n.as_f64().unwrap_or(0.0)), Value::Int),
        J::String(s) => Value::from(s.as_str()),
        J::Array(a) => Value::List(a.iter().map(value).collect()),
        J::Object(o) => Value::Map(o.iter().map(|(k, v)| (k.clone().into(), value(v))).collect()),
    }
}

/// Starts doing what states ask for.
pub fn start(cw: &Arc<CloudWatch>, cloud: &Arc<dyn Cloud>) -> Worker {
    let (cw, cloud) = (Arc::clone(cw), Arc::clone(cloud));
    let (store, clock) = (cw.store.clone(), cloud.clock().clone());
    Worker::start(store, clock, &ACTIONS, Options { at_once: 16 }, move |job: Job<Action>| {
        let (cw, cloud) = (Arc::clone(&cw), Arc::clone(&cloud));
        async move { act(&cw, &cloud, job.what).await }
    })
}

const TRIES: u32 = 6;

async fn act(cw: &CloudWatch, cloud: &Arc<dyn Cloud>, mut action: Action) -> Next<Action> {
    let done = run(cloud, &action).await;
    let now = cloud.clock().now();
    if let Err(e) = &done
        && passes(e)
        && action.tries < TRIES
    {
        action.tries += 1;
        let wait = SignedDuration::from_secs(1 << action.tries);
        return Next::At(now.saturating_add(wait).unwrap_or(Timestamp::MAX), action);
    }
    let noted = note(cw, &action, done.err(), now).await;
    if let Err(e) = noted {
        tracing::error!("an alarm's history cannot be written: {e}");
    }
    Next::Done
}

async fn run(cloud: &Arc<dyn Cloud>, a: &Action) -> Result<()> {
    match Arn::parse(&a.target).map(|p| p.service) {
        Some("sns") => {
            let cx = acting(cloud, "cloudwatch.amazonaws.com", &a.scope, &a.alarm);
            let input = map! {
                "TopicArn" => a.target.as_str(),
                "Subject" => a.subject.as_str(),
                "Message" => a.message.as_str(),
            };
            cx.call("sns", "Publish", input).await?;
        }
        Some("lambda") => {
            let host = "lambda.alarms.cloudwatch.amazonaws.com";
            let cx = acting(cloud, host, &a.scope, &a.alarm);
            let input = map! {
                "FunctionName" => a.target.as_str(),
                "InvocationType" => "Event",
                "Payload" => Value::Blob(a.event.clone().into()),
            };
            cx.call("lambda", "Invoke", input).await?;
        }
        Some("autoscaling") => {
            let cx = acting(cloud, "cloudwatch.amazonaws.com", &a.scope, &a.alarm);
            let input = map! { "PolicyName" => a.target.as_str() };
            cx.call("autoscaling", "ExecutePolicy", input).await?;
        }
        _ => return Err(ApiError::not_implemented(&format!("the action {}", a.target))),
    }
    Ok(())
}

fn passes(e: &ApiError) -> bool {
    ["Throttl", "TooMany", "InternalFailure", "ServiceException", "InternalError"]
        .iter()
        .any(|c| e.code().starts_with(c))
}

async fn note(
    cw: &CloudWatch,
    a: &Action,
    failure: Option<ApiError>,
    now: Timestamp,
) -> Result<()> {
    let key = alarm::key(&a.scope.account, &a.scope.region, &a.alarm);
    let mut tx = cw.store.lock(&[Lock::exclusive(&ALARMS, &key)]).await;
    let Some(alarm) = tx.get(&ALARMS, &key).await? else { return Ok(()) };
    let summary = match &failure {
        None => format!("Successfully executed action {}", a.target),
        Some(e) => format!("Failed to execute action {}. Received error: \"{e}\"", a.target),
    };
    let data = json!({
        "actionState": if failure.is_none() { "Succeeded" } else { "Failed" },
        "stateUpdateTimestamp": alarm.state.updated / 1000,
        "notificationResource": a.target,
        "publishedMessage": a.message,
        "error": failure.map(|e| e.to_string()),
    });
    let item = Item { kind: "Action".into(), summary, data: data.to_string() };
    history::add(&mut tx, &a.scope, &alarm, item, now).await?;
    tx.commit().await?;
    Ok(())
}
