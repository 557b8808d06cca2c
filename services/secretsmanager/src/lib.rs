//! AWS Secrets Manager: secrets in versions, encrypted under KMS keys, rotated and deleted on the
//! clock.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html>
//!
//! **Invariant:** a value is in the store only under a data key that is itself under a KMS key, and
//! is opened in the name of whoever asks for it.

mod authz;
mod cipher;
mod error;
mod find;
mod job;
mod list;
mod page;
mod password;
mod policy;
mod record;
mod rotate;
mod rotation;
mod secret;
mod stage;
mod tag;
mod update;
mod value;

use std::sync::{Arc, OnceLock};

use fogbank_bus::{Options, Worker};
use fogbank_core::{Cloud, Service};
use fogbank_store::Store;

/// The service's state.
pub struct Manager {
    store: Store,
    worker: OnceLock<Worker>,
}

impl Manager {
    /// Secrets Manager over `store`.
    #[must_use]
    pub fn new(store: Store) -> Arc<Self> {
        Arc::new(Manager { store, worker: OnceLock::new() })
    }

    /// The operations as the gateway serves them.
    #[must_use]
    pub fn service(self: &Arc<Self>) -> Service {
        Service::new(
            "secretsmanager",
            self.clone(),
            &[
                list::OPS,
                password::OPS,
                policy::OPS,
                rotation::OPS,
                secret::OPS,
                stage::OPS,
                tag::OPS,
                update::OPS,
                value::OPS,
            ],
        )
    }

    /// Sets going what secrets do on the clock.
    pub fn start(self: &Arc<Self>, cloud: &Arc<dyn Cloud>) {
        let (sm, cloud) = (Arc::clone(self), Arc::clone(cloud));
        let (store, clock) = (self.store.clone(), cloud.clock().clone());
        let worker = Worker::start(store, clock, &job::JOBS, Options::default(), move |job| {
            let (sm, cloud) = (Arc::clone(&sm), Arc::clone(&cloud));
            async move { sm.work(&cloud, job).await }
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
