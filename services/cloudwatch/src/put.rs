//! PutMetricData.

use std::collections::BTreeMap;

use fogbank_core::{ApiError, Check, Cx, Kind, Op, Result, Time, Value, ops};
use fogbank_store::{Key, Lock};
use serde::Deserialize;

use crate::bucket::{self, BUCKETS, Bucket, Place};
use crate::error::{invalid_combination, invalid_value, missing};
use crate::metric::{Dimension, METRICS, Metric, Named};
use crate::{CloudWatch, roll};

pub const OPS: &[Op<CloudWatch>] = ops![PutMetricData => put_metric_data [put_checks]];

/// The namespace is a condition; services write their own metrics.
async fn put_checks(_: &CloudWatch, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let namespace = input.str("Namespace").unwrap_or_default();
    let mut check =
        Check::new("cloudwatch:PutMetricData", "*").with("cloudwatch:namespace", namespace);
    check.granted = cx.principal.kind == Kind::Service;
    Ok(vec![check])
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutMetricDataInput {
    namespace: String,
    #[serde(default)]
    metric_data: Vec<Datum>,
    entity_metric_data: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Datum {
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    timestamp: Option<Time>,
    value: Option<f64>,
    values: Option<Vec<f64>>,
    counts: Option<Vec<f64>>,
    statistic_values: Option<StatisticSet>,
    unit: Option<String>,
    storage_resolution: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatisticSet {
    sample_count: f64,
    sum: f64,
    minimum: f64,
    maximum: f64,
}

const MOST: usize = 1000;
const MOST_VALUES: usize = 150;
const MOST_DIMENSIONS: usize = 30;
const DAY: i64 = 86_400;

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>
async fn put_metric_data(cw: &CloudWatch, cx: &Cx, input: PutMetricDataInput) -> Result<()> {
    if input.entity_metric_data.is_some() {
        return Err(cx.refuse_member("EntityMetricData"));
    }
    let namespace = input.namespace;
    if namespace.starts_with("AWS/") && cx.principal.kind != Kind::Service {
        return Err(invalid_value("The value AWS/ for parameter Namespace is invalid."));
    }
    if input.metric_data.is_empty() {
        return Err(missing("The parameter MetricData is required."));
    }
    if input.metric_data.len() > MOST {
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!("The collection MetricData must not have a size greater than {MOST}."),
        ));
    }
    let now = cx.now.as_second();
    let mut changes: BTreeMap<Key, Change> = BTreeMap::new();
    for (i, datum) in input.metric_data.into_iter().enumerate() {
        let (named, place, more) = read(&namespace, datum, i + 1, now)?;
        let change = changes.entry(named.key(cx)).or_insert_with(|| Change::new(named));
        change.buckets.entry((place.start, place.resolution, place.unit)).or_default().merge(&more);
    }
    write(cw, cx, changes, now).await
}

/// What is to be added to one metric.
struct Change {
    named: Named,
    buckets: BTreeMap<(i64, i64, String), Bucket>,
}

impl Change {
    fn new(named: Named) -> Self {
        Change { named, buckets: BTreeMap::new() }
    }
}

async fn write(cw: &CloudWatch, cx: &Cx, changes: BTreeMap<Key, Change>, now: i64) -> Result<()> {
    let locks: Vec<Lock> = changes.keys().map(|k| Lock::exclusive(&METRICS, k)).collect();
    let mut tx = cw.store.lock(&locks).await;
    for (key, change) in changes {
        let metric = match tx.get(&METRICS, &key).await? {
            // The time of the last data need not be exact: a write is saved.
            Some(m) if now - m.last < 600 => m,
            Some(m) => {
                let metric = Metric { last: now, ..m };
                tx.put(&METRICS, &key, &metric);
                metric
            }
            None => {
                let mut id = [0; 8];
                cx.ids().fill(&mut id);
                let Named { namespace, metric_name, dimensions } = change.named;
                let id = u64::from_le_bytes(id);
                let metric = Metric { id, namespace, name: metric_name, dimensions, last: now };
                tx.put(&METRICS, &key, &metric);
                roll::begin(&mut tx, cx, &metric);
                metric
            }
        };
        for ((start, resolution, unit), more) in change.buckets {
            let key = bucket::key(metric.id, &Place { start, resolution, unit });
            let mut bucket = tx.get(&BUCKETS, &key).await?.unwrap_or_default();
            bucket.merge(&more);
            tx.put(&BUCKETS, &key, &bucket);
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Checks the datum at this position (counted from 1), and adds its values up.
fn read(namespace: &str, d: Datum, at: usize, now: i64) -> Result<(Named, Place, Bucket)> {
    let member = |name: &str| format!("MetricData.member.{at}.{name}");
    let time = d.timestamp.map_or(now, |t| t.0.as_second());
    if time > now + 2 * 3600 {
        return Err(invalid_value(format!(
            "The parameter {} must specify a time no more than two hours in the future.",
            member("Timestamp")
        )));
    }
    if time < now - 14 * DAY {
        return Err(invalid_value(format!(
            "The parameter {} must specify a time within the past two weeks.",
            member("Timestamp")
        )));
    }
    if d.dimensions.len() > MOST_DIMENSIONS {
        return Err(invalid_value(format!(
            "The collection {} must not have a size greater than {MOST_DIMENSIONS}.",
            member("Dimensions")
        )));
    }
    for (i, dimension) in d.dimensions.iter().enumerate() {
        let blank = |s: &str| s.trim().is_empty() || s.contains(|c: char| c.is_ascii_control());
        if blank(&dimension.name) || blank(&dimension.value) || dimension.name.starts_with(':') {
            let of = member(&format!("Dimensions.member.{}", i + 1));
            return Err(invalid_value(format!("The parameter {of} is invalid.")));
        }
    }
    let resolution = d.storage_resolution.unwrap_or(60);
    if !matches!(resolution, 1 | 60) {
        return Err(invalid_value(format!(
            "The parameter {} must be equal to one of [1, 60].",
            member("StorageResolution")
        )));
    }
    let sum = values(&d, &member)?;
    let place = Place {
        start: time.div_euclid(resolution) * resolution,
        resolution,
        unit: d.unit.unwrap_or_else(|| "None".into()),
    };
    let named = Named {
        namespace: namespace.to_owned(),
        metric_name: d.metric_name,
        dimensions: d.dimensions,
    };
    Ok((named.sorted(), place, sum))
}

/// The values of a datum, in one of the three ways to give them.
fn values(d: &Datum, member: &dyn Fn(&str) -> String) -> Result<Bucket> {
    let given = [
        ("Value", d.value.is_some()),
        ("Values", d.values.is_some()),
        ("StatisticValues", d.statistic_values.is_some()),
    ];
    let given: Vec<&str> = given.iter().filter(|(_, g)| *g).map(|(n, _)| *n).collect();
    match given[..] {
        [] => return Err(missing("At least one of the parameters must be specified.")),
        [a, b, ..] => {
            return Err(invalid_combination(format!(
                "The parameters {} and {} are mutually exclusive and you have specified both.",
                member(a),
                member(b)
            )));
        }
        _ => {}
    }
    let mut bucket = Bucket::default();
    if let Some(v) = d.value {
        bucket.add(number(v, member, "Value")?, 1.0);
    }
    if let Some(s) = &d.statistic_values {
        let of = |name: &str, v: f64| number(v, member, &format!("StatisticValues.{name}"));
        let (min, max) = (of("Minimum", s.minimum)?, of("Maximum", s.maximum)?);
        let (count, sum) = (of("SampleCount", s.sample_count)?, of("Sum", s.sum)?);
        if count <= 0.0 || min > max {
            return Err(invalid_value(format!(
                "The parameter {} is invalid.",
                member("StatisticValues")
            )));
        }
        bucket.add_set(count, sum, min, max);
    }
    if let Some(values) = &d.values {
        let counts = d.counts.as_deref();
        if values.is_empty() || values.len() > MOST_VALUES {
            return Err(invalid_value(format!(
                "The collection {} must have a size between 1 and {MOST_VALUES}.",
                member("Values")
            )));
        }
        if counts.is_some_and(|c| c.len() != values.len()) {
            return Err(invalid_value(format!(
                "The parameters {} and {} must be of the same size.",
                member("Values"),
                member("Counts")
            )));
        }
        for (i, v) in values.iter().enumerate() {
            let value = number(*v, member, &format!("Values.member.{}", i + 1))?;
            let count = counts.map_or(1.0, |c| c[i]);
            let count = number(count, member, &format!("Counts.member.{}", i + 1))?;
            if count <= 0.0 {
                return Err(invalid_value(format!(
                    "The value {count} for parameter {} is invalid.",
                    member(&format!("Counts.member.{}", i + 1))
                )));
            }
            bucket.add(value, count);
        }
    }
    Ok(bucket)
}

/// A number within -2^360 and 2^360.
fn number(v: f64, member: &dyn Fn(&str) -> String, name: &str) -> Result<f64> {
    if v.is_finite() && v.abs() <= 2f64.powi(360) {
        return Ok(v);
    }
    Err(invalid_value(format!("The value {v} for parameter {} is invalid.", member(name))))
}

#[cfg(test)]
mod tests;
