//! Integrations: what is sent to a backend, and what its answer becomes.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-integration-settings.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fogbank_apigw::{Binary, LIMIT, media_type};
use fogbank_core::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use regex_lite::Regex;

use super::mapping::Answered;
use super::velocity::Rendered;
use super::{Exec, Refusal};
use crate::compiled::{Back, Lazy, Node, Target, Templates};

/// What a backend answered.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// A function's own error, which selects the response in place of the status.
    pub error: Option<String>,
}

/// What a request becomes on its way to the backend.
#[derive(Debug, Default)]
pub struct Prepared {
    pub body: Bytes,
    pub content_type: String,
    /// What its template asks for beside.
    pub overrides: Rendered,
}

impl Exec<'_> {
    pub(super) async fn integrate(
        &mut self,
        node: &Node,
        target: &Target,
    ) -> Result<Response<Body>, Refusal> {
        let started = self.visit.cloud.clock().now();
        let outcome = match target.integration.kind.as_str() {
            "MOCK" => self.mock(target),
            "AWS_PROXY" => return self.proxied(node, target).await,
            "AWS" => self.aws(target).await,
            "HTTP" => self.http(target).await,
            "HTTP_PROXY" => {
                let answer = self.http(target).await?;
                self.took(started, &answer);
                return Ok(passed_on(answer));
            }
            _ => Err(Refusal::internal()),
        };
        let answer = outcome?;
        self.took(started, &answer);
        self.respond(target, &answer)
    }

    /// Notes how long the backend took and what it said.
    pub fn took(&mut self, started: jiff::Timestamp, answer: &Answer) {
        let took = self.visit.cloud.clock().now().duration_since(started).as_millis().to_string();
        self.note(|| {
            format!("Received response. Status: {}, Integration latency: {took} ms", answer.status)
        });
        self.note(|| {
            let body = String::from_utf8_lossy(&answer.body);
            format!("Endpoint response body before transformations: {body}")
        });
        self.context.set("integrationStatus", answer.status.to_string());
        self.context.set("integration.status", answer.status.to_string());
        self.context.set("integrationLatency", took.as_str());
        self.context.set("integration.latency", took);
    }

    /// The body that the backend gets: a template's, or the client's.
    pub fn prepare(&mut self, target: &Target) -> Result<Prepared, Refusal> {
        let integration = &target.integration;
        let given = self.visit.header("content-type").map(media_type).unwrap_or_default();
        let media = if given.is_empty() { "application/json" } else { given };
        let body = self.converted(integration.content_handling.as_deref())?;
        let Some((_, template)) = target.templates.get(media) else {
            let passes = match &*integration.passthrough_behavior {
                "NEVER" => false,
                "WHEN_NO_TEMPLATES" => target.templates.is_empty(),
                _ => true,
            };
            if !passes {
                return Err(Refusal::of("UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type"));
            }
            let content_type = media.to_owned();
            return Ok(Prepared { body, content_type, overrides: Rendered::default() });
        };
        let mut rendered = self.rendered(template, &body)?;
        self.note(|| format!("Endpoint request body after transformations: {}", rendered.text));
        let text = std::mem::take(&mut rendered.text);
        Ok(Prepared { body: text.into(), content_type: media.to_owned(), overrides: rendered })
    }

    /// Renders a template; what goes wrong in it is the API's fault.
    fn rendered(&mut self, template: &Lazy, body: &[u8]) -> Result<Rendered, Refusal> {
        self.render(template, body).map_err(|why| {
            tracing::debug!(api = self.deployed.api.id, "a template failed: {why}");
            self.note(|| format!("Execution failed due to configuration error: {why}"));
            Refusal::internal()
        })
    }

    /// The client's body with its content handled.
    fn converted(&self, handling: Option<&str>) -> Result<Bytes, Refusal> {
        let body = &self.visit.body;
        let binary = Binary::Listed(&self.deployed.api.binary_media_types)
            .is(self.visit.header("content-type"));
        match handling {
            Some("CONVERT_TO_BINARY") if !binary => {
                STANDARD.decode(body.trim_ascii()).map(Bytes::from).map_err(|_| Refusal::internal())
            }
            Some("CONVERT_TO_TEXT") if binary => Ok(STANDARD.encode(body).into()),
            _ => Ok(body.clone()),
        }
    }

    /// A mock answers with the status that its template says.
    fn mock(&mut self, target: &Target) -> Result<Answer, Refusal> {
        let prepared = self.prepare(target)?;
        let text = String::from_utf8_lossy(&prepared.body);
        // JSON, or what is near enough: `{ statusCode: 200 }`.
        let status = Regex::new(r#"["']?statusCode["']?\s*:\s*["']?(\d{3})\b"#)
            .ok()
            .and_then(|r| r.captures(&text)?.get(1)?.as_str().parse().ok());
        let Some(status) = status else {
            self.note(|| "Execution failed due to configuration error: Unable to parse statusCode. It should be an integer that is defined in the request template.".to_owned());
            return Err(Refusal::internal());
        };
        Ok(Answer { status, ..Answer::default() })
    }

    /// What the client gets for a backend's answer.
    fn respond(&mut self, target: &Target, answer: &Answer) -> Result<Response<Body>, Refusal> {
        let subject = answer.error.clone().unwrap_or_else(|| answer.status.to_string());
        let matches = |b: &&Back| b.pattern.as_ref().is_some_and(|p| p.is_match(&subject));
        let found = target.responses.iter().find(matches);
        let found = found.or_else(|| target.responses.iter().find(|b| b.pattern.is_none()));
        let Some(back) = found else {
            self.note(|| "Execution failed due to configuration error: No match for output mapping and no default output mapping configured.".to_owned());
            return Err(Refusal::internal());
        };
        let mut response = Response::new(Body::Empty);
        let mut status: u16 = back.response.status_code.parse().unwrap_or(200);
        let answered = Answered { headers: &answer.headers, body: &answer.body };
        for (to, from) in &back.response.response_parameters {
            let name = to.strip_prefix("method.response.header.").unwrap_or_default();
            if let Some(value) = self.source(from, Some(&answered)) {
                put(response.headers_mut(), name, &value);
            }
        }
        let backend = answer.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let mut content_type = match target.integration.kind.as_str() {
            "HTTP" => backend.unwrap_or("application/json").to_owned(),
            _ => "application/json".to_owned(),
        };
        let body = match chosen(&back.templates, self.visit.header("accept"), backend) {
            Some((media, template)) => {
                media.clone_into(&mut content_type);
                let rendered = self.rendered(template, &answer.body)?;
                status = rendered.status.unwrap_or(status);
                for (name, value) in &rendered.headers {
                    put(response.headers_mut(), name, value);
                }
                rendered.text.into()
            }
            None => answer.body.clone(),
        };
        let body: Bytes = match back.response.content_handling.as_deref() {
            Some("CONVERT_TO_BINARY") => {
                STANDARD.decode(body.trim_ascii()).map_err(|_| Refusal::internal())?.into()
            }
            Some("CONVERT_TO_TEXT") => STANDARD.encode(&body).into(),
            _ => body,
        };
        if body.len() > LIMIT {
            return Err(Refusal::internal());
        }
        if !response.headers().contains_key(CONTENT_TYPE) {
            put(response.headers_mut(), "content-type", &content_type);
        }
        self.note(|| {
            let text = String::from_utf8_lossy(&body);
            format!("Method response body after transformations: {text}")
        });
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        *response.body_mut() = body.into();
        Ok(response)
    }
}

/// The template of an answer: of a type that the client accepts, of the backend's, or JSON's.
fn chosen<'t>(
    templates: &'t Templates,
    accept: Option<&str>,
    backend: Option<&str>,
) -> Option<(&'t str, &'t Lazy)> {
    let accepted = accept.unwrap_or_default().split(',').find_map(|a| templates.get(a));
    accepted
        .or_else(|| templates.get(backend?))
        .or_else(|| templates.get("application/json"))
        .or_else(|| templates.first())
}

/// An answer as it came.
pub fn passed_on(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Body::Full(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in &answer.headers {
        let own = fogbank_apigw::is_hop(name.as_str()) || name == http::header::CONTENT_LENGTH;
        if !own {
            response.headers_mut().append(name.clone(), value.clone());
        }
    }
    response
}

/// Sets a header, if its name and value are such.
pub fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) =
        (HeaderName::try_from(name.to_ascii_lowercase()), HeaderValue::from_bytes(value.as_bytes()))
    {
        headers.insert(name, value);
    }
}
