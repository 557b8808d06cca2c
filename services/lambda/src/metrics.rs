//! Metrics: what CloudWatch is told of invocations, a minute at a time.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fogbank_core::{Cloud, Cx, Value, map};
use fogbank_lambda_runtime::Outcome;
use jiff::Timestamp;
use parking_lot::Mutex;

use crate::invoke::Resolved;
use crate::name::Target;
use crate::role;

/// Whose invocations are counted: a function, and the version or alias that was named.
#[derive(Clone, Debug)]
pub struct Measured {
    function: Target,
}

impl Measured {
    #[must_use]
    pub fn new(resolved: &Resolved) -> Self {
        Measured { function: resolved.target.clone() }
    }

    #[must_use]
    pub fn of(function: &Target) -> Self {
        Measured { function: function.clone() }
    }

    /// The sets of dimensions under which AWS has a metric.
    fn dimensions(&self) -> Vec<Vec<(&'static str, String)>> {
        let name = &self.function.name;
        let mut all = vec![Vec::new(), vec![("FunctionName", name.clone())]];
        if let Some(q) = &self.function.qualifier {
            let resource = format!("{name}:{q}");
            all.push(vec![("FunctionName", name.clone()), ("Resource", resource)]);
        } else {
            all.push(vec![("FunctionName", name.clone()), ("Resource", name.clone())]);
        }
        all
    }
}

type Series = (String, String, Vec<(&'static str, String)>, &'static str);

/// How often each value was seen, by series; values are in hundredths.
type Seen = HashMap<Series, BTreeMap<i64, u32>>;

/// Values of the current minute, by account, region, dimensions and metric.
#[derive(Default)]
pub struct Metrics(Mutex<Minute>);

#[derive(Default)]
struct Minute {
    /// Minutes since 1970.
    at: i64,
    series: Seen,
    /// Minutes that are over.
    done: Vec<(i64, Seen)>,
}

impl Metrics {
    fn add(&self, of: &Measured, metric: &'static str, value: f64, now: Timestamp) {
        let minute = now.as_second().div_euclid(60);
        let mut m = self.0.lock();
        if minute != m.at {
            let over = std::mem::take(&mut m.series);
            let at = std::mem::replace(&mut m.at, minute);
            if !over.is_empty() {
                m.done.push((at, over));
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "a duration or a count, rounded")]
        let value = (value * 100.0).round() as i64;
        for dimensions in of.dimensions() {
            let series =
                (of.function.account.clone(), of.function.region.clone(), dimensions, metric);
            *m.series.entry(series).or_default().entry(value).or_default() += 1;
        }
    }

    /// An invocation was refused for lack of a place.
    pub fn throttle(&self, of: &Measured, now: Timestamp) {
        self.add(of, "Throttles", 1.0, now);
    }

    /// One more runs.
    pub fn running(&self, of: &Measured, running: u32, now: Timestamp) {
        self.add(of, "ConcurrentExecutions", f64::from(running), now);
    }

    /// An invocation has ended.
    pub fn ran(&self, of: &Measured, outcome: &Outcome, now: Timestamp) {
        self.add(of, "Invocations", 1.0, now);
        let failed = outcome.result.is_err();
        self.add(of, "Errors", if failed { 1.0 } else { 0.0 }, now);
        self.add(of, "Duration", outcome.duration.as_secs_f64() * 1000.0, now);
    }

    /// Something else happened once.
    pub fn count(&self, of: &Measured, metric: &'static str, now: Timestamp) {
        self.add(of, metric, 1.0, now);
    }

    /// The minutes that are over, to be told.
    fn over(&self, now: Timestamp) -> Vec<(i64, Seen)> {
        let mut m = self.0.lock();
        if now.as_second().div_euclid(60) != m.at && !m.series.is_empty() {
            let over = std::mem::take(&mut m.series);
            let at = m.at;
            m.done.push((at, over));
        }
        std::mem::take(&mut m.done)
    }

    /// Tells CloudWatch of the minutes that are over.
    pub async fn tell(&self, cloud: &Arc<dyn Cloud>) {
        for (minute, series) in self.over(cloud.clock().now()) {
            let time = Timestamp::from_second(minute * 60).unwrap_or_default();
            let mut by_place: HashMap<(String, String), Vec<Value>> = HashMap::new();
            for ((account, region, dimensions, metric), values) in series {
                let data = by_place.entry((account, region)).or_default();
                let seen: Vec<(i64, u32)> = values.into_iter().collect();
                for part in seen.chunks(150) {
                    data.push(datum(time, metric, &dimensions, part));
                }
            }
            for ((account, region), data) in by_place {
                let cx = Cx::acting(cloud, role::HOST, "lambda", &account, region, None);
                for part in data.chunks(500) {
                    put(&cx, part).await;
                }
            }
        }
    }
}

async fn put(cx: &Cx, data: &[Value]) {
    let input = map! { "Namespace" => "AWS/Lambda", "MetricData" => data.to_vec() };
    if let Err(e) = cx.call("cloudwatch", "PutMetricData", input).await {
        tracing::debug!("metrics of Lambda are lost: {e}");
    }
}

fn datum(
    time: Timestamp,
    metric: &'static str,
    dimensions: &[(&'static str, String)],
    seen: &[(i64, u32)],
) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "hundredths of milliseconds and counts")]
    let values = seen.iter().map(|(v, _)| Value::Float(*v as f64 / 100.0)).collect::<Vec<_>>();
    let counts: Vec<Value> = seen.iter().map(|(_, n)| Value::Float(f64::from(*n))).collect();
    let dimensions: Vec<Value> = dimensions
        .iter()
        .map(|(name, value)| map! { "Name" => *name, "Value" => value.as_str() })
        .collect();
    map! {
        "MetricName" => metric,
        "Dimensions" => dimensions,
        "Timestamp" => Value::Time(time),
        "Values" => values,
        "Counts" => counts,
        "Unit" => if metric == "Duration" { "Milliseconds" } else { "Count" },
    }
}
