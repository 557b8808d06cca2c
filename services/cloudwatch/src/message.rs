//! What CloudWatch says of an alarm's change: to topics, to functions, on the event bus.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::alarm::{self, Alarm, Rule, State, Watch, WatchSource};
use crate::change::Scope;

/// The name of a region, as messages give it.
fn region_name(region: &str) -> &str {
    match region {
        "us-east-1" => "US East (N. Virginia)",
        "us-east-2" => "US East (Ohio)",
        "us-west-1" => "US West (N. California)",
        "us-west-2" => "US West (Oregon)",
        "ca-central-1" => "Canada (Central)",
        "sa-east-1" => "South America (Sao Paulo)",
        "eu-west-1" => "EU (Ireland)",
        "eu-west-2" => "EU (London)",
        "eu-west-3" => "EU (Paris)",
        "eu-central-1" => "EU (Frankfurt)",
        "eu-north-1" => "EU (Stockholm)",
        "ap-southeast-1" => "Asia Pacific (Singapore)",
        "ap-southeast-2" => "Asia Pacific (Sydney)",
        "ap-northeast-1" => "Asia Pacific (Tokyo)",
        "ap-northeast-2" => "Asia Pacific (Seoul)",
        "ap-south-1" => "Asia Pacific (Mumbai)",
        other => other,
    }
}

/// `2026-11-24T15:46:26.909+0000`.
pub fn stamp(us: i64) -> String {
    let time = Timestamp::from_microsecond(us).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

pub fn subject(scope: &Scope, alarm: &Alarm) -> String {
    let text =
        format!("{}: \"{}\" in {}", alarm.state.value, alarm.name, region_name(&scope.region));
    // A subject has at most 100 characters.
    text.chars().filter(char::is_ascii).take(100).collect()
}

/// The message for a topic.
pub fn sns(scope: &Scope, alarm: &Alarm, before: &str) -> String {
    let mut message = json!({
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": scope.account,
        "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configured),
        "NewStateValue": alarm.state.value,
        "NewStateReason": alarm.state.reason,
        "StateChangeTime": stamp(alarm.state.updated),
        "Region": region_name(&scope.region),
        "AlarmArn": alarm::arn(&scope.account, &scope.region, &alarm.name),
        "OldStateValue": before,
        "OKActions": alarm.actions.ok,
        "AlarmActions": alarm.actions.alarm,
        "InsufficientDataActions": alarm.actions.insufficient,
    });
    match &alarm.rule {
        Rule::Metric(w) => message["Trigger"] = trigger(w),
        Rule::Composite(rule) => message["AlarmRule"] = json!(rule),
    }
    message.to_string()
}

fn trigger(w: &Watch) -> Value {
    let mut trigger = match &w.source {
        WatchSource::One(m) => {
            let dimension =
                |d: &crate::metric::Dimension| json!({"value": d.value, "name": d.name});
            let mut t = json!({
                "MetricName": m.name,
                "Namespace": m.namespace,
                "Unit": m.unit,
                "Dimensions": m.dimensions.iter().map(dimension).collect::<Vec<_>>(),
            });
            match (&m.statistic, &m.extended) {
                (Some(s), _) => {
                    t["StatisticType"] = json!("Statistic");
                    t["Statistic"] = json!(word(s));
                }
                (None, s) => {
                    t["StatisticType"] = json!("ExtendedStatistic");
                    t["ExtendedStatistic"] = json!(s);
                }
            }
            t
        }
        WatchSource::Queries(all) => json!({ "Metrics": all }),
    };
    trigger["Period"] = json!(w.period());
    trigger["EvaluationPeriods"] = json!(w.periods);
    trigger["DatapointsToAlarm"] = json!(w.datapoints.unwrap_or(w.periods));
    trigger["ComparisonOperator"] = json!(w.comparison);
    trigger["Threshold"] = json!(w.threshold);
    trigger["TreatMissingData"] = json!(w.missing.as_deref().unwrap_or("missing"));
    trigger["EvaluateLowSampleCountPercentile"] = json!(w.low_samples.as_deref().unwrap_or(""));
    trigger
}

/// `SAMPLE_COUNT` for `SampleCount`.
fn word(statistic: &str) -> String {
    if statistic == "SampleCount" { "SAMPLE_COUNT".into() } else { statistic.to_uppercase() }
}

/// The event for a function.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html>
pub fn lambda(scope: &Scope, alarm: &Alarm, before: &State) -> String {
    json!({
        "source": "aws.cloudwatch",
        "alarmArn": alarm::arn(&scope.account, &scope.region, &alarm.name),
        "accountId": scope.account,
        "time": stamp(alarm.state.updated),
        "region": scope.region,
        "alarmData": detail(alarm, before),
    })
    .to_string()
}

/// What changed, as events have it.
pub fn detail(alarm: &Alarm, before: &State) -> Value {
    let state = |s: &State| {
        let mut v = json!({"value": s.value, "reason": s.reason, "timestamp": stamp(s.updated)});
        if let Some(data) = &s.data {
            v["reasonData"] = json!(data);
        }
        v
    };
    let mut configuration = match &alarm.rule {
        Rule::Composite(rule) => json!({ "alarmRule": rule }),
        Rule::Metric(Watch { source: WatchSource::One(m), .. }) => {
            let dimensions: serde_json::Map<String, Value> =
                m.dimensions.iter().map(|d| (d.name.clone(), json!(d.value))).collect();
            json!({"metrics": [{
                "id": "m1",
                "metricStat": {
                    "metric": {"namespace": m.namespace, "name": m.name, "dimensions": dimensions},
                    "period": m.period,
                    "stat": m.stat(),
                },
                "returnData": true,
            }]})
        }
        Rule::Metric(Watch { source: WatchSource::Queries(all), .. }) => {
            let query = |q: &crate::expression::Query| match &q.metric_stat {
                Some(m) => json!({"id": q.id, "returnData": q.returns(), "metricStat": {
                    "metric": {"namespace": m.metric.namespace, "name": m.metric.metric_name},
                    "period": m.period, "stat": m.stat}}),
                None => json!({"id": q.id, "returnData": q.returns(), "expression": q.expression}),
            };
            json!({ "metrics": all.iter().map(query).collect::<Vec<_>>() })
        }
    };
    if let Some(text) = &alarm.description {
        configuration["description"] = json!(text);
    }
    json!({
        "alarmName": alarm.name,
        "state": state(&alarm.state),
        "previousState": state(before),
        "configuration": configuration,
    })
}
