//! Lambda's execution environments: what runs a function, apart from the service that owns it.
//!
//! An [`Environment`] is a sandbox with a runtime in it, which asks for work over the Runtime API
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html> and is frozen between
//! invocations <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>.
//! **Invariant:** this crate knows no AWS service. Logs, connections and names go out through
//! [`Logs`] and [`Front`]; code and credentials are handed in.

mod api;
mod environment;
mod event;
mod inside;
mod logs;
mod outcome;
mod pipes;
mod plain;
mod report;
mod runner;
mod runtimes;
mod spec;
mod state;
mod world;

pub use environment::{Capabilities, Environment, Environments, InitError, Options, Shutdown};
pub use logs::{Line, Logs};
pub use outcome::{Failure, Invocation, Outcome, Part};
pub use runtimes::{Interpreter, Language, Listed, Runtimes};
pub use spec::{Credentials, Front, Level, LogFormat, Mount, Spec};
