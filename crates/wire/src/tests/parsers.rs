//! One function per parser of network input: whatever the bytes, it must return.
//!
//! For the mutations; `fuzz/` looks for more. What is refused must be the client's fault.

use bytes::Bytes;
use fogbank_core::{ApiError, Value};
use fogbank_model::{Protocol, Service, service};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::{Call, Request, encode_error, route};

/// `X-Amz-Target` bodies: the first byte chooses the operation.
pub fn json(data: &[u8]) {
    by_body("dynamodb", Protocol::Json, data);
}

/// RPC v2 bodies: the first byte chooses the operation.
pub fn cbor(data: &[u8]) {
    by_body("cloudwatch", Protocol::Cbor, data);
}

/// XML bodies: the first byte chooses the operation.
pub fn xml(data: &[u8]) {
    by_body("s3", Protocol::RestXml, data);
}

/// Forms, in both dialects.
pub fn form(data: &[u8]) {
    let mut headers = HeaderMap::new();
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(http::header::CONTENT_TYPE, form);
    let body = Bytes::copy_from_slice(data);
    for id in ["iam", "sts", "ec2"] {
        let r = Request { method: "POST", path: "/", query: "", headers: &headers, body: &body };
        request(known(id), &r);
    }
}

/// Request lines and headers: a line `METHOD path?query`, then `name: value` lines, then a body.
pub fn rest(data: &[u8]) {
    let mut lines = data.splitn(2, |b| *b == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let (method, target) = first.split_once(' ').unwrap_or(("GET", &first));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut rest = lines.next().unwrap_or_default();
    let mut headers = HeaderMap::new();
    while let Some(end) = rest.iter().position(|b| *b == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let Some(colon) = line.iter().position(|b| *b == b':') else { break };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(n), Ok(v)) = (name, HeaderValue::from_bytes(&line[colon + 1..])) {
            headers.append(n, v);
        }
    }
    let body = Bytes::copy_from_slice(rest);
    for id in ["s3", "lambda", "apigateway", "cloudfront", "s3control"] {
        request(known(id), &Request { method, path, query, headers: &headers, body: &body });
    }
}

fn by_body(id: &str, protocol: Protocol, data: &[u8]) {
    let service = known(id);
    let Some((first, body)) = data.split_first() else { return };
    let operation = &service.operations[usize::from(*first) % service.operations.len()];
    let body = Bytes::copy_from_slice(body);
    let headers = HeaderMap::new();
    let (path, query) = operation.uri.split_once('?').unwrap_or((operation.uri, ""));
    let r = Request { method: operation.method, path, query, headers: &headers, body: &body };
    judge(service, Call { service, operation, protocol }.decode(&r));
}

fn request(service: &'static Service, r: &Request<'_>) {
    judge(service, route(service, r).and_then(|call| call.decode(r)));
}

/// A refusal is a client's fault, and can be written.
fn judge(service: &'static Service, result: Result<Value, ApiError>) {
    if let Err(e) = result {
        for protocol in &service.protocols {
            let reply = encode_error(service, None, *protocol, &e, "request-id");
            assert!(reply.status() < StatusCode::INTERNAL_SERVER_ERROR, "{e}");
        }
    }
}

fn known(id: &str) -> &'static Service {
    service(id).expect("one of the model's")
}
