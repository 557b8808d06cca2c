//! Alarms: what they watch, and the state they are in.

use std::collections::BTreeMap;

use fogbank_core::{ApiError, Check, Cx, Op, Result, Value, ops};
use fogbank_store::{Key, Lock, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::change::{self, Scope};
use crate::expression::Query;
use crate::history::{self, Item};
use crate::metric::Named;
use crate::{CloudWatch, composite, evaluate};

pub mod describe;
pub mod put;
mod view;

pub const OPS: &[Op<CloudWatch>] = ops![
    DeleteAlarms => delete_alarms [on_alarms],
    SetAlarmState => set_alarm_state [on_alarm],
    EnableAlarmActions => enable_alarm_actions [on_alarms],
    DisableAlarmActions => disable_alarm_actions [on_alarms],
];

/// By account, region, name.
pub static ALARMS: Table<Alarm> = Table::new("cloudwatch.alarm");
/// By account, region, namespace, metric, alarm: who watches a metric by itself.
pub static WATCHERS: Table<()> = Table::new("cloudwatch.alarm-by-metric");

/// An alarm's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Alarm {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub description: Option<String>,
    #[n(2)]
    pub actions_enabled: bool,
    #[n(3)]
    pub actions: Actions,
    #[n(4)]
    pub rule: Rule,
    #[n(5)]
    pub state: State,
    /// Microseconds since 1970, as the other times.
    #[n(6)]
    pub configured: i64,
    #[n(7)]
    pub tags: BTreeMap<String, String>,
    /// Renewed by each configuration: a job of an older one ends.
    #[n(8)]
    pub generation: u64,
}
fogbank_store::record!(Alarm, version = 1);

/// What is done on entering a state: ARNs.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Actions {
    #[n(0)]
    pub ok: Vec<String>,
    #[n(1)]
    pub alarm: Vec<String>,
    #[n(2)]
    pub insufficient: Vec<String>,
}

/// What brings an alarm to its state.
#[expect(clippy::large_enum_variant, reason = "nearly all are metric alarms")]
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Rule {
    #[n(0)]
    Metric(#[n(0)] Watch),
    /// An expression over other alarms.
    #[n(1)]
    Composite(#[n(0)] String),
}

/// What a metric alarm watches, and when it is alarmed.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Watch {
    #[n(0)]
    pub source: WatchSource,
    #[n(1)]
    pub periods: i64,
    #[n(2)]
    pub datapoints: Option<i64>,
    #[n(3)]
    pub comparison: String,
    #[n(4)]
    pub threshold: f64,
    #[n(5)]
    pub missing: Option<String>,
    #[n(6)]
    pub low_samples: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum WatchSource {
    #[n(0)]
    One(#[n(0)] OneMetric),
    #[n(1)]
    Queries(#[n(0)] Vec<Query>),
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct OneMetric {
    #[n(0)]
    pub namespace: String,
    #[n(1)]
    pub name: String,
    #[n(2)]
    pub dimensions: Vec<crate::metric::Dimension>,
    #[n(3)]
    pub statistic: Option<String>,
    #[n(4)]
    pub extended: Option<String>,
    #[n(5)]
    pub period: i64,
    #[n(6)]
    pub unit: Option<String>,
}

impl OneMetric {
    pub fn named(&self) -> Named {
        Named {
            namespace: self.namespace.clone(),
            metric_name: self.name.clone(),
            dimensions: self.dimensions.clone(),
        }
        .sorted()
    }

    pub fn stat(&self) -> &str {
        self.statistic.as_deref().or(self.extended.as_deref()).unwrap_or("Average")
    }
}

impl Watch {
    /// The period in which it is evaluated.
    pub fn period(&self) -> i64 {
        match &self.source {
            WatchSource::One(m) => m.period,
            WatchSource::Queries(all) => {
                let own = |q: &Query| q.metric_stat.as_ref().map(|m| m.period).or(q.period);
                all.iter().filter_map(own).max().unwrap_or(60)
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct State {
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    #[n(0)]
    pub value: String,
    #[n(1)]
    pub reason: String,
    #[n(2)]
    pub data: Option<String>,
    #[n(3)]
    pub updated: i64,
    #[n(4)]
    pub transitioned: i64,
}

pub const INSUFFICIENT: &str = "INSUFFICIENT_DATA";

pub fn key(account: &str, region: &str, name: &str) -> Key {
    Key::new().str(account).str(region).str(name)
}

pub fn arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:aws:cloudwatch:{region}:{account}:alarm:{name}")
}

pub fn missing() -> ApiError {
    ApiError::new("ResourceNotFound", "Unknown alarm").status(404)
}

/// The alarm of the input.
pub async fn on_alarm(_: &CloudWatch, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let name = input.str("AlarmName").unwrap_or("*");
    Ok(vec![check(cx, name)])
}

/// Each alarm of the input.
pub async fn on_alarms(_: &CloudWatch, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let names = input.get("AlarmNames").map(Value::items).unwrap_or_default();
    let checks: Vec<Check> = names.iter().filter_map(Value::as_str).map(|n| check(cx, n)).collect();
    Ok(if checks.is_empty() { vec![check(cx, "*")] } else { checks })
}

fn check(cx: &Cx, name: &str) -> Check {
    Check::new(format!("cloudwatch:{}", cx.operation), arn(&cx.account, &cx.region, name))
}

impl Alarm {
    /// Writes what leads to it: who watches a metric, who depends on an alarm.
    pub fn enter(&self, tx: &mut Tx, account: &str, region: &str) {
        self.links(account, region, |table, key| match table {
            Link::Metric => tx.put(&WATCHERS, &key, &()),
            Link::Child => tx.put(&composite::PARENTS, &key, &()),
        });
    }

    /// Removes what [`Alarm::enter`] wrote.
    pub fn leave(&self, tx: &mut Tx, account: &str, region: &str) {
        self.links(account, region, |table, key| match table {
            Link::Metric => tx.delete(&WATCHERS, &key),
            Link::Child => tx.delete(&composite::PARENTS, &key),
        });
    }

    fn links(&self, account: &str, region: &str, mut see: impl FnMut(Link, Key)) {
        let parent = || Key::new().str(account).str(region);
        match &self.rule {
            Rule::Metric(Watch { source: WatchSource::One(m), .. }) => {
                see(Link::Metric, parent().str(&m.namespace).str(&m.name).str(&self.name));
            }
            Rule::Metric(_) => {}
            Rule::Composite(rule) => {
                for child in composite::children(rule) {
                    see(Link::Child, parent().str(&child).str(&self.name));
                }
            }
        }
    }
}

enum Link {
    Metric,
    Child,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NamesInput {
    alarm_names: Vec<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html>
async fn delete_alarms(cw: &CloudWatch, cx: &Cx, input: NamesInput) -> Result<()> {
    for name in &input.alarm_names {
        let key = key(&cx.account, &cx.region, name);
        let mut tx = cw.store.lock(&[Lock::exclusive(&ALARMS, &key)]).await;
        let Some(alarm) = tx.get(&ALARMS, &key).await? else { continue };
        alarm.leave(&mut tx, &cx.account, &cx.region);
        tx.delete(&ALARMS, &key);
        let deleted = Item::configuration(&alarm, "Deleted", "Alarm deleted");
        history::add(&mut tx, &Scope::of(cx), &alarm, deleted, cx.now).await?;
        tx.commit().await?;
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SetAlarmStateInput {
    alarm_name: String,
    state_value: String,
    state_reason: String,
    state_reason_data: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html>
async fn set_alarm_state(cw: &CloudWatch, cx: &Cx, input: SetAlarmStateInput) -> Result<()> {
    if input.state_reason_data.as_deref().is_some_and(|d| !is_json(d)) {
        return Err(ApiError::new("InvalidFormat", "StateReasonData was not valid JSON."));
    }
    let to = change::To {
        value: input.state_value,
        reason: input.state_reason,
        data: input.state_reason_data,
    };
    let found = change::set(cw, &cx.cloud, &Scope::of(cx), &input.alarm_name, None, to).await?;
    if found { Ok(()) } else { Err(missing()) }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_EnableAlarmActions.html>
async fn enable_alarm_actions(cw: &CloudWatch, cx: &Cx, input: NamesInput) -> Result<()> {
    switch(cw, cx, input, true).await
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DisableAlarmActions.html>
async fn disable_alarm_actions(cw: &CloudWatch, cx: &Cx, input: NamesInput) -> Result<()> {
    switch(cw, cx, input, false).await
}

async fn switch(cw: &CloudWatch, cx: &Cx, input: NamesInput, on: bool) -> Result<()> {
    for name in &input.alarm_names {
        let key = key(&cx.account, &cx.region, name);
        let mut tx = cw.store.lock(&[Lock::exclusive(&ALARMS, &key)]).await;
        // Like AWS: a name that is not there is no error.
        let Some(mut alarm) = tx.get(&ALARMS, &key).await? else { continue };
        if alarm.actions_enabled == on {
            continue;
        }
        alarm.actions_enabled = on;
        alarm.configured = cx.now.as_microsecond();
        tx.put(&ALARMS, &key, &alarm);
        let what = if on { "enabled" } else { "disabled" };
        let item = Item::configuration(&alarm, "Update", &format!("Alarm actions {what}"));
        history::add(&mut tx, &Scope::of(cx), &alarm, item, cx.now).await?;
        tx.commit().await?;
    }
    Ok(())
}

impl CloudWatch {
    /// Stores an alarm as it is now configured: a new one, or over an old one, whose state stays.
    async fn configure(&self, cx: &Cx, mut alarm: Alarm) -> Result<()> {
        let key = key(&cx.account, &cx.region, &alarm.name);
        let mut tx = self.store.lock(&[Lock::exclusive(&ALARMS, &key)]).await;
        let before = tx.get(&ALARMS, &key).await?;
        let what = if let Some(old) = &before {
            let kind = |r: &Rule| matches!(r, Rule::Metric(_));
            if kind(&old.rule) != kind(&alarm.rule) {
                return Err(crate::error::validation(
                    "An alarm of another type already has this name.",
                ));
            }
            old.leave(&mut tx, &cx.account, &cx.region);
            alarm.state = old.state.clone();
            alarm.tags.clone_from(&old.tags);
            "updated"
        } else {
            "created"
        };
        alarm.enter(&mut tx, &cx.account, &cx.region);
        tx.put(&ALARMS, &key, &alarm);
        let kind = if before.is_some() { "Update" } else { "Create" };
        let name = &alarm.name;
        let item = Item::configuration(&alarm, kind, &format!("Alarm \"{name}\" {what}"));
        history::add(&mut tx, &Scope::of(cx), &alarm, item, cx.now).await?;
        evaluate::begin(&mut tx, &Scope::of(cx), &alarm, cx.now);
        tx.commit().await?;
        self.wake();
        Ok(())
    }
}

/// A tag on the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    pub key: String,
    pub value: String,
}

#[cfg(test)]
mod tests;
