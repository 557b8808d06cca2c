//! An event as the runtime and the extensions get it: headers, times, JSON.

use bytes::Bytes;
use fogbank_core::clock::real_now;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use tokio::time::Instant;

use crate::Invocation;

/// A moment to come, in milliseconds since 1970 as the function's own clock tells them.
pub fn epoch_ms(at: Instant) -> i64 {
    let left = at.saturating_duration_since(Instant::now());
    real_now().as_millisecond() + i64::try_from(left.as_millis()).unwrap_or(i64::MAX / 2)
}

/// What `next` answers beside the payload.
pub fn headers(i: &Invocation, trace: &str, deadline: Instant) -> HeaderMap {
    let mut all = HeaderMap::with_capacity(8);
    let mut set = |name: &'static str, value: &str| {
        // What is no header text cannot be sent; the service has checked it.
        if let Ok(v) = HeaderValue::from_bytes(value.as_bytes()) {
            all.insert(HeaderName::from_static(name), v);
        }
    };
    set("lambda-runtime-aws-request-id", &i.request_id);
    set("lambda-runtime-deadline-ms", &epoch_ms(deadline).to_string());
    set("lambda-runtime-invoked-function-arn", &i.invoked_arn);
    set("lambda-runtime-trace-id", trace);
    for (name, value) in [
        ("lambda-runtime-client-context", &i.client_context),
        ("lambda-runtime-cognito-identity", &i.cognito_identity),
        ("lambda-runtime-aws-tenant-id", &i.tenant),
    ] {
        if let Some(v) = value {
            set(name, v);
        }
    }
    all
}

/// What extensions are told of an invocation.
pub fn invoke_event(request_id: &str, arn: &str, trace: &str, deadline: Instant) -> Bytes {
    let body = json!({
        "eventType": "INVOKE",
        "deadlineMs": epoch_ms(deadline),
        "requestId": request_id,
        "invokedFunctionArn": arn,
        "tracing": { "type": "X-Amzn-Trace-Id", "value": trace },
    });
    Bytes::from(body.to_string())
}
