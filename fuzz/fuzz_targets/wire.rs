//! Requests in every protocol: whatever comes is decoded and validated, or refused.
#![no_main]

use bytes::Bytes;
use fogbank_wire::Request;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

/// A service of each protocol.
const SERVICES: &[&str] =
    &["s3", "iam", "ec2", "dynamodb", "lambda", "cloudwatch", "sqs", "apigateway"];
const METHODS: &[&str] = &["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"];

// The first bytes choose service and method; then lines: the target, headers, an empty line, the
// body.
fuzz_target!(|data: &[u8]| {
    let [service, method, rest @ ..] = data else { return };
    let Some(model) = fogbank_model::service(SERVICES[usize::from(*service) % SERVICES.len()])
    else {
        return;
    };
    let (head, body) = match rest.windows(2).position(|w| w == b"\n\n") {
        Some(at) => (&rest[..at], &rest[at + 2..]),
        None => (rest, &[][..]),
    };
    let mut lines = head.split(|b| *b == b'\n');
    let target = lines.next().and_then(|l| std::str::from_utf8(l).ok()).unwrap_or("/");
    let mut headers = HeaderMap::new();
    for line in lines.take(32) {
        let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(&line[colon + 1..]);
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let method = METHODS[usize::from(*method) % METHODS.len()];
    let body = Bytes::copy_from_slice(body);
    let request = Request { method, path, query, headers: &headers, body: &body };
    if let Ok(call) = fogbank_wire::route(model, &request) {
        let _ = call.decode(&request);
    }
});
