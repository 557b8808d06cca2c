//! CloudWatch Logs filter patterns: which log events a filter is about, and what it reads from them.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>
//!
//! ```
//! # use fogbank_logfilter::Filter;
//! assert!(Filter::parse("?ERROR ?WARN").unwrap().matches("a WARN b"));
//! assert!(Filter::parse("{ $.status >= 500 }").unwrap().matches(r#"{"status": 503}"#));
//! assert!(Filter::parse("[ip, user, status = 4*]").unwrap().matches("::1 ann 404"));
//! ```
//!
//! **Invariant:** pure, and linear in the length of the message: regular expressions never go back.

mod condition;
mod fields;
mod json;
mod lex;
mod terms;

use std::collections::BTreeMap;

/// A pattern that has been read.
#[derive(Clone, Debug)]
pub struct Filter(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Terms(terms::Terms),
    Json(json::Json),
    Fields(fields::Fields),
}

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

pub(crate) fn error<T>(what: impl Into<String>) -> Result<T, Error> {
    Err(Error(what.into()))
}

/// The longest pattern.
const LONGEST: usize = 1024;

impl Filter {
    /// Reads a pattern. The empty one matches everything.
    ///
    /// # Errors
    /// A sentence on what cannot be read, or is too long.
    pub fn parse(pattern: &str) -> Result<Filter, Error> {
        let text = pattern.trim();
        if text.chars().count() > LONGEST {
            return error(format!("it is longer than {LONGEST} characters"));
        }
        Ok(Filter(match text.chars().next() {
            Some('{') => Kind::Json(json::Json::parse(text)?),
            Some('[') => Kind::Fields(fields::Fields::parse(text)?),
            _ => Kind::Terms(terms::Terms::parse(text)?),
        }))
    }

    /// Whether the pattern is about this message.
    #[must_use]
    pub fn matches(&self, message: &str) -> bool {
        match &self.0 {
            Kind::Terms(t) => t.matches(message),
            Kind::Json(j) => j.matches(message),
            Kind::Fields(f) => f.matches(message),
        }
    }

    /// What the pattern names in a message: `$.latency` or `$user` and its text.
    #[must_use]
    pub fn extract(&self, message: &str) -> BTreeMap<String, String> {
        match &self.0 {
            Kind::Terms(_) => BTreeMap::new(),
            Kind::Json(j) => j.extract(message),
            Kind::Fields(f) => f.extract(message),
        }
    }

    /// What a reference (`$.latency`, `$bytes`) means in a message that matches; the text itself
    /// for anything else.
    #[must_use]
    pub fn value(&self, message: &str, reference: &str) -> Option<String> {
        match &self.0 {
            _ if !reference.starts_with('$') => Some(reference.to_owned()),
            Kind::Terms(_) => None,
            Kind::Json(_) => json::value(message, reference),
            Kind::Fields(f) => f.extract(message).remove(reference),
        }
    }

    /// Whether a metric may be taken from such a reference.
    #[must_use]
    pub fn knows(&self, reference: &str) -> bool {
        match &self.0 {
            _ if !reference.starts_with('$') => true,
            Kind::Terms(_) => false,
            Kind::Json(_) => json::is_selector(reference),
            Kind::Fields(f) => f.names(reference),
        }
    }
}

#[cfg(test)]
mod tests;
