//! What a function behind a URL is told: payload format 2.0 in Lambda's own dialect.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads>

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use fogbank_apigw::{Simple, Visit, simple_event};
use fogbank_core::{Cloud, Credential, Peer};
use http::request::Parts;
use serde_json::{Value as Json, json};

use super::plane::domain;
use crate::name::Target;

/// A request as the shared code of API front ends sees it.
pub fn visit(
    cloud: Arc<dyn Cloud>,
    parts: Parts,
    body: Bytes,
    peer: Peer,
    id: &str,
    path: String,
) -> Visit {
    let request_id = cloud.ids().request_id();
    Visit {
        api: id.to_owned(),
        region: None,
        host: String::new(),
        path,
        extended_id: request_id.clone(),
        request_id,
        too_large: false,
        source_ip: peer.address.ip().to_canonical(),
        tls: peer.tls,
        now: cloud.clock().now(),
        cloud,
        parts,
        body,
    }
}

/// The event.
pub fn event(visit: &Visit, target: &Target, caller: Option<&Credential>) -> Json {
    let authorizer = caller.map(|c| {
        let p = &c.principal;
        json!({ "iam": {
            "accessKey": c.access_key,
            "accountId": p.account,
            "callerId": p.id,
            "cognitoIdentity": null,
            "principalOrgId": null,
            "userArn": p.arn,
            "userId": p.id,
        } })
    });
    let mut event = simple_event(
        visit,
        &Simple {
            route_key: "$default",
            raw_path: &visit.path,
            path_parameters: &[],
            stage: "$default",
            variables: &BTreeMap::new(),
            account: caller.map_or("anonymous", |c| &c.principal.account),
            region: &target.region,
            authorizer: authorizer.as_ref(),
        },
    );
    event["requestContext"]["domainName"] = json!(domain(&visit.api, &target.region));
    event
}
