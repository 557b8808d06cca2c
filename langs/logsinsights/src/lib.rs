//! The query language of CloudWatch Logs Insights: commands joined by `|` over log events.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html>
//!
//! A query is run event by event: [`Query::run`] gives a [`Run`] that is fed with events and at the
//! end asked for its rows.
//!
//! **Invariant:** pure, and bounded: what a run holds is limited by its caller.

mod aggregate;
mod eval;
mod functions;
mod lex;
mod parse;
mod run;
mod value;

pub use run::{Full, Run};
pub use value::Value;

/// The fields of an event, by name.
pub trait Event {
    /// The field's value; [`Value::Null`] when the event has none of this name.
    fn field(&self, name: &str) -> Value;
}

/// What is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("{0}")]
    Invalid(String),
    /// It is right, and not here.
    #[error("{0}")]
    Unknown(String),
}

pub(crate) fn invalid<T>(what: impl Into<String>) -> Result<T, Error> {
    Err(Error::Invalid(what.into()))
}

/// A query that has been read.
#[derive(Clone, Debug)]
pub struct Query {
    commands: Vec<parse::Command>,
}

/// The longest query.
const LONGEST: usize = 10_000;

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// What cannot be read, or is not here.
    pub fn parse(text: &str) -> Result<Query, Error> {
        if text.len() > LONGEST {
            return invalid(format!("the query is longer than {LONGEST} characters"));
        }
        Ok(Query { commands: parse::commands(text)? })
    }

    /// Begins to run it. `limit` is the number of rows when the query itself does not say.
    /// Times within the query are told by `now`, in milliseconds since 1970.
    #[must_use]
    pub fn run(&self, limit: usize, now: i64) -> Run<'_> {
        Run::new(&self.commands, limit, now)
    }
}

#[cfg(test)]
mod tests;
