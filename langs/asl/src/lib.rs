//! The Amazon States Language: parsing, validation, and a step-by-step interpreter.
//!
//! [`validate::check`] tells what is wrong with a definition, in AWS's words; [`Definition::parse`]
//! compiles one; a [`Run`] is the state of an execution, which [`Run::advance`] moves as far as it
//! goes without the outside, and which can be stored between any two moves.
//!
//! **Invariant:** pure. Nothing here calls a service, waits, or reads a clock: what an execution
//! wants done comes out as [`Effect`]s, and what came of it goes in as [`Signal`]s.
//!
//! <https://states-language.net/spec.html>

pub mod choice;
pub mod definition;
pub mod event;
pub mod fault;
pub mod inspect;
pub mod intrinsic;
pub mod jsonata;
pub mod path;
pub mod resource;
pub mod run;
pub mod template;
pub mod text;
pub mod validate;
pub mod world;

pub use definition::Definition;
pub use event::Event;
pub use fault::Fault;
pub use resource::Resource;
pub use run::{Effect, Meta, Outcome, Progress, Run, Signal, Why};
pub use text::Json;
pub use world::World;

/// The largest input or output of a state, in bytes.
pub const LARGEST: usize = 262_144;
/// The most events of a Standard execution.
pub const MOST_EVENTS: u64 = 25_000;
