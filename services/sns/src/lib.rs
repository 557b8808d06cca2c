//! Amazon SNS: topics, subscriptions, and the deliveries between them.
//!
//! Publishing writes one record: the message and the subscriptions whose filters let it through, as a
//! job. The job calls each endpoint as `sns.amazonaws.com` for the topic, so that the endpoint's own
//! policy decides, and forgets those that have taken it.
//!
//! **Invariant:** a message that was acknowledged reaches every endpoint, its dead-letter queue, or
//! the end of its retries, whatever happens to the process.

use std::sync::{Arc, OnceLock};

use fogbank_apigw::Outbound;
use fogbank_bus::Worker;
use fogbank_core::{Clock, Cloud, Ids, Plane, Service};
use fogbank_store::Store;

use crate::line::Lines;
use crate::signature::Signer;

mod address;
mod attribute;
mod authz;
mod certificate;
mod confirm;
mod delivery;
mod endpoint;
mod envelope;
mod error;
mod filter;
mod line;
mod message;
mod permission;
mod policy;
mod publish;
mod retry;
mod rsa;
mod signature;
mod subscribe;
mod subscription;
mod tag;
#[cfg(test)]
mod tests;
mod topic;

/// The state of the service.
pub struct Sns {
    store: Store,
    clock: Clock,
    signer: Signer,
    lines: Lines,
    outbound: Outbound,
    worker: OnceLock<Worker>,
}

impl Sns {
    #[must_use]
    pub fn new(store: Store, clock: Clock, ids: Ids) -> Arc<Self> {
        let signer = Signer::new(store.clone(), ids);
        let (lines, outbound, worker) = Default::default();
        Arc::new(Sns { store, clock, signer, lines, outbound, worker })
    }

    #[must_use]
    pub fn service(self: &Arc<Self>) -> Service {
        Service::new(
            "sns",
            Arc::clone(self),
            &[
                topic::OPS,
                attribute::OPS,
                subscribe::OPS,
                confirm::OPS,
                subscription::OPS,
                publish::OPS,
                permission::OPS,
                tag::OPS,
            ],
        )
    }

    /// What serves the certificate with which messages are signed.
    #[must_use]
    pub fn certificates(self: &Arc<Self>) -> Arc<dyn Plane> {
        Arc::new(certificate::Certificates(Arc::clone(self)))
    }

    /// Sets the deliveries going.
    pub fn start(self: &Arc<Self>, cloud: &Arc<dyn Cloud>) {
        let _ = self.worker.set(delivery::start(self, cloud));
    }

    fn wake_worker(&self) {
        if let Some(worker) = self.worker.get() {
            worker.wake();
        }
    }
}
