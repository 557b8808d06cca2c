//! Amazon CloudWatch Logs: groups, streams, events.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html>
//!
//! Events lie in chunks: what one PutLogEvents brought for one stream, cut so that a chunk spans at
//! most ten seconds. A chunk stands under its stream in order of time; an index by group and time
//! points at it, so that a search over a group by time costs what lies in that time.
//!
//! **Invariant:** an append is one transaction that locks its stream only; deleting a group or a
//! stream takes its name away at once and leaves its events to a job.

mod authz;
mod chunk;
mod emf;
mod emit;
mod error;
mod event;
mod gather;
mod group;
mod metric_filter;
mod page;
mod protect;
mod put;
mod query;
mod read;
mod resource_policy;
mod stream;
mod subscription;
mod sweep;
mod tag;
#[cfg(test)]
mod testing;

use std::sync::{Arc, OnceLock};

use fogbank_bus::Worker;
use fogbank_core::{Cloud, Service};
use fogbank_store::Store;

/// The service's state.
pub struct Logs {
    store: Store,
    workers: OnceLock<Workers>,
}

/// What works in the background; absent until [`Logs::start`].
struct Workers {
    sweep: Worker,
    emit: Worker,
    query: Worker,
}

impl Logs {
    /// Logs over `store`.
    #[must_use]
    pub fn new(store: Store) -> Arc<Self> {
        Arc::new(Logs { store, workers: OnceLock::new() })
    }

    /// The operations as the gateway serves them.
    #[must_use]
    pub fn service(self: &Arc<Self>) -> Service {
        Service::new(
            "logs",
            Arc::clone(self),
            &[
                group::OPS,
                metric_filter::OPS,
                protect::OPS,
                put::OPS,
                query::OPS,
                read::OPS,
                resource_policy::OPS,
                stream::OPS,
                subscription::OPS,
                tag::OPS,
            ],
        )
    }

    /// Sets going what no request asks for: what appends set off,
    /// retention, and the removal of what was deleted.
    pub fn start(self: &Arc<Self>, cloud: &Arc<dyn Cloud>) {
        let workers = Workers {
            sweep: sweep::start(self, cloud),
            emit: emit::start(self, cloud),
            query: query::start(self, cloud),
        };
        let _ = self.workers.set(workers);
    }

    /// Tells the workers that there is something to tell other services.
    fn emitted(&self) {
        if let Some(w) = self.workers.get() {
            w.emit.wake();
        }
    }

    /// Tells the workers that there is a query to run.
    fn asked(&self) {
        if let Some(w) = self.workers.get() {
            w.query.wake();
        }
    }

    /// Tells the workers that there is something to remove.
    fn swept(&self) {
        if let Some(w) = self.workers.get() {
            w.sweep.wake();
        }
    }
}
