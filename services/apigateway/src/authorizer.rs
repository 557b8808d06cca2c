//! Authorizers: functions that decide by a token or by the request.

use fogbank_apigw::{Child, Function, Json, new_id, shown};
use fogbank_core::value::from_value;
use fogbank_core::{Cx, Op, Result, Value, ops};
use fogbank_store::Table;
use serde::{Deserialize, Serialize};

use crate::ApiGateway;
use crate::authz::check;
use crate::document::{found, patches, text};
use crate::error::{bad_request, conflict};
use crate::patch::{self, Kind, Rule};
use crate::resource::Resource;

pub const OPS: &[Op<ApiGateway>] = ops![
    CreateAuthorizer => create_authorizer [check],
    GetAuthorizer => get_authorizer [check],
    GetAuthorizers => get_authorizers [check],
    UpdateAuthorizer => update_authorizer [check],
    DeleteAuthorizer => delete_authorizer [check],
];

pub static AUTHORIZERS: Table<Json<Authorizer>> = Table::new("apigateway.authorizer");

/// Authorizers of an API at most.
const QUOTA: usize = 10;

/// An authorizer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Authorizer {
    pub id: String,
    pub name: String,
    /// `TOKEN` or `REQUEST`.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_credentials: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_validation_expression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_result_ttl_in_seconds: Option<i64>,
}

impl Child for Authorizer {
    const KIND: &'static str = "Authorizer";
    const ID: &'static str = "authorizerId";
    fn table() -> &'static Table<Json<Self>> {
        &AUTHORIZERS
    }
    fn id(&self) -> &str {
        &self.id
    }
}

const RULES: &[Rule] = &[
    ("/name", Kind::Text),
    ("/type", Kind::Text),
    ("/authType", Kind::Text),
    ("/authorizerUri", Kind::Text),
    ("/authorizerCredentials", Kind::Text),
    ("/identitySource", Kind::Text),
    ("/identityValidationExpression", Kind::Text),
    ("/authorizerResultTtlInSeconds", Kind::Int),
];

impl Authorizer {
    /// The identity sources, one by one.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        let all = self.identity_source.as_deref().unwrap_or_default();
        all.split(',').map(str::trim).filter(|s| !s.is_empty())
    }

    pub fn settle(&mut self, cx: &Cx) -> Result<()> {
        match self.kind.as_str() {
            "TOKEN" | "REQUEST" => {}
            other => return Err(cx.refuse_member(&format!("type {other}"))),
        }
        self.authorizer_result_ttl_in_seconds.get_or_insert(300);
        self.auth_type.get_or_insert_with(|| "custom".into());
        let credentials = self.authorizer_credentials.take();
        self.authorizer_credentials = credentials.filter(|c| !c.is_empty());
        if !self.authorizer_result_ttl_in_seconds.is_some_and(|n| (0..=3600).contains(&n)) {
            return Err(bad_request("Authorizer result TTL must be between 0 and 3600 seconds"));
        }
        let uri = self.authorizer_uri.as_deref().unwrap_or_default();
        if !uri.contains("${") && Function::of_uri(uri).is_none() {
            return Err(bad_request(format!(
                "Invalid Authorizer URI: {uri}. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation."
            )));
        }
        let header = "method.request.header.";
        if self.kind == "TOKEN" {
            let source =
                self.identity_source.get_or_insert_with(|| format!("{header}Authorization"));
            if !source.starts_with(header) || source.contains(',') {
                return Err(bad_request(
                    "Invalid mapping expression specified: identitySource of a TOKEN authorizer must be one header",
                ));
            }
        } else {
            let known = [
                header,
                "method.request.querystring.",
                "method.request.multivaluequerystring.",
                "stageVariables.",
                "context.",
            ];
            let bad = self.sources().find(|s| !known.iter().any(|k| s.starts_with(k)));
            if let Some(bad) = bad {
                return Err(bad_request(format!("Invalid mapping expression specified: {bad}")));
            }
            if self.sources().next().is_none() && self.authorizer_result_ttl_in_seconds != Some(0) {
                return Err(bad_request("Identity source is required when caching is enabled"));
            }
        }
        let expression = self.identity_validation_expression.take().filter(|e| !e.is_empty());
        if let Some(e) = &expression
            && regex_lite::Regex::new(e).is_err()
        {
            return Err(bad_request(format!("Invalid identity validation expression: {e}")));
        }
        self.identity_validation_expression = expression;
        Ok(())
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_CreateAuthorizer.html>
async fn create_authorizer(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    for member in ["providerARNs", "jwtConfiguration"] {
        if input.get(member).is_some_and(|v| *v != Value::List(Vec::new())) {
            return Err(cx.refuse_member(member));
        }
    }
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let mut authorizer: Authorizer = from_value(input)?;
    authorizer.id = new_id(cx, 6);
    authorizer.settle(cx)?;
    let all: Vec<Authorizer> = change.all().await?;
    if all.iter().any(|a| a.name == authorizer.name) {
        return Err(conflict(
            "Authorizer name must be unique. Authorizer with the same name already exists in this RestApi",
        ));
    }
    if all.len() >= QUOTA {
        return Err(crate::error::limit(
            "Maximum number of authorizers for this API has been reached.",
        ));
    }
    change.put(&authorizer);
    change.commit().await?;
    shown(&authorizer)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetAuthorizer.html>
async fn get_authorizer(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    gw.get::<Authorizer>(cx, &input).await
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetAuthorizers.html>
async fn get_authorizers(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    gw.list::<Authorizer>(cx, &input).await
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateAuthorizer.html>
async fn update_authorizer(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let old: Authorizer = found(&mut change, text(&input, "authorizerId")?).await?;
    let mut authorizer: Authorizer = patch::apply(&old, &patches(&input)?, RULES)?;
    authorizer.settle(cx)?;
    change.put(&authorizer);
    change.commit().await?;
    shown(&authorizer)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteAuthorizer.html>
async fn delete_authorizer(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let authorizer: Authorizer = found(&mut change, text(&input, "authorizerId")?).await?;
    let id = &authorizer.id;
    for resource in change.all::<Resource>().await? {
        if resource.resource_methods.values().any(|m| m.authorizer_id.as_ref() == Some(id)) {
            return Err(conflict(format!(
                "Cannot delete authorizer '{}', is referenced in method of {}",
                authorizer.name, resource.path
            )));
        }
    }
    change.delete::<Authorizer>(id);
    change.commit().await
}
