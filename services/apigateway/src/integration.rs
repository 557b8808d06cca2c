//! Integrations and their responses: what stands behind methods.

use std::collections::BTreeMap;

use fogbank_apigw::{Function, shown};
use fogbank_core::value::from_value;
use fogbank_core::{Cx, Op, Result, Value, ops};
use serde::{Deserialize, Serialize};

use crate::ApiGateway;
use crate::authz::check;
use crate::document::{patches, text};
use crate::error::{bad_request, not_found};
use crate::method::{Method, find, read};
use crate::patch::{self, Kind, Rule};

pub const OPS: &[Op<ApiGateway>] = ops![
    PutIntegration => put_integration [check],
    GetIntegration => get_integration [check],
    UpdateIntegration => update_integration [check],
    DeleteIntegration => delete_integration [check],
    PutIntegrationResponse => put_integration_response [check],
    GetIntegrationResponse => get_integration_response [check],
    UpdateIntegrationResponse => update_integration_response [check],
    DeleteIntegrationResponse => delete_integration_response [check],
];

/// An integration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Integration {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<String>,
    pub passthrough_behavior: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_handling: Option<String>,
    pub timeout_in_millis: i64,
    pub cache_namespace: String,
    pub cache_key_parameters: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub request_parameters: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub request_templates: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub integration_responses: BTreeMap<String, IntegrationResponse>,
}

/// What becomes of a backend's answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IntegrationResponse {
    pub status_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection_pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_handling: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub response_parameters: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub response_templates: BTreeMap<String, String>,
}

const RULES: &[Rule] = &[
    ("/httpMethod", Kind::Text),
    ("/uri", Kind::Text),
    ("/credentials", Kind::Text),
    ("/passthroughBehavior", Kind::Text),
    ("/contentHandling", Kind::Text),
    ("/timeoutInMillis", Kind::Int),
    ("/cacheNamespace", Kind::Text),
    ("/cacheKeyParameters/*", Kind::Item),
    ("/connectionType", Kind::Text),
    ("/requestParameters/*", Kind::Entry),
    ("/requestTemplates/*", Kind::Entry),
];

const RESPONSE_RULES: &[Rule] = &[
    ("/selectionPattern", Kind::Text),
    ("/contentHandling", Kind::Text),
    ("/responseParameters/*", Kind::Entry),
    ("/responseTemplates/*", Kind::Entry),
];

/// The most that a template may have.
const TEMPLATE: usize = 300 << 10;

fn invalid_mapping(what: &str) -> fogbank_core::ApiError {
    bad_request(format!(
        "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid \
         mapping expression specified: {what}]"
    ))
}

/// Where the value of a mapping comes from.
fn is_source(text: &str, root: &str) -> bool {
    let quoted = text.len() >= 2 && text.starts_with('\'') && text.ends_with('\'');
    quoted
        || ["context.", "stageVariables."].iter().any(|p| text.starts_with(p))
        || text.strip_prefix(root).is_some_and(|rest| {
            rest == "body"
                || [
                    "header.",
                    "querystring.",
                    "path.",
                    "multivalueheader.",
                    "multivaluequerystring.",
                    "body.",
                ]
                .iter()
                .any(|p| rest.starts_with(p))
        })
}

impl Integration {
    /// Fills in what is not said, and refuses what AWS refuses.
    pub fn settle(&mut self, cx: &Cx, resource: &str) -> Result<()> {
        if self.passthrough_behavior.is_empty() {
            self.passthrough_behavior = "WHEN_NO_MATCH".into();
        }
        if !matches!(&*self.passthrough_behavior, "WHEN_NO_MATCH" | "WHEN_NO_TEMPLATES" | "NEVER") {
            return Err(bad_request(
                "Invalid passthrough behavior specified. Valid options are WHEN_NO_MATCH, WHEN_NO_TEMPLATES, NEVER",
            ));
        }
        if self.timeout_in_millis == 0 {
            self.timeout_in_millis = 29_000;
        }
        if !(50..=29_000).contains(&self.timeout_in_millis) {
            return Err(bad_request("Timeout should be between 50 ms and 29000 ms"));
        }
        if self.cache_namespace.is_empty() {
            self.cache_namespace = resource.to_owned();
        }
        if !self.cache_key_parameters.is_empty() {
            cx.ignore_member("cacheKeyParameters");
        }
        if self.connection_type.as_deref() == Some("VPC_LINK") {
            return Err(cx.refuse_member("connectionType VPC_LINK"));
        }
        self.credentials = self.credentials.take().filter(|c| !c.is_empty());
        self.content_handling = self.content_handling.take().filter(|c| !c.is_empty());
        let uri = self.uri.as_deref().unwrap_or_default();
        if self.kind != "MOCK" && uri.is_empty() {
            return Err(bad_request("Uri must be specified for this integration type"));
        }
        if self.kind != "MOCK" && self.http_method.is_none() {
            return Err(bad_request("Enumeration value for HttpMethod must be non-empty"));
        }
        match self.kind.as_str() {
            "AWS" | "AWS_PROXY" => {
                let parts: Vec<&str> = uri.splitn(6, ':').collect();
                let action = parts
                    .get(5)
                    .is_some_and(|a| a.starts_with("path/") || a.starts_with("action/"));
                if parts.len() != 6
                    || !uri.starts_with("arn:aws")
                    || parts[2] != "apigateway"
                    || !action
                {
                    return Err(bad_request("Invalid ARN specified in the request"));
                }
                if self.kind == "AWS_PROXY"
                    && !uri.contains("${")
                    && Function::of_uri(uri).is_none()
                {
                    return Err(bad_request(
                        "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.",
                    ));
                }
            }
            "HTTP" | "HTTP_PROXY" => {
                let http = ["http://", "https://"].iter().any(|s| uri.starts_with(s));
                if !http && !uri.contains("${") {
                    return Err(bad_request("Invalid HTTP endpoint specified for URI"));
                }
            }
            "MOCK" => {}
            other => return Err(bad_request(format!("Invalid integration type {other}"))),
        }
        for (to, from) in &self.request_parameters {
            let place = to.strip_prefix("integration.request.").unwrap_or_default();
            let known = ["header.", "querystring.", "path."];
            if !known.iter().any(|p| place.strip_prefix(p).is_some_and(|n| !n.is_empty())) {
                return Err(invalid_mapping(to));
            }
            if !is_source(from, "method.request.") {
                return Err(invalid_mapping(from));
            }
        }
        templates(&self.request_templates)
    }

    /// Whether the method declares what the mapping takes from it.
    pub fn fits(&self, method: &Method) -> Result<()> {
        for from in self.request_parameters.values() {
            let named =
                ["header.", "querystring.", "path.", "multivalueheader.", "multivaluequerystring."]
                    .iter()
                    .any(|p| {
                        from.strip_prefix("method.request.").is_some_and(|f| f.starts_with(p))
                    });
            if named && !method.request_parameters.contains_key(from) {
                return Err(bad_request(format!(
                    "Invalid mapping expression specified: Validation Result: warnings : [], \
                     errors : [Invalid mapping expression parameter specified: {from}]"
                )));
            }
        }
        Ok(())
    }
}

fn templates(all: &BTreeMap<String, String>) -> Result<()> {
    for (name, template) in all {
        if template.len() > TEMPLATE {
            return Err(bad_request(format!("The template for {name} exceeds 300 KB")));
        }
    }
    Ok(())
}

impl IntegrationResponse {
    pub fn check(&self, method: &Method) -> Result<()> {
        let declared = method.method_responses.get(&self.status_code);
        let declared = declared.ok_or_else(|| not_found("Response status code"))?;
        if let Some(pattern) = &self.selection_pattern
            && regex_lite::Regex::new(pattern).is_err()
        {
            return Err(bad_request(format!("Invalid selection pattern specified: {pattern}")));
        }
        for (to, from) in &self.response_parameters {
            if !declared.response_parameters.contains_key(to) {
                return Err(bad_request(format!(
                    "Invalid mapping expression specified: Validation Result: warnings : [], \
                     errors : [Invalid mapping expression parameter specified: {to}]"
                )));
            }
            if !is_source(from, "integration.response.") {
                return Err(invalid_mapping(from));
            }
        }
        templates(&self.response_templates)
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegration.html>
async fn put_integration(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    for member in ["connectionId", "tlsConfig", "integrationTarget"] {
        if input.get(member).is_some() {
            return Err(cx.refuse_member(member));
        }
    }
    if input.str("responseTransferMode") == Some("STREAM") {
        return Err(cx.refuse_member("responseTransferMode STREAM"));
    }
    let mut at = find(gw, cx, &input).await?;
    let mut integration: Integration = from_value(input.clone())?;
    // `httpMethod` is the resource's; the backend's has its own name in the input.
    integration.http_method = input.str("integrationHttpMethod").map(str::to_owned);
    integration.settle(cx, &at.resource.id)?;
    let method = at.method()?;
    integration.fits(method)?;
    // What was mapped back stays.
    if let Some(old) = method.method_integration.take() {
        integration.integration_responses = old.integration_responses;
    }
    method.method_integration = Some(integration.clone());
    at.commit().await?;
    shown(&integration)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetIntegration.html>
async fn get_integration(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    shown(read(gw, cx, &input).await?.integration()?)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateIntegration.html>
async fn update_integration(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut at = find(gw, cx, &input).await?;
    let resource = at.resource.id.clone();
    let method = at.method()?;
    let mut integration = patch::apply(method.integration()?, &patches(&input)?, RULES)?;
    integration.settle(cx, &resource)?;
    integration.fits(method)?;
    method.method_integration = Some(integration.clone());
    at.commit().await?;
    shown(&integration)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteIntegration.html>
async fn delete_integration(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let mut at = find(gw, cx, &input).await?;
    let removed = at.method()?.method_integration.take();
    removed.ok_or_else(|| not_found("Integration"))?;
    at.commit().await
}

fn responses(method: &mut Method) -> Result<&mut BTreeMap<String, IntegrationResponse>> {
    let integration = method.method_integration.as_mut().ok_or_else(|| not_found("Integration"))?;
    Ok(&mut integration.integration_responses)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegrationResponse.html>
async fn put_integration_response(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut at = find(gw, cx, &input).await?;
    let response: IntegrationResponse = from_value(input)?;
    let method = at.method()?;
    response.check(method)?;
    responses(method)?.insert(response.status_code.clone(), response.clone());
    at.commit().await?;
    shown(&response)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetIntegrationResponse.html>
async fn get_integration_response(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let method = read(gw, cx, &input).await?;
    let all = &method.integration()?.integration_responses;
    let found = all.get(text(&input, "statusCode")?);
    shown(found.ok_or_else(|| not_found("Response status code"))?)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateIntegrationResponse.html>
async fn update_integration_response(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut at = find(gw, cx, &input).await?;
    let status = text(&input, "statusCode")?;
    let method = at.method()?;
    let old = responses(method)?.get(status).ok_or_else(|| not_found("Response status code"))?;
    let new = patch::apply(old, &patches(&input)?, RESPONSE_RULES)?;
    new.check(method)?;
    responses(method)?.insert(status.to_owned(), new.clone());
    at.commit().await?;
    shown(&new)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteIntegrationResponse.html>
async fn delete_integration_response(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let mut at = find(gw, cx, &input).await?;
    let removed = responses(at.method()?)?.remove(text(&input, "statusCode")?);
    removed.ok_or_else(|| not_found("Response status code"))?;
    at.commit().await
}
