//! The gateway's own endpoints under `/_fogbank/` and, for tools that expect them, `/_localstack/`.
//!
//! **Invariant:** what changes the cloud, or tells about its requests, is for this machine alone
//! and not for web pages that a browser on it shows.

use bytes::Bytes;
use fogbank_core::{Body, Peer, Trailers, clock};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{Gateway, incoming, names};

/// Whether a path is one of the gateway's own: no bucket may start with an underscore.
#[must_use]
pub fn is_local(path: &str) -> bool {
    path.starts_with("/_fogbank/") || path.starts_with("/_localstack/")
}

/// Answers a request for one of the paths that [`is_local`] accepts.
pub async fn answer(
    gateway: &Gateway,
    parts: &Parts,
    body: Incoming,
    peer: Peer,
) -> Response<Body> {
    let get = matches!(parts.method, Method::GET | Method::HEAD);
    let answer = match parts.uri.path() {
        "/_localstack/health" if get => Ok(localstack_health(gateway)),
        "/_localstack/info" if get => Ok(localstack_info(gateway)),
        "/_fogbank/health" if get => Ok(health(gateway)),
        "/_fogbank/ca.pem" if get => return authority(gateway),
        "/_fogbank/status" if get => match private(parts, peer) {
            Ok(()) => Ok(status(gateway).await),
            Err(refusal) => Err(refusal),
        },
        "/_fogbank/clock" if get => Ok(time(gateway)),
        "/_fogbank/clock" if parts.method == Method::POST => {
            move_clock(gateway, parts, body, peer).await
        }
        path => Err(Refusal(StatusCode::NOT_FOUND, format!("There is no {path} here."))),
    };
    match answer {
        Ok(value) => json_response(StatusCode::OK, &value),
        Err(Refusal(status, message)) => json_response(status, &json!({ "message": message })),
    }
}

struct Refusal(StatusCode, String);

/// Only this machine, and not through a name that a web page chose to point here.
fn private(parts: &Parts, peer: Peer) -> Result<(), Refusal> {
    let authority = parts.headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let host = parts.uri.host().or(authority.map(names::without_port)).unwrap_or_default();
    let here = peer.address.ip().to_canonical().is_loopback();
    let known = names::is_plain(host) || names::is_ours(host);
    if here && known && !parts.headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    Err(Refusal(StatusCode::FORBIDDEN, "This is for programs on the machine itself.".into()))
}

fn health(g: &Gateway) -> Value {
    let services: serde_json::Map<_, _> = g
        .services()
        .map(|s| (s.name().to_owned(), json!({ "operations": s.operations().len() })))
        .collect();
    json!({ "fogbank": g.version(), "status": "ready", "services": services })
}

async fn status(g: &Gateway) -> Value {
    let (requests, errors) = g.journal().totals();
    let mut v = health(g);
    v["iam"] = json!(g.mode().name());
    v["uptime_seconds"] = json!(g.uptime().as_secs());
    v["clock"] = time(g);
    v["requests"] = json!(requests);
    v["errors"] = json!(errors);
    v["recent"] = g.journal().recent(20);
    v["state"] = (g.holdings)().await;
    v["denials"] = g.journal().denials();
    v
}

fn localstack_health(g: &Gateway) -> Value {
    let services: serde_json::Map<_, _> =
        g.services().map(|s| (s.name().to_owned(), json!("running"))).collect();
    json!({ "services": services, "edition": "fogbank", "version": g.version() })
}

fn localstack_info(g: &Gateway) -> Value {
    json!({
        "version": g.version(),
        "edition": "fogbank",
        "is_license_activated": false,
        "is_docker": false,
        "system": std::env::consts::OS,
        "server_time_utc": clock::real_now().to_string(),
        "uptime": g.uptime().as_secs(),
    })
}

fn time(g: &Gateway) -> Value {
    let c = g.clock();
    json!({ "now": c.now().to_string(), "offset_seconds": c.offset().as_secs() })
}

/// `{"set": "2030-01-01T00:00:00Z"}`, `{"advance_seconds": 60}` or `{"offset_seconds": 0}`.
async fn move_clock(
    g: &Gateway,
    parts: &Parts,
    body: Incoming,
    peer: Peer,
) -> Result<Value, Refusal> {
    private(parts, peer)?;
    let bad = |m: &str| Refusal(StatusCode::BAD_REQUEST, m.to_owned());
    let body =
        incoming::collect(body, 4096, &Trailers::default()).await.map_err(|e| bad(e.message()))?;
    let body: Value = serde_json::from_slice(&body).map_err(|e| bad(&e.to_string()))?;
    let offset = if let Some(t) = body.get("set").and_then(Value::as_str) {
        let t: Timestamp = t.parse().map_err(|_| bad("`set` is no time in ISO 8601."))?;
        t.duration_since(clock::real_now())
    } else if let Some(n) = body.get("advance_seconds").and_then(Value::as_i64) {
        let by = SignedDuration::from_secs(n);
        g.clock().offset().checked_add(by).ok_or_else(|| bad("That is too far."))?
    } else if let Some(n) = body.get("offset_seconds").and_then(Value::as_i64) {
        SignedDuration::from_secs(n)
    } else {
        return Err(bad("Give one of `set`, `advance_seconds`, `offset_seconds`."));
    };
    if clock::real_now().checked_add(offset).is_err() {
        return Err(bad("That is too far."));
    }
    g.clock().set_offset(offset);
    Ok(time(g))
}

fn authority(g: &Gateway) -> Response<Body> {
    match g.tls().ca() {
        Ok(ca) => {
            let pem = Bytes::copy_from_slice(ca.pem().as_bytes());
            response(StatusCode::OK, "application/x-pem-file", pem)
        }
        Err(e) => {
            tracing::error!("no certificate authority: {e}");
            let message = json!({ "message": "The certificate authority cannot be opened." });
            json_response(StatusCode::INTERNAL_SERVER_ERROR, &message)
        }
    }
}

fn json_response(status: StatusCode, value: &Value) -> Response<Body> {
    response(status, "application/json", format!("{value}\n").into())
}

fn response(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Body> {
    let mut r = Response::new(Body::Full(body));
    *r.status_mut() = status;
    r.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    r
}
