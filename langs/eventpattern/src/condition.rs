//! Conditions: what a single value is compared with.

use serde_json::Value;

use crate::glob::Glob;
use crate::network::Network;

/// A condition on a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The same text, number, truth value or null.
    Is(Value),
    Prefix(String),
    /// In lower case, as are all that ignore case.
    PrefixIgnoringCase(String),
    Suffix(String),
    SuffixIgnoringCase(String),
    IsIgnoringCase(String),
    Wildcard(Glob),
    /// A value is there, and none of these holds for it.
    AnythingBut(Vec<Condition>),
    /// A number that all of these hold for.
    Numeric(Vec<Bound>),
    /// An address of a network.
    Cidr(Network),
    /// Something is there, or nothing.
    Exists(bool),
}

/// A bound of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    Equal(f64),
    Less(f64),
    LessOrEqual(f64),
    Greater(f64),
    GreaterOrEqual(f64),
}

impl Condition {
    /// Whether it holds for a value that is there and no list or object.
    pub(crate) fn holds(&self, v: &Value) -> bool {
        let text = v.as_str();
        match self {
            Condition::Is(want) => match (want.as_f64(), v.as_f64()) {
                (Some(a), Some(b)) => a == b,
                _ => want == v,
            },
            Condition::Prefix(p) => text.is_some_and(|t| t.starts_with(p.as_str())),
            Condition::Suffix(s) => text.is_some_and(|t| t.ends_with(s.as_str())),
            Condition::PrefixIgnoringCase(p) => {
                text.is_some_and(|t| t.to_lowercase().starts_with(p.as_str()))
            }
            Condition::SuffixIgnoringCase(s) => {
                text.is_some_and(|t| t.to_lowercase().ends_with(s.as_str()))
            }
            Condition::IsIgnoringCase(s) => text.is_some_and(|t| t.to_lowercase() == *s),
            Condition::Wildcard(glob) => text.is_some_and(|t| glob.matches(t)),
            Condition::AnythingBut(none) => !none.iter().any(|c| c.holds(v)),
            Condition::Numeric(bounds) => {
                v.as_f64().is_some_and(|n| bounds.iter().all(|b| b.holds(n)))
            }
            Condition::Cidr(network) => text.is_some_and(|t| network.holds(t)),
            Condition::Exists(there) => *there,
        }
    }

    /// Whether it holds where nothing is.
    pub(crate) fn holds_for_nothing(&self) -> bool {
        *self == Condition::Exists(false)
    }
}

impl Bound {
    fn holds(self, n: f64) -> bool {
        match self {
            Bound::Equal(b) => n == b,
            Bound::Less(b) => n < b,
            Bound::LessOrEqual(b) => n <= b,
            Bound::Greater(b) => n > b,
            Bound::GreaterOrEqual(b) => n >= b,
        }
    }
}
