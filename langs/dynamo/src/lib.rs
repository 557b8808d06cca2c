//! DynamoDB's values and languages: exact numbers, items as bytes, expressions, PartiQL.
//!
//! Pure functions over text and values. A message is AWS's own, without the name of the parameter
//! that an expression came in, which [`Error::within`] adds.

pub mod attr;
pub mod codec;
pub mod condition;
pub mod key;
mod lex;
pub mod number;
mod parse;
pub mod partiql;
pub mod path;
pub mod projection;
pub mod reserved;
pub mod scope;
pub mod update;

pub use attr::{Attr, Item, item_size};
pub use condition::Condition;
pub use number::Number;
pub use path::{Path, Step};
pub use projection::Projection;
pub use scope::Scope;
pub use update::Update;

/// What is wrong, in AWS's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(message: impl Into<String>) -> Self {
        Error(message.into())
    }

    /// The message for an expression in the parameter `place`:
    /// `Invalid ConditionExpression: …`.
    #[must_use]
    pub fn within(self, place: &str) -> Self {
        Error(format!("Invalid {place}: {}", self.0))
    }
}
