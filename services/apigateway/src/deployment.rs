//! Deployments: what an API was at a moment, for stages to serve.

use std::collections::BTreeMap;

use fogbank_apigw::{Change, Child, Json, child_key, new_id, shown};
use fogbank_core::{Cx, Op, Result, Time, Value, ops};
use fogbank_store::Table;
use serde::{Deserialize, Serialize};

use crate::ApiGateway;
use crate::api::RestApi;
use crate::authorizer::Authorizer;
use crate::authz::check;
use crate::document::{found, member, patches, text};
use crate::error::bad_request;
use crate::gateway_response::GatewayResponse;
use crate::model::Model;
use crate::patch::{self, Kind};
use crate::resource::Resource;
use crate::stage::Stage;
use crate::validator::RequestValidator;

pub const OPS: &[Op<ApiGateway>] = ops![
    CreateDeployment => create_deployment [check],
    GetDeployment => get_deployment [check],
    GetDeployments => get_deployments [check],
    UpdateDeployment => update_deployment [check],
    DeleteDeployment => delete_deployment [check],
];

pub static DEPLOYMENTS: Table<Json<Deployment>> = Table::new("apigateway.deployment");
/// What a deployment holds.
pub static SNAPSHOTS: Table<Json<Snapshot>> = Table::new("apigateway.snapshot");

/// A deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Deployment {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub created_date: Option<Time>,
    /// By path and method.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub api_summary: BTreeMap<String, BTreeMap<String, MethodSnapshot>>,
}

/// What is told of a deployed method.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MethodSnapshot {
    pub authorization_type: String,
    pub api_key_required: bool,
}

/// An API at a moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    pub api: RestApi,
    pub resources: Vec<Resource>,
    pub models: Vec<Model>,
    pub validators: Vec<RequestValidator>,
    pub authorizers: Vec<Authorizer>,
    pub responses: Vec<GatewayResponse>,
}

impl Child for Deployment {
    const KIND: &'static str = "Deployment";
    const ID: &'static str = "deploymentId";
    fn table() -> &'static Table<Json<Self>> {
        &DEPLOYMENTS
    }
    fn id(&self) -> &str {
        &self.id
    }
}

impl Snapshot {
    /// The API as it is now, under change.
    pub async fn of(change: &mut Change<'_, RestApi>) -> Result<Self> {
        Ok(Snapshot {
            api: change.api.clone(),
            resources: change.all().await?,
            models: change.all().await?,
            validators: change.all().await?,
            authorizers: change.all().await?,
            responses: change.all().await?,
        })
    }

    fn summary(&self) -> BTreeMap<String, BTreeMap<String, MethodSnapshot>> {
        let methods = |r: &Resource| {
            let one = |(name, m): (&String, &crate::method::Method)| {
                let about = MethodSnapshot {
                    authorization_type: m.authorization_type.clone(),
                    api_key_required: m.api_key_required,
                };
                (name.clone(), about)
            };
            r.resource_methods.iter().map(one).collect()
        };
        let some = self.resources.iter().filter(|r| !r.resource_methods.is_empty());
        some.map(|r| (r.path.clone(), methods(r))).collect()
    }
}

/// Makes a deployment of the API as it is.
pub async fn deploy(
    change: &mut Change<'_, RestApi>,
    description: Option<String>,
) -> Result<Deployment> {
    let snapshot = Snapshot::of(change).await?;
    let mut methods = 0;
    for resource in &snapshot.resources {
        for method in resource.resource_methods.values() {
            methods += 1;
            if method.method_integration.is_none() {
                return Err(bad_request("No integration defined for method"));
            }
        }
    }
    if methods == 0 {
        return Err(bad_request("The REST API doesn't contain any methods"));
    }
    let deployment = Deployment {
        id: new_id(change.cx, 6),
        description: description.filter(|d| !d.is_empty()),
        created_date: Some(Time(change.cx.now)),
        api_summary: snapshot.summary(),
    };
    let key = child_key(&change.api.id, &deployment.id);
    change.tx.put(&SNAPSHOTS, &key, &Json(snapshot));
    change.put(&deployment);
    Ok(deployment)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_CreateDeployment.html>
async fn create_deployment(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    if input.get("canarySettings").is_some() {
        return Err(cx.refuse_member("canarySettings"));
    }
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let description = input.str("description").map(str::to_owned);
    let mut deployment = deploy(&mut change, description).await?;
    if let Some(name) = input.str("stageName").filter(|n| !n.is_empty()) {
        let old = change.find::<Stage>(name).await?;
        let mut stage = old.unwrap_or_else(|| Stage::new(cx, name));
        stage.deployment_id.clone_from(&deployment.id);
        stage.last_updated_date = Some(Time(cx.now));
        if let Some(text) = input.str("stageDescription") {
            stage.description = Some(text.to_owned());
        }
        if input.get("variables").is_some() {
            stage.variables = member(&input, "variables")?;
        }
        if let Some(Value::Bool(on)) = input.get("tracingEnabled") {
            stage.tracing_enabled = *on;
        }
        if input.get("cacheClusterEnabled") == Some(&Value::Bool(true)) {
            cx.ignore_member("cacheClusterEnabled");
        }
        stage.check(cx)?;
        change.put(&stage);
    }
    change.commit().await?;
    deployment.api_summary = BTreeMap::new();
    shown(&deployment)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetDeployment.html>
async fn get_deployment(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let (api, id) = (text(&input, "restApiId")?, text(&input, "deploymentId")?);
    let mut deployment: Deployment = gw.child(cx, api, id).await?;
    let embed: Vec<String> = member(&input, "embed")?;
    if !embed.iter().any(|e| e.eq_ignore_ascii_case("apisummary")) {
        deployment.api_summary = BTreeMap::new();
    }
    shown(&deployment)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetDeployments.html>
async fn get_deployments(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    gw.list::<Deployment>(cx, &input).await
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateDeployment.html>
async fn update_deployment(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let old: Deployment = found(&mut change, text(&input, "deploymentId")?).await?;
    let rules = [("/description", Kind::Text)];
    let deployment: Deployment = patch::apply(&old, &patches(&input)?, &rules)?;
    change.put(&deployment);
    change.commit().await?;
    shown(&deployment)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteDeployment.html>
async fn delete_deployment(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let deployment: Deployment = found(&mut change, text(&input, "deploymentId")?).await?;
    let id = &deployment.id;
    if change.all::<Stage>().await?.iter().any(|s| s.deployment_id == *id) {
        return Err(bad_request(
            "Active stages pointing to this deployment must be moved or deleted",
        ));
    }
    let key = child_key(&change.api.id, id);
    change.tx.delete(&SNAPSHOTS, &key);
    change.delete::<Deployment>(id);
    change.commit().await
}
