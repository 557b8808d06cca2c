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
mod authz;
mod code;
mod concurrency;
mod config;
mod error;
mod event_invoke;
mod function;
mod layer;
mod name;
mod permission;
mod ready;
mod role;
mod settings;
mod tag;
mod version;
mod zip;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use fogbank_blob::Blobs;
use fogbank_bus::Worker;
use fogbank_core::{Clock, Cloud, Service};
use fogbank_store::Store;

/// What Lambda is made over.
pub struct Options {
    pub store: Store,
    pub blobs: Blobs,
    pub clock: Clock,
    /// A directory of our own, for unpacked code. What an earlier process left there is removed.
    pub folder: PathBuf,
}

/// The service's state.
pub struct Lambda {
    store: Store,
    blobs: Blobs,
    clock: Clock,
    unpacked: code::Unpacked,
    roles: role::Roles,
    ready: OnceLock<Worker>,
}

impl Lambda {
    /// Lambda over a store. It works on nothing by itself before [`Lambda::start`].
    #[must_use]
    pub fn new(options: Options) -> Arc<Self> {
        Arc::new(Lambda {
            store: options.store,
            blobs: options.blobs,
            clock: options.clock,
            unpacked: code::Unpacked::new(options.folder),
            roles: role::Roles::default(),
            ready: OnceLock::new(),
        })
    }

    /// Takes up what waits: functions that are not ready yet.
    pub fn start(self: &Arc<Self>, cloud: &Arc<dyn Cloud>) {
        let _ = cloud;
        let _ = self.ready.set(ready::start(self));
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
                event_invoke::OPS,
                function::OPS,
                layer::OPS,
                permission::OPS,
                settings::OPS,
                tag::OPS,
                version::OPS,
            ],
        )
    }
}
