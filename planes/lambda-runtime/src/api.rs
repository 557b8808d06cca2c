//! The Runtime API and the Extensions API, as the processes inside an environment speak them.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>

use std::convert::Infallible;
use std::sync::Arc;

use base64::Engine;
use bytes::{Bytes, BytesMut};
use fogbank_core::Ids;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::state::{Answer, Exchange, Refused};
use crate::{Failure, Part, Spec};

mod extensions;

/// The largest response: 6 MB and a little for what wraps it.
pub const RESPONSE_MAX: u64 = 6 * 1024 * 1024 + 100;
/// The largest streamed response.
pub const STREAM_MAX: u64 = 200 * 1024 * 1024;
/// Errors and registrations are small.
const REPORT_MAX: u64 = 256 * 1024;

/// What a connection serves.
#[derive(Clone)]
pub struct Api {
    pub exchange: Exchange,
    pub spec: Arc<Spec>,
    pub ids: Ids,
}

type Reply = Response<Full<Bytes>>;

/// Serves the API on a listener inside the environment, for as long as the task lives.
pub async fn serve(api: Api, listener: TcpListener) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(connection(api.clone(), stream)); }
                Err(e) => {
                    tracing::warn!("the Runtime API cannot accept: {e}");
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(api: Api, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request| {
        let api = api.clone();
        async move { Ok::<_, Infallible>(answer(&api, request).await) }
    });
    // Whoever sends nonsense is cut off, and that is all.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(api: &Api, request: Request<Incoming>) -> Reply {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (request.method(), parts.as_slice()) {
        (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => next(api).await,
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
            response(api, id, request).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => {
            error(api, id, request).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
            init_error(api, request).await
        }
        (_, ["2020-01-01", "extension", rest @ ..]) => {
            let rest: Vec<String> = rest.iter().map(|s| (*s).to_owned()).collect();
            extensions::answer(api, &rest, request).await
        }
        (&Method::PUT, ["2020-08-15", "logs"]) => refuse(
            StatusCode::FORBIDDEN,
            "Logs.NotSupported",
            "The Logs API is not implemented by fogbank",
        ),
        (&Method::PUT, ["2022-07-01", "telemetry"]) => refuse(
            StatusCode::FORBIDDEN,
            "Telemetry.NotSupported",
            "The Telemetry API is not implemented by fogbank",
        ),
        (_, ["2018-06-01", "runtime", "restore", ..]) => refuse(
            StatusCode::FORBIDDEN,
            "Restore.NotSupported",
            "SnapStart is not implemented by fogbank",
        ),
        _ => refuse(StatusCode::NOT_FOUND, "NotFound", "404 page not found"),
    }
}

async fn next(api: &Api) -> Reply {
    let work = match api.exchange.next() {
        Ok(w) => w,
        Err(waiting) => match waiting.await {
            Ok(w) => w,
            // The environment has gone on without this runtime.
            Err(_) => return refuse(StatusCode::GONE, "Gone", "The environment is being reset"),
        },
    };
    let mut reply = Response::new(Full::new(work.payload));
    *reply.headers_mut() = work.headers;
    reply.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    reply
}

async fn response(api: &Api, id: &str, request: Request<Incoming>) -> Reply {
    let streaming = match api.exchange.streaming(id) {
        Ok(s) => s,
        Err(e) => return refused(e),
    };
    let header =
        |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let content_type = header("content-type");
    let streamed = header("lambda-runtime-function-response-mode")
        .is_some_and(|m| m.eq_ignore_ascii_case("streaming"));
    let body = request.into_body();
    match (streaming, streamed) {
        (Some(to), true) => stream(api, id, body, content_type, &to).await,
        (to, _) => {
            let (bytes, trailers) = match collect(body, RESPONSE_MAX).await {
                Ok(x) => x,
                Err(Unread::TooLarge(size)) => return too_large(api, id, size, RESPONSE_MAX),
                Err(Unread::Broken) => return broken(),
            };
            if let Some(failure) = trailers.as_ref().and_then(stream_error) {
                return done(api.exchange.answer(id, Answer::Failed(failure)));
            }
            let mut body = bytes;
            if let Some(to) = to {
                let kind = content_type.clone().unwrap_or_else(|| "application/json".to_owned());
                let _ = to.send(Part::Head { content_type: kind }).await;
                let _ = to.send(Part::Data(std::mem::take(&mut body))).await;
            }
            done(api.exchange.answer(id, Answer::Response { body, content_type }))
        }
    }
}

/// A streamed response: passed on part by part, as fast as the client takes them.
async fn stream(
    api: &Api,
    id: &str,
    mut body: Incoming,
    content_type: Option<String>,
    to: &tokio::sync::mpsc::Sender<Part>,
) -> Reply {
    let kind = content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned());
    let _ = to.send(Part::Head { content_type: kind }).await;
    let mut size = 0;
    let mut failure = None;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            failure = Some(Failure::Protocol {
                error_type: "Runtime.TruncatedResponse".into(),
                message: "The response stream was cut off".into(),
            });
            break;
        };
        match frame.into_data() {
            Ok(data) => {
                size += data.len() as u64;
                if size > STREAM_MAX {
                    return too_large(api, id, size, STREAM_MAX);
                }
                // A client that has gone does not stop the function.
                let _ = to.send(Part::Data(data)).await;
            }
            Err(frame) => failure = frame.trailers_ref().and_then(stream_error),
        }
    }
    let answer = match failure {
        Some(f) => Answer::Failed(f),
        None => Answer::Response { body: Bytes::new(), content_type },
    };
    done(api.exchange.answer(id, answer))
}

/// An error in the middle of a stream comes in its trailers.
fn stream_error(trailers: &HeaderMap) -> Option<Failure> {
    let kind = trailers.get("lambda-runtime-function-error-type")?;
    let body = trailers.get("lambda-runtime-function-error-body").map(HeaderValue::as_bytes);
    let body = body.and_then(|b| base64::engine::general_purpose::STANDARD.decode(b).ok());
    let error_type = kind.to_str().unwrap_or("Runtime.Unknown").to_owned();
    let body = body.map_or_else(
        || Bytes::from(json!({ "errorType": error_type, "errorMessage": "" }).to_string()),
        Bytes::from,
    );
    Some(Failure::Handled { error_type, body })
}

async fn error(api: &Api, id: &str, request: Request<Incoming>) -> Reply {
    if let Err(e) = api.exchange.streaming(id) {
        return refused(e);
    }
    let Some((error_type, body)) = report(request, RESPONSE_MAX).await else { return broken() };
    done(api.exchange.answer(id, Answer::Failed(Failure::Handled { error_type, body })))
}

async fn init_error(api: &Api, request: Request<Incoming>) -> Reply {
    if !api.exchange.is_starting() {
        return refused(Refused::InvalidState);
    }
    let Some((error_type, body)) = report(request, REPORT_MAX).await else { return broken() };
    api.exchange.fail(Failure::Init { error_type, body });
    ok()
}

/// The body of an error report, and the type it names.
async fn report(request: Request<Incoming>, limit: u64) -> Option<(String, Bytes)> {
    let header = request.headers().get("lambda-runtime-function-error-type");
    let header = header.and_then(|v| v.to_str().ok()).map(str::to_owned);
    let (body, _) = collect(request.into_body(), limit).await.ok()?;
    let parsed: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let named = parsed.as_ref().and_then(|v| v.get("errorType")?.as_str()).map(str::to_owned);
    let error_type = named.or(header).unwrap_or_else(|| "Runtime.Unknown".to_owned());
    // What the caller gets is JSON whatever the runtime sent.
    let body = if parsed.is_some() {
        body
    } else {
        let text = String::from_utf8_lossy(&body);
        Bytes::from(json!({ "errorType": error_type, "errorMessage": text }).to_string())
    };
    Some((error_type, body))
}

enum Unread {
    TooLarge(u64),
    Broken,
}

/// A body of limited size, with its trailers. What is too large is read to its end all the same,
/// so that the sender hears the answer.
async fn collect(mut body: Incoming, limit: u64) -> Result<(Bytes, Option<HeaderMap>), Unread> {
    let (mut first, mut more, mut size, mut trailers) = (None, BytesMut::new(), 0u64, None);
    while let Some(frame) = body.frame().await {
        match frame.map_err(|_| Unread::Broken)?.into_data() {
            Ok(data) => {
                size += data.len() as u64;
                if size > limit {
                    continue;
                }
                match &mut first {
                    None => first = Some(data),
                    Some(_) => more.extend_from_slice(&data),
                }
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    if size > limit {
        return Err(Unread::TooLarge(size));
    }
    let first = first.unwrap_or_default();
    if more.is_empty() {
        return Ok((first, trailers));
    }
    let mut all = BytesMut::with_capacity(first.len() + more.len());
    all.extend_from_slice(&first);
    all.extend_from_slice(&more);
    Ok((all.freeze(), trailers))
}

fn too_large(api: &Api, id: &str, size: u64, limit: u64) -> Reply {
    let _ = api.exchange.answer(id, Answer::Failed(Failure::TooLarge { size, limit }));
    refuse(
        StatusCode::PAYLOAD_TOO_LARGE,
        "RequestEntityTooLarge",
        &format!("Exceeded maximum allowed payload size ({limit} bytes)."),
    )
}

fn done(result: Result<(), Refused>) -> Reply {
    result.map_or_else(refused, |()| ok())
}

fn ok() -> Reply {
    reply(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

fn refused(why: Refused) -> Reply {
    match why {
        Refused::InvalidRequestId => {
            refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
        }
        Refused::InvalidState => refuse(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "State transition is not allowed",
        ),
    }
}

fn broken() -> Reply {
    refuse(StatusCode::BAD_REQUEST, "BadRequest", "The request's body cannot be read")
}

fn refuse(status: StatusCode, kind: &str, message: &str) -> Reply {
    reply(status, &json!({ "errorType": kind, "errorMessage": message }))
}

fn reply(status: StatusCode, body: &serde_json::Value) -> Reply {
    let mut r = Response::new(Full::new(Bytes::from(body.to_string())));
    *r.status_mut() = status;
    r.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    r
}
