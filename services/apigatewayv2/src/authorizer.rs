//! Authorizers: JWTs of an issuer, or a function that decides.

use fogbank_apigw::{Child, Function, Json, new_id};
use fogbank_core::value::from_value;
use fogbank_core::{Cx, Op, Result, Value, ops};
use fogbank_store::Table;
use serde::{Deserialize, Serialize};

use crate::ApiGatewayV2;
use crate::authz::check;
use crate::change::shown;
use crate::document::{overlay, text};
use crate::error::{bad_request, conflict};
use crate::route::Route;

pub const OPS: &[Op<ApiGatewayV2>] = ops![
    CreateAuthorizer => create_authorizer [check],
    GetAuthorizer => get_authorizer [check],
    GetAuthorizers => get_authorizers [check],
    UpdateAuthorizer => update_authorizer [check],
    DeleteAuthorizer => delete_authorizer [check],
];

pub static AUTHORIZERS: Table<Json<Authorizer>> = Table::new("apigatewayv2.authorizer");

/// Authorizers of an API at most.
const QUOTA: usize = 10;

/// An authorizer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Authorizer {
    pub authorizer_id: String,
    /// `JWT` or `REQUEST`.
    pub authorizer_type: String,
    pub name: String,
    pub identity_source: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_credentials_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_payload_format_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_result_ttl_in_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_simple_responses: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt_configuration: Option<Jwt>,
}

/// Whose tokens, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Jwt {
    pub audience: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

impl Child for Authorizer {
    const KIND: &'static str = "Authorizer";
    const ID: &'static str = "AuthorizerId";
    fn table() -> &'static Table<Json<Self>> {
        &AUTHORIZERS
    }
    fn id(&self) -> &str {
        &self.authorizer_id
    }
}

/// Where identities may come from in requests to HTTP APIs.
fn is_source(text: &str) -> bool {
    ["$request.header.", "$request.querystring.", "$context.", "$stageVariables."]
        .iter()
        .any(|p| text.strip_prefix(p).is_some_and(|rest| !rest.is_empty()))
}

impl Authorizer {
    fn check(&self) -> Result<()> {
        if let Some(bad) = self.identity_source.iter().find(|s| !is_source(s)) {
            return Err(bad_request(format!("Invalid mapping expression specified: {bad}")));
        }
        if self.authorizer_type == "JWT" {
            let jwt = self.jwt_configuration.as_ref();
            if jwt.and_then(|j| j.issuer.as_deref()).is_none_or(|i| !i.starts_with("http")) {
                return Err(bad_request(
                    "JwtConfiguration with a valid issuer must be specified for JWT authorizers",
                ));
            }
            if self.identity_source.len() != 1 {
                return Err(bad_request("Exactly one identitySource must be specified for JWT"));
            }
            if self.authorizer_uri.is_some() {
                return Err(bad_request("AuthorizerUri is not supported for JWT authorizers"));
            }
            return Ok(());
        }
        if self.authorizer_uri.as_deref().and_then(Function::of_uri).is_none() {
            return Err(bad_request("Invalid Authorizer URI"));
        }
        match self.authorizer_payload_format_version.as_deref() {
            Some("2.0") => {}
            Some("1.0") if self.enable_simple_responses != Some(true) => {}
            Some("1.0") => {
                return Err(bad_request(
                    "enableSimpleResponses is only supported for payload format version 2.0",
                ));
            }
            _ => {
                return Err(bad_request(
                    "AuthorizerPayloadFormatVersion is a required parameter for HTTP APIs with \
                     REQUEST authorizers",
                ));
            }
        }
        if self.authorizer_result_ttl_in_seconds.unwrap_or(0) > 0 && self.identity_source.is_empty()
        {
            return Err(bad_request("identitySource must be specified when caching is enabled"));
        }
        Ok(())
    }

    fn refuse(input: &Value) -> Result<()> {
        if input.str("IdentityValidationExpression").is_some_and(|s| !s.is_empty()) {
            return Err(bad_request(
                "IdentityValidationExpression is not supported for HTTP protocol APIs",
            ));
        }
        Ok(())
    }
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-authorizers.html#CreateAuthorizer>
async fn create_authorizer(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    Authorizer::refuse(&input)?;
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let mut authorizer: Authorizer = from_value(input)?;
    authorizer.authorizer_id = new_id(cx, 6);
    if authorizer.authorizer_type == "REQUEST" {
        authorizer.authorizer_result_ttl_in_seconds.get_or_insert(300);
        if authorizer.authorizer_payload_format_version.as_deref() == Some("2.0") {
            authorizer.enable_simple_responses.get_or_insert(false);
        }
    }
    authorizer.check()?;
    for other in change.all::<Authorizer>().await? {
        if other.name == authorizer.name {
            return Err(conflict("Authorizer name must be unique"));
        }
    }
    change.room::<Authorizer>(QUOTA).await?;
    change.put(&authorizer);
    change.deploys();
    change.commit().await?;
    shown(&authorizer)
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-authorizers-authorizerid.html#GetAuthorizer>
async fn get_authorizer(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    gw.get::<Authorizer>(cx, &input).await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-authorizers.html#GetAuthorizers>
async fn get_authorizers(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    gw.list::<Authorizer>(cx, input).await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-authorizers-authorizerid.html#UpdateAuthorizer>
async fn update_authorizer(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    Authorizer::refuse(&input)?;
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let old: Authorizer = change.get(text(&input, "AuthorizerId")?).await?;
    let authorizer: Authorizer = overlay(&old, input, &[])?;
    authorizer.check()?;
    change.put(&authorizer);
    change.deploys();
    change.commit().await?;
    shown(&authorizer)
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-authorizers-authorizerid.html#DeleteAuthorizer>
async fn delete_authorizer(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let authorizer: Authorizer = change.get(text(&input, "AuthorizerId")?).await?;
    let id = &authorizer.authorizer_id;
    let routes: Vec<Route> = change.all().await?;
    if let Some(route) = routes.iter().find(|r| r.authorizer_id.as_ref() == Some(id)) {
        return Err(conflict(format!(
            "Cannot delete Authorizer '{id}'. Authorizer is referenced by Route '{}'.",
            route.route_key
        )));
    }
    change.delete::<Authorizer>(id);
    change.deploys();
    change.commit().await
}
