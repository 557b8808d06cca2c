//! PutMetricAlarm and PutCompositeAlarm.

use std::collections::BTreeMap;

use fogbank_core::{Arn, Cx, Op, Result, Value, ops};
use serde::Deserialize;

use super::{
    ALARMS, Actions, Alarm, INSUFFICIENT, OneMetric, Rule, State, Tag, Watch, WatchSource, key,
    on_alarm,
};
use crate::CloudWatch;
use crate::composite;
use crate::error::validation;
use crate::expression::{self, Query};
use crate::metric::Dimension;
use crate::stat::Stat;
use crate::tag;

pub const OPS: &[Op<CloudWatch>] = ops![
    PutMetricAlarm => put_metric_alarm [on_alarm],
    PutCompositeAlarm => put_composite_alarm [on_alarm],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutMetricAlarmInput {
    alarm_name: String,
    alarm_description: Option<String>,
    actions_enabled: Option<bool>,
    #[serde(default, rename = "OKActions")]
    ok_actions: Vec<String>,
    #[serde(default)]
    alarm_actions: Vec<String>,
    #[serde(default)]
    insufficient_data_actions: Vec<String>,
    namespace: Option<String>,
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    period: Option<i64>,
    unit: Option<String>,
    #[serde(default)]
    metrics: Vec<Query>,
    evaluation_periods: Option<i64>,
    datapoints_to_alarm: Option<i64>,
    comparison_operator: Option<String>,
    threshold: Option<f64>,
    treat_missing_data: Option<String>,
    evaluate_low_sample_count_percentile: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    // What is not here.
    threshold_metric_id: Option<String>,
    evaluation_criteria: Option<Value>,
    evaluation_interval: Option<i64>,
    evaluation_window: Option<Value>,
    warm_up_configuration: Option<Value>,
    action_configuration: Option<Value>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>
async fn put_metric_alarm(cw: &CloudWatch, cx: &Cx, input: PutMetricAlarmInput) -> Result<()> {
    for (member, given) in [
        ("ThresholdMetricId", input.threshold_metric_id.is_some()),
        ("EvaluationCriteria", input.evaluation_criteria.is_some()),
        ("EvaluationInterval", input.evaluation_interval.is_some()),
        ("EvaluationWindow", input.evaluation_window.is_some()),
        ("WarmUpConfiguration", input.warm_up_configuration.is_some()),
        ("ActionConfiguration", input.action_configuration.is_some()),
    ] {
        if given {
            return Err(cx.refuse_member(member));
        }
    }
    if input.evaluate_low_sample_count_percentile.is_some() {
        cx.ignore_member("EvaluateLowSampleCountPercentile");
    }
    let comparison = input.comparison_operator.ok_or_else(|| required("ComparisonOperator"))?;
    if comparison.contains("Lower") || comparison.contains("UpperThreshold") {
        return Err(cx.refuse_member(&format!("ComparisonOperator {comparison}")));
    }
    let source = if input.metrics.is_empty() {
        WatchSource::One(one(OneMetric {
            namespace: input.namespace.ok_or_else(|| required("Namespace"))?,
            name: input.metric_name.ok_or_else(|| required("MetricName"))?,
            dimensions: input.dimensions,
            statistic: input.statistic,
            extended: input.extended_statistic,
            period: input.period.ok_or_else(|| required("Period"))?,
            unit: input.unit,
        })?)
    } else {
        if input.metric_name.is_some() || input.namespace.is_some() || input.period.is_some() {
            return Err(validation(
                "Parameters MetricName, Namespace, Dimensions, Period, Unit, Statistic and \
                 ExtendedStatistic cannot be set for alarms with the Metrics parameter.",
            ));
        }
        expression::check(&input.metrics, &|what: &str| cx.refuse_member(what))?;
        if input.metrics.iter().filter(|q| q.returns()).count() != 1 {
            return Err(validation("Exactly one element of the metrics list should return data."));
        }
        WatchSource::Queries(input.metrics)
    };
    let watch = Watch {
        source,
        periods: input.evaluation_periods.ok_or_else(|| required("EvaluationPeriods"))?,
        datapoints: input.datapoints_to_alarm,
        comparison,
        threshold: input.threshold.ok_or_else(|| required("Threshold"))?,
        missing: input.treat_missing_data,
        low_samples: input.evaluate_low_sample_count_percentile,
    };
    check(&watch)?;
    let actions = Actions {
        ok: input.ok_actions,
        alarm: input.alarm_actions,
        insufficient: input.insufficient_data_actions,
    };
    let settings = Settings {
        name: input.alarm_name,
        description: input.alarm_description,
        enabled: input.actions_enabled,
        actions,
        tags: input.tags,
    };
    cw.configure(cx, settings.alarm(cx, Rule::Metric(watch))?).await
}

fn required(what: &str) -> fogbank_core::ApiError {
    validation(format!("The parameter {what} is required."))
}

fn one(metric: OneMetric) -> Result<OneMetric> {
    match (&metric.statistic, &metric.extended) {
        (Some(_), Some(_)) | (None, None) => {
            return Err(validation(
                "Exactly one element of Statistic and ExtendedStatistic must be specified.",
            ));
        }
        (None, Some(s)) if Stat::parse(s).is_none() => {
            return Err(validation(format!(
                "The value {s} for parameter ExtendedStatistic is not supported."
            )));
        }
        _ => {}
    }
    let period = metric.period;
    if !matches!(period, 10 | 20 | 30) && (period <= 0 || period % 60 != 0) {
        return Err(validation("Period must be 10, 20, 30 or a multiple of 60"));
    }
    Ok(metric)
}

fn check(w: &Watch) -> Result<()> {
    if w.datapoints.is_some_and(|m| m > w.periods) {
        return Err(validation(
            "DatapointsToAlarm must be less than or equal to EvaluationPeriods.",
        ));
    }
    let period = w.period();
    let (most, words) = if period >= 3600 { (604_800, "week") } else { (86_400, "day") };
    if w.periods.saturating_mul(period) > most {
        return Err(validation(format!(
            "Metrics cannot be checked across more than a {words} (EvaluationPeriods * Period must \
             be <= {most})."
        )));
    }
    if let Some(m) = &w.missing
        && !["breaching", "notBreaching", "ignore", "missing"].contains(&m.as_str())
    {
        return Err(validation(format!(
            "The value {m} for parameter TreatMissingData is not supported."
        )));
    }
    if !w.threshold.is_finite() {
        return Err(validation("The parameter Threshold must be a number."));
    }
    Ok(())
}

/// What both kinds of alarm have.
struct Settings {
    name: String,
    description: Option<String>,
    enabled: Option<bool>,
    actions: Actions,
    tags: Vec<Tag>,
}

impl Settings {
    fn alarm(self, cx: &Cx, rule: Rule) -> Result<Alarm> {
        let actions = &self.actions;
        for arn in actions.ok.iter().chain(&actions.alarm).chain(&actions.insufficient) {
            let Some(parsed) = Arn::parse(arn) else {
                return Err(validation(format!("Invalid arn syntax: {arn}")));
            };
            if !matches!(parsed.service, "sns" | "lambda" | "autoscaling") {
                // It is kept; when its time comes the history says that it failed.
                cx.ignore_member(format!("AlarmActions of {}", parsed.service));
            }
        }
        let mut generation = [0; 8];
        cx.ids().fill(&mut generation);
        let now = cx.now.as_microsecond();
        let tags: BTreeMap<String, String> =
            self.tags.into_iter().map(|t| (t.key, t.value)).collect();
        tag::check(&tags)?;
        Ok(Alarm {
            name: self.name,
            description: self.description,
            actions_enabled: self.enabled.unwrap_or(true),
            actions: self.actions,
            rule,
            state: State {
                value: INSUFFICIENT.into(),
                reason: "Unchecked: Initial alarm creation".into(),
                data: None,
                updated: now,
                transitioned: now,
            },
            configured: now,
            tags,
            generation: u64::from_le_bytes(generation),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutCompositeAlarmInput {
    alarm_name: String,
    alarm_description: Option<String>,
    alarm_rule: String,
    actions_enabled: Option<bool>,
    #[serde(default, rename = "OKActions")]
    ok_actions: Vec<String>,
    #[serde(default)]
    alarm_actions: Vec<String>,
    #[serde(default)]
    insufficient_data_actions: Vec<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    actions_suppressor: Option<String>,
    action_configuration: Option<Value>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html>
async fn put_composite_alarm(
    cw: &CloudWatch,
    cx: &Cx,
    input: PutCompositeAlarmInput,
) -> Result<()> {
    if input.actions_suppressor.is_some() {
        return Err(cx.refuse_member("ActionsSuppressor"));
    }
    if input.action_configuration.is_some() {
        return Err(cx.refuse_member("ActionConfiguration"));
    }
    composite::check(&input.alarm_rule)?;
    let mut unknown = Vec::new();
    for child in composite::children(&input.alarm_rule) {
        if child == input.alarm_name {
            return Err(validation("A composite alarm cannot depend on itself."));
        }
        if cw.store.get(&ALARMS, &key(&cx.account, &cx.region, &child)).await?.is_none() {
            unknown.push(child);
        }
    }
    if !unknown.is_empty() {
        return Err(validation(format!(
            "Could not save the composite alarm as alarms [{}] in the alarm rule do not exist",
            unknown.join(", ")
        )));
    }
    let settings = Settings {
        name: input.alarm_name,
        description: input.alarm_description,
        enabled: input.actions_enabled,
        actions: Actions {
            ok: input.ok_actions,
            alarm: input.alarm_actions,
            insufficient: input.insufficient_data_actions,
        },
        tags: input.tags,
    };
    cw.configure(cx, settings.alarm(cx, Rule::Composite(input.alarm_rule))?).await
}
