//! Amazon API Gateway, REST APIs: the API that makes them and the front that serves them.
//!
//! Custom domain names, VPC links, client certificates, documentation parts, canaries and Cognito
//! authorizers are refused by name.

use std::sync::Arc;

use fogbank_apigw::{Answers, Cache, Logs, Outbound, Throttles};
use fogbank_core::Service;
use fogbank_store::Store;

mod account;
mod api;
mod api_key;
mod authorizer;
mod authz;
mod compiled;
mod deployment;
mod document;
mod error;
mod export;
mod gateway_response;
mod import;
mod integration;
mod method;
mod model;
mod patch;
mod resource;
mod schema;
mod serve;
mod stage;
mod tag;
mod test_invoke;
mod usage_plan;
mod validator;

use compiled::Compiled;

/// The service's state, and what its front remembers.
pub struct ApiGateway {
    store: Store,
    compiled: Cache<Compiled>,
    outbound: Outbound,
    throttles: Throttles,
    answers: Answers,
    logs: Arc<Logs>,
}

impl ApiGateway {
    /// Access logs go to `logs`.
    #[must_use]
    pub fn new(store: Store, logs: Arc<Logs>) -> Arc<Self> {
        Arc::new(ApiGateway {
            store,
            compiled: Cache::default(),
            outbound: Outbound::default(),
            throttles: Throttles::default(),
            answers: Answers::default(),
            logs,
        })
    }
}

/// The operations.
#[must_use]
pub fn service(state: &Arc<ApiGateway>) -> Service {
    Service::new(
        "apigateway",
        Arc::clone(state),
        &[
            account::OPS,
            api::OPS,
            api_key::OPS,
            authorizer::OPS,
            deployment::OPS,
            export::OPS,
            gateway_response::OPS,
            import::OPS,
            integration::OPS,
            method::OPS,
            model::OPS,
            resource::OPS,
            stage::OPS,
            tag::OPS,
            test_invoke::OPS,
            usage_plan::OPS,
            validator::OPS,
        ],
    )
}
