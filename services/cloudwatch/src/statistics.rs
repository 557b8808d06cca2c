//! GetMetricStatistics.

use std::collections::BTreeMap;

use fogbank_core::{Cx, Op, Result, Time, ops};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::CloudWatch;
use crate::error::{invalid_combination, invalid_value, missing};
use crate::metric::{Dimension, Named};
use crate::series::{self, Asked, is_period, rounded};
use crate::stat::Stat;

pub const OPS: &[Op<CloudWatch>] = ops![GetMetricStatistics => get_metric_statistics];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetMetricStatisticsInput {
    namespace: String,
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    start_time: Time,
    end_time: Time,
    period: i64,
    #[serde(default)]
    statistics: Vec<String>,
    #[serde(default)]
    extended_statistics: Vec<String>,
    unit: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Datapoint {
    timestamp: Time,
    sample_count: Option<f64>,
    average: Option<f64>,
    sum: Option<f64>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    extended_statistics: Option<BTreeMap<String, f64>>,
    unit: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetMetricStatisticsOutput {
    label: String,
    datapoints: Vec<Datapoint>,
}

const MOST: i64 = 1440;

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html>
async fn get_metric_statistics(
    cw: &CloudWatch,
    cx: &Cx,
    input: GetMetricStatisticsInput,
) -> Result<GetMetricStatisticsOutput> {
    if input.statistics.is_empty() && input.extended_statistics.is_empty() {
        return Err(missing("Must specify either Statistics or ExtendedStatistics"));
    }
    let period = input.period;
    if !is_period(period) {
        return Err(invalid_value(
            "The parameter Period must be one of 1, 5, 10, 20, 30 or a multiple of 60.",
        ));
    }
    let now = cx.now.as_second();
    let (from, to) = (rounded(input.start_time.0.as_second(), now), ceiling(input.end_time.0));
    if input.start_time.0 >= input.end_time.0 {
        return Err(invalid_value(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let points = (to - from + period - 1) / period;
    if points > MOST {
        return Err(invalid_combination(format!(
            "You have requested up to {} datapoints, which exceeds the limit of 1,440. You may \
             reduce the datapoints requested by increasing Period, or decreasing the time range.",
            thousands(points)
        )));
    }
    let mut extended = Vec::new();
    for name in &input.extended_statistics {
        let stat = Stat::parse(name).ok_or_else(|| {
            invalid_value(format!(
                "The value {name} for parameter ExtendedStatistics is not supported."
            ))
        })?;
        extended.push((name, stat));
    }
    let metric = Named {
        namespace: input.namespace,
        metric_name: input.metric_name,
        dimensions: input.dimensions,
    }
    .sorted();
    let asked = Asked {
        account: &cx.account,
        region: &cx.region,
        metric: &metric,
        from,
        to,
        period,
        unit: input.unit.as_deref(),
        now,
    };
    let found = series::read(&cw.store, &asked).await?;
    let wants = |name: &str| input.statistics.iter().any(|s| s == name);
    let datapoint = |(start, (b, unit)): (i64, (crate::bucket::Bucket, String))| {
        let of = |name: &str, stat: Stat| wants(name).then(|| stat.of(&b)).flatten();
        let more = extended.iter().filter_map(|(n, s)| Some(((*n).clone(), s.of(&b)?)));
        let more: BTreeMap<String, f64> = more.collect();
        Some(Datapoint {
            timestamp: Time(Timestamp::from_second(start).ok()?),
            sample_count: of("SampleCount", Stat::SampleCount),
            average: of("Average", Stat::Average),
            sum: of("Sum", Stat::Sum),
            minimum: of("Minimum", Stat::Minimum),
            maximum: of("Maximum", Stat::Maximum),
            extended_statistics: Some(more).filter(|m| !m.is_empty()),
            unit,
        })
    };
    let datapoints = found.into_iter().filter_map(datapoint).collect();
    Ok(GetMetricStatisticsOutput { label: metric.metric_name, datapoints })
}

/// `12,345`.
fn thousands(n: i64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(d);
    }
    out
}

/// The second that a moment has not passed.
pub fn ceiling(t: Timestamp) -> i64 {
    t.as_second() + i64::from(t.subsec_nanosecond() > 0)
}

#[cfg(test)]
mod tests;
