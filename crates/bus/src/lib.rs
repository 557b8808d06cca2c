//! Work for later: jobs that are kept in the store until they are done, on the cloud's clock.
//!
//! A service that must do something after it has answered (deliver a message, invoke a function,
//! wake a workflow) writes a [`Jobs`] entry in the transaction of the change that asks for it, and
//! a [`worker`] does it: at least once, after a `kill -9` too.
//!
//! **Invariant:** a job is removed only after its work has returned; finding the next job costs the
//! same however many wait.

mod jobs;
mod worker;

pub use jobs::{Job, Jobs};
pub use worker::{Next, Options, Worker};
