//! Values added up by `stats`.

use std::collections::HashSet;

use crate::parse::Aggregate;
use crate::value::Value;

/// The state of one aggregate in one group.
#[derive(Debug, Default)]
pub struct Sum {
    count: f64,
    sum: f64,
    squares: f64,
    least: Option<Value>,
    most: Option<Value>,
    /// For percentiles: up to so many, then every second one, and so on.
    values: Vec<f64>,
    step: u64,
    seen: u64,
    distinct: HashSet<String>,
    /// The first and the last by time.
    earliest: Option<(f64, Value)>,
    latest: Option<(f64, Value)>,
}

const SAMPLES: usize = 20_000;
const DISTINCT: usize = 100_000;

impl Sum {
    pub fn add(&mut self, a: &Aggregate, value: Option<Value>, time: f64) {
        let Some(value) = value else {
            self.count += 1.0; // count(*)
            return;
        };
        if value == Value::Null {
            return;
        }
        match a.name.as_str() {
            "count" => self.count += 1.0,
            "count_distinct" => {
                if self.distinct.len() < DISTINCT {
                    self.distinct.insert(value.text());
                }
            }
            "sortsfirst" | "sortslast" => self.bound(value),
            "min" | "max" => {
                if value.number().is_some() {
                    self.bound(value);
                }
            }
            "earliest" if self.earliest.as_ref().is_none_or(|(t, _)| time < *t) => {
                self.earliest = Some((time, value));
            }
            "latest" if self.latest.as_ref().is_none_or(|(t, _)| time >= *t) => {
                self.latest = Some((time, value));
            }
            "earliest" | "latest" => {}
            _ => {
                let Some(n) = value.number() else { return };
                self.count += 1.0;
                self.sum += n;
                self.squares += n * n;
                if matches!(a.name.as_str(), "pct" | "median") {
                    self.sample(n);
                }
            }
        }
    }

    fn bound(&mut self, value: Value) {
        if self.least.as_ref().is_none_or(|l| value.order(l).is_lt()) {
            self.least = Some(value.clone());
        }
        if self.most.as_ref().is_none_or(|m| value.order(m).is_gt()) {
            self.most = Some(value);
        }
    }

    fn sample(&mut self, n: f64) {
        self.step = self.step.max(1);
        if self.seen.is_multiple_of(self.step) {
            self.values.push(n);
        }
        self.seen += 1;
        if self.values.len() >= SAMPLES {
            let mut keep = false;
            self.values.retain(|_| {
                keep = !keep;
                keep
            });
            self.step *= 2;
        }
    }

    pub fn value(&self, a: &Aggregate) -> Value {
        let some = |n: f64| if self.count > 0.0 { Value::Number(n) } else { Value::Null };
        match a.name.as_str() {
            "count" => Value::Number(self.count),
            "count_distinct" => Value::Number(self.distinct.len() as f64),
            "sum" => some(self.sum),
            "avg" => some(self.sum / self.count),
            "min" | "sortsfirst" => self.least.clone().unwrap_or_default(),
            "max" | "sortslast" => self.most.clone().unwrap_or_default(),
            "earliest" => self.earliest.clone().map(|(_, v)| v).unwrap_or_default(),
            "latest" => self.latest.clone().map(|(_, v)| v).unwrap_or_default(),
            "stddev" => {
                let mean = self.sum / self.count;
                some((self.squares / self.count - mean * mean).max(0.0).sqrt())
            }
            _ => self.percentile(a.percent / 100.0),
        }
    }

    fn percentile(&self, share: f64) -> Value {
        let mut values = self.values.clone();
        values.sort_by(f64::total_cmp);
        let at = (share * values.len() as f64).ceil() as usize;
        values.get(at.saturating_sub(1)).map_or(Value::Null, |n| Value::Number(*n))
    }
}
