//! Evaluation: which state an alarm should be in, looked at again and again.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html>

use std::sync::Arc;

use fogbank_bus::{Job, Jobs, Next, Options, Worker};
use fogbank_core::{ApiError, Cloud, Result};
use fogbank_store::Tx;
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use serde_json::json;

use crate::alarm::{self, ALARMS, Alarm, INSUFFICIENT, Rule, Watch, WatchSource};
use crate::change::{self, Scope, To};
use crate::message::stamp;
use crate::series::{self, Asked};
use crate::stat::Stat;
use crate::{CloudWatch, composite, expression};

static LOOKS: Jobs<Look> = Jobs::new("cloudwatch.evaluate");

/// An alarm that is to be evaluated.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Look {
    #[n(0)]
    scope: Scope,
    #[n(1)]
    name: String,
    #[n(2)]
    generation: u64,
    /// Once only: a composite alarm whose child has changed.
    #[n(3)]
    once: bool,
}
fogbank_store::record!(Look, version = 1);

/// Begins to evaluate an alarm as it is now configured.
pub fn begin(tx: &mut Tx, scope: &Scope, alarm: &Alarm, now: Timestamp) {
    put(tx, scope, alarm, now, matches!(alarm.rule, Rule::Composite(_)));
}

/// Has an alarm evaluated once more.
pub fn again(tx: &mut Tx, scope: &Scope, alarm: &Alarm, now: Timestamp) {
    put(tx, scope, alarm, now, true);
}

fn put(tx: &mut Tx, scope: &Scope, alarm: &Alarm, now: Timestamp, once: bool) {
    let (name, generation) = (alarm.name.clone(), alarm.generation);
    let look = Look { scope: scope.clone(), name, generation, once };
    let id = format!("{generation:016x}{}", if once { "-once" } else { "" });
    LOOKS.put(tx, now, &id, &look);
}

pub fn start(cw: &Arc<CloudWatch>, cloud: &Arc<dyn Cloud>) -> Worker {
    let (cw, cloud) = (Arc::clone(cw), Arc::clone(cloud));
    let (store, clock) = (cw.store.clone(), cloud.clock().clone());
    Worker::start(store, clock, &LOOKS, Options { at_once: 8 }, move |job: Job<Look>| {
        let (cw, cloud) = (Arc::clone(&cw), Arc::clone(&cloud));
        async move {
            let now = cloud.clock().now();
            match look(&cw, &cloud, &job.what, now).await {
                Ok(Some(period)) if !job.what.once => Next::At(next(now, period), job.what),
                Ok(_) => Next::Done,
                Err(e) => {
                    let why = e.internal_context().map_or_else(|| e.to_string(), str::to_owned);
                    tracing::error!("the alarm {} cannot be evaluated: {why}", job.what.name);
                    Next::At(next(now, 60), job.what)
                }
            }
        }
    })
}

/// A moment after the next period has ended.
fn next(now: Timestamp, period: i64) -> Timestamp {
    let step = period.clamp(10, 60);
    let second = (now.as_second().div_euclid(step) + 1) * step + 1;
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

/// Evaluates; gives the alarm's period, `None` when it is gone.
async fn look(
    cw: &CloudWatch,
    cloud: &Arc<dyn Cloud>,
    look: &Look,
    now: Timestamp,
) -> Result<Option<i64>> {
    let (scope, name) = (&look.scope, &look.name);
    let key = alarm::key(&scope.account, &scope.region, name);
    let Some(alarm) = cw.store.get(&ALARMS, &key).await? else { return Ok(None) };
    if alarm.generation != look.generation {
        return Ok(None);
    }
    let (to, period) = match &alarm.rule {
        Rule::Metric(watch) => {
            let points = points(cw, scope, watch, now.as_second()).await?;
            (judge(watch, &points, &alarm.state.value, now), watch.period())
        }
        Rule::Composite(rule) => (Some(composite::judge(cw, scope, rule).await?), 60),
    };
    if let Some(to) = to {
        change::set(cw, cloud, scope, name, Some(look.generation), to).await?;
    }
    Ok(Some(period))
}

/// How many periods more than needed are looked at, for data that come late.
const MORE: i64 = 2;

/// A period: its start, and its value if there is one.
type Point = (i64, Option<f64>);

/// The newest whole periods, the newest first.
async fn points(cw: &CloudWatch, scope: &Scope, w: &Watch, now: i64) -> Result<Vec<Point>> {
    let period = w.period();
    let end = now.div_euclid(period) * period;
    let from = end - (w.periods + MORE) * period;
    let found = match &w.source {
        WatchSource::One(m) => {
            let named = m.named();
            let asked = Asked {
                account: &scope.account,
                region: &scope.region,
                metric: &named,
                from,
                to: end,
                period,
                unit: m.unit.as_deref(),
                now,
            };
            let stat = Stat::parse(m.stat());
            let found = series::read(&cw.store, &asked).await?;
            found.into_iter().filter_map(|(t, (b, _))| Some((t, stat?.of(&b)?))).collect()
        }
        WatchSource::Queries(all) => {
            let (account, region) = (scope.account.as_str(), scope.region.as_str());
            let asked = expression::Scope { store: &cw.store, account, region, from, to: end, now };
            let refuse = |what: &str| ApiError::not_implemented(what);
            let answers = expression::answer(&asked, all, &refuse).await?;
            let series = answers.into_iter().next().and_then(|a| a.series.into_iter().next());
            series.map(|s| s.points).unwrap_or_default()
        }
    };
    let starts = (0..w.periods + MORE).map(|i| end - (i + 1) * period);
    Ok(starts.map(|t| (t, found.get(&t).copied())).collect())
}

/// The state that these points (the newest first) ask for; `None` to stay.
fn judge(w: &Watch, points: &[Point], current: &str, now: Timestamp) -> Option<To> {
    let needed = usize::try_from(w.periods).unwrap_or(1);
    let most = usize::try_from(w.datapoints.unwrap_or(w.periods)).unwrap_or(1);
    let real: Vec<(usize, i64, f64)> = points
        .iter()
        .enumerate()
        .filter_map(|(i, (t, v))| Some((i, *t, (*v)?)))
        .take(needed)
        .collect();
    let breaching = |v: f64| match w.comparison.as_str() {
        "GreaterThanThreshold" => v > w.threshold,
        "GreaterThanOrEqualToThreshold" => v >= w.threshold,
        "LessThanThreshold" => v < w.threshold,
        _ => v <= w.threshold,
    };
    let bad = real.iter().filter(|(_, _, v)| breaching(*v)).count();
    let filled = needed - real.len();
    let treat = w.missing.as_deref().unwrap_or("missing");
    let alarmed = bad >= most;
    let value = match treat {
        _ if filled == 0 => state(alarmed),
        "breaching" => state(bad + filled >= most),
        "notBreaching" => state(alarmed),
        // A few that are not breaching tell enough.
        _ if alarmed || bad < real.len() => state(alarmed),
        "ignore" => return None,
        _ if real.is_empty() => INSUFFICIENT,
        // All that is there is breaching: an alarm once the oldest is old enough.
        _ if real.last().is_some_and(|(i, ..)| i + 1 >= most) => "ALARM",
        _ => return None,
    };
    if value == current {
        return None;
    }
    Some(To {
        value: value.to_owned(),
        reason: reason(w, value, &real, bad, filled, most, treat),
        data: Some(data(w, &real, now)),
    })
}

fn state(alarmed: bool) -> &'static str {
    if alarmed { "ALARM" } else { "OK" }
}

/// The reason, in CloudWatch's words.
fn reason(
    w: &Watch,
    value: &str,
    real: &[(usize, i64, f64)],
    bad: usize,
    filled: usize,
    most: usize,
    treat: &str,
) -> String {
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    if value == INSUFFICIENT {
        let were = if filled == 1 { "was" } else { "were" };
        return format!("Insufficient Data: {} {were} unknown.", plural(filled, "datapoint"));
    }
    if real.is_empty() {
        let (were, treated) = (
            if filled == 1 { "was" } else { "were" },
            match treat {
                "breaching" => "Breaching",
                _ => "NonBreaching",
            },
        );
        return format!(
            "Threshold Crossed: no datapoints were received for {} and {} {were} treated as \
             [{treated}].",
            plural(filled, "period"),
            plural(filled, "missing datapoint"),
        );
    }
    let shown = |(_, t, v): &(usize, i64, f64)| {
        let time = Timestamp::from_second(*t).unwrap_or_default();
        format!("{v:?} ({})", time.strftime("%d/%m/%y %H:%M:%S"))
    };
    let list = real.iter().map(shown).collect::<Vec<_>>().join(", ");
    let alarm = value == "ALARM";
    let (count, transition) =
        if alarm { (bad, "OK -> ALARM") } else { (real.len() - bad, "ALARM -> OK") };
    let (were, not) = (if count == 1 { "was" } else { "were" }, if alarm { "" } else { "not " });
    let words = match w.comparison.as_str() {
        "GreaterThanThreshold" => "greater than",
        "GreaterThanOrEqualToThreshold" => "greater than or equal to",
        "LessThanThreshold" => "less than",
        _ => "less than or equal to",
    };
    let least = if alarm { most } else { usize::try_from(w.periods).unwrap_or(1) - most + 1 };
    format!(
        "Threshold Crossed: {count} out of the last {} [{list}] {were} {not}{words} the threshold \
         ({:?}) (minimum {} for {transition} transition).",
        plural(real.len(), "datapoint"),
        w.threshold,
        plural(least, "datapoint"),
    )
}

/// The reason for machines.
fn data(w: &Watch, real: &[(usize, i64, f64)], now: Timestamp) -> String {
    let mut data = json!({
        "version": "1.0",
        "queryDate": stamp(now.as_microsecond()),
        "period": w.period(),
        "recentDatapoints": real.iter().rev().map(|(_, _, v)| *v).collect::<Vec<_>>(),
        "threshold": w.threshold,
        "evaluatedDatapoints": real.iter()
            .map(|(_, t, v)| json!({"timestamp": stamp(t * 1_000_000), "value": v}))
            .collect::<Vec<_>>(),
    });
    if let Some((_, oldest, _)) = real.last() {
        data["startDate"] = json!(stamp(oldest * 1_000_000));
    }
    if let WatchSource::One(m) = &w.source {
        data["statistic"] = json!(m.stat());
        if let Some(unit) = &m.unit {
            data["unit"] = json!(unit);
        }
    }
    let text = data.to_string();
    if text.len() <= 4000 { text } else { json!({"version": "1.0"}).to_string() }
}

#[cfg(test)]
mod tests;
