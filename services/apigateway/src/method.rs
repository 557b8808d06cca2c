//! Methods and their responses: what a resource answers to, and under which terms.

use std::collections::BTreeMap;

use fogbank_apigw::{Change, shown};
use fogbank_core::value::from_value;
use fogbank_core::{Cx, Op, Result, Value, ops};
use serde::{Deserialize, Serialize};

use crate::ApiGateway;
use crate::api::RestApi;
use crate::authorizer::Authorizer;
use crate::authz::check;
use crate::document::{found, patches, text};
use crate::error::{bad_request, conflict, not_found};
use crate::integration::Integration;
use crate::model::Model;
use crate::patch::{self, Kind, Rule};
use crate::resource::Resource;
use crate::validator::RequestValidator;

pub const OPS: &[Op<ApiGateway>] = ops![
    PutMethod => put_method [check],
    GetMethod => get_method [check],
    UpdateMethod => update_method [check],
    DeleteMethod => delete_method [check],
    PutMethodResponse => put_method_response [check],
    GetMethodResponse => get_method_response [check],
    UpdateMethodResponse => update_method_response [check],
    DeleteMethodResponse => delete_method_response [check],
];

/// A method.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Method {
    pub http_method: String,
    pub authorization_type: String,
    pub api_key_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_scopes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_validator_id: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub request_parameters: BTreeMap<String, bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub request_models: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub method_responses: BTreeMap<String, MethodResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method_integration: Option<Integration>,
}

/// An answer that a method may give.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MethodResponse {
    pub status_code: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub response_parameters: BTreeMap<String, bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub response_models: BTreeMap<String, String>,
}

const RULES: &[Rule] = &[
    ("/authorizationType", Kind::Text),
    ("/authorizerId", Kind::Text),
    ("/authorizationScopes/*", Kind::Item),
    ("/apiKeyRequired", Kind::Bool),
    ("/operationName", Kind::Text),
    ("/requestValidatorId", Kind::Text),
    ("/requestParameters/*", Kind::Flag),
    ("/requestModels/*", Kind::Entry),
];

const RESPONSE_RULES: &[Rule] =
    &[("/responseParameters/*", Kind::Flag), ("/responseModels/*", Kind::Entry)];

impl Method {
    pub async fn check(&mut self, change: &mut Change<'_, RestApi>) -> Result<()> {
        let known = ["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
        if !known.contains(&self.http_method.as_str()) {
            return Err(bad_request(
                "Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY",
            ));
        }
        match self.authorization_type.as_str() {
            "NONE" | "AWS_IAM" => self.authorizer_id = None,
            "CUSTOM" => {
                let id = self.authorizer_id.as_deref().unwrap_or_default();
                let there = change.find::<Authorizer>(id).await?;
                if there.is_none() {
                    return Err(bad_request(
                        "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.",
                    ));
                }
            }
            "COGNITO_USER_POOLS" => {
                return Err(change.cx.refuse_member("authorizationType COGNITO_USER_POOLS"));
            }
            other => {
                return Err(bad_request(format!("Invalid authorization type specified: {other}")));
            }
        }
        for name in self.request_parameters.keys() {
            let mut parts = name.splitn(4, '.');
            let head = (parts.next(), parts.next(), parts.next(), parts.next());
            let places =
                ["querystring", "path", "header", "multivaluequerystring", "multivalueheader"];
            match head {
                (Some("method"), Some("request"), Some(place), Some(n))
                    if places.contains(&place) && !n.is_empty() => {}
                _ => {
                    return Err(bad_request(format!(
                        "Invalid mapping expression specified: Validation Result: warnings : [], \
                         errors : [Invalid mapping expression specified: {name}]"
                    )));
                }
            }
        }
        for model in self.request_models.values() {
            if change.find::<Model>(model).await?.is_none() {
                return Err(bad_request(format!("Invalid model identifier specified: {model}")));
            }
        }
        self.request_validator_id = self.request_validator_id.take().filter(|v| !v.is_empty());
        if let Some(id) = &self.request_validator_id
            && change.find::<RequestValidator>(id).await?.is_none()
        {
            return Err(bad_request("Invalid Request Validator identifier specified"));
        }
        Ok(())
    }

    pub fn integration(&self) -> Result<&Integration> {
        self.method_integration.as_ref().ok_or_else(|| not_found("Integration"))
    }
}

impl MethodResponse {
    pub fn check(&self) -> Result<()> {
        for name in self.response_parameters.keys() {
            if name.strip_prefix("method.response.header.").is_none_or(str::is_empty) {
                return Err(bad_request(format!(
                    "Invalid mapping expression parameter specified: {name}"
                )));
            }
        }
        Ok(())
    }
}

/// A method of a resource under change.
pub struct Found<'a> {
    pub change: Change<'a, RestApi>,
    pub resource: Resource,
    pub name: String,
}

impl Found<'_> {
    pub fn method(&mut self) -> Result<&mut Method> {
        self.resource.method_mut(&self.name)
    }

    pub async fn commit(mut self) -> Result<()> {
        self.change.put(&self.resource);
        self.change.commit().await
    }
}

/// Finds what the input's `restApiId`, `resourceId` and `httpMethod` name.
pub async fn find<'a>(gw: &ApiGateway, cx: &'a Cx, input: &Value) -> Result<Found<'a>> {
    let mut change = gw.change(cx, text(input, "restApiId")?).await?;
    let resource: Resource = found(&mut change, text(input, "resourceId")?).await?;
    Ok(Found { change, resource, name: text(input, "httpMethod")?.to_owned() })
}

/// The method that the input names, to be read.
pub async fn read(gw: &ApiGateway, cx: &Cx, input: &Value) -> Result<Method> {
    let (api, id) = (text(input, "restApiId")?, text(input, "resourceId")?);
    let resource: Resource = gw.child(cx, api, id).await?;
    Ok(resource.method(text(input, "httpMethod")?)?.clone())
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_PutMethod.html>
async fn put_method(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut at = find(gw, cx, &input).await?;
    let mut method: Method = from_value(input)?;
    method.check(&mut at.change).await?;
    if at.resource.resource_methods.contains_key(&at.name) {
        return Err(conflict("Method already exists for this resource"));
    }
    at.resource.resource_methods.insert(at.name.clone(), method.clone());
    at.commit().await?;
    shown(&method)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetMethod.html>
async fn get_method(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    shown(&read(gw, cx, &input).await?)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateMethod.html>
async fn update_method(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut at = find(gw, cx, &input).await?;
    let mut method = patch::apply(&*at.method()?, &patches(&input)?, RULES)?;
    method.check(&mut at.change).await?;
    *at.method()? = method.clone();
    at.commit().await?;
    shown(&method)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteMethod.html>
async fn delete_method(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let mut at = find(gw, cx, &input).await?;
    at.method()?;
    at.resource.resource_methods.remove(&at.name);
    at.commit().await
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_PutMethodResponse.html>
async fn put_method_response(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut at = find(gw, cx, &input).await?;
    let response: MethodResponse = from_value(input)?;
    response.check()?;
    let status = response.status_code.clone();
    let method = at.method()?;
    if method.method_responses.contains_key(&status) {
        return Err(conflict("Response already exists for this resource"));
    }
    method.method_responses.insert(status, response.clone());
    at.commit().await?;
    shown(&response)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetMethodResponse.html>
async fn get_method_response(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let method = read(gw, cx, &input).await?;
    let found = method.method_responses.get(text(&input, "statusCode")?);
    shown(found.ok_or_else(|| not_found("Response status code"))?)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateMethodResponse.html>
async fn update_method_response(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut at = find(gw, cx, &input).await?;
    let found = at.method()?.method_responses.get_mut(text(&input, "statusCode")?);
    let response = found.ok_or_else(|| not_found("Response status code"))?;
    *response = patch::apply(response, &patches(&input)?, RESPONSE_RULES)?;
    response.check()?;
    let answer = shown(response)?;
    at.commit().await?;
    Ok(answer)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteMethodResponse.html>
async fn delete_method_response(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let mut at = find(gw, cx, &input).await?;
    let removed = at.method()?.method_responses.remove(text(&input, "statusCode")?);
    removed.ok_or_else(|| not_found("Response status code"))?;
    at.commit().await
}
