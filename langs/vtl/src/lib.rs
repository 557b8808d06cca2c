//! The Velocity template language as AWS services speak it: parsed once, rendered often, bounded.
//!
//! References, `#set`, `#if`, `#foreach`, `#macro`, `#define`, `#evaluate`, `#break`, `#stop`, and
//! Java's methods on strings, numbers, lists and maps. What a template sees beside its own
//! variables (`$input`, `$util`) is supplied as [`Object`]s by the caller.
//!
//! Semantics are those of Velocity 1.7, which AWS runs: a reference without a value renders as it
//! is written, `null` is no value that can be assigned, and everything but `null` and `false` is
//! true. `#include` and `#parse` are refused: there are no other templates.
//!
//! **Invariant:** rendering ends: steps, output, loops and depth are limited ([`Limits`]). Nothing
//! of Java can be reached but what is listed in this crate.
//!
//! <https://velocity.apache.org/engine/1.7/vtl-reference.html>

mod ast;
mod compare;
mod expr;
mod format;
pub mod jsonpath;
mod lists;
mod numbers;
mod parse;
mod render;
mod strings;
mod value;

pub use parse::Template;
pub use render::Limits;
pub use value::{List, Map, Object, Value, java_double};

/// What is wrong with a template, or with what it does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{message} at line {line}, column {column}")]
    Syntax { message: String, line: usize, column: usize },
    /// A method threw, as Java's would.
    #[error("Invocation of method '{method}' threw exception {exception}")]
    Exception { method: String, exception: String },
    /// One of [`Limits`] was reached.
    #[error("the template exceeds its limit of {0}")]
    Limit(&'static str),
    /// Something of Velocity that is refused.
    #[error("{0} is not supported")]
    Refused(&'static str),
}
