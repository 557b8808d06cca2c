//! Stages: the names under which deployments are served.

use std::collections::BTreeMap;

use fogbank_apigw::{Child, Json, children, shown};
use fogbank_core::value::from_value;
use fogbank_core::{Cx, Op, Result, Time, Value, map, ops};
use fogbank_store::Table;
use serde::{Deserialize, Serialize};

use crate::ApiGateway;
use crate::authz::check;
use crate::deployment::Deployment;
use crate::document::{found, patches, text};
use crate::error::{bad_request, conflict};
use crate::patch::{self, Kind, Operation, Rule};

pub const OPS: &[Op<ApiGateway>] = ops![
    CreateStage => create_stage [check],
    GetStage => get_stage [check],
    GetStages => get_stages [check],
    UpdateStage => update_stage [check],
    DeleteStage => delete_stage [check],
    FlushStageAuthorizersCache => flush_stage_authorizers_cache [check],
];

pub static STAGES: Table<Json<Stage>> = Table::new("apigateway.stage");

/// Stages of an API at most.
const QUOTA: usize = 10;

/// A stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stage {
    pub stage_name: String,
    pub deployment_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log_settings: Option<AccessLogSettings>,
    pub cache_cluster_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_cluster_size: Option<String>,
    pub cache_cluster_status: String,
    pub created_date: Option<Time>,
    pub last_updated_date: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation_version: Option<String>,
    /// By `path/METHOD`, or `*/*` for all.
    pub method_settings: BTreeMap<String, MethodSetting>,
    pub tracing_enabled: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
}

/// Where access logs go, and in which form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccessLogSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_arn: Option<String>,
}

/// How methods are served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MethodSetting {
    pub metrics_enabled: bool,
    pub logging_level: String,
    pub data_trace_enabled: bool,
    pub throttling_burst_limit: i64,
    pub throttling_rate_limit: f64,
    pub caching_enabled: bool,
    pub cache_ttl_in_seconds: i64,
    pub cache_data_encrypted: bool,
    pub require_authorization_for_cache_control: bool,
    pub unauthorized_cache_control_header_strategy: String,
}

impl Default for MethodSetting {
    /// A stage's before anybody has set it; -1 is no throttle of its own.
    fn default() -> Self {
        MethodSetting {
            metrics_enabled: false,
            logging_level: "OFF".into(),
            data_trace_enabled: false,
            throttling_burst_limit: -1,
            throttling_rate_limit: -1.0,
            caching_enabled: false,
            cache_ttl_in_seconds: 300,
            cache_data_encrypted: false,
            require_authorization_for_cache_control: true,
            unauthorized_cache_control_header_strategy: "SUCCEED_WITH_RESPONSE_HEADER".into(),
        }
    }
}

impl Child for Stage {
    const KIND: &'static str = "stage";
    const ID: &'static str = "stageName";
    fn table() -> &'static Table<Json<Self>> {
        &STAGES
    }
    fn id(&self) -> &str {
        &self.stage_name
    }
}

const RULES: &[Rule] = &[
    ("/deploymentId", Kind::Text),
    ("/description", Kind::Text),
    ("/variables/*", Kind::Entry),
    ("/tracingEnabled", Kind::Bool),
    ("/accessLogSettings/destinationArn", Kind::Text),
    ("/accessLogSettings/format", Kind::Text),
    ("/cacheClusterEnabled", Kind::Bool),
    ("/cacheClusterSize", Kind::Text),
    ("/documentationVersion", Kind::Text),
];

/// The paths below `/{resource}/{method}` and the members they set.
const SETTINGS: [(&str, &str); 10] = [
    ("metrics/enabled", "metricsEnabled"),
    ("logging/loglevel", "loggingLevel"),
    ("logging/dataTrace", "dataTraceEnabled"),
    ("throttling/burstLimit", "throttlingBurstLimit"),
    ("throttling/rateLimit", "throttlingRateLimit"),
    ("caching/enabled", "cachingEnabled"),
    ("caching/ttlInSeconds", "cacheTtlInSeconds"),
    ("caching/dataEncrypted", "cacheDataEncrypted"),
    ("caching/requireAuthorizationForCacheControl", "requireAuthorizationForCacheControl"),
    ("caching/unauthorizedCacheControlHeaderStrategy", "unauthorizedCacheControlHeaderStrategy"),
];

impl Stage {
    pub fn new(cx: &Cx, name: &str) -> Self {
        Stage {
            stage_name: name.to_owned(),
            cache_cluster_status: "NOT_AVAILABLE".into(),
            created_date: Some(Time(cx.now)),
            last_updated_date: Some(Time(cx.now)),
            ..Stage::default()
        }
    }

    pub fn check(&self, cx: &Cx) -> Result<()> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let name = &self.stage_name;
        if name.is_empty() || name.len() > 128 || !name.bytes().all(fits) {
            return Err(bad_request("Stage name only allows a-zA-Z0-9_-"));
        }
        for (name, value) in &self.variables {
            let value_fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#&=,".contains(&b);
            let name_fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            if name.is_empty() || !name.bytes().all(name_fits) || !value.bytes().all(value_fits) {
                return Err(bad_request(format!(
                    "Stage variable {name} does not match the pattern [A-Za-z0-9-._~:/?#&=,]+"
                )));
            }
        }
        if let Some(log) = &self.access_log_settings
            && (log.destination_arn.is_some() || log.format.is_some())
        {
            let arn = log.destination_arn.as_deref().unwrap_or_default();
            if arn.starts_with("arn:aws:firehose:") {
                return Err(cx.refuse_member("accessLogSettings to Firehose"));
            }
            if !(arn.starts_with("arn:aws:logs:") && arn.contains(":log-group:")) {
                return Err(bad_request(format!(
                    "Invalid ARN specified in the request. ARN {arn} is not a log group"
                )));
            }
            let format = log.format.as_deref().unwrap_or_default();
            if !format.is_empty() && !fogbank_apigw::Format::parse(format).names_the_request() {
                return Err(bad_request(
                    "Access Log format must contain at least $context.requestId or $context.extendedRequestId",
                ));
            }
        }
        if self.cache_cluster_enabled || self.method_settings.values().any(|s| s.caching_enabled) {
            cx.ignore_member("caching");
        }
        if self.method_settings.values().any(|s| s.metrics_enabled) {
            cx.ignore_member("metrics");
        }
        crate::tag::validate(&self.tags)
    }

    /// Does an operation on a method's settings; `false` when its path is another's.
    fn set(&mut self, operation: &Operation) -> Result<bool> {
        let path = operation.path.as_deref().unwrap_or_default();
        let parts = patch::segments(path);
        let removes = operation.op.as_deref() == Some("remove");
        if let [resource @ .., method, group, name] = &parts[..]
            && !resource.is_empty()
            && let Some((_, member)) =
                SETTINGS.iter().find(|(p, _)| *p == format!("{group}/{name}"))
        {
            let key = setting_key(resource, method);
            let setting = self.method_settings.entry(key).or_default();
            let own = Operation { path: Some(format!("/{member}")), ..operation.clone() };
            *setting = patch::apply(setting, &[own], MEMBERS)?;
            let levels = ["OFF", "ERROR", "INFO"];
            if !levels.contains(&setting.logging_level.as_str()) {
                return Err(bad_request("Invalid logging level: must be OFF, ERROR or INFO"));
            }
            return Ok(true);
        }
        if removes
            && let [resource @ .., method] = &parts[..]
            && !resource.is_empty()
        {
            return Ok(self.method_settings.remove(&setting_key(resource, method)).is_some());
        }
        Ok(false)
    }
}

const MEMBERS: &[Rule] = &[
    ("/metricsEnabled", Kind::Bool),
    ("/loggingLevel", Kind::Text),
    ("/dataTraceEnabled", Kind::Bool),
    ("/throttlingBurstLimit", Kind::Int),
    ("/throttlingRateLimit", Kind::Float),
    ("/cachingEnabled", Kind::Bool),
    ("/cacheTtlInSeconds", Kind::Int),
    ("/cacheDataEncrypted", Kind::Bool),
    ("/requireAuthorizationForCacheControl", Kind::Bool),
    ("/unauthorizedCacheControlHeaderStrategy", Kind::Text),
];

fn setting_key(resource: &[String], method: &str) -> String {
    let path = resource.join("/");
    format!("{}/{method}", path.trim_start_matches('/'))
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_CreateStage.html>
async fn create_stage(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    if input.get("canarySettings").is_some() {
        return Err(cx.refuse_member("canarySettings"));
    }
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let given: Stage = from_value(input)?;
    let stage = Stage {
        created_date: Some(Time(cx.now)),
        last_updated_date: Some(Time(cx.now)),
        cache_cluster_status: "NOT_AVAILABLE".into(),
        method_settings: BTreeMap::new(),
        ..given
    };
    stage.check(cx)?;
    if change.find::<Deployment>(&stage.deployment_id).await?.is_none() {
        return Err(bad_request("Deployment id does not exist"));
    }
    if change.find::<Stage>(&stage.stage_name).await?.is_some() {
        return Err(conflict("Stage already exists"));
    }
    if change.all::<Stage>().await?.len() >= QUOTA {
        return Err(crate::error::limit("Maximum number of stages for this API has been reached."));
    }
    change.put(&stage);
    change.commit().await?;
    shown(&stage)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetStage.html>
async fn get_stage(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    gw.get::<Stage>(cx, &input).await
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetStages.html>
async fn get_stages(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let api = text(&input, "restApiId")?;
    gw.api(cx, api).await?;
    let deployment = input.str("deploymentId");
    let all: Vec<Stage> = children(&gw.store, api).await?;
    let fits = |s: &&Stage| deployment.is_none_or(|d| s.deployment_id == d);
    let items = all.iter().filter(fits).map(shown).collect::<Result<Vec<_>>>()?;
    Ok(map! { "item" => items })
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateStage.html>
async fn update_stage(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let mut stage: Stage = found(&mut change, text(&input, "stageName")?).await?;
    for operation in patches(&input)? {
        let path = operation.path.as_deref().unwrap_or_default();
        if path.starts_with("/canarySettings") {
            return Err(cx.refuse_member("canarySettings"));
        }
        if path == "/accessLogSettings" && operation.op.as_deref() == Some("remove") {
            stage.access_log_settings = None;
            continue;
        }
        if !stage.set(&operation)? {
            stage = patch::apply(&stage, std::slice::from_ref(&operation), RULES)?;
        }
    }
    stage.last_updated_date = Some(Time(cx.now));
    stage.check(cx)?;
    if change.find::<Deployment>(&stage.deployment_id).await?.is_none() {
        return Err(bad_request("Deployment id does not exist"));
    }
    change.put(&stage);
    change.commit().await?;
    shown(&stage)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteStage.html>
async fn delete_stage(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let stage: Stage = found(&mut change, text(&input, "stageName")?).await?;
    change.delete::<Stage>(&stage.stage_name);
    change.commit().await
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_FlushStageAuthorizersCache.html>
async fn flush_stage_authorizers_cache(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let (api, stage) = (text(&input, "restApiId")?, text(&input, "stageName")?);
    gw.child::<Stage>(cx, api, stage).await?;
    gw.answers.forget(&format!("{api}/{stage}/"));
    Ok(())
}
