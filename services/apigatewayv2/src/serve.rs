//! The front of HTTP APIs: from a request to a route, its authorizer and its integration.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>

use std::sync::Arc;

use fogbank_apigw::{AccessLog, Context, Front, Visit, message};
use fogbank_core::{Body, BoxFuture};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::ApiGatewayV2;
use crate::compiled::{Compiled, Serving, Target};

mod authorize;
mod cors;
mod integrate;
pub mod mapping;

impl Front for ApiGatewayV2 {
    fn serve(&self, visit: Visit) -> BoxFuture<'_, Result<Response<Body>, Visit>> {
        Box::pin(async move {
            match self.compiled(&visit.api).await {
                Ok(Some(compiled)) => Ok(self.answer(&compiled, visit).await),
                Ok(None) => Err(visit),
                Err(e) => {
                    let why = e.internal_context().unwrap_or_default();
                    tracing::error!(api = visit.api, "an API could not be read: {e}: {why}");
                    Ok(message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
                }
            }
        })
    }
}

/// A request that has found its route.
pub struct Routed<'a> {
    pub compiled: &'a Compiled,
    pub serving: &'a Serving,
    pub target: &'a Target,
    pub visit: &'a Visit,
    /// The path with its stage, as the function sees it.
    pub raw_path: &'a str,
    /// The path without its stage.
    pub path: &'a str,
    pub parameters: Vec<(&'a str, String)>,
    pub context: Context,
    /// `requestContext.authorizer` of events.
    pub authorizer: Option<serde_json::Value>,
}

impl Routed<'_> {
    pub fn stage(&self) -> &str {
        &self.serving.stage.stage_name
    }

    /// The ARN that policies and permissions name: `arn:aws:execute-api:…:api/stage/GET/path`.
    pub fn arn(&self, path: &str) -> String {
        let api = &self.compiled.api;
        let (stage, method) = (self.stage(), self.visit.parts.method.as_str());
        let id = &api.api_id;
        format!("arn:aws:execute-api:{}:{}:{id}/{stage}/{method}{path}", api.region, api.account)
    }
}

/// Why a request ends before its integration.
pub struct Refusal {
    pub status: StatusCode,
    pub message: &'static str,
    /// `www-authenticate`.
    pub challenge: Option<String>,
}

impl Refusal {
    pub const fn new(status: StatusCode, message: &'static str) -> Self {
        Refusal { status, message, challenge: None }
    }

    pub const FORBIDDEN: Refusal = Refusal::new(StatusCode::FORBIDDEN, "Forbidden");
    pub const UNAUTHORIZED: Refusal = Refusal::new(StatusCode::UNAUTHORIZED, "Unauthorized");
    pub const NOT_FOUND: Refusal = Refusal::new(StatusCode::NOT_FOUND, "Not Found");
    pub const INTERNAL: Refusal =
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    pub const UNAVAILABLE: Refusal =
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");

    fn response(&self) -> Response<Body> {
        let mut r = message(self.status, self.message);
        if let Some(c) = self.challenge.as_deref().and_then(|c| HeaderValue::from_str(c).ok()) {
            r.headers_mut().insert(http::header::WWW_AUTHENTICATE, c);
        }
        r
    }
}

impl ApiGatewayV2 {
    async fn answer(&self, compiled: &Compiled, visit: Visit) -> Response<Body> {
        let named = visit.host.contains(".execute-api.");
        if compiled.api.disable_execute_api_endpoint && named {
            return self.signed_off(Refusal::NOT_FOUND.response(), &visit);
        }
        let Some((serving, path)) = stage_of(compiled, &visit.path) else {
            return self.signed_off(Refusal::NOT_FOUND.response(), &visit);
        };
        let serving = Arc::clone(serving);
        if let Some(cors) = &serving.cors
            && let Some(answer) = cors::preflight(cors, &visit)
        {
            return self.signed_off(answer, &visit);
        }
        let method = visit.parts.method.as_str();
        let fits = |(m, t): &'_ (Option<String>, Arc<Target>)| {
            m.as_deref().is_none_or(|m| m == method).then(|| Arc::clone(t))
        };
        let found = serving.tree.find(path, fits);
        let found = found.or_else(|| Some((serving.default.clone()?, Vec::new())));
        let mut context = base_context(compiled, &serving, &visit);
        let mut response = match found {
            None => Refusal::NOT_FOUND.response(),
            Some((target, parameters)) => {
                context.set("routeKey", target.route.route_key.as_str());
                let mut routed = Routed {
                    compiled,
                    serving: &serving,
                    target: &target,
                    visit: &visit,
                    raw_path: &visit.path,
                    path,
                    parameters,
                    context,
                    authorizer: None,
                };
                let response = match self.pass(&mut routed).await {
                    Ok(response) => response,
                    Err(refusal) => {
                        routed.context.set("error.message", refusal.message);
                        routed
                            .context
                            .set("error.messageString", format!("\"{}\"", refusal.message));
                        refusal.response()
                    }
                };
                context = routed.context;
                response
            }
        };
        if let Some(cors) = &serving.cors {
            cors::decorate(cors, &visit, response.headers_mut());
        }
        self.log(compiled, &serving, &visit, context, &response);
        self.signed_off(response, &visit)
    }

    /// What stands between a route and its answer.
    async fn pass(&self, routed: &mut Routed<'_>) -> Result<Response<Body>, Refusal> {
        let visit = routed.visit;
        if visit.too_large {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Err(Refusal::new(status, "Request Entity Too Large"));
        }
        if let Some(rate) = routed.target.rate {
            let (api, stage) = (&routed.compiled.api.api_id, routed.stage());
            let bucket = format!("{api}/{stage}/{}", routed.target.route.route_key);
            if !self.throttles.take(&bucket, rate, visit.now) {
                return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"));
            }
        }
        self.authorize(routed).await?;
        self.integrate(routed).await
    }

    fn signed_off(&self, mut response: Response<Body>, visit: &Visit) -> Response<Body> {
        if let Ok(id) = HeaderValue::from_str(&visit.extended_id) {
            response.headers_mut().insert(HeaderName::from_static("apigw-requestid"), id);
        }
        response
    }

    fn log(
        &self,
        compiled: &Compiled,
        serving: &Serving,
        visit: &Visit,
        mut context: Context,
        response: &Response<Body>,
    ) {
        let Some((group, format)) = &serving.log else { return };
        context.set("status", response.status().as_u16().to_string());
        context.set("responseLength", response.body().length().unwrap_or_default().to_string());
        let took = visit.cloud.clock().now().duration_since(visit.now);
        context.set("responseLatency", took.as_millis().to_string());
        self.logs.write(AccessLog {
            group: Arc::clone(group),
            stream: format!("{}_{}", compiled.api.api_id, serving.stage.stage_name),
            account: compiled.api.account.clone(),
            region: compiled.api.region.clone(),
            text: format.line(&context),
            at: visit.now.as_millisecond(),
            role: None,
        });
    }
}

/// The stage of a path and what is left of it. The first segment names it, or it is the default.
fn stage_of<'c, 'p>(compiled: &'c Compiled, path: &'p str) -> Option<(&'c Arc<Serving>, &'p str)> {
    let rest = path.strip_prefix('/').unwrap_or(path);
    let (first, after) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let after = if after.is_empty() { "/" } else { after };
    let first = if first == "%24default" { "$default" } else { first };
    if let Some(serving) = compiled.stages.get(first) {
        return Some((serving, after));
    }
    let path = if path.is_empty() { "/" } else { path };
    compiled.stages.get("$default").map(|s| (s, path))
}

/// The variables of `$context` that every request has.
fn base_context(compiled: &Compiled, serving: &Serving, visit: &Visit) -> Context {
    let api = &compiled.api;
    let mut c = Context::default();
    c.set("accountId", api.account.as_str());
    c.set("apiId", api.api_id.as_str());
    c.set("domainName", visit.domain(&api.region));
    c.set("domainPrefix", api.api_id.as_str());
    c.set("extendedRequestId", visit.extended_id.as_str());
    c.set("requestId", visit.extended_id.as_str());
    c.set("httpMethod", visit.parts.method.as_str());
    c.set("path", visit.path.as_str());
    c.set("protocol", visit.protocol());
    c.set("stage", serving.stage.stage_name.as_str());
    c.set("requestTime", visit.request_time());
    c.set("requestTimeEpoch", visit.now.as_second().to_string());
    c.set("identity.sourceIp", visit.source_ip.to_string());
    if let Some(agent) = visit.header("user-agent") {
        c.set("identity.userAgent", agent);
    }
    c
}

/// Whether a method is one that an integration may be called with.
fn method(text: &str, visit: &Visit) -> Method {
    match text {
        "ANY" => visit.parts.method.clone(),
        m => m.parse().unwrap_or_else(|_| visit.parts.method.clone()),
    }
}
