//! AWS X-Ray: traces of requests through services.
//!
//! <https://docs.aws.amazon.com/xray/latest/api/Welcome.html>
//!
//! Segments are kept as they came, under their trace; an index by time leads to traces. What is
//! told of a trace (its summary, its graph) is read from its segments when it is asked for.
//!
//! **Invariant:** a trace is locked by itself; what is past thirty days is not told, and goes as new
//! segments come.

pub mod daemon;
mod filter;
mod graph;
mod group;
mod put;
mod sampling;
mod segment;
mod summary;
mod tag;
#[cfg(test)]
mod tests;
mod trace;

use std::sync::Arc;

use fogbank_core::{ApiError, Service};
use fogbank_store::Store;

/// The service's state.
pub struct XRay {
    store: Store,
}

/// X-Ray over `store`.
#[must_use]
pub fn service(store: Store) -> Service {
    let tables =
        [graph::OPS, group::OPS, put::OPS, sampling::OPS, summary::OPS, tag::OPS, trace::OPS];
    Service::new("xray", Arc::new(XRay { store }), &tables)
}

/// X-Ray's one error for what is wrong with a request.
fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidRequestException", message).status(400)
}
