//! Results of the cases -> replies, which botocore's own parsers read back.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{ApiError, Body, Reply, Value};
use fogbank_wire::{Call, encode_error};
use futures_util::FutureExt;
use http::Response;
use serde_json::{Value as Json, json};

use crate::suite::{Case, botocore, value};

/// What failed and why; `None` when botocore cannot be run here.
pub fn check(cases: &[Case]) -> Option<BTreeMap<String, String>> {
    let mut failures = BTreeMap::new();
    let mut replies = Vec::new();
    for case in cases {
        let response = write(case);
        let status = case.json["response"]["status_code"].as_u64().unwrap_or(200);
        if u64::from(response.status().as_u16()) != status {
            let why = format!("status {} instead of {status}", response.status());
            failures.insert(case.id(), why);
        }
        replies.push(described(case, response));
    }
    for (case, verdict) in cases.iter().zip(parsed(&Json::Array(replies))?) {
        if let Some(why) = verdict.as_str() {
            failures.entry(case.id()).or_default().push_str(why);
        }
    }
    Some(failures)
}

/// Our reply to a case.
fn write(case: &Case) -> Response<Body> {
    if case.json.get("error").is_some() {
        return error(case);
    }
    let Some(output) = case.operation.output.map(|o| case.service.shape(o)) else {
        return call(case).encode(Reply::default(), "request-id");
    };
    let mut reply =
        Reply { value: value(case.service, output, &case.json["result"]), ..Reply::default() };
    let streamed = output.payload.and_then(|p| output.member(p)).filter(|m| m.streaming);
    if let (Some(m), Value::Map(entries)) = (streamed, &mut reply.value)
        && let Some(at) = entries.iter().position(|(k, _)| k == m.name)
        && let Value::Blob(b) = entries.remove(at).1
    {
        reply.body = Some(Body::Full(b));
    }
    call(case).encode(reply, "request-id")
}

fn call(case: &Case) -> Call {
    Call { service: case.service, operation: case.operation, protocol: case.protocol() }
}

/// The error of a case: the code as its handler would name it, members as fields.
fn error(case: &Case) -> Response<Body> {
    let code = case.json["errorCode"].as_str().unwrap_or_default().to_owned();
    let message = case.json["errorMessage"].as_str().unwrap_or_default();
    let mut e = ApiError::new(code.clone(), message);
    if let Some(shape) = case.service.error(Some(case.operation), &code)
        && let Value::Map(fields) = value(case.service, shape, &case.json["error"])
    {
        for (k, v) in fields {
            if !k.eq_ignore_ascii_case("message") {
                e = e.field(k, v);
            }
        }
    }
    encode_error(case.service, Some(case.operation), case.protocol(), &e, "request-id")
}

fn described(case: &Case, response: Response<Body>) -> Json {
    let (parts, body) = response.into_parts();
    let bytes = body.collect(1 << 20).now_or_never().expect("a whole body").expect("a body");
    let headers: serde_json::Map<String, Json> = parts
        .headers
        .iter()
        .map(|(k, v)| (k.to_string(), json!(String::from_utf8_lossy(v.as_bytes()))))
        .collect();
    json!({
        "file": format!("output/{}.json", case.file),
        "suite": case.at.0,
        "case": case.at.1,
        "status_code": parts.status.as_u16(),
        "headers": headers,
        "body": STANDARD.encode(bytes),
    })
}

/// One verdict per reply: null, or what is wrong.
fn parsed(replies: &Json) -> Option<Vec<Json>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/botocore/parse.py");
    let mut python = Command::new("python3")
        .arg(script)
        .env("PYTHONPATH", botocore()?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| println!("skipped: python3 cannot be run: {e}"))
        .ok()?;
    let mut stdin = python.stdin.take().expect("piped");
    stdin.write_all(replies.to_string().as_bytes()).expect("python reads its input to the end");
    drop(stdin);
    let out = python.wait_with_output().expect("python ends");
    if out.status.code() == Some(77) {
        println!("skipped: this python3 lacks jmespath, python-dateutil or urllib3");
        return None;
    }
    assert!(out.status.success(), "parse.py failed");
    serde_json::from_slice(&out.stdout).expect("verdicts")
}
