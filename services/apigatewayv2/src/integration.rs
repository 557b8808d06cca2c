//! Integrations: what stands behind routes.

use std::collections::BTreeMap;

use fogbank_apigw::{Child, Function, Json, new_id};
use fogbank_core::value::from_value;
use fogbank_core::{Cx, Op, Result, Value, ops};
use fogbank_store::Table;
use serde::{Deserialize, Serialize};

use crate::ApiGatewayV2;
use crate::authz::check;
use crate::change::shown;
use crate::document::{overlay, text, without_empty};
use crate::error::{bad_request, conflict};
use crate::route::Route;

pub const OPS: &[Op<ApiGatewayV2>] = ops![
    CreateIntegration => create_integration [check],
    GetIntegration => get_integration [check],
    GetIntegrations => get_integrations [check],
    UpdateIntegration => update_integration [check],
    DeleteIntegration => delete_integration [check],
];

pub static INTEGRATIONS: Table<Json<Integration>> = Table::new("apigatewayv2.integration");

/// Integrations of an API at most.
const QUOTA: usize = 300;

/// An integration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Integration {
    pub integration_id: String,
    pub integration_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_gateway_managed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration_method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration_subtype: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_format_version: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub request_parameters: BTreeMap<String, String>,
    /// By status: what to do to answers that have it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub response_parameters: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_in_millis: Option<i64>,
}

impl Child for Integration {
    const KIND: &'static str = "Integration";
    const ID: &'static str = "IntegrationId";
    fn table() -> &'static Table<Json<Self>> {
        &INTEGRATIONS
    }
    fn id(&self) -> &str {
        &self.integration_id
    }
}

impl Integration {
    /// What HTTP APIs do not have, or fogbank does not do.
    fn refuse(cx: &Cx, input: &Value) -> Result<()> {
        if input.str("ConnectionType") == Some("VPC_LINK") {
            return Err(cx.refuse_member("ConnectionType VPC_LINK"));
        }
        for member in ["ConnectionId", "TlsConfig"] {
            if input.get(member).is_some() {
                return Err(cx.refuse_member(member));
            }
        }
        for member in [
            "ContentHandlingStrategy",
            "PassthroughBehavior",
            "RequestTemplates",
            "TemplateSelectionExpression",
        ] {
            if input.get(member).is_some_and(|v| *v != Value::Map(Vec::new())) {
                return Err(bad_request(format!("{member} is not supported for HTTP APIs")));
            }
        }
        Ok(())
    }

    pub fn check(&self, cx: &Cx) -> Result<()> {
        if let Some(subtype) = &self.integration_subtype {
            return Err(cx.refuse_member(&format!("IntegrationSubtype {subtype}")));
        }
        let uri = self.integration_uri.as_deref().unwrap_or_default();
        match self.integration_type.as_str() {
            "AWS_PROXY" => {
                if Function::of_uri(uri).is_none() {
                    return Err(bad_request(
                        "Integration URI must be a Lambda function ARN or invocation ARN",
                    ));
                }
                if !matches!(self.payload_format_version.as_deref(), Some("1.0" | "2.0")) {
                    return Err(bad_request("payloadFormatVersion must be 1.0 or 2.0"));
                }
            }
            "HTTP_PROXY" => {
                if !(uri.starts_with("http://") || uri.starts_with("https://")) {
                    return Err(bad_request("Invalid HTTP endpoint specified for URI"));
                }
                if self.payload_format_version.as_deref() != Some("1.0") {
                    return Err(bad_request(
                        "HTTP_PROXY integrations only support payloadFormatVersion 1.0",
                    ));
                }
                if self.integration_method.is_none() {
                    return Err(bad_request("HttpMethod must be specified"));
                }
            }
            other => {
                return Err(bad_request(format!(
                    "Integration type {other} is not supported for HTTP protocol APIs"
                )));
            }
        }
        if let Some(m) = &self.integration_method
            && !["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
                .contains(&m.as_str())
        {
            return Err(bad_request("Invalid HTTP method specified"));
        }
        crate::serve::mapping::check(&self.request_parameters, &self.response_parameters)
    }

    fn defaults(&mut self) {
        self.connection_type.get_or_insert_with(|| "INTERNET".into());
        self.timeout_in_millis.get_or_insert(30_000);
        self.payload_format_version.get_or_insert_with(|| "1.0".into());
        if self.integration_type == "AWS_PROXY" {
            self.integration_method.get_or_insert_with(|| "POST".into());
        }
        without_empty(&mut self.request_parameters);
        self.response_parameters.retain(|_, m| !m.is_empty());
    }
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-integrations.html#CreateIntegration>
async fn create_integration(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    Integration::refuse(cx, &input)?;
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let mut integration: Integration = from_value(input)?;
    integration.integration_id = new_id(cx, 7);
    integration.api_gateway_managed = None;
    integration.defaults();
    integration.check(cx)?;
    change.room::<Integration>(QUOTA).await?;
    change.put(&integration);
    change.deploys();
    change.commit().await?;
    shown(&integration)
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-integrations-integrationid.html#GetIntegration>
async fn get_integration(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    gw.get::<Integration>(cx, &input).await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-integrations.html#GetIntegrations>
async fn get_integrations(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    gw.list::<Integration>(cx, input).await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-integrations-integrationid.html#UpdateIntegration>
async fn update_integration(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    Integration::refuse(cx, &input)?;
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let old: Integration = change.get(text(&input, "IntegrationId")?).await?;
    let merged = ["RequestParameters", "ResponseParameters"];
    let mut integration: Integration = overlay(&old, input, &merged)?;
    integration.credentials_arn = integration.credentials_arn.filter(|c| !c.is_empty());
    integration.defaults();
    integration.check(cx)?;
    change.put(&integration);
    change.deploys();
    change.commit().await?;
    shown(&integration)
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-integrations-integrationid.html#DeleteIntegration>
async fn delete_integration(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let integration: Integration = change.get(text(&input, "IntegrationId")?).await?;
    let id = &integration.integration_id;
    let target = format!("integrations/{id}");
    let routes: Vec<Route> = change.all().await?;
    if let Some(route) = routes.iter().find(|r| r.target.as_deref() == Some(&target)) {
        return Err(conflict(format!(
            "Cannot delete Integration '{id}'. Integration is referenced by Route '{}'.",
            route.route_key
        )));
    }
    change.delete::<Integration>(id);
    change.deploys();
    change.commit().await
}
