//! Integrations at work: a function's invocation, or a request to an HTTP endpoint.

use std::time::Duration;

use fogbank_apigw::{
    Binary, Function, LIMIT, Manner, OutboundError, Rest, Simple, forwarded, invoke, is_hop,
    parse_proxied, rest_event, simple_event,
};
use fogbank_core::{Body, Cx, Result as ApiResult, Source};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::json;

use super::{Refusal, Routed, method};
use crate::ApiGatewayV2;
use crate::compiled::Behind;

/// What may not stand in a path as it is.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');

impl ApiGatewayV2 {
    /// Calls what stands behind the route.
    pub(super) async fn integrate(
        &self,
        routed: &mut Routed<'_>,
    ) -> Result<Response<Body>, Refusal> {
        let Some(behind) = &routed.target.integration else { return Err(Refusal::NOT_FOUND) };
        let started = routed.visit.cloud.clock().now();
        let outcome = match behind.integration.integration_type.as_str() {
            "AWS_PROXY" => self.function(routed, behind).await,
            _ => self.endpoint(routed, behind).await,
        };
        let took = routed.visit.cloud.clock().now().duration_since(started);
        let took = took.as_millis().to_string();
        routed.context.set("integrationLatency", took.as_str());
        routed.context.set("integration.latency", took);
        let (mut response, body) = outcome.map_err(|failure| {
            routed.context.set("integrationErrorMessage", failure.detail.as_str());
            routed.context.set("integration.error", failure.detail);
            failure.refusal
        })?;
        let mut status = response.status().as_u16();
        routed.context.set("integrationStatus", status.to_string());
        routed.context.set("integration.integrationStatus", status.to_string());
        behind.mappings.response(routed, &mut status, response.headers_mut(), &body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        *response.body_mut() = body.into();
        Ok(response)
    }

    fn limit(behind: &Behind) -> Duration {
        let millis = behind.integration.timeout_in_millis.unwrap_or(30_000);
        Duration::from_millis(u64::try_from(millis).unwrap_or(30_000))
    }

    async fn function(&self, routed: &Routed<'_>, behind: &Behind) -> Outcome {
        let scope = |name: &str| routed.variable(name);
        let uri = behind.uri.render(&scope, "");
        let Some(function) = Function::of_uri(&uri) else {
            return Err(Failure::internal("the integration's URI names no function"));
        };
        let simple = behind.integration.payload_format_version.as_deref() == Some("2.0");
        let event = if simple { routed.simple() } else { routed.rest() };
        let payload = serde_json::to_vec(&event).unwrap_or_default();
        let work = async {
            let cx = routed.acting(behind.integration.credentials_arn.as_deref()).await?;
            invoke(&cx, &function, payload, Manner::default()).await
        };
        let invoked = match tokio::time::timeout(Self::limit(behind), work).await {
            Err(_) => return Err(Failure::timeout()),
            Ok(Err(e)) => {
                let api = &routed.compiled.api.api_id;
                tracing::info!(api, function = function.0, "a function could not be called: {e}");
                return Err(Failure::internal(e.to_string()));
            }
            Ok(Ok(invoked)) => invoked,
        };
        if let Some(kind) = &invoked.error {
            let said = String::from_utf8_lossy(&invoked.payload);
            let detail = format!("The function failed ({kind}): {said}");
            return Err(Failure::internal(detail));
        }
        let Some(proxied) = parse_proxied(&invoked.payload, simple) else {
            return Err(Failure::internal(
                "The response from the Lambda function doesn't match the format that API Gateway expects.",
            ));
        };
        if proxied.body.len() > LIMIT {
            return Err(Failure::internal("The response is too large."));
        }
        let body = proxied.body.clone();
        Ok((proxied.response("text/plain;charset=UTF-8"), body))
    }

    async fn endpoint(&self, routed: &Routed<'_>, behind: &Behind) -> Outcome {
        let visit = routed.visit;
        let scope = |name: &str| routed.variable(name);
        let uri = behind.uri.render(&scope, "");
        let mut url = String::with_capacity(uri.len());
        let mut rest = uri.as_str();
        // `{proxy}` is the route's variable of this name.
        while let Some((before, after)) = rest.split_once('{') {
            url.push_str(before);
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            let name = name.trim_end_matches('+');
            if let Some((_, value)) = routed.parameters.iter().find(|(n, _)| *n == name) {
                url.extend(utf8_percent_encode(value, PATH));
            }
            rest = after;
        }
        url.push_str(rest);
        let (base, own) = url.split_once('?').map_or((url.as_str(), ""), |(b, q)| (b, q));
        let start = base.find("://").map_or(0, |at| at + 3);
        let slash = base[start..].find('/').map_or(base.len(), |at| start + at);
        let (origin, path) = base.split_at(slash);
        let mut path = path.to_owned();
        let mut query = [own, visit.query()]
            .into_iter()
            .filter(|q| !q.is_empty())
            .collect::<Vec<_>>()
            .join("&");
        let mut headers = HeaderMap::new();
        for (name, value) in visit.headers() {
            let skipped = matches!(name.as_str(), "host" | "content-length" | "expect");
            if !skipped && !is_hop(name.as_str()) {
                headers.append(name.clone(), value.clone());
            }
        }
        for (name, value) in forwarded(visit).into_iter().take(1) {
            if let Ok(v) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), v);
            }
        }
        let host = visit.domain(&routed.compiled.api.region);
        let came = format!("by=127.0.0.1;for={};host={host};proto=https", visit.source_ip);
        if let Ok(v) = HeaderValue::from_str(&came) {
            headers.append(http::header::FORWARDED, v);
        }
        headers.append(http::header::VIA, HeaderValue::from_static("HTTP/1.1 AmazonAPIGateway"));
        behind.mappings.request(routed, &mut path, &mut query, &mut headers);
        let mut target = format!("{origin}{path}");
        if !query.is_empty() {
            target.push('?');
            target.push_str(&query);
        }
        let verb = method(behind.integration.integration_method.as_deref().unwrap_or("ANY"), visit);
        let limit = Self::limit(behind);
        let cloud = &*visit.cloud;
        let sent = self.outbound.send(cloud, verb, &target, headers, visit.body.clone(), limit);
        let answer = sent.await.map_err(|e| {
            tracing::debug!(api = routed.compiled.api.api_id, "an endpoint failed: {e}");
            match e {
                OutboundError::Timeout => Failure::timeout(),
                OutboundError::Failed(why) => Failure { refusal: Refusal::INTERNAL, detail: why },
            }
        })?;
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = answer.status;
        for (name, value) in &answer.headers {
            if !is_hop(name.as_str()) && name != http::header::CONTENT_LENGTH {
                response.headers_mut().append(name.clone(), value.clone());
            }
        }
        Ok((response, answer.body))
    }
}

/// The answer without its body, and the body; or what went wrong.
type Outcome = Result<(Response<Body>, bytes::Bytes), Failure>;

struct Failure {
    refusal: Refusal,
    detail: String,
}

impl Failure {
    fn internal(detail: impl Into<String>) -> Self {
        Failure { refusal: Refusal::INTERNAL, detail: detail.into() }
    }

    fn timeout() -> Self {
        let detail = "Endpoint request timed out".to_owned();
        Failure { refusal: Refusal::UNAVAILABLE, detail }
    }
}

impl Routed<'_> {
    /// The service as it calls for this route, or a session of the role it is to use.
    pub(super) async fn acting(&self, role: Option<&str>) -> ApiResult<Cx> {
        let api = &self.compiled.api;
        let path = match self.target.route.route_key.split_once(' ') {
            Some((_, path)) => self.arn(path),
            None => {
                let (stage, id) = (self.stage(), &api.api_id);
                format!("arn:aws:execute-api:{}:{}:{id}/{stage}/$default", api.region, api.account)
            }
        };
        self.acting_for(path, role).await
    }

    /// As [`Routed::acting`], for the resource of this ARN.
    pub(super) async fn acting_for(&self, arn: String, role: Option<&str>) -> ApiResult<Cx> {
        let api = &self.compiled.api;
        let source = Source { arn, account: api.account.clone() };
        let cx = Cx::acting(
            &self.visit.cloud,
            "apigateway.amazonaws.com",
            "apigatewayv2",
            &api.account,
            api.region.clone(),
            Some(source),
        );
        match role {
            Some(role) if role.contains(":role/") => {
                let credential = cx.assume(role, "BackplaneAssumeRoleSession").await?;
                Ok(cx.in_session(&credential))
            }
            _ => Ok(cx),
        }
    }

    pub(super) fn simple(&self) -> serde_json::Value {
        let api = &self.compiled.api;
        simple_event(
            self.visit,
            &Simple {
                route_key: &self.target.route.route_key,
                raw_path: self.raw_path,
                path_parameters: &self.parameters,
                stage: self.stage(),
                variables: &self.serving.stage.stage_variables,
                account: &api.account,
                region: &api.region,
                authorizer: self.authorizer.as_ref(),
            },
        )
    }

    pub(super) fn rest(&self) -> serde_json::Value {
        let (api, visit) = (&self.compiled.api, self.visit);
        let key = &self.target.route.route_key;
        let resource = key.split_once(' ').map_or(key.as_str(), |(_, path)| path);
        let identity = |name: &str| self.context.get(&format!("identity.{name}"));
        let mut context = json!({
            "accountId": api.account,
            "apiId": api.api_id,
            "domainName": visit.domain(&api.region),
            "domainPrefix": api.api_id,
            "extendedRequestId": visit.extended_id,
            "httpMethod": visit.parts.method.as_str(),
            "identity": {
                "accessKey": identity("accessKey"),
                "accountId": identity("accountId"),
                "caller": identity("caller"),
                "cognitoAmr": null,
                "cognitoAuthenticationProvider": null,
                "cognitoAuthenticationType": null,
                "cognitoIdentityId": null,
                "cognitoIdentityPoolId": null,
                "principalOrgId": null,
                "sourceIp": visit.source_ip.to_string(),
                "user": identity("user"),
                "userAgent": visit.user_agent(),
                "userArn": identity("userArn"),
            },
            "path": self.raw_path,
            "protocol": visit.protocol(),
            "requestId": visit.extended_id,
            "requestTime": visit.request_time(),
            "requestTimeEpoch": visit.now.as_millisecond(),
            "resourceId": key,
            "resourcePath": resource,
            "stage": self.stage(),
        });
        if let Some(a) = self.authorizer.as_ref().filter(|a| a.get("iam").is_none()) {
            // Format 1.0 has what a function told beside, not below, its principal.
            context["authorizer"] = a.get("lambda").unwrap_or(a).clone();
        }
        let event = Rest {
            version: Some("1.0"),
            resource,
            path: self.raw_path,
            path_parameters: &self.parameters,
            variables: &self.serving.stage.stage_variables,
            context,
            binary: Binary::ByType,
        };
        rest_event(visit, event)
    }
}
