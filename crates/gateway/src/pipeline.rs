//! One request, from its head to its reply.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use fogbank_core::cx::CxParts;
use fogbank_core::{
    ApiError, Body, Cloud, Cx, Http, Peer, Plane, Principal, Reply, Result, Str, Value,
};
use fogbank_model::{Protocol, Service as Model};
use fogbank_sigv4::Dialect;
use fogbank_wire::{self as wire, Call};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, header};
use hyper::body::Incoming;

use crate::authenticate::Caller;
use crate::authorise::dialect;
use crate::understand::{Arrived, Content, Ready, wire_request};
use crate::which::{self, Which};
use crate::{Entry, Gateway, Mode, browser, form, incoming, limits, names};

/// The service of requests that name a bucket in their host.
const S3: &str = "s3";

/// What the journal and the reply need to know, however far the request came.
pub struct Trace {
    pub request_id: String,
    pub principal: Option<Arc<Principal>>,
    pub call: Option<Call>,
    /// Present once the request was understood.
    pub cx: Option<Cx>,
}

impl Trace {
    fn operation(&self) -> &'static str {
        self.call.map_or("?", |c| c.operation.name)
    }
}

impl Gateway {
    /// Answers a request that is not for one of our own paths.
    pub(crate) async fn serve(
        self: &Arc<Self>,
        mut parts: Parts,
        body: Incoming,
        peer: Peer,
    ) -> Response<Body> {
        if limits::head_is_too_large(&parts.headers) {
            return refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        let Some(host) = host(&parts) else { return refuse(StatusCode::BAD_REQUEST) };
        let name = names::without_port(&host).to_ascii_lowercase();
        if let Some(plane) = self.plane(&name, &parts) {
            let body = incoming::stream(body, Default::default());
            return plane.serve(http::Request::from_parts(parts, body), peer).await;
        }
        // A preflight says nothing of the service; at the root it is never for a bucket.
        let place = which::host(&name);
        if parts.method == Method::OPTIONS && parts.uri.path() == "/" && place.bucket().is_none() {
            return browser::preflight(&parts.headers);
        }
        let (model, content) = match self.which(&parts, &place, body).await {
            Ok(found) => found,
            Err(e) => return self.nowhere(&parts, &e),
        };
        let original = parts.uri.clone();
        if model.id == S3
            && let Some(bucket) = place.bucket()
        {
            match path_style(&original, bucket) {
                Some(uri) => parts.uri = uri,
                None => return refuse(StatusCode::BAD_REQUEST),
            }
        }
        let region = place.region.map(str::to_owned);
        self.reply(model, Arrived { parts, original, host, region, content, peer }).await
    }

    /// The plane whose host or, where the host says nothing, whose path it is.
    fn plane(&self, host: &str, parts: &Parts) -> Option<&Arc<dyn Plane>> {
        if !names::is_plain(host) {
            let path = parts.uri.path();
            return self.planes.iter().find(|p| p.serves(host) || p.serves_at(host, path));
        }
        let path = parts.uri.path();
        let mut fits = self.planes.iter().filter(|p| p.serves_path(path, None));
        let first = fits.next()?;
        match names::signed_service(parts) {
            None => Some(first),
            signed => {
                let signed = signed.as_deref();
                std::iter::once(first).chain(fits).find(|p| p.serves_path(path, signed))
            }
        }
    }

    /// The service, and the body if it had to be read to know.
    async fn which(
        &self,
        parts: &Parts,
        place: &names::HostName<'_>,
        body: Incoming,
    ) -> Result<(&'static Model, Content)> {
        let heads = match which::by_head(parts, names::signed_service(parts).as_deref(), place)? {
            Which::Service(h) => return Ok((h.service(), Content::Unread(body))),
            Which::Form(heads) => heads,
        };
        let bytes = incoming::collect(body, limits::body(""), &Default::default()).await?;
        let form = String::from_utf8_lossy(&bytes);
        let form = if bytes.is_empty() { parts.uri.query().unwrap_or_default() } else { &*form };
        let head = which::by_form(&heads, self.services.keys().copied(), form)?;
        Ok((head.service(), Content::Read(bytes)))
    }

    /// Runs the request and writes its reply or its error.
    async fn reply(self: &Arc<Self>, model: &'static Model, arrived: Arrived) -> Response<Body> {
        let started = Instant::now();
        let s3 = dialect(model) == Dialect::S3;
        let request_id = if s3 { self.ids.s3_request_id() } else { self.ids.request_id() };
        let mut trace = Trace { request_id, principal: None, call: None, cx: None };
        let headers = &arrived.parts.headers;
        let crosses =
            headers.contains_key(header::ORIGIN) && arrived.parts.method != Method::OPTIONS;
        let waits = headers.contains_key(header::EXPECT);
        let uri = arrived.parts.uri.clone();
        let protocol = wire::protocol(model, &wire_request(&arrived.parts, &Bytes::new()));
        let outcome = self.run(model, arrived, &mut trace).await;
        let error: Option<Str> = outcome.as_ref().err().map(|e| e.code().to_owned().into());
        let mut response = match outcome {
            Ok(response) => response,
            Err(e) => {
                log(model, &trace, &e);
                if let Some(cx) = trace.cx.as_ref().filter(|_| !waits) {
                    incoming::drain(cx.take_body()).await;
                }
                let (operation, protocol) =
                    trace.call.map_or((None, protocol), |c| (Some(c.operation), c.protocol));
                let mut response =
                    wire::encode_error(model, operation, protocol, &e, &trace.request_id);
                if waits {
                    // The client may or may not send its body now: only a new connection is in step.
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                response
            }
        };
        if crosses && !self.edges.contains_key(model.id) {
            browser::decorate(response.headers_mut());
        }
        if let Some(cx) = &trace.cx {
            if let Some(edge) = self.edges.get(model.id).filter(|_| crosses) {
                edge.decorate(cx, uri.path(), response.headers_mut()).await;
            }
            let ignored = cx.ignored();
            if !ignored.is_empty()
                && let Ok(v) = HeaderValue::from_str(&ignored.join(", "))
            {
                response.headers_mut().insert(HeaderName::from_static("x-fogbank-ignored"), v);
            }
        }
        sign_off(response.headers_mut(), model, &trace.request_id);
        let operation = trace.operation();
        self.journal.record(Entry {
            time: self.clock.now(),
            request_id: trace.request_id,
            principal: trace.principal.unwrap_or_else(|| Arc::clone(&self.anonymous)),
            service: model.id,
            operation,
            error,
            duration: started.elapsed(),
            internal: false,
        });
        response
    }

    async fn run(
        self: &Arc<Self>,
        model: &'static Model,
        mut arrived: Arrived,
        trace: &mut Trace,
    ) -> Result<Response<Body>> {
        if arrived.parts.method == Method::OPTIONS {
            let Some(edge) = self.edges.get(model.id) else {
                return Ok(browser::preflight(&arrived.parts.headers));
            };
            let caller = self.anonymous(&arrived);
            let cx =
                trace.cx.insert(self.cx(model.id, "", &mut arrived, caller, &trace.request_id));
            return edge.preflight(cx, arrived.parts.uri.path()).await;
        }
        if form::is_form(&arrived.parts) && self.edges.contains_key(model.id) {
            return self.form(model, arrived, trace).await;
        }
        let Ready { call, value, caller, body, trailers } =
            match self.understand(model, &mut arrived, trace).await {
                Ok(ready) => ready,
                Err(e) => {
                    // Across origins a browser sees a refusal only if it may.
                    let caller = self.anonymous(&arrived);
                    trace.cx = Some(self.cx(model.id, "", &mut arrived, caller, &trace.request_id));
                    return Err(e);
                }
            };
        let cx = self.cx(model.id, call.operation.name, &mut arrived, caller, &trace.request_id);
        let cx = trace.cx.insert(cx.with_body(body).with_trailers(trailers));
        let reply = self.perform(cx, value).await?;
        Ok(call.encode(reply, &trace.request_id))
    }

    /// Authorises and runs `cx`'s operation: what a client's request and a service's call share.
    pub(crate) async fn perform(&self, cx: &Cx, value: Value) -> Result<Reply> {
        let service = self.services.get(cx.service).filter(|s| s.has(cx.operation));
        let service = service.ok_or_else(|| unimplemented(cx.service, cx.operation))?;
        if self.mode != Mode::Off {
            for check in service.checks(cx, cx.operation, &value).await? {
                self.allow(cx, &check).await?;
            }
        }
        service.run(cx, cx.operation, value).await
    }

    pub(crate) fn anonymous(&self, arrived: &Arrived) -> Caller {
        Caller::anonymous(Arc::clone(&self.anonymous), arrived.region.as_deref())
    }

    /// The context of a request. It takes the headers: nobody else needs them any more.
    pub(crate) fn cx(
        self: &Arc<Self>,
        service: &'static str,
        operation: &'static str,
        arrived: &mut Arrived,
        caller: Caller,
        request_id: &str,
    ) -> Cx {
        let peer = arrived.peer;
        let ip = peer.address.ip().to_canonical();
        let uri = arrived.original.path_and_query();
        let http = Http {
            method: arrived.parts.method.clone(),
            uri: uri.map_or_else(String::new, |u| u.as_str().to_owned()),
            host: std::mem::take(&mut arrived.host),
            tls: peer.tls,
            headers: Arc::new(std::mem::take(&mut arrived.parts.headers)),
        };
        let cloud: Arc<dyn Cloud> = Arc::clone(self) as _;
        Cx::new(
            cloud,
            CxParts {
                account: caller.account,
                region: caller.region,
                principal: caller.principal,
                access_key: caller.access_key,
                service,
                operation,
                request_id: request_id.to_owned(),
                source_ip: ip,
                secure: peer.tls || ip.is_loopback(),
                http: Some(http),
                source: None,
                body: Body::Empty,
            },
        )
    }

    /// The answer to a request for a service that nobody knows, in a form its client can read.
    fn nowhere(&self, parts: &Parts, e: &ApiError) -> Response<Body> {
        let json = parts.headers.contains_key("x-amz-target")
            || parts
                .headers
                .get(header::CONTENT_TYPE)
                .is_some_and(|t| t.as_bytes().windows(4).any(|w| w.eq_ignore_ascii_case(b"json")));
        let known = if json { ("kms", Protocol::Json) } else { ("sts", Protocol::Query) };
        let id = self.ids.request_id();
        match fogbank_model::service(known.0) {
            Some(model) => wire::encode_error(model, None, known.1, e, &id),
            None => refuse(StatusCode::BAD_REQUEST),
        }
    }
}

/// The refusal, by name, of what no service here implements.
pub fn unimplemented(service: &str, operation: &str) -> ApiError {
    ApiError::not_implemented(&format!("{service}:{operation}"))
}

/// Our own faults are logged here, where the request ends; the client sees none of the context.
fn log(model: &Model, trace: &Trace, e: &ApiError) {
    let Some(context) = e.internal_context() else { return };
    let operation = trace.operation();
    let (service, code, request_id) = (model.id, e.code(), &trace.request_id);
    if e.status_override().is_some_and(|s| s >= 500) {
        tracing::error!(service, operation, code, request_id, "{context}");
    } else {
        tracing::debug!(service, operation, code, request_id, "{context}");
    }
}

/// The headers that every reply ends with; the protocols have written most of them.
pub fn sign_off(headers: &mut HeaderMap, model: &Model, request_id: &str) {
    headers.insert(header::SERVER, HeaderValue::from_static("fogbank"));
    let id = if dialect(model) == Dialect::S3 { "x-amz-request-id" } else { "x-amzn-requestid" };
    if !headers.contains_key(id)
        && let Ok(value) = HeaderValue::from_str(request_id)
    {
        headers.insert(HeaderName::from_static(id), value);
    }
}

/// Host and port as the client gave them; `None` when it gave none, or nothing that is text.
fn host(parts: &Parts) -> Option<String> {
    if let Some(authority) = parts.uri.authority() {
        return Some(authority.as_str().to_owned());
    }
    Some(parts.headers.get(header::HOST)?.to_str().ok()?.to_owned())
}

/// The path-style form of a request whose bucket is in the host; `None` when that is no URI.
fn path_style(uri: &Uri, bucket: &str) -> Option<Uri> {
    let rest = uri.path_and_query().map_or("/", |p| p.as_str());
    format!("/{bucket}{rest}").parse().ok()
}

/// A refusal from before anybody knows in which words to put it.
fn refuse(status: StatusCode) -> Response<Body> {
    let mut r = Response::new(Body::Empty);
    *r.status_mut() = status;
    r.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    r
}

/// An empty body that was never read.
impl Default for Content {
    fn default() -> Self {
        Content::Read(Bytes::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_moves_from_the_host_to_the_path() {
        let style = |uri: &str, bucket: &str| {
            path_style(&uri.parse().unwrap(), bucket).map(|u| u.to_string())
        };
        assert_eq!(style("/a%20b?x=1", "b").unwrap(), "/b/a%20b?x=1");
        assert_eq!(
            style("http://b.s3.localhost:4566/?list-type=2", "b").unwrap(),
            "/b/?list-type=2"
        );
        assert_eq!(style("/", "no space"), None);
    }
}
