//! Gateway responses: the answers that an API gives without its backend.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>

use std::collections::BTreeMap;

use fogbank_apigw::{Child, Json, shown};
use fogbank_core::value::{from_value, to_value};
use fogbank_core::{Cx, Op, Result, Value, map, ops};
use fogbank_store::Table;
use serde::{Deserialize, Serialize};

use crate::ApiGateway;
use crate::authz::check;
use crate::document::{patches, text};
use crate::error::{bad_request, not_found};
use crate::patch::{self, Kind};

pub const OPS: &[Op<ApiGateway>] = ops![
    PutGatewayResponse => put_gateway_response [check],
    GetGatewayResponse => get_gateway_response [check],
    GetGatewayResponses => get_gateway_responses [check],
    UpdateGatewayResponse => update_gateway_response [check],
    DeleteGatewayResponse => delete_gateway_response [check],
];

pub static RESPONSES: Table<Json<GatewayResponse>> = Table::new("apigateway.gateway-response");

/// The types with their status; none for the two that stand for all of their kind.
pub const TYPES: [(&str, Option<u16>); 23] = [
    ("ACCESS_DENIED", Some(403)),
    ("API_CONFIGURATION_ERROR", Some(500)),
    ("AUTHORIZER_CONFIGURATION_ERROR", Some(500)),
    ("AUTHORIZER_FAILURE", Some(500)),
    ("BAD_REQUEST_BODY", Some(400)),
    ("BAD_REQUEST_PARAMETERS", Some(400)),
    ("DEFAULT_4XX", None),
    ("DEFAULT_5XX", None),
    ("EXPIRED_TOKEN", Some(403)),
    ("INTEGRATION_FAILURE", Some(504)),
    ("INTEGRATION_TIMEOUT", Some(504)),
    ("INVALID_API_KEY", Some(403)),
    ("INVALID_SIGNATURE", Some(403)),
    ("MISSING_AUTHENTICATION_TOKEN", Some(403)),
    ("QUOTA_EXCEEDED", Some(429)),
    ("REQUEST_TOO_LARGE", Some(413)),
    ("RESOURCE_NOT_FOUND", Some(404)),
    ("THROTTLED", Some(429)),
    ("UNAUTHORIZED", Some(401)),
    ("UNSUPPORTED_MEDIA_TYPE", Some(415)),
    ("WAF_FILTERED", Some(403)),
    ("INTEGRATION_NETWORK_FAILURE", Some(504)),
    ("INTEGRATION_ENDPOINT_FAILURE", Some(502)),
];

/// A gateway response.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayResponse {
    pub response_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<String>,
    pub response_parameters: BTreeMap<String, String>,
    pub response_templates: BTreeMap<String, String>,
    pub default_response: bool,
}

impl Child for GatewayResponse {
    const KIND: &'static str = "Gateway response type";
    const ID: &'static str = "responseType";
    fn table() -> &'static Table<Json<Self>> {
        &RESPONSES
    }
    fn id(&self) -> &str {
        &self.response_type
    }
}

impl GatewayResponse {
    /// What a type is before anybody has set it.
    pub fn default_of(kind: &str) -> Result<Self> {
        let found = TYPES[..21].iter().find(|(name, _)| *name == kind);
        let (name, status) =
            found.ok_or_else(|| bad_request(format!("Invalid gateway response type: {kind}")))?;
        let template = "{\"message\":$context.error.messageString}".to_owned();
        Ok(GatewayResponse {
            response_type: (*name).to_owned(),
            status_code: status.map(|s| s.to_string()),
            response_parameters: BTreeMap::new(),
            response_templates: [("application/json".to_owned(), template)].into(),
            default_response: true,
        })
    }

    pub fn check(&self) -> Result<()> {
        if let Some(status) = self.status_code.as_deref().filter(|s| !s.is_empty())
            && !status.parse::<u16>().is_ok_and(|s| (200..600).contains(&s))
        {
            return Err(bad_request(format!("Invalid status code: {status}")));
        }
        for (to, from) in &self.response_parameters {
            let named = to.strip_prefix("gatewayresponse.header.").is_some_and(|n| !n.is_empty());
            let source = from.starts_with('\'') && from.ends_with('\'') && from.len() > 1
                || ["method.request.", "context.", "stageVariables."]
                    .iter()
                    .any(|p| from.starts_with(p));
            if !named || !source {
                let wrong = if named { from } else { to };
                return Err(bad_request(format!(
                    "Invalid mapping expression specified: Validation Result: warnings : [], \
                     errors : [Invalid mapping expression specified: {wrong}]"
                )));
            }
        }
        Ok(())
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_PutGatewayResponse.html>
async fn put_gateway_response(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let mut response: GatewayResponse = from_value(input)?;
    let default = GatewayResponse::default_of(&response.response_type)?;
    response.default_response = false;
    response.status_code = response.status_code.filter(|s| !s.is_empty()).or(default.status_code);
    if response.response_templates.is_empty() {
        response.response_templates = default.response_templates;
    }
    response.check()?;
    change.put(&response);
    change.commit().await?;
    shown(&response)
}

async fn load(gw: &ApiGateway, cx: &Cx, input: &Value) -> Result<GatewayResponse> {
    let (api, kind) = (text(input, "restApiId")?, text(input, "responseType")?);
    let default = GatewayResponse::default_of(kind)?;
    match gw.child::<GatewayResponse>(cx, api, kind).await {
        Ok(own) => Ok(own),
        Err(e) if e.message().starts_with("Invalid Gateway") => Ok(default),
        Err(e) => Err(e),
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetGatewayResponse.html>
async fn get_gateway_response(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    shown(&load(gw, cx, &input).await?)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetGatewayResponses.html>
async fn get_gateway_responses(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let api = text(&input, "restApiId")?;
    gw.api(cx, api).await?;
    let own: Vec<GatewayResponse> = fogbank_apigw::children(&gw.store, api).await?;
    let mut items = Vec::new();
    for (kind, _) in &TYPES[..21] {
        let found = own.iter().find(|r| r.response_type == *kind);
        items.push(match found {
            Some(r) => to_value(r)?,
            None => to_value(&GatewayResponse::default_of(kind)?)?,
        });
    }
    Ok(map! { "items" => items })
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateGatewayResponse.html>
async fn update_gateway_response(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let old = load(gw, cx, &input).await?;
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let rules = [
        ("/statusCode", Kind::Text),
        ("/responseParameters/*", Kind::Entry),
        ("/responseTemplates/*", Kind::Entry),
    ];
    let mut response: GatewayResponse = patch::apply(&old, &patches(&input)?, &rules)?;
    response.default_response = false;
    response.check()?;
    change.put(&response);
    change.commit().await?;
    shown(&response)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteGatewayResponse.html>
async fn delete_gateway_response(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let kind = text(&input, "responseType")?;
    GatewayResponse::default_of(kind)?;
    if change.find::<GatewayResponse>(kind).await?.is_none() {
        return Err(not_found(GatewayResponse::KIND));
    }
    change.delete::<GatewayResponse>(kind);
    change.commit().await
}
