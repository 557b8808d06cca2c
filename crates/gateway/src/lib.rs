//! The front door: from a socket to a service's handler and back.
//!
//! A request's way: [`server`] accepts and speaks HTTP; [`names`] says which service is meant;
//! `pipeline` authenticates, routes, decodes, authorises, runs and encodes. Services call each
//! other through [`fogbank_core::Cloud`], which enters the same way after authentication.
//!
//! **Invariant:** the gateway names no service; what it knows of them comes from the models and
//! from what was registered.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fogbank_core::cx::Event;
use fogbank_core::{
    Body, BoxFuture, Clock, Cx, Edge, Identities, Ids, Peer, Plane, Principal, Service,
};
use fogbank_policy::Engine;
use fogbank_sigv4::Keys;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

mod authenticate;
mod authorise;
mod browser;
pub mod ca;
mod cloud;
mod exchange;
mod form;
mod incoming;
mod journal;
mod limits;
mod local;
pub mod names;
mod pipeline;
pub mod server;
mod shapes;
pub mod tls;
mod understand;
mod which;

pub use journal::{Denial, Entry, Journal};
pub use server::serve;
pub use tls::Tls;

/// What policies may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They decide.
    #[default]
    Enforce,
    /// They are asked, and what they would deny is recorded and let through.
    Audit,
    /// They are not asked.
    Off,
}

impl Mode {
    /// `enforce`, `audit` or `off`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mode::Enforce => "enforce",
            Mode::Audit => "audit",
            Mode::Off => "off",
        }
    }
}

/// Told of every event that a service publishes. Must not block.
pub type Listener = Box<dyn Fn(&Cx, &Event) + Send + Sync>;

/// Tells, as JSON, where state is and how much of it there is.
pub type Holdings = Box<dyn Fn() -> BoxFuture<'static, serde_json::Value> + Send + Sync>;

/// What a gateway is made of.
pub struct Options {
    pub identities: Arc<dyn Identities>,
    pub services: Vec<Service>,
    /// What services do with HTTP itself, by the service's name.
    pub edges: Vec<(&'static str, Arc<dyn Edge>)>,
    pub planes: Vec<Arc<dyn Plane>>,
    pub listeners: Vec<Listener>,
    pub holdings: Holdings,
    pub mode: Mode,
    pub clock: Clock,
    pub ids: Ids,
    /// Where the certificate authority's files are; `None` keeps it in memory.
    pub data: Option<PathBuf>,
    /// Where clients on this machine reach the cloud: `http://127.0.0.1:4566`.
    pub endpoint: String,
    pub version: &'static str,
}

/// A cloud's front door.
pub struct Gateway {
    identities: Arc<dyn Identities>,
    services: BTreeMap<&'static str, Service>,
    edges: BTreeMap<&'static str, Arc<dyn Edge>>,
    planes: Vec<Arc<dyn Plane>>,
    listeners: Vec<Listener>,
    holdings: Holdings,
    mode: Mode,
    clock: Clock,
    ids: Ids,
    tls: Tls,
    endpoint: String,
    version: &'static str,
    journal: Journal,
    started: Instant,
    /// Signing keys and compiled policies, remembered.
    keys: Keys,
    policies: Engine,
    anonymous: Arc<Principal>,
}

impl Gateway {
    /// A gateway over services that have loaded their state.
    #[must_use]
    pub fn new(o: Options) -> Arc<Self> {
        Arc::new(Gateway {
            identities: o.identities,
            services: o.services.into_iter().map(|s| (s.name(), s)).collect(),
            edges: o.edges.into_iter().collect(),
            planes: o.planes,
            listeners: o.listeners,
            holdings: o.holdings,
            mode: o.mode,
            clock: o.clock,
            tls: Tls::new(o.data, o.ids.clone()),
            ids: o.ids,
            endpoint: o.endpoint,
            version: o.version,
            journal: Journal::default(),
            started: Instant::now(),
            keys: Keys::default(),
            policies: Engine::default(),
            anonymous: Arc::new(Principal::anonymous()),
        })
    }

    /// Answers one request. A handler that panics takes only its own request with it.
    pub async fn handle(
        self: &Arc<Self>,
        request: Request<Incoming>,
        peer: Peer,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        if local::is_local(parts.uri.path()) {
            return local::answer(self, &parts, body, peer).await;
        }
        let answer = AssertUnwindSafe(self.serve(parts, body, peer)).catch_unwind().await;
        answer.unwrap_or_else(|_| {
            tracing::error!("a handler panicked; its request was answered with 500");
            let mut r = Response::new(Body::Empty);
            *r.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            r
        })
    }

    /// TLS and the certificate authority.
    #[must_use]
    pub fn tls(&self) -> &Tls {
        &self.tls
    }
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
    /// The services that are registered, by name.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values()
    }
    /// The version of the program.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.version
    }
    /// Since when it has been up.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}
