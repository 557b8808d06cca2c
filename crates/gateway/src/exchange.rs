//! What planes and integrations ask of the front door: who signed a request, and a service's own
//! answer to a request in its protocol.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use fogbank_core::cx::CxParts;
use fogbank_core::{ApiError, Body, Credential, Cx, Exchange, Result, Str};
use fogbank_model::{Protocol, Service as Model};
use fogbank_sigv4::{Dialect, Head, payload};
use fogbank_wire::{self as wire, Call};
use http::request::Parts;
use http::{HeaderValue, Response, Uri, header};

use crate::pipeline::{sign_off, unimplemented};
use crate::understand::wire_request;
use crate::{Entry, Gateway};

impl Gateway {
    /// The credential that signed a plane's request; `None` when none did.
    ///
    /// # Errors
    /// What is wrong with the signature.
    pub(crate) async fn signed_by(
        &self,
        service: &str,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Option<Arc<Credential>>> {
        let head = Head::of(parts);
        let words = Dialect::RestJson;
        let Some(signed) = fogbank_sigv4::parse(&head).map_err(|e| e.api(words))? else {
            return Ok(None);
        };
        signed.expect_service(service).map_err(|e| e.api(words))?;
        let text = payload::of_body(&head, body);
        self.authenticate(&head, &signed, &text, words).await?;
        let key = signed.scope.access_key();
        self.identities.credential(key, signed.token.as_deref()).await
    }

    /// A service's own answer, over the wire's forms, to a request of `cx`'s principal.
    pub(crate) async fn converse(&self, cx: &Cx, exchange: Exchange) -> Response<Body> {
        let started = Instant::now();
        let id = self.ids.request_id();
        let Exchange { service, operation, request } = exchange;
        let (mut parts, body) = request.into_parts();
        let Some(model) = model(&service, parts.uri.path()) else {
            return no_service(&service, &id);
        };
        let (body, call) = match operation {
            Some(name) => match name_operation(model, &name, &mut parts, body) {
                Ok(body) => (body, None),
                Err(e) => return error(model, None, &e, &id),
            },
            None => (body, None::<Call>),
        };
        let mut call = call;
        let outcome = self.answer(cx, model, &parts, body, &id, &mut call).await;
        let code: Option<Str> = outcome.as_ref().err().map(|e| e.code().to_owned().into());
        let mut response = outcome.unwrap_or_else(|e| error(model, call, &e, &id));
        sign_off(response.headers_mut(), model, &id);
        self.journal.record(Entry {
            time: self.clock.now(),
            request_id: id,
            principal: Arc::clone(&cx.principal),
            service: model.id,
            operation: call.map_or("?", |c| c.operation.name),
            error: code,
            duration: started.elapsed(),
            internal: true,
        });
        response
    }

    async fn answer(
        &self,
        cx: &Cx,
        model: &'static Model,
        parts: &Parts,
        body: Bytes,
        id: &str,
        found: &mut Option<Call>,
    ) -> Result<Response<Body>> {
        let call = wire::route(model, &wire_request(parts, &body))?;
        *found = Some(call);
        let name = call.operation.name;
        if !self.services.get(model.id).is_some_and(|s| s.has(name)) {
            return Err(unimplemented(model.id, name));
        }
        let (stream, body) =
            if call.streams_input() { (body.into(), Bytes::new()) } else { (Body::Empty, body) };
        let value = call.decode(&wire_request(parts, &body))?;
        let inner = Cx::new(
            Arc::clone(&cx.cloud),
            CxParts {
                account: cx.account.clone(),
                region: cx.region.clone(),
                principal: Arc::clone(&cx.principal),
                access_key: None,
                service: model.id,
                operation: name,
                request_id: id.to_owned(),
                source_ip: cx.source_ip,
                secure: true,
                http: None,
                source: cx.source.clone(),
                body: stream,
            },
        );
        let reply = self.perform(&inner, value).await?;
        Ok(call.encode(reply, id))
    }
}

/// The model of the service that a host name's label stands for; the path tells services apart
/// that share one.
fn model(label: &str, path: &str) -> Option<&'static Model> {
    let second = path.starts_with("/v2/") && label == "apigateway";
    let label = if second { "apigatewayv2" } else { label };
    let by = |test: &dyn Fn(&fogbank_model::Head) -> bool| fogbank_model::find(test).next();
    let head = by(&|h| h.id == label)
        .or_else(|| by(&|h| h.endpoint == label))
        .or_else(|| by(&|h| h.signing == label))?;
    Some(head.service())
}

/// Says which operation is meant, as the service's protocol does. Returns the body.
fn name_operation(
    model: &'static Model,
    name: &str,
    parts: &mut Parts,
    body: Bytes,
) -> Result<Bytes> {
    let unknown = || ApiError::new("UnknownOperationException", "").status(404);
    if !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(unknown());
    }
    let json = model.protocols.contains(&Protocol::Json);
    let query = model.protocols.iter().any(|p| matches!(p, Protocol::Query | Protocol::Ec2));
    let sent = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let form = sent.is_some_and(|t| t.starts_with(b"application/x-www-form-urlencoded"));
    if json && !(query && form) {
        let target = format!("{}.{name}", target_of(model));
        let target = HeaderValue::try_from(target).map_err(|_| unknown())?;
        parts.headers.insert("x-amz-target", target);
        let kind = HeaderValue::from_static("application/x-amz-json-1.0");
        parts.headers.insert(header::CONTENT_TYPE, kind);
        parts.uri = Uri::from_static("/");
        parts.method = http::Method::POST;
        return Ok(if body.is_empty() { Bytes::from_static(b"{}") } else { body });
    }
    if query {
        let mut text = format!("Action={name}&Version={}", model.version);
        let query = parts.uri.query().unwrap_or_default();
        let own = if form { std::str::from_utf8(&body).unwrap_or_default() } else { "" };
        for more in [query, own] {
            let rest = more.split('&').filter(|p| {
                !p.is_empty() && !p.starts_with("Action=") && !p.starts_with("Version=")
            });
            for pair in rest {
                text.push('&');
                text.push_str(pair);
            }
        }
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        parts.headers.insert(header::CONTENT_TYPE, kind);
        parts.uri = Uri::from_static("/");
        parts.method = http::Method::POST;
        return Ok(text.into());
    }
    Err(unknown())
}

fn target_of(model: &Model) -> &'static str {
    fogbank_model::find(|h| h.id == model.id).next().map_or("", |h| h.target)
}

fn error(model: &'static Model, call: Option<Call>, e: &ApiError, id: &str) -> Response<Body> {
    let protocol = model.protocols.first().copied().unwrap_or(Protocol::Json);
    let (operation, protocol) = call.map_or((None, protocol), |c| (Some(c.operation), c.protocol));
    wire::encode_error(model, operation, protocol, e, id)
}

fn no_service(label: &str, id: &str) -> Response<Body> {
    let e = ApiError::not_implemented(&format!("The service {label}"));
    match fogbank_model::service("kms") {
        Some(model) => wire::encode_error(model, None, Protocol::Json, &e, id),
        None => Response::new(Body::Empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(service: &str, operation: &str, body: &'static str) -> (Parts, Bytes) {
        let model = model(service, "/").unwrap();
        let (mut parts, ()) = http::Request::get("/x?A=1").body(()).unwrap().into_parts();
        let body = name_operation(model, operation, &mut parts, body.into()).unwrap();
        (parts, body)
    }

    #[test]
    fn operations_are_named_as_each_protocol_wants() {
        let (parts, body) = named("states", "StartSyncExecution", "{\"a\":1}");
        assert_eq!(parts.headers["x-amz-target"], "AWSStepFunctions.StartSyncExecution");
        assert_eq!(
            (parts.method.as_str(), parts.uri.path(), &body[..]),
            ("POST", "/", &b"{\"a\":1}"[..])
        );
        let (parts, body) = named("sns", "Publish", "");
        assert_eq!(body, "Action=Publish&Version=2010-03-31&A=1");
        assert!(parts.headers[header::CONTENT_TYPE].as_bytes().starts_with(b"application/x-www"));
        assert_eq!(model("apigateway", "/v2/apis").unwrap().id, "apigatewayv2");
        assert!(model("nope", "/").is_none());
    }
}
