//! The IAM policy language as a pure function: parse, compile, decide, explain.
//!
//! **Invariant:** pure. Which policies apply, who owns a resource and whether a principal exists is
//! for the caller to know; nothing here reads a clock or a store.
//!
//! The gateway asks an [`Engine`]; services that take policy documents validate them with
//! [`Policy::parse`] for their [`Usage`].

mod bucket;
pub mod condition;
pub mod context;
pub mod decide;
pub mod engine;
pub mod error;
#[doc(hidden)]
pub mod fuzz;
pub mod glob;
mod json;
mod message;
mod parse;
pub mod policy;
pub mod principal;
pub mod public;
pub mod services;

pub use context::Context;
pub use decide::{Decision, Policies, Request, Source, decide};
pub use engine::{Engine, Verdict};
pub use error::{Error, Usage};
pub use policy::{Effect, Policy, Statement};
pub use principal::{Named, Principals};
pub use public::is_public;
