//! AWS Key Management Service: keys that encrypt and authenticate, with policies and grants that
//! decide who may use them.
//!
//! <https://docs.aws.amazon.com/kms/latest/APIReference/Welcome.html>
//!
//! **Invariant:** key material leaves the process only sealed, and is nowhere in the store in clear.

mod alias;
mod authz;
mod cipher;
mod data;
mod deletion;
mod error;
mod find;
mod grant;
mod job;
mod key;
mod mac;
mod managed;
mod page;
mod policy;
mod record;
mod rotation;
mod spec;
mod tag;

use std::sync::{Arc, OnceLock};

use fogbank_bus::{Options, Worker};
use fogbank_core::{Clock, Ids, Result, Service};
use fogbank_identity::Seal;
use fogbank_store::Store;

/// The service's state.
pub struct Kms {
    store: Store,
    seal: Seal,
    clock: Clock,
    ids: Ids,
    worker: OnceLock<Worker>,
}

impl Kms {
    /// KMS over `store`; the installation's seal is made at the first start.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(store: Store, clock: Clock, ids: Ids) -> Result<Arc<Self>> {
        let seal = Seal::open(&store, &ids).await?;
        Ok(Arc::new(Kms { store, seal, clock, ids, worker: OnceLock::new() }))
    }

    /// The operations as the gateway serves them.
    #[must_use]
    pub fn service(self: &Arc<Self>) -> Service {
        Service::new(
            "kms",
            self.clone(),
            &[
                alias::OPS,
                data::OPS,
                deletion::OPS,
                grant::OPS,
                key::OPS,
                mac::OPS,
                policy::OPS,
                rotation::OPS,
                tag::OPS,
            ],
        )
    }

    /// Sets going what keys do on the clock.
    pub fn start(self: &Arc<Self>) {
        let kms = Arc::clone(self);
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let worker = Worker::start(store, clock, &job::JOBS, Options::default(), move |job| {
            let kms = Arc::clone(&kms);
            async move { kms.work(job).await }
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
