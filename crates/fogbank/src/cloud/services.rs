//! The services of a cloud, over one state: the one place that names them all.

use std::sync::Arc;

use fogbank_core::{Clock, Cloud, Edge, Identities, Ids, Plane, Service};
use fogbank_iam::Iam;
use fogbank_identity::{NoIssuers, Sessions};
use fogbank_s3::S3;
use fogbank_s3::lifecycle;
use fogbank_s3::website::Websites;

use super::data::State;
use super::{Error, Settings};

/// What a gateway needs of the services.
pub struct Parts {
    pub identities: Arc<dyn Identities>,
    pub services: Vec<Service>,
    pub edges: Vec<(&'static str, Arc<dyn Edge>)>,
    pub planes: Vec<Arc<dyn Plane>>,
    /// What runs by itself, once there is a cloud to run in.
    pub background: Background,
}

/// Work that no request asks for.
pub struct Background {
    s3: Arc<S3>,
    websites: Arc<Websites>,
    lifecycle: lifecycle::Options,
}

/// Makes every service. When it returns, their state is loaded.
///
/// # Errors
/// A service whose state cannot be loaded.
pub async fn assemble(
    state: &State,
    settings: &Settings,
    clock: &Clock,
    ids: &Ids,
) -> Result<Parts, Error> {
    let fault = |e: fogbank_core::ApiError| {
        Error::Service(e.internal_context().map_or_else(|| e.to_string(), str::to_owned))
    };
    let sessions = Sessions::open(&state.store, ids).await.map_err(fault)?;
    let iam = Iam::new(state.store.clone(), sessions.clone(), clock.clone());
    let sts = fogbank_sts::service(iam.clone(), Arc::new(NoIssuers), sessions);
    let s3 = S3::new(state.store.clone(), state.blobs.clone());
    let s3 = Arc::new(s3.with_acls_by_default(settings.s3_acls));
    // What an earlier run had dropped and not yet deleted when it was killed.
    s3.sweep().await.map_err(fault)?;
    let websites = Arc::new(Websites::new(Arc::clone(&s3)));
    let day = settings.lifecycle_day.map_or(lifecycle::Day::REAL, lifecycle::Day::of_seconds);
    Ok(Parts {
        identities: iam.clone(),
        services: vec![iam.service(), sts, fogbank_s3::service(Arc::clone(&s3))],
        edges: vec![("s3", Arc::clone(&s3) as Arc<dyn Edge>)],
        planes: vec![Arc::clone(&websites) as Arc<dyn Plane>],
        background: Background { s3, websites, lifecycle: lifecycle::Options { day } },
    })
}

impl Background {
    /// Sets it going in `cloud`.
    pub fn start(self, cloud: &Arc<dyn Cloud>) {
        self.websites.connect(cloud);
        lifecycle::start(self.s3, Arc::clone(cloud), self.lifecycle);
    }
}
