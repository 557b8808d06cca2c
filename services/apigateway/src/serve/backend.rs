//! What leaves for a backend: URI, headers, query and body after all mappings; and HTTP backends.

use std::time::Duration;

use bytes::Bytes;
use fogbank_apigw::{OutboundError, forwarded, is_hop, pairs};
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use super::integrate::{Answer, put};
use super::{Exec, Refusal};
use crate::compiled::Target;

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
    .add(b'}')
    .add(b'%');

/// A request to a backend.
pub struct Outgoing {
    pub method: Method,
    /// With its variables filled in and without its query.
    pub uri: String,
    /// Encoded.
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Exec<'_> {
    /// Makes the request; `all` is whether the client's own headers and query go along.
    pub fn outgoing(&mut self, target: &Target, all: bool) -> Result<Outgoing, Refusal> {
        let integration = &target.integration;
        let prepared = if all {
            super::integrate::Prepared { body: self.visit.body.clone(), ..Default::default() }
        } else {
            self.prepare(target)?
        };
        let mut headers = HeaderMap::new();
        let mut query: Vec<(String, String)> = Vec::new();
        let mut path: Vec<(String, String)> = Vec::new();
        let id = &self.deployed.api.id;
        if all {
            for (name, value) in self.visit.headers() {
                let own = matches!(name.as_str(), "host" | "content-length" | "expect");
                if !own && !is_hop(name.as_str()) {
                    headers.append(name.clone(), value.clone());
                }
            }
            for (name, value) in forwarded(self.visit) {
                put(&mut headers, name, &value);
            }
            query = self.visit.parameters();
        } else {
            put(&mut headers, CONTENT_TYPE.as_str(), &prepared.content_type);
            headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            if let Some(trace) = self.context.get("xrayTraceId") {
                put(&mut headers, "x-amzn-trace-id", trace);
            }
            put(&mut headers, USER_AGENT.as_str(), &format!("AmazonAPIGateway_{id}"));
        }
        put(&mut headers, "x-amzn-apigateway-api-id", id);
        for (to, from) in &integration.request_parameters {
            let Some(value) = self.source(from, None) else { continue };
            let place = to.strip_prefix("integration.request.").unwrap_or_default();
            match place.split_once('.') {
                Some(("header", name)) => put(&mut headers, name, &value),
                Some(("querystring", name)) => {
                    query.retain(|(n, _)| n != name);
                    query.push((name.to_owned(), value));
                }
                Some(("path", name)) => path.push((name.to_owned(), value)),
                _ => {}
            }
        }
        let overrides = prepared.overrides;
        for (name, value) in &overrides.headers {
            put(&mut headers, name, value);
        }
        for (name, value) in overrides.query {
            query.retain(|(n, _)| *n != name);
            query.push((name, value));
        }
        for (name, value) in overrides.path {
            path.retain(|(n, _)| *n != name);
            path.push((name, value));
        }
        let uri = self.with_variables(integration.uri.as_deref().unwrap_or_default());
        let (uri, own) = uri.split_once('?').map_or((&*uri, ""), |(u, q)| (u, q));
        let mut uri = uri.to_owned();
        for (name, value) in &path {
            // A greedy variable keeps its slashes.
            let value = utf8_percent_encode(value, PATH).to_string();
            uri = uri.replace(&format!("{{{name}}}"), &value);
        }
        let mut all_pairs = pairs(own);
        all_pairs.extend(query);
        let escape = |s: &str| utf8_percent_encode(s, NON_ALPHANUMERIC).to_string();
        let query: Vec<String> =
            all_pairs.iter().map(|(k, v)| format!("{}={}", escape(k), escape(v))).collect();
        let verb = match integration.http_method.as_deref() {
            Some("ANY") | None => self.visit.parts.method.clone(),
            Some(m) => m.parse().map_err(|_| Refusal::internal())?,
        };
        let query = query.join("&");
        self.note(|| format!("Endpoint request URI: {uri}"));
        Ok(Outgoing { method: verb, uri, query, headers, body: prepared.body })
    }

    pub fn limit(target: &Target) -> Duration {
        Duration::from_millis(u64::try_from(target.integration.timeout_in_millis).unwrap_or(29_000))
    }

    /// Asks an HTTP backend.
    pub(super) async fn http(&mut self, target: &Target) -> Result<Answer, Refusal> {
        let out = self.outgoing(target, target.integration.kind == "HTTP_PROXY")?;
        let url = match out.query.as_str() {
            "" => out.uri,
            query => format!("{}?{query}", out.uri),
        };
        self.note(|| format!("Sending request to {url}"));
        let cloud = &*self.visit.cloud;
        let sent = self.gw.outbound.send(
            cloud,
            out.method,
            &url,
            out.headers,
            out.body,
            Self::limit(target),
        );
        match sent.await {
            Ok(r) => Ok(Answer {
                status: r.status.as_u16(),
                headers: r.headers,
                body: r.body,
                error: None,
            }),
            Err(OutboundError::Timeout) => Err(Refusal::timeout()),
            Err(OutboundError::Failed(why)) => {
                tracing::debug!(api = self.deployed.api.id, "a backend failed: {why}");
                self.note(|| format!("Execution failed due to configuration error: {why}"));
                Err(Refusal::of("INTEGRATION_FAILURE", "Network error communicating with endpoint"))
            }
        }
    }
}
