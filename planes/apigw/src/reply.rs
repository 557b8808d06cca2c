//! What a proxied function answers: status, headers and body out of its JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fogbank_core::Body;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::Value;

use crate::event::is_hop;

/// An answer in a function's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxied {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// The body came in base64 and has been decoded.
    pub binary: bool,
}

/// Reads a function's answer. With `inferred` (format 2.0), JSON without a status is the body.
/// `None` when it is malformed.
#[must_use]
pub fn parse_proxied(payload: &[u8], inferred: bool) -> Option<Proxied> {
    let value: Value = match serde_json::from_slice(payload) {
        Ok(v) => v,
        Err(_) if inferred && payload.is_empty() => Value::Null,
        Err(_) => return None,
    };
    let Some(status) = value.get("statusCode").filter(|v| !v.is_null()) else {
        return inferred.then(|| infer(&value));
    };
    let status = match status {
        Value::Number(n) => {
            n.as_u64().or_else(|| n.as_f64().filter(|f| f.fract() == 0.0).map(|f| f as u64))
        }
        Value::String(s) => s.parse().ok(),
        _ => None,
    };
    let status = status.and_then(|s| u16::try_from(s).ok()).filter(|s| (100..=599).contains(s))?;
    let mut headers = Vec::new();
    match value.get("headers") {
        None | Some(Value::Null) => {}
        Some(Value::Object(map)) => {
            for (name, v) in map {
                headers.push((name.clone(), scalar(v)?));
            }
        }
        Some(_) => return None,
    }
    if !inferred || value.get("multiValueHeaders").is_some() {
        match value.get("multiValueHeaders") {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) => {
                for (name, list) in map {
                    // What stands in both is taken from here.
                    headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
                    for v in list.as_array()? {
                        headers.push((name.clone(), scalar(v)?));
                    }
                }
            }
            Some(_) => return None,
        }
    }
    if inferred && let Some(cookies) = value.get("cookies").filter(|v| !v.is_null()) {
        for cookie in cookies.as_array()? {
            headers.push(("set-cookie".to_owned(), cookie.as_str()?.to_owned()));
        }
    }
    let binary = match value.get("isBase64Encoded") {
        Some(Value::Bool(b)) => *b,
        Some(Value::String(s)) => s == "true",
        None | Some(Value::Null) => false,
        Some(_) => return None,
    };
    let body: Bytes = match value.get("body") {
        None | Some(Value::Null) => Bytes::new(),
        Some(Value::String(s)) if binary => STANDARD.decode(s.trim()).ok()?.into(),
        Some(Value::String(s)) => s.clone().into(),
        Some(other) if inferred => other.to_string().into(),
        Some(_) => return None,
    };
    Some(Proxied { status, headers, body, binary })
}

fn infer(value: &Value) -> Proxied {
    let body = match value {
        Value::String(s) => s.clone(),
        Value::Null => "null".to_owned(),
        other => other.to_string(),
    };
    Proxied {
        status: 200,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.into(),
        binary: false,
    }
}

fn scalar(v: &Value) -> Option<String> {
    match v {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Null => Some(String::new()),
        _ => None,
    }
}

impl Proxied {
    /// The HTTP answer. A body without a type has `content_type`.
    #[must_use]
    pub fn response(self, content_type: &'static str) -> Response<Body> {
        let mut r = Response::new(Body::Empty);
        *r.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        for (name, value) in &self.headers {
            let lower = name.to_ascii_lowercase();
            if is_hop(&lower) || lower == "content-length" {
                continue;
            }
            if let (Ok(n), Ok(v)) =
                (HeaderName::try_from(lower), HeaderValue::from_bytes(value.as_bytes()))
            {
                r.headers_mut().append(n, v);
            }
        }
        if !self.body.is_empty() && !r.headers().contains_key(http::header::CONTENT_TYPE) {
            let v = HeaderValue::from_static(content_type);
            r.headers_mut().insert(http::header::CONTENT_TYPE, v);
        }
        *r.body_mut() = self.body.into();
        r
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let read = |json: &str, inferred| parse_proxied(json.as_bytes(), inferred);
        let full = r#"{"statusCode":201,"headers":{"A":"1","N":2},"multiValueHeaders":{"a":["x","y"]},"body":"aGk=","isBase64Encoded":true}"#;
        let got = read(full, false).unwrap();
        assert_eq!((got.status, &got.body[..], got.binary), (201, &b"hi"[..], true));
        let headers: Vec<_> = got.headers.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(headers, ["N=2", "a=x", "a=y"]);
        let inferred = read(r#"{"message":"x"}"#, true).unwrap();
        assert_eq!((inferred.status, &inferred.body[..]), (200, &br#"{"message":"x"}"#[..]));
        assert_eq!(read(r#""text""#, true).unwrap().body, "text");
        let cookies = read(r#"{"statusCode":"200","cookies":["a=b"],"body":null}"#, true).unwrap();
        assert_eq!(cookies.headers, [("set-cookie".to_owned(), "a=b".to_owned())]);
        for bad in [
            r#"{"message":"x"}"#,
            "[]",
            "x",
            r#"{"statusCode":"abc"}"#,
            r#"{"statusCode":1000}"#,
            r#"{"statusCode":200,"body":{}}"#,
            r#"{"statusCode":200,"headers":[]}"#,
            r#"{"statusCode":200,"body":"%%%","isBase64Encoded":true}"#,
        ] {
            assert_eq!(read(bad, false), None, "{bad}");
        }
    }
}
