//! The server of function URLs: `ID.lambda-url.REGION.on.aws`, or `/_aws/lambda-url/ID/` where no
//! name leads here; and of uploaded code.

use std::sync::{Arc, OnceLock, Weak};

use bytes::{Bytes, BytesMut};
use fogbank_apigw::parse_proxied;
use fogbank_core::{Body, BoxFuture, Check, Cloud, Credential, Cx, Peer, Plane, Principal};
use fogbank_lambda_runtime::Part;
use futures_util::StreamExt;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Value as Json, json};

use super::{IDS, URLS, Url, download, event, id_key};
use crate::invoke::{Piece, Request as Invocation, Run, Streamed, Unable};
use crate::name::Target;
use crate::{Lambda, authz};

const PATH: &str = "/_aws/lambda-url/";
/// The most that a request may have.
const LIMIT: usize = 6 << 20;
/// The content type of streams that begin with their status and headers.
const PRELUDE: &str = "application/vnd.awslambda.http-integration-response";

/// The name that AWS gives a URL's host.
pub fn domain(id: &str, region: &str) -> String {
    format!("{id}.lambda-url.{region}.on.aws")
}

/// The plane.
pub struct Urls {
    lambda: Arc<Lambda>,
    cloud: OnceLock<Weak<dyn Cloud>>,
}

impl Urls {
    #[must_use]
    pub fn new(lambda: Arc<Lambda>) -> Arc<Self> {
        Arc::new(Urls { lambda, cloud: OnceLock::new() })
    }

    /// Tells it which cloud it serves.
    pub fn connect(&self, cloud: &Arc<dyn Cloud>) {
        let _ = self.cloud.set(Arc::downgrade(cloud));
    }

    async fn answer(&self, request: Request<Body>, peer: Peer) -> Response<Body> {
        let Some(cloud) = self.cloud.get().and_then(Weak::upgrade) else {
            return told(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
        };
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        if path.starts_with(download::PATH) {
            let query = parts.uri.query().unwrap_or_default();
            return self.lambda.download(path, query, cloud.clock().now()).await;
        }
        let named = parts.headers.get(header::HOST).and_then(|h| h.to_str().ok());
        let host = parts.uri.authority().map(http::uri::Authority::as_str).or(named);
        let host = host.unwrap_or_default();
        let host = host.rsplit_once(':').map_or(host, |(h, _)| h).to_ascii_lowercase();
        let (id, path) = match of_host(&host) {
            Some(id) => (id.to_owned(), path.to_owned()),
            None => match of_path(path) {
                Some((id, rest)) => (id.to_owned(), rest.to_owned()),
                None => return forbidden(),
            },
        };
        self.visit(cloud, &id, path, parts, body, peer).await
    }

    async fn visit(
        &self,
        cloud: Arc<dyn Cloud>,
        id: &str,
        path: String,
        parts: Parts,
        body: Body,
        peer: Peer,
    ) -> Response<Body> {
        let found = self.lambda.url(id).await;
        let (target, url) = match found {
            Ok(Some(found)) => found,
            Ok(None) => return forbidden(),
            Err(e) => {
                tracing::error!("a function URL cannot be read: {e}");
                return told(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
            }
        };
        let origin = parts.headers.get(header::ORIGIN).cloned();
        let asks = parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if let Some(cors) = &url.cors
            && parts.method == Method::OPTIONS
            && asks
        {
            let mut response = Response::new(Body::Empty);
            cors.preflight(origin.as_ref(), response.headers_mut());
            return response;
        }
        let Ok(body) = body.collect(LIMIT).await else {
            return told(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        };
        let mut response = self.run(cloud, &target, &url, path, parts, body, peer).await;
        if let Some(cors) = &url.cors {
            cors.decorate(origin.as_ref(), response.headers_mut());
        }
        response
    }

    #[expect(clippy::too_many_arguments, reason = "a request in its parts")]
    async fn run(
        &self,
        cloud: Arc<dyn Cloud>,
        target: &Target,
        url: &Url,
        path: String,
        parts: Parts,
        body: Bytes,
        peer: Peer,
    ) -> Response<Body> {
        let caller = match cloud.authenticate("lambda", &parts, &body).await {
            Ok(caller) => caller.filter(|_| url.signed),
            Err(_) if !url.signed => None,
            Err(_) => return forbidden(),
        };
        let cx = context(&cloud, target, caller.as_deref(), &parts, peer);
        if self.lambda.admit(&cx, target, url).await.is_err() {
            return forbidden();
        }
        let trace = parts.headers.get("x-amzn-trace-id").and_then(|v| v.to_str().ok());
        let trace = trace.map(str::to_owned);
        let id = url.id.clone();
        let visit = event::visit(Arc::clone(&cloud), parts, body, peer, &id, path);
        let event = event::event(&visit, target, caller.as_deref());
        let invocation = Invocation {
            id: visit.request_id.clone(),
            payload: event.to_string().into(),
            client_context: None,
            trace,
            tenant: None,
            streaming: None,
        };
        let resolved = match self.lambda.resolve(&cx, target.clone()).await {
            Ok(r) => r,
            Err(e) => return told(StatusCode::NOT_FOUND, e.message()),
        };
        if url.streams {
            return match self.lambda.run_streamed(&cx, resolved, invocation).await {
                Ok(streamed) => stream(streamed).await,
                Err(e) => unable(e),
            };
        }
        match self.lambda.run(&cx, resolved, invocation).await {
            Ok(run) => buffered(&run),
            Err(e) => unable(e),
        }
    }
}

/// Who asks, as policies see it.
fn context(
    cloud: &Arc<dyn Cloud>,
    target: &Target,
    caller: Option<&Credential>,
    parts: &Parts,
    peer: Peer,
) -> Cx {
    let anonymous = || Arc::new(Principal::anonymous());
    let principal = caller.map_or_else(anonymous, |c| Arc::clone(&c.principal));
    let ip = peer.address.ip().to_canonical();
    Cx::new(
        Arc::clone(cloud),
        fogbank_core::cx::CxParts {
            account: target.account.clone(),
            region: target.region.clone().into(),
            principal,
            access_key: caller.map(|c| c.access_key.clone()),
            service: "lambda",
            operation: "InvokeFunctionUrl",
            request_id: cloud.ids().request_id(),
            source_ip: ip,
            secure: peer.tls || ip.is_loopback(),
            http: Some(fogbank_core::Http {
                method: parts.method.clone(),
                uri: parts.uri.to_string(),
                host: String::new(),
                tls: peer.tls,
                headers: Arc::new(parts.headers.clone()),
            }),
            source: None,
            body: Body::Empty,
        },
    )
}

impl Lambda {
    /// The function and the settings of a URL.
    async fn url(&self, id: &str) -> fogbank_core::Result<Option<(Target, Url)>> {
        let Some(place) = self.store.get(&IDS, &id_key(id)).await? else { return Ok(None) };
        let target = place.target();
        let url = self.store.get(&URLS, &target.qualified_key()).await?;
        Ok(url.filter(|u| u.id == id).map(|u| (target, u)))
    }

    /// Whether the caller may: both of the permissions that a URL asks for.
    ///
    /// <https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html>
    async fn admit(&self, cx: &Cx, target: &Target, url: &Url) -> fogbank_core::Result<()> {
        let auth = if url.signed { "AWS_IAM" } else { "NONE" };
        let check: Check = authz::of(self, target, "lambda:InvokeFunctionUrl".into()).await?;
        cx.authorize(check.clone().with("lambda:FunctionUrlAuthType", auth)).await?;
        let invoke = Check { action: "lambda:InvokeFunction".into(), ..check };
        let invoke = invoke.with("lambda:InvokedViaFunctionUrl", "true");
        cx.authorize(invoke.with("lambda:FunctionUrlAuthType", auth)).await
    }

    async fn download(&self, path: &str, query: &str, now: jiff::Timestamp) -> Response<Body> {
        let blob = self.signer.open(path, query, now).ok().flatten();
        let Some(blob) = blob.and_then(|b| b.parse().ok()) else { return forbidden() };
        match self.blobs.read(&blob, ..).await {
            Ok(body) => {
                let mut response = Response::new(body);
                let zip = HeaderValue::from_static("application/zip");
                response.headers_mut().insert(header::CONTENT_TYPE, zip);
                response
            }
            Err(_) => told(StatusCode::NOT_FOUND, "Not Found"),
        }
    }
}

fn buffered(run: &Run) -> Response<Body> {
    let answer = run.outcome.result.as_ref().ok().and_then(|b| parse_proxied(b, true));
    match answer {
        Some(proxied) => proxied.response("application/json"),
        None => told(StatusCode::BAD_GATEWAY, "Internal Server Error"),
    }
}

/// A streamed answer: its head from the prelude, if it has one, then the parts as they come.
async fn stream(streamed: Streamed) -> Response<Body> {
    let mut pieces = Box::pin(streamed.pieces());
    let (mut typed, mut head) = (String::new(), BytesMut::new());
    let mut response = Response::new(Body::Empty);
    let first = loop {
        match pieces.next().await {
            Some(Piece::Part(Part::Head { content_type })) => typed = content_type,
            Some(Piece::Part(Part::Data(data))) if typed == PRELUDE => {
                head.extend_from_slice(&data);
                if let Some(at) = head.windows(8).position(|w| w == [0; 8]) {
                    let rest = head.split_off(at + 8).freeze();
                    head.truncate(at);
                    if !prelude(&head, &mut response) {
                        return told(StatusCode::BAD_GATEWAY, "Internal Server Error");
                    }
                    break rest;
                }
            }
            Some(Piece::Part(Part::Data(data))) => break data,
            Some(Piece::End(run)) => {
                return match *run {
                    Ok(run) => ended(&run, &typed),
                    Err(e) => unable(e),
                };
            }
            None => return told(StatusCode::BAD_GATEWAY, "Internal Server Error"),
        }
    };
    if !response.headers().contains_key(header::CONTENT_TYPE) {
        let kind =
            if typed.is_empty() || typed == PRELUDE { "application/octet-stream" } else { &typed };
        if let Ok(kind) = HeaderValue::from_str(kind) {
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
    }
    let rest = pieces.filter_map(|piece| async {
        match piece {
            Piece::Part(Part::Data(data)) => Some(Ok(data)),
            _ => None,
        }
    });
    let first = futures_util::stream::iter((!first.is_empty()).then_some(Ok(first)));
    *response.body_mut() = Body::stream(None, first.chain(rest));
    response
}

/// A response that came whole.
fn ended(run: &Run, typed: &str) -> Response<Body> {
    match &run.outcome.result {
        Ok(bytes) => {
            let mut response = Response::new(Body::Full(bytes.clone()));
            let kind = if typed.is_empty() { "application/octet-stream" } else { typed };
            if let Ok(kind) = HeaderValue::from_str(kind) {
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
            }
            response
        }
        Err(_) => told(StatusCode::BAD_GATEWAY, "Internal Server Error"),
    }
}

/// Status, headers and cookies before the eight zeros.
fn prelude(head: &[u8], response: &mut Response<Body>) -> bool {
    let Ok(head) = serde_json::from_slice::<Json>(head) else { return false };
    let status = head.get("statusCode").and_then(Json::as_u64).unwrap_or(200);
    let status = u16::try_from(status).ok().and_then(|s| StatusCode::from_u16(s).ok());
    let Some(status) = status else { return false };
    *response.status_mut() = status;
    for (name, value) in head.get("headers").and_then(Json::as_object).into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let (Ok(n), Ok(v)) = (HeaderName::try_from(name), HeaderValue::try_from(text)) {
            response.headers_mut().insert(n, v);
        }
    }
    for cookie in head.get("cookies").and_then(Json::as_array).into_iter().flatten() {
        if let Some(Ok(v)) = cookie.as_str().map(HeaderValue::from_str) {
            response.headers_mut().append(header::SET_COOKIE, v);
        }
    }
    true
}

fn unable(e: Unable) -> Response<Body> {
    match e {
        Unable::Throttled(reason) => json_answer(
            StatusCode::TOO_MANY_REQUESTS,
            &json!({ "Reason": reason, "Type": "User", "message": "Rate Exceeded." }),
        ),
        e => {
            tracing::debug!("a function behind a URL was not run: {e:?}");
            told(StatusCode::BAD_GATEWAY, "Internal Server Error")
        }
    }
}

fn forbidden() -> Response<Body> {
    let mut response = told(
        StatusCode::FORBIDDEN,
        "Forbidden. For troubleshooting Function URL authorization issues, see: \
         https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html",
    );
    let kind = HeaderValue::from_static("AccessDeniedException");
    response.headers_mut().insert("x-amzn-errortype", kind);
    response
}

fn told(status: StatusCode, message: &str) -> Response<Body> {
    json_answer(status, &json!({ "Message": message }))
}

fn json_answer(status: StatusCode, value: &Json) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The id in a host's name, in lower case and without port.
fn of_host(host: &str) -> Option<&str> {
    let (id, rest) = host.split_once('.')?;
    let zone = rest.strip_prefix("lambda-url.")?;
    let ours = ["on.aws", "localhost", "localhost.localstack.cloud"];
    ours.iter().any(|o| zone == *o || zone.ends_with(&format!(".{o}"))).then_some(id)
}

/// The id in a path, and what follows.
fn of_path(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix(PATH)?;
    let (id, rest) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    (!id.is_empty()).then_some((id, rest))
}

impl Plane for Urls {
    fn serves(&self, host: &str) -> bool {
        of_host(host).is_some()
    }

    fn serves_path(&self, path: &str, signed: Option<&str>) -> bool {
        signed.is_none_or(|s| s == "lambda")
            && (path.starts_with(PATH) || path.starts_with(download::PATH))
    }

    fn serve(&self, request: Request<Body>, peer: Peer) -> BoxFuture<'_, Response<Body>> {
        Box::pin(self.answer(request, peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (host, id) in [
            ("abc.lambda-url.us-east-1.on.aws", Some("abc")),
            ("abc.lambda-url.localhost", Some("abc")),
            ("abc.lambda-url.us-east-1.localhost.localstack.cloud", Some("abc")),
            ("abc.lambda-url.us-east-1.amazonaws.com", None),
            ("lambda.us-east-1.amazonaws.com", None),
        ] {
            assert_eq!(of_host(host), id, "{host}");
        }
        assert_eq!(of_path("/_aws/lambda-url/abc/x/y"), Some(("abc", "/x/y")));
        assert_eq!(of_path("/_aws/lambda-url/abc"), Some(("abc", "/")));
        assert_eq!(of_path("/_aws/lambda-url//x"), None);
    }

    #[test]
    fn preludes_are_read() {
        let mut r = Response::new(Body::Empty);
        let head = br#"{"statusCode":201,"headers":{"X-A":"b"},"cookies":["a=1","b=2"]}"#;
        assert!(prelude(head, &mut r));
        assert_eq!((r.status().as_u16(), r.headers()["x-a"].as_bytes()), (201, &b"b"[..]));
        assert_eq!(r.headers().get_all("set-cookie").iter().count(), 2);
        assert!(!prelude(b"nonsense", &mut r));
        assert!(!prelude(br#"{"statusCode":9999}"#, &mut r));
    }
}
