//! CloudWatch metric math: expressions over time series.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>
//!
//! ```
//! # use fogbank_metricmath::{Expr, Env, Series, Val, Error};
//! let e = Expr::parse("SUM([m1, m2]) / 2").unwrap();
//! assert_eq!(e.names(), ["m1", "m2"]);
//! ```
//!
//! **Invariant:** pure. What it does not know (SEARCH, anomaly detection) it refuses by name.

mod eval;
mod functions;
mod parse;

use std::collections::BTreeMap;

/// Values by time, in seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    pub points: BTreeMap<i64, f64>,
    /// In seconds.
    pub period: i64,
    /// What it is called where several are shown.
    pub label: String,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    Number(f64),
    Text(String),
    Series(Series),
    Many(Vec<Series>),
}

/// What an expression may ask for.
pub trait Env {
    /// The series, or what another expression came to, of this id.
    fn get(&self, id: &str) -> Option<Val>;
    /// The metrics (not expressions) of the request, in order: id, label, series.
    fn metrics(&self) -> Vec<(String, Series)>;
    /// The time asked about: inclusive and exclusive, in seconds.
    fn range(&self) -> (i64, i64);
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It cannot be read, or its parts do not fit together.
    #[error("{0}")]
    Invalid(String),
    /// It is right, and not here.
    #[error("{0}")]
    Unknown(String),
}

pub(crate) fn invalid<T>(what: impl Into<String>) -> Result<T, Error> {
    Err(Error::Invalid(what.into()))
}

/// An expression that has been read.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr(parse::Node);

impl Expr {
    /// Reads an expression.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn parse(text: &str) -> Result<Expr, Error> {
        parse::parse(text).map(Expr)
    }

    /// The ids it is about, each once.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.0.names(&mut found);
        found
    }

    /// Whether it is about all metrics of the request.
    #[must_use]
    pub fn uses_all(&self) -> bool {
        self.0.uses_all()
    }

    /// What it comes to.
    ///
    /// # Errors
    /// Parts that do not fit together, ids that are not there, functions that are not here.
    pub fn eval(&self, env: &dyn Env) -> Result<Val, Error> {
        eval::eval(&self.0, env)
    }
}

#[cfg(test)]
mod tests;
