//! `apigateway:invoke`: a request to an API, through this cloud's own front door.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/connect-api-gateway.html>

use std::fmt::Write;
use std::time::Duration;

use fogbank_asl::Fault;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Answer, Asked};

/// The largest answer.
const LARGEST: usize = 1 << 20;
const LONGEST: Duration = Duration::from_secs(60);

pub async fn api_gateway(asked: &Asked<'_>) -> Answer {
    let a = &*asked.call.arguments.0;
    let text = |name: &str| a.get(name).and_then(Value::as_str);
    let (Some(endpoint), Some(method)) = (text("ApiEndpoint"), text("Method")) else {
        return Err(Fault::runtime("The fields ApiEndpoint and Method are required"));
    };
    if matches!(text("AuthType"), Some("IAM_ROLE")) {
        return Err(super::unsupported(
            "arn:aws:states:::apigateway:invoke with AuthType IAM_ROLE",
        ));
    }
    let fits = |s: &str| !s.contains(|c: char| c.is_control() || c.is_whitespace());
    if !fits(endpoint) || !fits(method) {
        return Err(Fault::runtime("ApiEndpoint or Method is malformed"));
    }
    let mut path = String::new();
    for part in [text("Stage"), text("Path")].into_iter().flatten() {
        let part = part.trim_matches('/');
        if !part.is_empty() {
            let _ = write!(path, "/{}", encode(part, "/"));
        }
    }
    if path.is_empty() {
        path.push('/');
    }
    let mut separator = '?';
    for (name, v) in a.get("QueryParameters").and_then(Value::as_object).into_iter().flatten() {
        for v in one_or_many(v) {
            let _ = write!(path, "{separator}{}={}", encode(name, ""), encode(&v, ""));
            separator = '&';
        }
    }
    let body = match a.get("RequestBody") {
        None | Some(Value::Null) => String::new(),
        Some(v) => v.to_string(),
    };
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {endpoint}\r\nConnection: close\r\n");
    let mut typed = false;
    for (name, v) in a.get("Headers").and_then(Value::as_object).into_iter().flatten() {
        typed |= name.eq_ignore_ascii_case("content-type");
        for v in one_or_many(v) {
            if name.contains(['\r', '\n', ':']) || v.contains(['\r', '\n']) {
                return Err(Fault::runtime(format!("The header '{name}' is malformed")));
            }
            let _ = write!(head, "{name}: {v}\r\n");
        }
    }
    if !typed && !body.is_empty() {
        head.push_str("Content-Type: application/json\r\n");
    }
    let _ = write!(head, "Content-Length: {}\r\n\r\n{body}", body.len());
    let address = asked.caller.cloud.endpoint();
    let address = address.trim_start_matches("http://").to_owned();
    let answer = tokio::time::timeout(LONGEST, exchange(&address, &head)).await;
    let answer = match answer {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(e)) => return Err(failed("ApiGateway.UnknownHostException", &e.to_string())),
        Err(_) => return Err(failed("ApiGateway.504", "The API did not answer in time")),
    };
    read(&answer)
}

async fn exchange(address: &str, request: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut out = Vec::new();
    (&mut stream).take(LARGEST as u64).read_to_end(&mut out).await?;
    Ok(out)
}

fn read(answer: &[u8]) -> Answer {
    let malformed = || failed("ApiGateway.InvalidResponse", "The answer is malformed");
    let at = answer.windows(4).position(|w| w == b"\r\n\r\n").ok_or_else(malformed)?;
    let head = String::from_utf8_lossy(&answer[..at]);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    let (code, reason) =
        status.split_once(' ').map_or(("", ""), |(_, r)| r.split_once(' ').unwrap_or((r, "")));
    let code: u16 = code.parse().map_err(|_| malformed())?;
    let mut headers = Map::new();
    let mut chunked = false;
    for line in lines {
        let Some((name, v)) = line.split_once(':') else { continue };
        chunked |= name.eq_ignore_ascii_case("transfer-encoding") && v.contains("chunked");
        let list = headers.entry(name.to_owned()).or_insert_with(|| json!([]));
        if let Value::Array(a) = list {
            a.push(v.trim().into());
        }
    }
    let body = if chunked { dechunk(&answer[at + 4..]) } else { answer[at + 4..].to_vec() };
    let text = String::from_utf8_lossy(&body).into_owned();
    if code >= 400 {
        return Err(failed(&format!("ApiGateway.{code}"), &text));
    }
    let parsed = serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text));
    Ok(json!({
        "Headers": headers,
        "ResponseBody": parsed,
        "StatusCode": code,
        "StatusText": reason,
    }))
}

fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(at) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..at]);
        let size = size.split(';').next().unwrap_or_default().trim();
        let n = usize::from_str_radix(size, 16).unwrap_or(0);
        let Some(chunk) = rest.get(at + 2..).and_then(|r| r.get(..n)).filter(|_| n > 0) else {
            break;
        };
        out.extend_from_slice(chunk);
        rest = rest.get(at + 2 + n + 2..).unwrap_or_default();
    }
    out
}

fn failed(error: &str, cause: &str) -> Fault {
    Fault::plain(Some(error.to_owned()), Some(cause.to_owned()))
}

fn one_or_many(v: &Value) -> Vec<String> {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    match v {
        Value::Array(a) => a.iter().map(text).collect(),
        v => vec![text(v)],
    }
}

/// Percent-encodes what is not plain.
fn encode(s: &str, plain: &str) -> String {
    let mut out = String::new();
    for b in s.bytes() {
        let c = char::from(b);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || plain.contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "%{b:02X}");
        }
    }
    out
}
