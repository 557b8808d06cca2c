//! The functions of metric math.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html#metric-math-syntax-functions-list>

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::eval::{map, zip};
use crate::{Env, Error, Series, Val, invalid};

/// Those that are not here.
const REFUSED: &[&str] = &[
    "SEARCH",
    "ANOMALY_DETECTION_BAND",
    "SERVICE_QUOTA",
    "INSIGHT_RULE_METRIC",
    "DB_PERF_INSIGHTS",
    "LAMBDA",
    "SELECT",
];

pub fn call(name: &str, arguments: Vec<Val>, env: &dyn Env) -> Result<Val, Error> {
    if REFUSED.contains(&name) {
        return Err(Error::Unknown(format!("the function {name}")));
    }
    let n = arguments.len();
    let mut given = arguments.into_iter();
    let mut next = || match given.next() {
        Some(v) => Ok(v),
        None => invalid(format!("{name} needs another argument")),
    };
    let most = match name {
        "METRICS" | "METRIC_COUNT" | "TIME_SERIES" | "REMOVE_EMPTY" => 1,
        "IF" | "SLICE" => 3,
        "FILL" => 2,
        "SORT" => 4,
        _ => 1,
    };
    if n > most {
        return invalid(format!("{name} takes at most {most} arguments"));
    }
    match name {
        "ABS" => map(next()?, &f64::abs),
        "CEIL" => map(next()?, &f64::ceil),
        "FLOOR" => map(next()?, &f64::floor),
        "LOG" => map(next()?, &f64::ln),
        "LOG10" => map(next()?, &f64::log10),
        "AVG" | "SUM" | "MIN" | "MAX" | "STDDEV" => reduce(name, next()?),
        "FIRST" | "LAST" => edge(name == "FIRST", next()?),
        "METRICS" => {
            let part = match next() {
                Ok(Val::Text(t)) => t,
                Ok(_) => return invalid("METRICS takes a text"),
                Err(_) => String::new(),
            };
            let all = env.metrics().into_iter();
            Ok(Val::Many(all.filter(|(id, _)| id.contains(&part)).map(|(_, s)| s).collect()))
        }
        "METRIC_COUNT" => match next()? {
            Val::Many(all) => Ok(Val::Number(all.len() as f64)),
            Val::Series(_) => Ok(Val::Number(1.0)),
            _ => invalid("METRIC_COUNT takes time series"),
        },
        "DATAPOINT_COUNT" => match next()? {
            Val::Series(s) => Ok(Val::Number(s.points.len() as f64)),
            Val::Many(all) => Ok(across(&all, |values| values.len() as f64)),
            _ => invalid("DATAPOINT_COUNT takes time series"),
        },
        "PERIOD" => match next()? {
            Val::Series(s) => Ok(Val::Number(s.period as f64)),
            _ => invalid("PERIOD takes a time series"),
        },
        "RATE" => {
            each(next()?, &|s| differ(s, |(t, x), (before, y)| (y - x) / (before - t) as f64))
        }
        "DIFF" => each(next()?, &|s| differ(s, |(_, x), (_, y)| y - x)),
        "DIFF_TIME" => each(next()?, &|s| differ(s, |(t, _), (u, _)| (u - t) as f64)),
        "RUNNING_SUM" => each(next()?, &|mut s| {
            let mut sum = 0.0;
            for x in s.points.values_mut() {
                sum += *x;
                *x = sum;
            }
            s
        }),
        "FILL" => {
            let (what, with) = (next()?, next()?);
            each_with(what, &|s| fill(s, &with, env))
        }
        "IF" => {
            let (condition, yes) = (next()?, next()?);
            let no = next().ok();
            choose(condition, yes, no)
        }
        "TIME_SERIES" => match next()? {
            Val::Number(n) => {
                let period = env.metrics().iter().map(|(_, s)| s.period).max().unwrap_or(60);
                let points = grid(env, period).map(|t| (t, n)).collect();
                Ok(Val::Series(Series { points, period, label: String::new() }))
            }
            other => Ok(other),
        },
        "MINUTE" | "HOUR" | "DAY" | "DATE" | "MONTH" | "YEAR" | "EPOCH" => {
            each(next()?, &|mut s| {
                for (t, x) in &mut s.points {
                    *x = calendar(name, *t);
                }
                s
            })
        }
        "REMOVE_EMPTY" => match next()? {
            Val::Many(all) => {
                Ok(Val::Many(all.into_iter().filter(|s| !s.points.is_empty()).collect()))
            }
            other => Ok(other),
        },
        "SORT" => {
            let all = many(next()?)?;
            let by = text(next()?)?;
            let way = next().ok().map(text).transpose()?.unwrap_or_else(|| "ASC".into());
            let most = match next() {
                Ok(Val::Number(n)) => n.max(0.0) as usize,
                _ => usize::MAX,
            };
            sort(all, &by, way == "DESC", most)
        }
        "SLICE" => {
            let all = many(next()?)?;
            let from = number(&next()?)?.max(0.0) as usize;
            let to = match next() {
                Ok(v) => number(&v)?.max(0.0) as usize,
                Err(_) => usize::MAX,
            };
            let n = to.saturating_sub(from);
            Ok(Val::Many(all.into_iter().skip(from).take(n).collect()))
        }
        _ => invalid(format!("there is no function {name}")),
    }
}

fn number(v: &Val) -> Result<f64, Error> {
    if let Val::Number(n) = v { Ok(*n) } else { invalid("a number is needed") }
}

fn text(v: Val) -> Result<String, Error> {
    if let Val::Text(t) = v { Ok(t) } else { invalid("a word is needed") }
}

fn many(v: Val) -> Result<Vec<Series>, Error> {
    match v {
        Val::Many(all) => Ok(all),
        Val::Series(one) => Ok(vec![one]),
        _ => invalid("time series are needed"),
    }
}

fn each(v: Val, f: &dyn Fn(Series) -> Series) -> Result<Val, Error> {
    each_with(v, &|s| Ok(f(s)))
}

fn each_with(v: Val, f: &dyn Fn(Series) -> Result<Series, Error>) -> Result<Val, Error> {
    match v {
        Val::Series(s) => Ok(Val::Series(f(s)?)),
        Val::Many(all) => Ok(Val::Many(all.into_iter().map(f).collect::<Result<_, _>>()?)),
        _ => invalid("time series are needed"),
    }
}

/// One number of a series; one series of several.
fn reduce(name: &str, v: Val) -> Result<Val, Error> {
    let f = |values: &[f64]| fold(name, values);
    match v {
        Val::Number(n) => Ok(Val::Number(if name == "STDDEV" { 0.0 } else { n })),
        Val::Series(s) => {
            let values: Vec<f64> = s.points.values().copied().collect();
            Ok(Val::Number(if values.is_empty() { 0.0 } else { f(&values) }))
        }
        Val::Many(all) => Ok(across(&all, f)),
        Val::Text(_) => invalid(format!("{name} takes time series")),
    }
}

fn fold(name: &str, values: &[f64]) -> f64 {
    let (n, sum) = (values.len() as f64, values.iter().sum::<f64>());
    match name {
        "SUM" => sum,
        "AVG" => sum / n,
        "MIN" => values.iter().copied().fold(f64::INFINITY, f64::min),
        "MAX" => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        _ => (values.iter().map(|x| (x - sum / n).powi(2)).sum::<f64>() / n).sqrt(),
    }
}

fn across(all: &[Series], f: impl Fn(&[f64]) -> f64) -> Val {
    let mut by_time: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for s in all {
        for (t, x) in &s.points {
            by_time.entry(*t).or_default().push(*x);
        }
    }
    let points = by_time.iter().map(|(t, values)| (*t, f(values))).collect();
    let period = all.iter().map(|s| s.period).max().unwrap_or(60);
    Val::Series(Series { points, period, label: String::new() })
}

fn edge(first: bool, v: Val) -> Result<Val, Error> {
    let all = many(v)?;
    let one = if first { all.into_iter().next() } else { all.into_iter().last() };
    one.map(Val::Series).map_or_else(|| invalid("there is no time series"), Ok)
}

fn differ(s: Series, f: impl Fn((i64, f64), (i64, f64)) -> f64) -> Series {
    let all: Vec<(i64, f64)> = s.points.into_iter().collect();
    let points = all.windows(2).map(|w| (w[1].0, f(w[0], w[1]))).collect();
    Series { points, ..s }
}

fn grid(env: &dyn Env, period: i64) -> impl Iterator<Item = i64> + use<> {
    let (from, to) = env.range();
    let period = period.max(1);
    let first = from.div_euclid(period) * period;
    // As many points as an answer may have.
    (0..100_800).map(move |i| first + i * period).take_while(move |t| *t < to)
}

fn fill(mut s: Series, with: &Val, env: &dyn Env) -> Result<Series, Error> {
    let known = s.points.clone();
    for t in grid(env, s.period) {
        if known.contains_key(&t) {
            continue;
        }
        let before = known.range(..t).next_back().map(|(t, x)| (*t as f64, *x));
        let value = match with {
            Val::Number(n) => Some(*n),
            Val::Series(other) => other.points.get(&t).copied(),
            Val::Text(w) if w == "REPEAT" => before.map(|(_, x)| x),
            Val::Text(w) if w == "LINEAR" => {
                let after = known.range(t..).next().map(|(t, x)| (*t as f64, *x));
                before.zip(after).map(|((a, x), (b, y))| x + (y - x) * (t as f64 - a) / (b - a))
            }
            _ => return invalid("FILL takes a number, a time series, REPEAT or LINEAR"),
        };
        if let Some(x) = value {
            s.points.insert(t, x);
        }
    }
    Ok(s)
}

/// IF: by each point of the condition. Without a third argument, what is not true is left out.
fn choose(condition: Val, yes: Val, no: Option<Val>) -> Result<Val, Error> {
    let Val::Series(condition) = condition else {
        return match condition {
            Val::Number(n) if n != 0.0 => Ok(yes),
            Val::Number(_) => no.map_or_else(|| invalid("IF needs a third argument"), Ok),
            _ => invalid("IF takes a number or a time series as its condition"),
        };
    };
    let at = |v: &Val, t: i64| match v {
        Val::Number(n) => Some(*n),
        Val::Series(s) => s.points.get(&t).copied(),
        _ => None,
    };
    let points = condition.points.iter().filter_map(|(t, c)| {
        let x = if *c != 0.0 { at(&yes, *t) } else { at(no.as_ref()?, *t) };
        Some((*t, x?))
    });
    let points = points.collect();
    // Both ways must be something that has values at times.
    zip(yes, Val::Number(0.0), &|a, _| a)?;
    Ok(Val::Series(Series { points, period: condition.period, label: condition.label }))
}

fn sort(mut all: Vec<Series>, by: &str, down: bool, most: usize) -> Result<Val, Error> {
    if !matches!(by, "AVG" | "MIN" | "MAX" | "SUM" | "STDDEV" | "LAST") {
        return invalid(format!("SORT does not know {by}"));
    }
    let rank = |s: &Series| {
        let values: Vec<f64> = s.points.values().copied().collect();
        if by == "LAST" { values.last().copied().unwrap_or(0.0) } else { fold(by, &values) }
    };
    all.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
    if down {
        all.reverse();
    }
    all.truncate(most);
    Ok(Val::Many(all))
}

fn calendar(what: &str, t: i64) -> f64 {
    let Ok(time) = Timestamp::from_second(t) else { return 0.0 };
    let z = time.to_zoned(TimeZone::UTC);
    match what {
        "MINUTE" => f64::from(z.minute()),
        "HOUR" => f64::from(z.hour()),
        "DAY" => f64::from(z.weekday().to_monday_one_offset()),
        "DATE" => f64::from(z.day()),
        "MONTH" => f64::from(z.month()),
        "YEAR" => f64::from(z.year()),
        _ => t as f64,
    }
}
