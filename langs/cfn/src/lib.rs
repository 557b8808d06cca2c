//! CloudFormation's template language: reading, checking, ordering and evaluating templates.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-reference.html>
//!
//! A template's text becomes a value with every short form written out ([`read()`]), the value a
//! checked [`Template`], and with parameters and the state of its resources ([`Scope`]) its parts
//! become plain values ([`Eval`]). What depends on what is [`graph`].
//!
//! **Invariant:** pure: nothing here reads a clock, a file or a service; sizes, depths and the
//! number of steps are bounded.

pub mod dynamic;
mod error;
pub mod eval;
pub mod extensions;
pub mod graph;
pub mod parameter;
mod read;
mod refs;
pub mod rules;
pub mod template;

pub use error::{Error, Result};
pub use eval::{Eval, Scope};
pub use parameter::{Parameter, Values};
pub use read::read;
pub use refs::{Reference, references};
pub use template::{Output, Resource, Template};

/// How deeply a template may nest.
pub const MAX_DEPTH: usize = 100;
/// The most nodes that aliases, loops and functions may make of a template.
pub const MAX_NODES: usize = 200_000;
