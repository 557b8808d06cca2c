//! The front of REST APIs: from a request to its method, and from there to its answer.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-rest-api.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use fogbank_apigw::{AccessLog, Context, Front, Rate, Visit, message};
use fogbank_core::{Body, BoxFuture, Principal};
use http::{HeaderValue, Response, StatusCode};

use crate::ApiGateway;
use crate::compiled::{Compiled, Deployed, Node, Serving, Target};
use crate::stage::Stage;

mod authorize;
mod aws;
mod backend;
mod integrate;
mod mapping;
mod proxy;
mod refusal;
mod validate;
mod velocity;

pub use refusal::Refusal;

impl Front for ApiGateway {
    fn serve(&self, visit: Visit) -> BoxFuture<'_, Result<Response<Body>, Visit>> {
        Box::pin(async move {
            match self.compiled(&visit.api).await {
                Ok(Some(compiled)) => Ok(self.answer(&compiled, visit).await),
                Ok(None) => Err(visit),
                Err(e) => {
                    let why = e.internal_context().unwrap_or_default();
                    tracing::error!(api = visit.api, "an API could not be read: {e}: {why}");
                    Ok(message(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error"))
                }
            }
        })
    }
}

/// A request under way.
pub struct Exec<'a> {
    pub gw: &'a ApiGateway,
    pub deployed: &'a Deployed,
    pub stage: &'a Stage,
    pub visit: &'a Visit,
    /// The path without its stage, as received.
    pub path: &'a str,
    pub node: Option<&'a Node>,
    pub parameters: Vec<(&'a str, String)>,
    pub context: Context,
    /// Who signed, where the method asks for it.
    pub caller: Option<Arc<Principal>>,
    /// The key that the authorizer found.
    pub usage_key: Option<String>,
    /// What happened, for whoever wants to read it.
    pub log: Option<Vec<String>>,
}

impl<'a> Exec<'a> {
    pub fn new(
        gw: &'a ApiGateway,
        deployed: &'a Deployed,
        stage: &'a Stage,
        visit: &'a Visit,
        path: &'a str,
    ) -> Self {
        let mut exec = Exec {
            gw,
            deployed,
            stage,
            visit,
            path,
            node: None,
            parameters: Vec::new(),
            context: Context::default(),
            caller: None,
            usage_key: None,
            log: None,
        };
        exec.begin();
        exec
    }

    /// The variables of `$context` that every request has.
    fn begin(&mut self) {
        let (api, visit) = (&self.deployed.api, self.visit);
        let c = &mut self.context;
        c.set("accountId", api.account.as_str());
        c.set("apiId", api.id.as_str());
        c.set("awsEndpointRequestId", visit.request_id.as_str());
        c.set("domainName", visit.domain(&api.region));
        c.set("domainPrefix", api.id.as_str());
        c.set("extendedRequestId", visit.extended_id.as_str());
        c.set("requestId", visit.request_id.as_str());
        c.set("httpMethod", visit.parts.method.as_str());
        c.set("path", format!("/{}{}", self.stage.stage_name, self.path));
        c.set("protocol", visit.protocol());
        c.set("stage", self.stage.stage_name.as_str());
        c.set("deploymentId", self.stage.deployment_id.as_str());
        c.set("requestTime", visit.request_time());
        c.set("requestTimeEpoch", visit.now.as_millisecond().to_string());
        c.set("identity.sourceIp", visit.source_ip.to_string());
        if let Some(agent) = visit.header("user-agent") {
            c.set("identity.userAgent", agent);
        }
        let trace =
            fogbank_apigw::forwarded(visit).into_iter().find(|(n, _)| *n == "x-amzn-trace-id");
        if let Some((_, trace)) = trace {
            c.set("xrayTraceId", trace);
        }
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(line());
        }
    }

    /// The ARN that policies and permissions name: `arn:aws:execute-api:…:api/stage/GET/path`.
    pub fn arn(&self, path: &str) -> String {
        let api = &self.deployed.api;
        let (stage, method) = (&self.stage.stage_name, self.visit.parts.method.as_str());
        let id = &api.id;
        format!("arn:aws:execute-api:{}:{}:{id}/{stage}/{method}{path}", api.region, api.account)
    }

    /// The settings of a method, or the stage's, and which they are.
    fn setting(
        &self,
        node: &Node,
        method: &str,
    ) -> Option<(&'a crate::stage::MethodSetting, String)> {
        let key = format!("{}/{method}", node.path.trim_start_matches('/'));
        let all = &self.stage.method_settings;
        let own = all.get(&key).map(|s| (s, key));
        own.or_else(|| all.get("*/*").map(|s| (s, "*/*".to_owned())))
    }

    /// The answer: the method's, or the gateway's own.
    pub async fn run(&mut self) -> Response<Body> {
        let mut response = match self.found().await {
            Ok(response) => response,
            Err(refusal) => self.refuse(&refusal),
        };
        for (name, value) in [
            ("x-amzn-requestid", &self.visit.request_id),
            ("x-amz-apigw-id", &self.visit.extended_id),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    async fn found(&mut self) -> Result<Response<Body>, Refusal> {
        if self.visit.too_large {
            return Err(Refusal::of(
                "REQUEST_TOO_LARGE",
                "HTTP content length exceeded 10485760 bytes.",
            ));
        }
        let deployed = self.deployed;
        // A slash at the end is not told apart.
        let path = match self.path.trim_end_matches('/') {
            "" => "/",
            rest => rest,
        };
        let missing =
            || Refusal::of("MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token");
        let Some((node, parameters)) = deployed.tree.find(path, |n| Some(&**n)) else {
            return Err(missing());
        };
        let verb = self.visit.parts.method.as_str();
        let target = node.methods.get(verb).or_else(|| node.methods.get("ANY"));
        let target: &'a Target = target.ok_or_else(missing)?;
        self.node = Some(node);
        self.parameters = parameters;
        self.context.set("resourceId", node.id.as_str());
        self.context.set("resourcePath", node.path.as_str());
        self.method(node, target).await
    }

    /// What stands between a method and its integration.
    async fn method(
        &mut self,
        node: &'a Node,
        target: &'a Target,
    ) -> Result<Response<Body>, Refusal> {
        if self.log.is_none() {
            if let Some((setting, key)) = self.setting(node, &target.method.http_method)
                && setting.throttling_rate_limit >= 0.0
                && setting.throttling_burst_limit >= 0
            {
                let rate = Rate {
                    per_second: setting.throttling_rate_limit,
                    burst: setting.throttling_burst_limit as f64,
                };
                let bucket = format!("{}/{}/{key}", self.deployed.api.id, self.stage.stage_name);
                if !self.gw.throttles.take(&bucket, rate, self.visit.now) {
                    return Err(Refusal::of("THROTTLED", "Too Many Requests"));
                }
            }
            self.authorize(target).await?;
            self.key(node, target).await?;
        }
        self.validate(target)?;
        self.integrate(node, target).await
    }

    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.stage.variables
    }
}

impl ApiGateway {
    async fn answer(&self, compiled: &Compiled, visit: Visit) -> Response<Body> {
        let forbidden = || {
            let mut r = message(StatusCode::FORBIDDEN, "Forbidden");
            let kind = HeaderValue::from_static("ForbiddenException");
            r.headers_mut().insert("x-amzn-errortype", kind);
            r
        };
        if compiled.api.disable_execute_api_endpoint && visit.host.contains(".execute-api.") {
            return forbidden();
        }
        let rest = visit.path.strip_prefix('/').unwrap_or(&visit.path);
        let (name, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let Some(serving) = compiled.stages.get(name) else { return forbidden() };
        let serving = Arc::clone(serving);
        let mut exec = Exec::new(self, &serving.deployed, &serving.stage, &visit, path);
        let mut response = exec.run().await;
        if let Some(trace) = exec.context.get("xrayTraceId")
            && let Ok(trace) = HeaderValue::from_str(trace)
        {
            response.headers_mut().insert("x-amzn-trace-id", trace);
        }
        let length = response.body().length().unwrap_or_default();
        self.log(&serving, exec, response.status(), length).await;
        response
    }

    async fn log(&self, serving: &Serving, mut exec: Exec<'_>, status: StatusCode, length: u64) {
        let Some((group, format)) = &serving.log else { return };
        let (api, visit) = (&exec.deployed.api, exec.visit);
        let context = &mut exec.context;
        context.set("status", status.as_u16().to_string());
        context.set("responseLength", length.to_string());
        let took = visit.cloud.clock().now().duration_since(visit.now);
        context.set("responseLatency", took.as_millis().to_string());
        // Without the account's role, log delivery writes by itself, as it does for HTTP APIs.
        let account = self.account(&api.account, &api.region).await.unwrap_or_default();
        self.logs.write(AccessLog {
            group: Arc::clone(group),
            stream: format!("{}_{}", api.id, serving.stage.stage_name),
            account: api.account.clone(),
            region: api.region.clone(),
            text: format.line(context),
            at: visit.now.as_millisecond(),
            role: account.cloudwatch_role_arn,
        });
    }
}
