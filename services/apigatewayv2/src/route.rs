//! Routes: which requests go to which integration.

use fogbank_apigw::{Child, Json, Pattern, new_id};
use fogbank_core::value::from_value;
use fogbank_core::{Cx, Op, Result, Value, ops};
use fogbank_store::Table;
use serde::{Deserialize, Serialize};

use crate::ApiGatewayV2;
use crate::authorizer::Authorizer;
use crate::authz::check;
use crate::change::{Change, shown};
use crate::document::{overlay, text};
use crate::error::{bad_request, conflict};
use crate::integration::Integration;

pub const OPS: &[Op<ApiGatewayV2>] = ops![
    CreateRoute => create_route [check],
    GetRoute => get_route [check],
    GetRoutes => get_routes [check],
    UpdateRoute => update_route [check],
    DeleteRoute => delete_route [check],
];

pub static ROUTES: Table<Json<Route>> = Table::new("apigatewayv2.route");

/// Routes of an API at most.
const QUOTA: usize = 300;

/// A route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Route {
    pub route_id: String,
    pub route_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_gateway_managed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_required: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_scopes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl Child for Route {
    const KIND: &'static str = "Route";
    const ID: &'static str = "RouteId";
    fn table() -> &'static Table<Json<Self>> {
        &ROUTES
    }
    fn id(&self) -> &str {
        &self.route_id
    }
}

/// The parts of a route key; `None` for `$default`.
pub fn parse_key(key: &str) -> Result<Option<(String, Pattern)>> {
    if key == "$default" {
        return Ok(None);
    }
    let bad = || {
        bad_request(
            "The provided route key is not formatted properly for HTTP protocol. Format should be \
             \"<HTTP METHOD> /<RESOURCE PATH>\" or \"$default\"",
        )
    };
    let (method, path) = key.split_once(' ').ok_or_else(bad)?;
    let known = ["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
    if !known.contains(&method) {
        return Err(bad());
    }
    let pattern = Pattern::parse(path).ok_or_else(bad)?;
    Ok(Some((method.to_owned(), pattern)))
}

impl Route {
    pub fn check(&self) -> Result<()> {
        parse_key(&self.route_key)?;
        let scopes = self.authorization_scopes.as_ref().is_some_and(|s| !s.is_empty());
        match self.authorization_type.as_deref().unwrap_or("NONE") {
            "JWT" | "CUSTOM" if self.authorizer_id.is_none() => Err(bad_request(
                "AuthorizerId must be specified when authorizationType is JWT or CUSTOM",
            )),
            "NONE" | "AWS_IAM" | "CUSTOM" if scopes => Err(bad_request(
                "AuthorizationScopes can only be specified when authorizationType is JWT",
            )),
            _ => Ok(()),
        }
    }

    /// What an HTTP API's routes do not have.
    fn refuse(input: &Value) -> Result<()> {
        for member in [
            "ModelSelectionExpression",
            "RequestModels",
            "RequestParameters",
            "RouteResponseSelectionExpression",
        ] {
            let some = match input.get(member) {
                Some(Value::Map(m)) => !m.is_empty(),
                Some(Value::Str(s)) => !s.is_empty(),
                _ => false,
            };
            if some {
                return Err(bad_request(format!(
                    "{member} is not currently supported for HTTP protocol APIs"
                )));
            }
        }
        if input.get("ApiKeyRequired") == Some(&Value::Bool(true)) {
            return Err(bad_request("apiKeyRequired is not currently supported for HTTP APIs"));
        }
        Ok(())
    }

    /// Whether what it names is there, and its key is its own.
    pub async fn fits(&self, change: &mut Change<'_>) -> Result<()> {
        self.check()?;
        for other in change.all::<Route>().await? {
            if other.route_id != self.route_id && other.route_key == self.route_key {
                let key = &self.route_key;
                return Err(conflict(format!("Route with key {key} already exists for this API")));
            }
        }
        if let Some(target) = &self.target {
            let id = target.strip_prefix("integrations/").ok_or_else(|| {
                bad_request("Invalid target. Target must be of the form integrations/<id>")
            })?;
            if change.find::<Integration>(id).await?.is_none() {
                return Err(crate::error::not_found("Integration"));
            }
        }
        let kind = self.authorization_type.as_deref().unwrap_or("NONE");
        if let Some(id) = self.authorizer_id.as_deref().filter(|_| matches!(kind, "JWT" | "CUSTOM"))
        {
            let authorizer: Authorizer = change.get(id).await?;
            let wanted = if authorizer.authorizer_type == "JWT" { "JWT" } else { "CUSTOM" };
            if wanted != kind {
                return Err(bad_request(format!(
                    "Authorizer {id} is not compatible with authorization type {kind}"
                )));
            }
        }
        Ok(())
    }
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-routes.html#CreateRoute>
async fn create_route(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    Route::refuse(&input)?;
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let mut route: Route = from_value(input)?;
    route.route_id = new_id(cx, 7);
    route.api_gateway_managed = None;
    route.api_key_required = Some(false);
    route.authorization_type.get_or_insert_with(|| "NONE".into());
    route.fits(&mut change).await?;
    change.room::<Route>(QUOTA).await?;
    change.put(&route);
    change.deploys();
    change.commit().await?;
    shown(&route)
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-routes-routeid.html#GetRoute>
async fn get_route(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    gw.get::<Route>(cx, &input).await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-routes.html#GetRoutes>
async fn get_routes(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    gw.list::<Route>(cx, input).await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-routes-routeid.html#UpdateRoute>
async fn update_route(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    Route::refuse(&input)?;
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let old: Route = change.get(text(&input, "RouteId")?).await?;
    let mut route: Route = overlay(&old, input, &[])?;
    if !matches!(route.authorization_type.as_deref(), Some("JWT" | "CUSTOM")) {
        route.authorizer_id = None;
    }
    route.target = route.target.filter(|t| !t.is_empty());
    route.fits(&mut change).await?;
    change.put(&route);
    change.deploys();
    change.commit().await?;
    shown(&route)
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-routes-routeid.html#DeleteRoute>
async fn delete_route(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let route: Route = change.get(text(&input, "RouteId")?).await?;
    change.delete::<Route>(&route.route_id);
    change.deploys();
    change.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for (key, ok) in [
            ("$default", true),
            ("GET /", true),
            ("ANY /x/{proxy+}", true),
            ("POST /a/{b}", true),
            ("$connect", false),
            ("FETCH /", false),
            ("get /", false),
            ("GET x", false),
            ("GET", false),
            ("GET /{a+}/b", false),
        ] {
            assert_eq!(parse_key(key).is_ok(), ok, "{key}");
        }
    }
}
