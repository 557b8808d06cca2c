//! Amazon API Gateway, HTTP APIs: the API that makes them and the front that serves them.
//!
//! WebSocket APIs, custom domain names, VPC links and portals are refused by name.

use std::sync::Arc;

use fogbank_apigw::{Answers, Cache, Logs, Outbound, Throttles};
use fogbank_core::Service;
use fogbank_store::Store;

mod api;
mod authorizer;
mod authz;
mod change;
mod compiled;
mod deployment;
mod document;
mod error;
mod integration;
mod jwt;
mod route;
mod serve;
mod stage;
mod tag;

use compiled::Compiled;

/// The service's state, and what its front remembers.
pub struct ApiGatewayV2 {
    store: Store,
    compiled: Cache<Compiled>,
    keys: jwt::Keys,
    outbound: Outbound,
    throttles: Throttles,
    answers: Answers,
    logs: Arc<Logs>,
}

impl ApiGatewayV2 {
    /// Access logs go to `logs`.
    #[must_use]
    pub fn new(store: Store, logs: Arc<Logs>) -> Arc<Self> {
        Arc::new(ApiGatewayV2 {
            store,
            compiled: Cache::default(),
            keys: jwt::Keys::default(),
            outbound: Outbound::default(),
            throttles: Throttles::default(),
            answers: Answers::default(),
            logs,
        })
    }
}

/// The operations.
#[must_use]
pub fn service(state: &Arc<ApiGatewayV2>) -> Service {
    Service::new(
        "apigatewayv2",
        Arc::clone(state),
        &[
            api::OPS,
            route::OPS,
            integration::OPS,
            authorizer::OPS,
            stage::OPS,
            deployment::OPS,
            tag::OPS,
        ],
    )
}
