//! Stages: the names under which deployments are served.

use std::collections::BTreeMap;

use fogbank_apigw::{Child, Format, Json};
use fogbank_core::value::from_value;
use fogbank_core::{Cx, Op, Result, Time, Value, ops};
use fogbank_store::Table;
use serde::{Deserialize, Serialize};

use crate::ApiGatewayV2;
use crate::authz::check;
use crate::change::{Change, shown};
use crate::deployment::{Deployment, snapshot};
use crate::document::{overlay, text, without_empty};
use crate::error::{bad_request, conflict};
use crate::route::Route;

pub const OPS: &[Op<ApiGatewayV2>] = ops![
    CreateStage => create_stage [check],
    GetStage => get_stage [check],
    GetStages => get_stages [check],
    UpdateStage => update_stage [check],
    DeleteStage => delete_stage [check],
    DeleteAccessLogSettings => delete_access_log_settings [check],
    DeleteRouteSettings => delete_route_settings [check],
    ResetAuthorizersCache => reset_authorizers_cache [check],
];

pub static STAGES: Table<Json<Stage>> = Table::new("apigatewayv2.stage");

/// Stages of an API at most.
const QUOTA: usize = 10;

/// A stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Stage {
    pub stage_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log_settings: Option<AccessLogSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_gateway_managed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_deploy: Option<bool>,
    pub created_date: Option<Time>,
    pub default_route_settings: RouteSettings,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_deployment_status_message: Option<String>,
    pub last_updated_date: Option<Time>,
    pub route_settings: BTreeMap<String, RouteSettings>,
    pub stage_variables: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
}

/// Where access logs go, and in which form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AccessLogSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// How routes are served.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RouteSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detailed_metrics_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttling_burst_limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttling_rate_limit: Option<f64>,
}

impl Child for Stage {
    const KIND: &'static str = "stage";
    const ID: &'static str = "StageName";
    fn table() -> &'static Table<Json<Self>> {
        &STAGES
    }
    fn id(&self) -> &str {
        &self.stage_name
    }
}

impl Stage {
    pub fn new(cx: &Cx, name: &str) -> Self {
        let now = Some(Time(cx.now));
        Stage {
            stage_name: name.to_owned(),
            created_date: now,
            last_updated_date: now,
            default_route_settings: RouteSettings {
                detailed_metrics_enabled: Some(false),
                ..RouteSettings::default()
            },
            ..Stage::default()
        }
    }

    async fn check(&self, change: &mut Change<'_>) -> Result<()> {
        let name = &self.stage_name;
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if name != "$default" && !name.bytes().all(fits) {
            return Err(bad_request("Stage name must be alphanumeric, '-', '_' or $default"));
        }
        if let Some(log) = &self.access_log_settings {
            let arn = log.destination_arn.as_deref().unwrap_or_default();
            let is_group = arn.starts_with("arn:aws:logs:") && arn.contains(":log-group:");
            if arn.starts_with("arn:aws:firehose:") {
                return Err(change.cx.refuse_member("AccessLogSettings to Firehose"));
            }
            if !is_group {
                return Err(bad_request(format!(
                    "Invalid ARN specified in the request. ARN {arn} does not refer to a log group"
                )));
            }
            let format = log.format.as_deref().unwrap_or_default();
            if !Format::parse(format).names_the_request() {
                return Err(bad_request(
                    "Access Log format must contain at least $context.requestId",
                ));
            }
        }
        for (name, value) in &self.stage_variables {
            let name_fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            let value_fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#&=,".contains(&b);
            if name.is_empty() || !name.bytes().all(name_fits) || !value.bytes().all(value_fits) {
                return Err(bad_request(format!(
                    "Stage variable name or value does not match the pattern: {name}"
                )));
            }
        }
        if !self.route_settings.is_empty() {
            let routes: Vec<Route> = change.all().await?;
            for key in self.route_settings.keys() {
                if !routes.iter().any(|r| r.route_key == *key) {
                    return Err(fogbank_core::ApiError::new(
                        "NotFoundException",
                        format!(
                            "Unable to find Route by key {key} within the provided RouteSettings"
                        ),
                    )
                    .status(404));
                }
            }
        }
        crate::tag::check(&self.tags)
    }

    fn refuse(cx: &Cx, input: &Value) -> Result<()> {
        if input.str("ClientCertificateId").is_some_and(|s| !s.is_empty()) {
            return Err(bad_request("ClientCertificateId is not supported for HTTP APIs"));
        }
        let settings = input.get("RouteSettings").map_or(&[][..], |v| match v {
            Value::Map(m) => m,
            _ => &[],
        });
        let all =
            input.get("DefaultRouteSettings").into_iter().chain(settings.iter().map(|(_, v)| v));
        for s in all {
            let on = |m: &str| matches!(s.get(m), Some(Value::Bool(true)));
            let level = s.str("LoggingLevel").is_some_and(|l| l != "OFF");
            if on("DataTraceEnabled") || level {
                return Err(bad_request("Execution logs are not supported on protocolType HTTP"));
            }
            if on("DetailedMetricsEnabled") {
                cx.ignore_member("RouteSettings.DetailedMetricsEnabled");
            }
        }
        Ok(())
    }

    /// The deployment that is asked for must be there.
    async fn deployed(&self, change: &mut Change<'_>) -> Result<()> {
        if let Some(id) = self.deployment_id.clone() {
            change.get::<Deployment>(&id).await?;
        }
        Ok(())
    }
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages.html#CreateStage>
async fn create_stage(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    Stage::refuse(cx, &input)?;
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let given: Stage = from_value(input.clone())?;
    let mut stage: Stage = overlay(&Stage::new(cx, &given.stage_name), input, &[])?;
    stage.default_route_settings.detailed_metrics_enabled.get_or_insert(false);
    without_empty(&mut stage.stage_variables);
    if change.find::<Stage>(&stage.stage_name).await?.is_some() {
        return Err(conflict("Stage already exists"));
    }
    stage.check(&mut change).await?;
    change.room::<Stage>(QUOTA).await?;
    if stage.auto_deploy == Some(true) {
        if stage.deployment_id.is_some() {
            return Err(bad_request("deploymentId must not be specified when autoDeploy is true"));
        }
        change.follow(&mut stage).await?;
    } else {
        stage.deployed(&mut change).await?;
    }
    change.put(&stage);
    change.commit().await?;
    shown(&stage)
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages-stagename.html#GetStage>
async fn get_stage(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    gw.get::<Stage>(cx, &input).await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages.html#GetStages>
async fn get_stages(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    gw.list::<Stage>(cx, input).await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages-stagename.html#UpdateStage>
async fn update_stage(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    Stage::refuse(cx, &input)?;
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let old: Stage = change.get(text(&input, "StageName")?).await?;
    let mut stage: Stage = overlay(&old, input, &["StageVariables", "RouteSettings"])?;
    stage.last_updated_date = Some(Time(cx.now));
    stage.check(&mut change).await?;
    let (was, is) = (old.auto_deploy == Some(true), stage.auto_deploy == Some(true));
    if is && stage.deployment_id != old.deployment_id {
        return Err(bad_request("deploymentId must not be specified when autoDeploy is true"));
    }
    if is && !was {
        change.follow(&mut stage).await?;
    } else if was && !is && stage.deployment_id == old.deployment_id {
        // From now on it serves what it served last.
        if let Some(id) = stage.deployment_id.clone() {
            snapshot(&mut change, &id).await?;
            let mut d: Deployment = change.get(&id).await?;
            d.auto_deployed = Some(false);
            change.put(&d);
        }
    } else if !is {
        stage.deployed(&mut change).await?;
        if stage.deployment_id != old.deployment_id
            && let Some(id) = &stage.deployment_id
        {
            stage.last_deployment_status_message =
                Some(format!("Successfully deployed stage with deployment ID '{id}'"));
        }
    }
    change.put(&stage);
    change.commit().await?;
    shown(&stage)
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages-stagename.html#DeleteStage>
async fn delete_stage(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let stage: Stage = change.get(text(&input, "StageName")?).await?;
    change.delete::<Stage>(&stage.stage_name);
    change.commit().await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages-stagename-accesslogsettings.html>
async fn delete_access_log_settings(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let mut stage: Stage = change.get(text(&input, "StageName")?).await?;
    stage.access_log_settings = None;
    change.put(&stage);
    change.commit().await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages-stagename-routesettings-routekey.html>
async fn delete_route_settings(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "ApiId")?).await?;
    let mut stage: Stage = change.get(text(&input, "StageName")?).await?;
    let key = text(&input, "RouteKey")?;
    if stage.route_settings.remove(key).is_none() {
        return Err(crate::error::not_found("Route"));
    }
    change.put(&stage);
    change.commit().await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages-stagename-cache-authorizers.html>
async fn reset_authorizers_cache(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<()> {
    let (api, stage) = (text(&input, "ApiId")?, text(&input, "StageName")?);
    gw.child::<Stage>(cx, api, stage).await?;
    gw.answers.forget(&format!("{api}/{stage}/"));
    Ok(())
}
