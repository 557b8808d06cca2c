//! APIs: HTTP APIs, made empty or with a target.

use std::collections::BTreeMap;

use fogbank_apigw::{Function, Json, apis_of, new_id, shown};
use fogbank_core::value::from_value;
use fogbank_core::{Cx, Op, Result, Time, Value, map, ops, page};
use fogbank_store::Table;
use serde::{Deserialize, Serialize};

use crate::ApiGatewayV2;
use crate::authz::check;
use crate::change::Change;
use crate::document::{PageInput, overlay, text};
use crate::error::bad_request;
use crate::integration::Integration;
use crate::route::Route;
use crate::stage::Stage;

pub const OPS: &[Op<ApiGatewayV2>] = ops![
    CreateApi => create_api [check],
    GetApi => get_api [check],
    GetApis => get_apis [check],
    UpdateApi => update_api [check],
    DeleteApi => delete_api [check],
    DeleteCorsConfiguration => delete_cors_configuration [check],
];

pub static APIS: Table<Json<Api>> = Table::new("apigatewayv2.api");
static OWNED: Table<()> = Table::new("apigatewayv2.owned");
pub static VERSIONS: Table<u64> = Table::new("apigatewayv2.version");

impl fogbank_apigw::Api for Api {
    fn table() -> &'static Table<Json<Self>> {
        &APIS
    }
    fn versions() -> &'static Table<u64> {
        &VERSIONS
    }
    fn owned() -> &'static Table<()> {
        &OWNED
    }
    fn id(&self) -> &str {
        &self.api_id
    }
    fn account(&self) -> &str {
        &self.account
    }
    fn region(&self) -> &str {
        &self.region
    }
}

/// An API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Api {
    pub api_id: String,
    pub account: String,
    pub region: String,
    pub name: String,
    pub protocol_type: String,
    pub route_selection_expression: String,
    pub api_key_selection_expression: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub disable_execute_api_endpoint: bool,
    pub ip_address_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors_configuration: Option<Cors>,
    pub created_date: Option<Time>,
    pub tags: BTreeMap<String, String>,
}

/// What browsers may do across origins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Cors {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_credentials: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_headers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_methods: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_origins: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expose_headers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i64>,
}

impl Cors {
    fn check(&self) -> Result<()> {
        let origins = self.allow_origins.iter().flatten();
        if self.allow_credentials == Some(true) && origins.clone().any(|o| o == "*") {
            return Err(bad_request(
                "CORS Configuration: AllowCredentials cannot be true if AllowOrigins contains *",
            ));
        }
        for origin in origins {
            let known = ["http://", "https://", "chrome-extension://", "moz-extension://"];
            if origin != "*" && !known.iter().any(|scheme| origin.starts_with(scheme)) {
                return Err(bad_request(format!("Invalid format for origin {origin}")));
            }
        }
        Ok(())
    }
}

impl Api {
    pub fn arn(&self) -> String {
        format!("arn:aws:apigateway:{}::/apis/{}", self.region, self.api_id)
    }

    fn check(&self) -> Result<()> {
        if self.route_selection_expression != "$request.method $request.path" {
            return Err(bad_request(
                "For HTTP protocol apis, routeSelectionExpression must be ${request.method} \
                 ${request.path}",
            ));
        }
        self.cors_configuration.as_ref().map_or(Ok(()), Cors::check)
    }
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis.html#CreateApi>
async fn create_api(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    let protocol = text(&input, "ProtocolType")?;
    if protocol != "HTTP" {
        return Err(cx.refuse_member(&format!("ProtocolType {protocol}")));
    }
    if input.get("DisableSchemaValidation").is_some() {
        return Err(bad_request("disableSchemaValidation is not supported for HTTP protocol apis"));
    }
    let api_id = new_id(cx, fogbank_apigw::API_ID);
    let mut api: Api = from_value(input.clone())?;
    if api.route_selection_expression.is_empty()
        || api.route_selection_expression == "${request.method} ${request.path}"
    {
        api.route_selection_expression = "$request.method $request.path".into();
    }
    if api.api_key_selection_expression.is_empty() {
        api.api_key_selection_expression = "$request.header.x-api-key".into();
    }
    if api.ip_address_type.is_empty() {
        api.ip_address_type = "ipv4".into();
    }
    crate::tag::check(&api.tags)?;
    api.check()?;
    api.api_endpoint = Some(format!("https://{api_id}.execute-api.{}.amazonaws.com", cx.region));
    api.api_id = api_id;
    api.account = cx.account.clone();
    api.region = cx.region.clone().into_owned();
    api.created_date = Some(Time(cx.now));
    let answer = shown(&api)?;
    let mut change = gw.create(cx, api).await;
    match input.str("Target") {
        Some(target) => quick_create(&mut change, target, &input).await?,
        None if input.get("RouteKey").is_some() || input.get("CredentialsArn").is_some() => {
            return Err(bad_request("target must be specified with routeKey and credentialsArn"));
        }
        None => {}
    }
    change.commit().await?;
    Ok(answer)
}

/// An API with a target has an integration, a route and a stage of its own.
async fn quick_create(change: &mut Change<'_>, target: &str, input: &Value) -> Result<()> {
    let function = Function::of_uri(target).is_some();
    let integration = Integration {
        integration_id: new_id(change.cx, 7),
        api_gateway_managed: Some(true),
        connection_type: Some("INTERNET".into()),
        credentials_arn: input.str("CredentialsArn").map(str::to_owned),
        integration_method: Some(if function { "POST" } else { "ANY" }.into()),
        integration_type: if function { "AWS_PROXY" } else { "HTTP_PROXY" }.into(),
        integration_uri: Some(target.to_owned()),
        payload_format_version: Some(if function { "2.0" } else { "1.0" }.into()),
        timeout_in_millis: Some(30_000),
        ..Integration::default()
    };
    integration.check(change.cx)?;
    let route = Route {
        route_id: new_id(change.cx, 7),
        api_gateway_managed: Some(true),
        api_key_required: Some(false),
        authorization_type: Some("NONE".into()),
        route_key: input.str("RouteKey").unwrap_or("$default").to_owned(),
        target: Some(format!("integrations/{}", integration.integration_id)),
        ..Route::default()
    };
    route.check()?;
    let mut stage = Stage::new(change.cx, "$default");
    stage.api_gateway_managed = Some(true);
    stage.auto_deploy = Some(true);
    change.put(&integration);
    change.put(&route);
    change.follow(&mut stage).await?;
    change.put(&stage);
    Ok(())
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid.html#GetApi>
async fn get_api(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    shown(&gw.api(cx, text(&input, "ApiId")?).await?)
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis.html#GetApis>
async fn get_apis(gw: &ApiGatewayV2, cx: &Cx, input: PageInput) -> Result<Value> {
    let (limit, after) = input.read()?;
    let (found, more) = apis_of::<Api>(&gw.store, cx, after.as_deref(), limit).await?;
    let next = found.last().filter(|_| more).map(|a| page::encode(&a.api_id));
    let items = found.iter().map(shown).collect::<Result<Vec<_>>>()?;
    Ok(map! { "Items" => items, "NextToken" => next })
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid.html#UpdateApi>
async fn update_api(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    for (member, what) in [("Target", "target"), ("RouteKey", "routeKey")] {
        let Some(value) = input.str(member) else { continue };
        let managed = |flag: Option<bool>| flag == Some(true);
        if what == "target" {
            let all: Vec<Integration> = change.all().await?;
            let mut own = all
                .into_iter()
                .find(|i| managed(i.api_gateway_managed))
                .ok_or_else(|| bad_request("target is only supported for quick created APIs"))?;
            own.integration_uri = Some(value.to_owned());
            own.check(cx)?;
            change.put(&own);
        } else {
            let all: Vec<Route> = change.all().await?;
            let mut own = all
                .into_iter()
                .find(|r| managed(r.api_gateway_managed))
                .ok_or_else(|| bad_request("routeKey is only supported for quick created APIs"))?;
            own.route_key = value.to_owned();
            own.check()?;
            change.put(&own);
        }
    }
    let mut api = overlay(&change.api, input, &[])?;
    if api.route_selection_expression == "${request.method} ${request.path}" {
        api.route_selection_expression = "$request.method $request.path".into();
    }
    api.check()?;
    change.api = api;
    let answer = shown(&change.api)?;
    change.put_api();
    change.deploys();
    change.commit().await?;
    Ok(answer)
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid.html#DeleteApi>
async fn delete_api(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<()> {
    gw.change(cx, text(&input, "ApiId")?).await?.delete_api().await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-cors.html>
async fn delete_cors_configuration(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    change.api.cors_configuration = None;
    change.put_api();
    change.deploys();
    change.commit().await
}
