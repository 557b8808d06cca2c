//! Deployments: what an API was at a moment, for stages to serve.

use fogbank_apigw::{Child, Json, child_key, new_id};
use fogbank_core::{Cx, Op, Result, Time, Value, ops};
use fogbank_store::Table;
use serde::{Deserialize, Serialize};

use crate::ApiGatewayV2;
use crate::api::Cors;
use crate::authorizer::Authorizer;
use crate::authz::check;
use crate::change::{Change, shown};
use crate::document::text;
use crate::error::bad_request;
use crate::integration::Integration;
use crate::route::Route;
use crate::stage::Stage;

pub const OPS: &[Op<ApiGatewayV2>] = ops![
    CreateDeployment => create_deployment [check],
    GetDeployment => get_deployment [check],
    GetDeployments => get_deployments [check],
    UpdateDeployment => update_deployment [check],
    DeleteDeployment => delete_deployment [check],
];

pub static DEPLOYMENTS: Table<Json<Deployment>> = Table::new("apigatewayv2.deployment");
/// What a deployment holds. One that a stage made by following the API holds nothing: such a stage
/// serves the API as it is.
pub static SNAPSHOTS: Table<Json<Snapshot>> = Table::new("apigatewayv2.snapshot");

/// A deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Deployment {
    pub deployment_id: String,
    pub auto_deployed: Option<bool>,
    pub created_date: Option<Time>,
    pub deployment_status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// An API at a moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    pub routes: Vec<Route>,
    pub integrations: Vec<Integration>,
    pub authorizers: Vec<Authorizer>,
    pub cors: Option<Cors>,
}

impl Child for Deployment {
    const KIND: &'static str = "Deployment";
    const ID: &'static str = "DeploymentId";
    fn table() -> &'static Table<Json<Self>> {
        &DEPLOYMENTS
    }
    fn id(&self) -> &str {
        &self.deployment_id
    }
}

impl Deployment {
    pub fn new(cx: &Cx, id: String, description: Option<String>, auto: bool) -> Self {
        Deployment {
            deployment_id: id,
            auto_deployed: Some(auto),
            created_date: Some(Time(cx.now)),
            deployment_status: "DEPLOYED".into(),
            description,
        }
    }
}

/// Keeps the API as it is now under a deployment's id.
pub async fn snapshot(change: &mut Change<'_>, id: &str) -> Result<()> {
    let snapshot = Snapshot {
        routes: change.all().await?,
        integrations: change.all().await?,
        authorizers: change.all().await?,
        cors: change.api.cors_configuration.clone(),
    };
    let key = child_key(&change.api.api_id, id);
    change.tx.put(&SNAPSHOTS, &key, &Json(snapshot));
    Ok(())
}

/// Forgets a deployment.
pub fn remove(change: &mut Change<'_>, id: &str) {
    let key = child_key(&change.api.api_id, id);
    change.delete::<Deployment>(id);
    change.tx.delete(&SNAPSHOTS, &key);
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-deployments.html#CreateDeployment>
async fn create_deployment(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    if change.all::<Route>().await?.is_empty() {
        return Err(bad_request("At least one route is required before deploying the Api."));
    }
    let description = input.str("Description").map(str::to_owned);
    let deployment = Deployment::new(cx, new_id(cx, 6), description, false);
    let id = &deployment.deployment_id;
    snapshot(&mut change, id).await?;
    change.put(&deployment);
    if let Some(name) = input.str("StageName") {
        let mut stage: Stage = change.get(name).await?;
        if stage.auto_deploy == Some(true) {
            return Err(bad_request(
                "Deploying to a stage with autoDeploy enabled is not supported",
            ));
        }
        stage.deployment_id = Some(id.clone());
        stage.last_updated_date = Some(Time(cx.now));
        stage.last_deployment_status_message =
            Some(format!("Successfully deployed stage with deployment ID '{id}'"));
        change.put(&stage);
    }
    change.commit().await?;
    shown(&deployment)
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-deployments-deploymentid.html#GetDeployment>
async fn get_deployment(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    gw.get::<Deployment>(cx, &input).await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-deployments.html#GetDeployments>
async fn get_deployments(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    gw.list::<Deployment>(cx, input).await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-deployments-deploymentid.html#UpdateDeployment>
async fn update_deployment(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let mut deployment: Deployment = change.get(text(&input, "DeploymentId")?).await?;
    if let Some(text) = input.str("Description") {
        deployment.description = Some(text.to_owned());
    }
    change.put(&deployment);
    change.commit().await?;
    shown(&deployment)
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-deployments-deploymentid.html#DeleteDeployment>
async fn delete_deployment(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let deployment: Deployment = change.get(text(&input, "DeploymentId")?).await?;
    let id = &deployment.deployment_id;
    for stage in change.all::<Stage>().await? {
        if stage.deployment_id.as_ref() == Some(id) {
            return Err(bad_request(
                "Active stages pointing to this deployment must be moved or deleted",
            ));
        }
    }
    remove(&mut change, id);
    change.commit().await
}
