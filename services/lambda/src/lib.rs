//! AWS Lambda: functions, their versions and aliases, and running them.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/welcome.html>
//!
//! What is here is the service: records, permissions, invocations and their retries, event sources.
//! What runs code is the plane `lambda-runtime`.
//!
//! **Invariant:** a warm invocation writes nothing to the store; what it must know is read from the
//! store by key, so nothing that another process changed is missed. Environments are the only state
//! in memory, and each can be made anew.

mod account;
mod alias;
mod asynchronous;
mod authz;
mod code;
mod concurrency;
mod config;
mod error;
mod event_invoke;
mod function;
mod invoke;
mod layer;
mod mapping;
mod metrics;
mod name;
mod permission;
mod pool;
mod ready;
mod role;
mod settings;
mod shipper;
mod tag;
mod trace;
mod upkeep;
mod url;
mod version;
mod zip;

pub use url::Urls;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};

use fogbank_blob::Blobs;
use fogbank_bus::Worker;
use fogbank_core::{Clock, Cloud, Ids, Service};
use fogbank_lambda_runtime::Environments;
use fogbank_store::Store;

/// What Lambda is made over.
pub struct Options {
    pub store: Store,
    pub blobs: Blobs,
    pub clock: Clock,
    pub ids: Ids,
    /// A directory of our own, for unpacked code. What an earlier process left there is removed.
    pub folder: PathBuf,
}

/// The service's state.
pub struct Lambda {
    me: Weak<Lambda>,
    store: Store,
    blobs: Blobs,
    clock: Clock,
    unpacked: code::Unpacked,
    roles: Arc<role::Roles>,
    shipper: shipper::Shipper,
    pools: Arc<pool::Pools>,
    metrics: metrics::Metrics,
    cloud: OnceLock<Arc<dyn Cloud>>,
    signer: url::Signer,
    /// What runs code, once there is a cloud for it to run in.
    environments: OnceLock<Environments>,
    pollers: mapping::Pollers,
    ready: OnceLock<Worker>,
    events: OnceLock<Worker>,
}

impl Lambda {
    /// Lambda over a store. It works on nothing by itself before [`Lambda::start`].
    #[must_use]
    pub fn new(options: Options) -> Arc<Self> {
        let roles = Arc::<role::Roles>::default();
        Arc::new_cyclic(|me| Lambda {
            me: me.clone(),
            store: options.store,
            blobs: options.blobs,
            clock: options.clock,
            unpacked: code::Unpacked::new(options.folder),
            shipper: shipper::Shipper::new(Arc::clone(&roles)),
            roles,
            pools: Arc::default(),
            metrics: metrics::Metrics::default(),
            cloud: OnceLock::new(),
            signer: url::Signer::new(&options.ids),
            environments: OnceLock::new(),
            pollers: mapping::Pollers::default(),
            ready: OnceLock::new(),
            events: OnceLock::new(),
        })
    }

    /// Takes up what waits: functions that are not ready yet, events in the queue,
    /// sources to be read.
    pub fn start(self: &Arc<Self>, cloud: &Arc<dyn Cloud>, environments: Environments) {
        let _ = self.cloud.set(Arc::clone(cloud));
        let _ = self.environments.set(environments);
        let _ = self.ready.set(ready::start(self));
        let _ = self.events.set(asynchronous::start(self, cloud));
        self.pollers.start(self, cloud);
        self.provision_soon();
        upkeep::start(self, cloud);
    }

    /// The operations as the gateway serves them.
    #[must_use]
    pub fn service(self: &Arc<Self>) -> Service {
        Service::new(
            "lambda",
            self.clone(),
            &[
                account::OPS,
                alias::OPS,
                concurrency::OPS,
                concurrency::provisioned::OPS,
                event_invoke::OPS,
                function::OPS,
                invoke::OPS,
                layer::OPS,
                mapping::OPS,
                permission::OPS,
                settings::OPS,
                tag::OPS,
                url::OPS,
                version::OPS,
            ],
        )
    }
}
