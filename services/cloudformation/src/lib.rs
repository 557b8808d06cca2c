//! AWS CloudFormation: stacks of resources, made, changed and taken away by templates.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/Welcome.html>
//!
//! **Invariant:** a resource is made by public calls of its service only, in the name of whoever
//! asked for the stack, or of its execution role. A type that is not known fails the stack before
//! anything is made.

use std::sync::Arc;

use fogbank_core::Service;

mod change_set;
mod describe;
mod engine;
mod error;
pub mod kinds;
mod maker;
mod prepare;
mod progress;
mod record;
mod run;
mod scope;
mod stack;
mod state;
mod template;

pub use state::CloudFormation;

/// The service, ready for the gateway.
#[must_use]
pub fn service(cfn: &Arc<CloudFormation>) -> Service {
    let tables = [change_set::OPS, describe::OPS, stack::OPS, template::OPS];
    Service::new("cloudformation", Arc::clone(cfn), &tables)
}
