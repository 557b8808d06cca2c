//! DescribeAlarms and DescribeAlarmsForMetric.

use fogbank_core::{Check, Cx, Op, Result, Value, ops, page};
use fogbank_store::{Key, Parts, Range};
use serde::{Deserialize, Serialize};

use super::view::{CompositeAlarm, MetricAlarm, View};
use super::{ALARMS, Alarm, Rule, WATCHERS, Watch, WatchSource, check, key};
use crate::CloudWatch;
use crate::error::bad_token;
use crate::metric::{Dimension, Named};

pub const OPS: &[Op<CloudWatch>] = ops![
    DescribeAlarms => describe_alarms [on_all],
    DescribeAlarmsForMetric => describe_alarms_for_metric,
];

async fn on_all(_: &CloudWatch, cx: &Cx, _: &Value) -> Result<Vec<Check>> {
    Ok(vec![check(cx, "*")])
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeAlarmsInput {
    #[serde(default)]
    alarm_names: Vec<String>,
    alarm_name_prefix: Option<String>,
    #[serde(default)]
    alarm_types: Vec<String>,
    state_value: Option<String>,
    action_prefix: Option<String>,
    max_records: Option<i64>,
    next_token: Option<String>,
    children_of_alarm_name: Option<String>,
    parents_of_alarm_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeAlarmsOutput {
    metric_alarms: Vec<MetricAlarm>,
    composite_alarms: Vec<CompositeAlarm>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>
async fn describe_alarms(
    cw: &CloudWatch,
    cx: &Cx,
    input: DescribeAlarmsInput,
) -> Result<DescribeAlarmsOutput> {
    if input.children_of_alarm_name.is_some() || input.parents_of_alarm_name.is_some() {
        return Err(cx.refuse_member("ChildrenOfAlarmName"));
    }
    // Without types, the metric alarms are meant.
    let of_type = |name: &str| match input.alarm_types.as_slice() {
        [] => name == "MetricAlarm",
        some => some.iter().any(|t| t == name),
    };
    let fits = |a: &Alarm| {
        let kind = if matches!(a.rule, Rule::Metric(_)) { "MetricAlarm" } else { "CompositeAlarm" };
        let acts = |p: &String| {
            let all = &a.actions;
            let mut arns = all.ok.iter().chain(&all.alarm).chain(&all.insufficient);
            arns.any(|arn| arn.starts_with(p.as_str()))
        };
        of_type(kind)
            && input.state_value.as_ref().is_none_or(|v| *v == a.state.value)
            && input.action_prefix.as_ref().is_none_or(acts)
    };
    let most = input.max_records.and_then(|n| usize::try_from(n).ok()).unwrap_or(50);
    let mut found = Vec::new();
    let mut next_token = None;
    if input.alarm_names.is_empty() {
        let parent = Key::new().str(&cx.account).str(&cx.region);
        let mut range =
            Range::starting(&parent, input.alarm_name_prefix.as_deref().unwrap_or_default());
        if let Some(token) = &input.next_token {
            let after = page::decode(token).map_err(|_| bad_token())?;
            range = range.after(&key(&cx.account, &cx.region, &after));
        }
        loop {
            let got = cw.store.scan(&ALARMS, range.clone(), most + 1).await?;
            let end = got.len() <= most;
            if let Some((last, _)) = got.last() {
                range = range.after(last);
            }
            found.extend(got.into_iter().map(|(_, a)| a).filter(&fits));
            if end || found.len() > most {
                break;
            }
        }
        if found.len() > most {
            found.truncate(most);
            next_token = found.last().map(|a| page::encode(&a.name));
        }
    } else {
        for name in &input.alarm_names {
            let alarm = cw.store.get(&ALARMS, &key(&cx.account, &cx.region, name)).await?;
            found.extend(alarm.filter(&fits));
        }
    }
    let (mut metric_alarms, mut composite_alarms) = (Vec::new(), Vec::new());
    for alarm in found {
        match View::new(&cx.account, &cx.region, alarm) {
            View::Metric(a) => metric_alarms.push(a),
            View::Composite(a) => composite_alarms.push(a),
        }
    }
    Ok(DescribeAlarmsOutput { metric_alarms, composite_alarms, next_token })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ForMetricInput {
    namespace: String,
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    period: Option<i64>,
    unit: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ForMetricOutput {
    metric_alarms: Vec<MetricAlarm>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmsForMetric.html>
async fn describe_alarms_for_metric(
    cw: &CloudWatch,
    cx: &Cx,
    input: ForMetricInput,
) -> Result<ForMetricOutput> {
    let named = Named {
        namespace: input.namespace,
        metric_name: input.metric_name,
        dimensions: input.dimensions,
    }
    .sorted();
    let parent = Key::new().str(&cx.account).str(&cx.region);
    let parent = parent.str(&named.namespace).str(&named.metric_name);
    let mut metric_alarms = Vec::new();
    for (k, ()) in cw.store.scan(&WATCHERS, Range::prefix(&parent), 1000).await? {
        let mut parts = Parts::of(k.as_bytes()).skip(4);
        let Some(fogbank_store::Part::Str(name)) = parts.next() else { continue };
        let alarm = cw.store.get(&ALARMS, &key(&cx.account, &cx.region, &name)).await?;
        let Some(alarm) = alarm else { continue };
        let Rule::Metric(Watch { source: WatchSource::One(m), .. }) = &alarm.rule else { continue };
        let same = |asked: &Option<String>, has: &Option<String>| asked.is_none() || asked == has;
        if m.named() == named
            && same(&input.statistic, &m.statistic)
            && same(&input.extended_statistic, &m.extended)
            && same(&input.unit, &m.unit)
            && input.period.is_none_or(|p| p == m.period)
            && let View::Metric(view) = View::new(&cx.account, &cx.region, alarm)
        {
            metric_alarms.push(view);
        }
    }
    Ok(ForMetricOutput { metric_alarms })
}
