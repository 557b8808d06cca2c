//! Functions behind a proxy integration: the whole request as an event, the answer as it is told.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fogbank_apigw::{Binary, Function, LIMIT, Manner, Rest, invoke, parse_proxied, rest_event};
use fogbank_core::Body;
use http::Response;
use serde_json::{Map, Value, json};

use super::integrate::Answer;
use super::{Exec, Refusal};
use crate::compiled::{Node, Target};

/// What `requestContext.identity` always has.
const IDENTITY: [&str; 14] = [
    "accessKey",
    "accountId",
    "apiKey",
    "apiKeyId",
    "caller",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "principalOrgId",
    "sourceIp",
    "user",
    "userAgent",
    "userArn",
];

impl Exec<'_> {
    /// The event of a proxy integration and of request authorizers.
    pub fn event(&self) -> Value {
        let resource = self.node.map_or("/", |n| n.path.as_str());
        let mut identity: Map<String, Value> =
            IDENTITY.iter().map(|n| ((*n).to_owned(), Value::Null)).collect();
        let mut authorizer = Map::new();
        for (name, value) in self.context.iter() {
            if let Some(name) = name.strip_prefix("identity.") {
                identity.insert(name.to_owned(), value.into());
            } else if let Some(name) = name.strip_prefix("authorizer.") {
                authorizer.insert(name.to_owned(), value.into());
            }
        }
        // Keys are told only where methods ask for them.
        for name in ["apiKey", "apiKeyId"] {
            if identity.get(name) == Some(&Value::Null) {
                identity.remove(name);
            }
        }
        let get = |name: &str| self.context.get(name);
        let mut context = json!({
            "accountId": get("accountId"),
            "apiId": get("apiId"),
            "deploymentId": get("deploymentId"),
            "domainName": get("domainName"),
            "domainPrefix": get("domainPrefix"),
            "extendedRequestId": get("extendedRequestId"),
            "httpMethod": get("httpMethod"),
            "identity": identity,
            "path": get("path"),
            "protocol": get("protocol"),
            "requestId": get("requestId"),
            "requestTime": get("requestTime"),
            "requestTimeEpoch": self.visit.now.as_millisecond(),
            "resourceId": get("resourceId"),
            "resourcePath": resource,
            "stage": get("stage"),
        });
        if !authorizer.is_empty() {
            context["authorizer"] = authorizer.into();
        }
        rest_event(
            self.visit,
            Rest {
                version: None,
                resource,
                path: self.path,
                path_parameters: &self.parameters,
                variables: self.variables(),
                context,
                binary: Binary::Listed(&self.deployed.api.binary_media_types),
            },
        )
    }

    pub(super) async fn proxied(
        &mut self,
        _: &Node,
        target: &Target,
    ) -> Result<Response<Body>, Refusal> {
        let integration = &target.integration;
        let uri = self.with_variables(integration.uri.as_deref().unwrap_or_default());
        let Some(function) = Function::of_uri(&uri) else { return Err(Refusal::internal()) };
        // Of the mappings, a function is sent the headers that say how to call it.
        let headers: BTreeMap<String, String> = integration
            .request_parameters
            .iter()
            .filter_map(|(to, from)| {
                let name = to.strip_prefix("integration.request.header.")?;
                Some((name.to_ascii_lowercase(), self.source(from, None)?))
            })
            .collect();
        let manner = Manner {
            asynchronous: headers.get("x-amz-invocation-type").is_some_and(|t| t == "Event"),
            tenant: headers.get("x-amz-tenant-id").map(String::as_str),
        };
        let payload = serde_json::to_vec(&self.event()).unwrap_or_default();
        self.note(|| {
            format!(
                "Endpoint request body after transformations: {}",
                String::from_utf8_lossy(&payload)
            )
        });
        let cx = self.acting_for_method(target).await?;
        let started = self.visit.cloud.clock().now();
        let work = invoke(&cx, &function, payload, manner);
        let invoked = match tokio::time::timeout(Self::limit(target), work).await {
            Err(_) => return Err(Refusal::timeout()),
            Ok(Err(e)) => {
                let api = &self.deployed.api.id;
                tracing::info!(api, function = function.0, "a function could not be called: {e}");
                self.note(|| format!("Execution failed due to configuration error: {e}"));
                return Err(Refusal::internal());
            }
            Ok(Ok(invoked)) => invoked,
        };
        let answer = Answer { status: 200, body: invoked.payload, ..Answer::default() };
        self.took(started, &answer);
        if let Some(kind) = &invoked.error {
            self.note(|| {
                format!(
                    "Lambda execution failed with status 200 due to customer function error: {kind}"
                )
            });
            return Err(Refusal::bad_gateway());
        }
        let Some(mut proxied) = parse_proxied(&answer.body, false) else {
            self.note(|| {
                "Execution failed due to configuration error: Malformed Lambda proxy response"
                    .to_owned()
            });
            return Err(Refusal::bad_gateway());
        };
        if proxied.body.len() > LIMIT {
            return Err(Refusal::bad_gateway());
        }
        if proxied.binary {
            // Base64 is undone for clients that accept a binary type first, or get one.
            let types = Binary::Listed(&self.deployed.api.binary_media_types);
            let accept = self.visit.header("accept").and_then(|a| a.split(',').next());
            let told = proxied.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("content-type"));
            let undone = types.is(accept) || types.is(told.map(|(_, v)| v.as_str()));
            if !undone {
                proxied.body = STANDARD.encode(&proxied.body).into();
            }
        }
        Ok(proxied.response("application/json"))
    }
}
