//! The Extensions API: registering, waiting for events, and giving up.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{Api, REPORT_MAX, Reply, collect, ok, refuse, reply, report};
use crate::Failure;

pub(super) async fn answer(api: &Api, path: &[String], request: Request<Incoming>) -> Reply {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (request.method(), path.as_slice()) {
        (&Method::POST, ["register"]) => register(api, request).await,
        (&Method::GET, ["event", "next"]) => next(api, &request).await,
        (&Method::POST, ["init", "error"]) => fail(api, request, "Extension.InitError").await,
        (&Method::POST, ["exit", "error"]) => fail(api, request, "Extension.ExitError").await,
        _ => refuse(StatusCode::NOT_FOUND, "NotFound", "404 page not found"),
    }
}

fn header<'a>(request: &'a Request<Incoming>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html#runtimes-extensions-registration-api>
async fn register(api: &Api, request: Request<Incoming>) -> Reply {
    let Some(name) = header(&request, "lambda-extension-name").map(str::to_owned) else {
        return refuse(
            StatusCode::FORBIDDEN,
            "Extension.InvalidExtensionName",
            "Empty extension name",
        );
    };
    let account = header(&request, "lambda-extension-accept-feature")
        .is_some_and(|f| f.split(',').any(|f| f.trim() == "accountId"));
    let body = collect(request.into_body(), REPORT_MAX).await;
    let body: Option<Value> = body.ok().and_then(|(b, _)| serde_json::from_slice(&b).ok());
    let Some(body) = body else {
        return refuse(StatusCode::BAD_REQUEST, "InvalidRequestFormat", "Invalid JSON");
    };
    let (mut invoke, mut shutdown) = (false, false);
    for event in body.get("events").and_then(Value::as_array).into_iter().flatten() {
        match event.as_str() {
            Some("INVOKE") => invoke = true,
            Some("SHUTDOWN") => shutdown = true,
            other => {
                let other = other.unwrap_or("");
                return refuse(
                    StatusCode::BAD_REQUEST,
                    "InvalidEventType",
                    &format!("Invalid event type: {other}"),
                );
            }
        }
    }
    let id = api.ids.uuid();
    if api.exchange.register(&id, &name, invoke, shutdown).is_err() {
        return refuse(
            StatusCode::FORBIDDEN,
            "Extension.AlreadyRegistered",
            "Extension is registered already, or the time to register has passed",
        );
    }
    let mut out = json!({
        "functionName": api.spec.function_name,
        "functionVersion": api.spec.version,
        "handler": api.spec.handler,
    });
    if account {
        out["accountId"] = api.spec.account.clone().into();
    }
    let mut r = reply(StatusCode::OK, &out);
    if let Ok(v) = HeaderValue::from_str(&id) {
        r.headers_mut().insert("lambda-extension-identifier", v);
    }
    r
}

async fn next(api: &Api, request: &Request<Incoming>) -> Reply {
    let Some(id) = header(request, "lambda-extension-identifier") else { return unknown(true) };
    let event = match api.exchange.next_event(id) {
        None => return unknown(false),
        Some(Ok(e)) => e,
        Some(Err(waiting)) => match waiting.await {
            Ok(e) => e,
            Err(_) => {
                return refuse(StatusCode::GONE, "Gone", "The environment is being reset");
            }
        },
    };
    let mut r = Response::new(Full::new(event.body));
    r.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    if let Ok(v) = HeaderValue::from_str(&event.id) {
        r.headers_mut().insert("lambda-extension-event-identifier", v);
    }
    r
}

async fn fail(api: &Api, request: Request<Incoming>, kind: &str) -> Reply {
    let Some(id) = header(&request, "lambda-extension-identifier").map(str::to_owned) else {
        return unknown(true);
    };
    let named = header(&request, "lambda-extension-function-error-type").map(str::to_owned);
    let Some(_) = api.exchange.extension(&id) else { return unknown(false) };
    let Some((reported, body)) = report(request, REPORT_MAX).await else {
        return super::broken();
    };
    let reported = if reported == "Runtime.Unknown" { kind.to_owned() } else { reported };
    let error_type = named.unwrap_or(reported);
    tracing::debug!("an extension gives up: {}", String::from_utf8_lossy(&body));
    api.exchange.fail(Failure::Init { body: failure_body(&error_type), error_type });
    ok()
}

fn failure_body(error_type: &str) -> Bytes {
    let message = format!("Error: {error_type}");
    Bytes::from(json!({ "errorType": error_type, "errorMessage": message }).to_string())
}

fn unknown(missing: bool) -> Reply {
    let (kind, message) = if missing {
        ("Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
    } else {
        ("Extension.UnknownExtensionIdentifier", "Unknown extension")
    };
    refuse(StatusCode::FORBIDDEN, kind, message)
}
