//! AWS Systems Manager Parameter Store: values under names, in versions, with labels; secret ones
//! under KMS keys.
//!
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-parameter-store.html>

mod authz;
mod cipher;
mod describe;
mod error;
mod filter;
mod find;
mod get;
mod history;
mod job;
mod label;
mod name;
mod page;
mod policies;
mod public;
mod put;
mod record;
mod reference;
mod tag;

use std::sync::{Arc, OnceLock};

use fogbank_bus::{Options, Worker};
use fogbank_core::{Cloud, Service};
use fogbank_store::Store;

/// The service's state.
pub struct Ssm {
    store: Store,
    worker: OnceLock<Worker>,
}

impl Ssm {
    /// Parameter Store over `store`.
    #[must_use]
    pub fn new(store: Store) -> Arc<Self> {
        Arc::new(Ssm { store, worker: OnceLock::new() })
    }

    /// The operations as the gateway serves them.
    #[must_use]
    pub fn service(self: &Arc<Self>) -> Service {
        Service::new(
            "ssm",
            self.clone(),
            &[describe::OPS, get::OPS, history::OPS, label::OPS, put::OPS, tag::OPS],
        )
    }

    /// Sets going what parameters do on the clock: they expire.
    pub fn start(self: &Arc<Self>, cloud: &Arc<dyn Cloud>) {
        let ssm = Arc::clone(self);
        let (store, clock) = (self.store.clone(), cloud.clock().clone());
        let worker = Worker::start(store, clock, &job::JOBS, Options::default(), move |job| {
            let ssm = Arc::clone(&ssm);
            async move { ssm.work(job).await }
        });
        let _ = self.worker.set(worker);
    }

    /// Tells the worker that a job was added.
    fn wake(&self) {
        if let Some(worker) = self.worker.get() {
            worker.wake();
        }
    }
}
