//! REST APIs.

use std::collections::BTreeMap;

use fogbank_apigw::{Change, Json, apis_of, new_id, shown};
use fogbank_core::value::from_value;
use fogbank_core::{Cx, Op, Result, Time, Value, map, ops, page};
use fogbank_store::Table;
use serde::{Deserialize, Serialize};

use crate::ApiGateway;
use crate::authz::check;
use crate::document::{PageInput, patches, text};
use crate::error::bad_request;
use crate::model::Model;
use crate::patch::{self, Kind, Rule};
use crate::resource::Resource;

pub const OPS: &[Op<ApiGateway>] = ops![
    CreateRestApi => create_rest_api [check],
    GetRestApi => get_rest_api [check],
    GetRestApis => get_rest_apis [check],
    UpdateRestApi => update_rest_api [check],
    DeleteRestApi => delete_rest_api [check],
];

static APIS: Table<Json<RestApi>> = Table::new("apigateway.api");
static OWNED: Table<()> = Table::new("apigateway.owned");
pub static VERSIONS: Table<u64> = Table::new("apigateway.version");

/// A REST API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestApi {
    pub id: String,
    pub account: String,
    pub region: String,
    pub name: String,
    pub root_resource_id: String,
    /// `HEADER` or `AUTHORIZER`.
    pub api_key_source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub binary_media_types: Vec<String>,
    pub created_date: Option<Time>,
    pub disable_execute_api_endpoint: bool,
    pub endpoint_configuration: EndpointConfiguration,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_compression_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    pub tags: BTreeMap<String, String>,
}

/// Where an API is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointConfiguration {
    pub types: Vec<String>,
    pub ip_address_type: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vpc_endpoint_ids: Vec<String>,
}

impl fogbank_apigw::Api for RestApi {
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
        &self.id
    }
    fn account(&self) -> &str {
        &self.account
    }
    fn region(&self) -> &str {
        &self.region
    }
}

const RULES: &[Rule] = &[
    ("/name", Kind::Text),
    ("/description", Kind::Text),
    ("/version", Kind::Text),
    ("/policy", Kind::Text),
    ("/apiKeySource", Kind::Text),
    ("/minimumCompressionSize", Kind::Int),
    ("/disableExecuteApiEndpoint", Kind::Bool),
    ("/binaryMediaTypes/*", Kind::Item),
    ("/endpointConfiguration/types/*", Kind::Item),
    ("/endpointConfiguration/ipAddressType", Kind::Text),
    ("/endpointConfiguration/vpcEndpointIds/*", Kind::Item),
];

impl RestApi {
    /// As operations answer it: the policy is escaped as if it stood in a JSON text, as on AWS.
    pub fn view(&self) -> Result<Value> {
        let mut api = self.clone();
        api.policy = api.policy.map(|p| {
            let quoted = serde_json::Value::from(p).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        });
        shown(&api)
    }

    /// Fills in what is not said, and refuses what AWS refuses.
    pub fn settle(&mut self, cx: &Cx) -> Result<()> {
        if self.name.trim().is_empty() {
            return Err(bad_request("Invalid REST API name specified"));
        }
        if self.api_key_source.is_empty() {
            self.api_key_source = "HEADER".into();
        }
        if !matches!(&*self.api_key_source, "HEADER" | "AUTHORIZER") {
            return Err(bad_request("Invalid API key source specified"));
        }
        let endpoint = &mut self.endpoint_configuration;
        if endpoint.types.is_empty() {
            endpoint.types = vec!["EDGE".into()];
        }
        if endpoint.ip_address_type.is_empty() {
            endpoint.ip_address_type = "ipv4".into();
        }
        match &endpoint.types[..] {
            [one] if one == "PRIVATE" => {
                return Err(cx.refuse_member("endpointConfiguration PRIVATE"));
            }
            [one] if matches!(&**one, "EDGE" | "REGIONAL") => {}
            _ => return Err(bad_request("Only one endpoint type can be specified")),
        }
        self.policy = self.policy.take().filter(|p| !p.is_empty());
        if let Some(policy) = &self.policy {
            // The whole of an ARN is made of what stands after `execute-api:/`.
            let full = policy.replace(
                "execute-api:/",
                &format!("arn:aws:execute-api:{}:{}:{}/", self.region, self.account, self.id),
            );
            fogbank_apigw::check_policy(&full).map_err(|e| {
                bad_request(format!("Invalid policy document. Please check the policy syntax and ensure that Principals are valid. {e}"))
            })?;
            self.policy = Some(full);
        }
        if self.minimum_compression_size.is_some_and(|n| !(0..=10_485_760).contains(&n)) {
            return Err(bad_request(
                "Invalid minimum compression size, must be between 0 and 10485760",
            ));
        }
        if self.minimum_compression_size.is_some() {
            cx.ignore_member("minimumCompressionSize");
        }
        crate::tag::validate(&self.tags)
    }
}

/// Adds the API of these settings, with its root and the models that every API has.
pub async fn insert(gw: &ApiGateway, cx: &Cx, mut api: RestApi) -> Result<RestApi> {
    api.id = new_id(cx, fogbank_apigw::API_ID);
    api.root_resource_id = new_id(cx, fogbank_apigw::API_ID);
    api.account = cx.account.clone();
    api.region = cx.region.clone().into_owned();
    api.created_date = Some(Time(cx.now));
    api.settle(cx)?;
    let mut change = Change::create(&gw.store, cx, api.clone()).await;
    change.put(&Resource::root(&api.root_resource_id));
    for model in Model::defaults(cx) {
        change.put(&model);
    }
    change.commit().await?;
    Ok(api)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_CreateRestApi.html>
async fn create_rest_api(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    for member in ["cloneFrom", "securityPolicy", "endpointAccessMode"] {
        if input.get(member).is_some() {
            return Err(cx.refuse_member(member));
        }
    }
    insert(gw, cx, from_value(input)?).await?.view()
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetRestApi.html>
async fn get_rest_api(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    gw.api(cx, text(&input, "restApiId")?).await?.view()
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetRestApis.html>
async fn get_rest_apis(gw: &ApiGateway, cx: &Cx, input: PageInput) -> Result<Value> {
    let (limit, after) = input.read(25)?;
    let (found, more) = apis_of::<RestApi>(&gw.store, cx, after.as_deref(), limit).await?;
    let position = found.last().filter(|_| more).map(|a| page::encode(&a.id));
    let items = found.iter().map(RestApi::view).collect::<Result<Vec<_>>>()?;
    Ok(map! { "items" => items, "position" => position })
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateRestApi.html>
async fn update_rest_api(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let mut operations = patches(&input)?;
    for operation in &mut operations {
        let path = operation.path.as_deref().unwrap_or_default();
        // `/endpointConfiguration/types/EDGE` is replaced by its value.
        if path.starts_with("/endpointConfiguration/types/")
            && operation.op.as_deref() == Some("replace")
        {
            operation.path = Some("/endpointConfiguration/types".into());
        }
    }
    change.api = patch::apply(&change.api, &operations, RULES)?;
    change.api.settle(cx)?;
    change.put_api();
    let answer = change.api.view()?;
    change.commit().await?;
    Ok(answer)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteRestApi.html>
async fn delete_rest_api(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    remove(gw, cx, input).await
}

/// Deletes an API with all it has.
pub async fn remove(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    change.clear(&crate::resource::RESOURCES).await?;
    change.clear(&crate::model::MODELS).await?;
    change.clear(&crate::validator::VALIDATORS).await?;
    change.clear(&crate::gateway_response::RESPONSES).await?;
    change.clear(&crate::authorizer::AUTHORIZERS).await?;
    change.clear(&crate::stage::STAGES).await?;
    change.clear(&crate::deployment::DEPLOYMENTS).await?;
    change.clear(&crate::deployment::SNAPSHOTS).await?;
    change.delete_api().await
}
