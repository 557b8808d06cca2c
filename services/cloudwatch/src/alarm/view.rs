//! Alarms in answers.

use fogbank_core::Time;
use jiff::Timestamp;
use serde::Serialize;

use super::{Alarm, Rule, WatchSource, arn};
use crate::expression::Query;
use crate::metric::Dimension;

/// What both kinds have.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Common {
    alarm_name: String,
    alarm_arn: String,
    alarm_description: Option<String>,
    alarm_configuration_updated_timestamp: Time,
    actions_enabled: bool,
    #[serde(rename = "OKActions")]
    ok_actions: Vec<String>,
    alarm_actions: Vec<String>,
    insufficient_data_actions: Vec<String>,
    state_value: String,
    state_reason: String,
    state_reason_data: Option<String>,
    state_updated_timestamp: Time,
    state_transitioned_timestamp: Time,
}

/// A metric alarm.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetricAlarm {
    #[serde(flatten)]
    common: Common,
    metric_name: Option<String>,
    namespace: Option<String>,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    dimensions: Vec<Dimension>,
    period: Option<i64>,
    unit: Option<String>,
    metrics: Option<Vec<Query>>,
    evaluation_periods: i64,
    datapoints_to_alarm: Option<i64>,
    threshold: f64,
    comparison_operator: String,
    treat_missing_data: Option<String>,
    evaluate_low_sample_count_percentile: Option<String>,
}

/// A composite alarm.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CompositeAlarm {
    #[serde(flatten)]
    common: Common,
    alarm_rule: String,
}

/// One or the other.
#[expect(clippy::large_enum_variant, reason = "nearly all are metric alarms")]
pub enum View {
    Metric(MetricAlarm),
    Composite(CompositeAlarm),
}

fn time(us: i64) -> Time {
    Time(Timestamp::from_microsecond(us).unwrap_or_default())
}

impl View {
    pub fn new(account: &str, region: &str, a: Alarm) -> View {
        let common = Common {
            alarm_arn: arn(account, region, &a.name),
            alarm_name: a.name,
            alarm_description: a.description,
            alarm_configuration_updated_timestamp: time(a.configured),
            actions_enabled: a.actions_enabled,
            ok_actions: a.actions.ok,
            alarm_actions: a.actions.alarm,
            insufficient_data_actions: a.actions.insufficient,
            state_value: a.state.value,
            state_reason: a.state.reason,
            state_reason_data: a.state.data,
            state_updated_timestamp: time(a.state.updated),
            state_transitioned_timestamp: time(a.state.transitioned),
        };
        let watch = match a.rule {
            Rule::Composite(alarm_rule) => {
                return View::Composite(CompositeAlarm { common, alarm_rule });
            }
            Rule::Metric(w) => w,
        };
        let (one, metrics) = match watch.source {
            WatchSource::One(m) => (Some(m), None),
            WatchSource::Queries(all) => (None, Some(all)),
        };
        View::Metric(MetricAlarm {
            common,
            metric_name: one.as_ref().map(|m| m.name.clone()),
            namespace: one.as_ref().map(|m| m.namespace.clone()),
            statistic: one.as_ref().and_then(|m| m.statistic.clone()),
            extended_statistic: one.as_ref().and_then(|m| m.extended.clone()),
            dimensions: one.as_ref().map(|m| m.dimensions.clone()).unwrap_or_default(),
            period: one.as_ref().map(|m| m.period),
            unit: one.and_then(|m| m.unit),
            metrics,
            evaluation_periods: watch.periods,
            datapoints_to_alarm: watch.datapoints,
            threshold: watch.threshold,
            comparison_operator: watch.comparison,
            treat_missing_data: watch.missing,
            evaluate_low_sample_count_percentile: watch.low_samples,
        })
    }
}
