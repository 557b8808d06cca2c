//! Queries of metrics: each a statistic of a metric, or an expression over others.

use std::collections::{BTreeMap, HashMap};

use fogbank_core::{ApiError, Result};
use fogbank_metricmath::{Env, Error, Expr, Series, Val};
use fogbank_store::Store;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::error::validation;
use crate::metric::{Dimension, Named};
use crate::series::{self, Asked, is_period};
use crate::stat::Stat;

/// Makes the refusal of something that is not here, by its name.
pub type Refuse<'a> = &'a (dyn Fn(&str) -> ApiError + Sync);

/// A query, in records and on the wire.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Query {
    #[n(0)]
    pub id: String,
    #[n(1)]
    pub metric_stat: Option<MetricStat>,
    #[n(2)]
    pub expression: Option<String>,
    #[n(3)]
    pub label: Option<String>,
    #[n(4)]
    pub return_data: Option<bool>,
    #[n(5)]
    pub period: Option<i64>,
    #[n(6)]
    pub account_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetricStat {
    #[n(0)]
    pub metric: Asking,
    #[n(1)]
    pub period: i64,
    #[n(2)]
    pub stat: String,
    #[n(3)]
    pub unit: Option<String>,
}

/// The metric of a query: the model lets its parts be absent.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Asking {
    #[n(0)]
    pub namespace: Option<String>,
    #[n(1)]
    pub metric_name: Option<String>,
    #[n(2)]
    #[serde(default)]
    pub dimensions: Vec<Dimension>,
}

impl Asking {
    pub fn named(&self) -> Named {
        Named {
            namespace: self.namespace.clone().unwrap_or_default(),
            metric_name: self.metric_name.clone().unwrap_or_default(),
            dimensions: self.dimensions.clone(),
        }
        .sorted()
    }
}

impl Query {
    pub fn returns(&self) -> bool {
        self.return_data.unwrap_or(true)
    }
}

/// Where and when queries are asked.
pub struct Scope<'a> {
    pub store: &'a Store,
    pub account: &'a str,
    pub region: &'a str,
    pub from: i64,
    pub to: i64,
    pub now: i64,
}

/// Checks queries by themselves and against each other.
pub fn check(queries: &[Query], refuse: Refuse<'_>) -> Result<()> {
    let mut seen: HashMap<&str, ()> = HashMap::new();
    for q in queries {
        let lower = q.id.starts_with(|c: char| c.is_ascii_lowercase());
        if !lower || !q.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(validation(format!(
                "The value {} for parameter Id is not supported: it must begin with a lowercase \
                 letter and contain letters, numbers and underscores only.",
                q.id
            )));
        }
        if seen.insert(&q.id, ()).is_some() {
            return Err(validation(format!(
                "The values for parameter id in MetricDataQueries are not unique: {}",
                q.id
            )));
        }
        if q.account_id.is_some() {
            return Err(refuse("AccountId"));
        }
        match (&q.metric_stat, &q.expression) {
            (Some(_), Some(_)) => {
                return Err(validation(
                    "The parameters MetricDataQueries.member.MetricStat and \
                     MetricDataQueries.member.Expression are mutually exclusive and you have \
                     specified both.",
                ));
            }
            (None, None) => {
                return Err(validation(
                    "Either MetricStat or Expression must be specified in a MetricDataQuery.",
                ));
            }
            (Some(m), None) => {
                if m.metric.namespace.is_none() || m.metric.metric_name.is_none() {
                    return Err(validation("A metric needs a Namespace and a MetricName."));
                }
                if Stat::parse(&m.stat).is_none() {
                    return Err(validation(format!(
                        "The value {} for parameter Stat is not supported.",
                        m.stat
                    )));
                }
                if !is_period(m.period) {
                    return Err(validation(format!(
                        "The value {} for parameter Period is not supported: it must be 1, 5, 10, \
                         20, 30 or a multiple of 60.",
                        m.period
                    )));
                }
            }
            (None, Some(text)) => {
                parsed(q, text, refuse)?;
            }
        }
    }
    // Expressions are about what there is, and never about themselves.
    for q in queries {
        let Some(text) = &q.expression else { continue };
        for name in parsed(q, text, refuse)?.names() {
            let word = name.bytes().all(|b| b.is_ascii_uppercase());
            if !word && !seen.contains_key(name.as_str()) {
                return Err(in_expression(&q.id, &format!("Unknown id '{name}'")));
            }
        }
    }
    Ok(())
}

fn parsed(q: &Query, text: &str, refuse: Refuse<'_>) -> Result<Expr> {
    if text.trim_start().get(..6).is_some_and(|w| w.eq_ignore_ascii_case("SELECT")) {
        return Err(refuse("Expression of Metrics Insights"));
    }
    Expr::parse(text).map_err(|e| failed(&q.id, &e, refuse))
}

fn in_expression(id: &str, what: &str) -> ApiError {
    validation(format!("Error in expression '{id}': {what}"))
}

fn failed(id: &str, e: &Error, refuse: Refuse<'_>) -> ApiError {
    match e {
        Error::Unknown(what) => refuse(what),
        Error::Invalid(what) => in_expression(id, what),
    }
}

/// A query's answer; an expression over an array has several.
#[derive(Clone, Debug)]
pub struct Answer {
    pub id: String,
    pub series: Vec<Series>,
}

/// Answers those queries that return data, in their order.
pub async fn answer(
    scope: &Scope<'_>,
    queries: &[Query],
    refuse: Refuse<'_>,
) -> Result<Vec<Answer>> {
    let fetched = fetch(scope, queries).await?;
    let mut world = World { range: (scope.from, scope.to), metrics: Vec::new(), known: fetched };
    for q in queries.iter().filter(|q| q.metric_stat.is_some()) {
        if let Some(Val::Series(s)) = world.known.get(&q.id) {
            world.metrics.push((q.id.clone(), s.clone()));
        }
    }
    // Expressions may be about each other in any order: as many rounds as there are.
    let mut left: Vec<(&Query, Expr)> = Vec::new();
    for q in queries {
        if let Some(text) = &q.expression {
            left.push((q, parsed(q, text, refuse)?));
        }
    }
    while !left.is_empty() {
        let ready = left.iter().position(|(_, e)| {
            e.names()
                .iter()
                .all(|n| world.known.contains_key(n) || !queries.iter().any(|q| q.id == *n))
        });
        let Some(i) = ready else {
            return Err(in_expression(&left[0].0.id, "It refers to itself"));
        };
        let (q, expr) = left.remove(i);
        let val = expr.eval(&world).map_err(|e| failed(&q.id, &e, refuse))?;
        world.known.insert(q.id.clone(), val);
    }
    let mut answers = Vec::new();
    for q in queries.iter().filter(|q| q.returns()) {
        let label = q.label.clone();
        let series = match world.known.remove(&q.id) {
            Some(Val::Series(s)) => {
                let own = if q.metric_stat.is_some() { s.label.clone() } else { q.id.clone() };
                vec![Series { label: label.unwrap_or(own), ..s }]
            }
            Some(Val::Many(all)) => all
                .into_iter()
                .map(|s| match &label {
                    Some(l) => Series { label: format!("{l} {}", s.label), ..s },
                    None => s,
                })
                .collect(),
            _ => {
                return Err(in_expression(
                    &q.id,
                    "The expression must return a time series or an array of time series",
                ));
            }
        };
        answers.push(Answer { id: q.id.clone(), series });
    }
    Ok(answers)
}

async fn fetch(scope: &Scope<'_>, queries: &[Query]) -> Result<HashMap<String, Val>> {
    let mut known = HashMap::new();
    for q in queries {
        let Some(m) = &q.metric_stat else { continue };
        let named = m.metric.named();
        let asked = Asked {
            account: scope.account,
            region: scope.region,
            metric: &named,
            from: scope.from.div_euclid(m.period) * m.period,
            to: scope.to,
            period: m.period,
            unit: m.unit.as_deref(),
            now: scope.now,
        };
        let stat = Stat::parse(&m.stat);
        let found = series::read(scope.store, &asked).await?;
        let of = |(t, (b, _)): (i64, (crate::bucket::Bucket, String))| Some((t, stat?.of(&b)?));
        let points: BTreeMap<i64, f64> = found.into_iter().filter_map(of).collect();
        let label = q.label.clone().unwrap_or(named.metric_name);
        known.insert(q.id.clone(), Val::Series(Series { points, period: m.period, label }));
    }
    Ok(known)
}

struct World {
    range: (i64, i64),
    metrics: Vec<(String, Series)>,
    known: HashMap<String, Val>,
}

impl Env for World {
    fn get(&self, id: &str) -> Option<Val> {
        self.known.get(id).cloned()
    }
    fn metrics(&self) -> Vec<(String, Series)> {
        self.metrics.clone()
    }
    fn range(&self) -> (i64, i64) {
        self.range
    }
}
