//! What a proxied function is told: the events of payload formats 1.0 and 2.0.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Version};
use serde_json::{Map, Value, json};

use crate::visit::Visit;

/// Which bodies are bytes to an API.
#[derive(Clone, Copy, Debug)]
pub enum Binary<'a> {
    /// HTTP APIs: whatever is no text by its type.
    ByType,
    /// REST APIs: the types listed.
    Listed(&'a [String]),
}

impl Binary<'_> {
    /// Whether a body of this type is bytes.
    #[must_use]
    pub fn is(&self, content_type: Option<&str>) -> bool {
        match self {
            Binary::ByType => !is_text(content_type),
            Binary::Listed(types) => {
                let media = media_type(content_type.unwrap_or_default());
                types.iter().any(|t| {
                    t == "*/*"
                        || t.eq_ignore_ascii_case(media)
                        || t.strip_suffix("/*").is_some_and(|t| {
                            media.split('/').next().is_some_and(|m| m.eq_ignore_ascii_case(t))
                        })
                })
            }
        }
    }
}

/// `text/html` of `text/html; charset=utf-8`.
#[must_use]
pub fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Whether HTTP APIs hand a body of this type over as text.
#[must_use]
pub fn is_text(content_type: Option<&str>) -> bool {
    let Some(t) = content_type else { return true };
    let t = media_type(t).to_ascii_lowercase();
    t.is_empty()
        || t.starts_with("text/")
        || t.ends_with("+json")
        || t.ends_with("+xml")
        || matches!(
            &*t,
            "application/json"
                | "application/xml"
                | "application/javascript"
                | "application/graphql"
        )
}

/// What an event of format 2.0 holds beside the request.
#[derive(Debug)]
pub struct Simple<'a> {
    pub route_key: &'a str,
    /// The path with its stage, as received.
    pub raw_path: &'a str,
    pub path_parameters: &'a [(&'a str, String)],
    pub stage: &'a str,
    pub variables: &'a BTreeMap<String, String>,
    pub account: &'a str,
    pub region: &'a str,
    /// `requestContext.authorizer`.
    pub authorizer: Option<&'a Value>,
}

/// What an authorizer vouches for, in an event's words.
pub type Claims = Value;

/// An event of format 2.0.
#[must_use]
pub fn simple_event(visit: &Visit, s: &Simple<'_>) -> Value {
    let mut event = Map::new();
    event.insert("version".into(), "2.0".into());
    event.insert("routeKey".into(), s.route_key.into());
    event.insert("rawPath".into(), s.raw_path.into());
    event.insert("rawQueryString".into(), visit.query().into());
    let cookies: Vec<Value> = visit
        .headers()
        .get_all(http::header::COOKIE)
        .iter()
        .filter_map(|c| c.to_str().ok())
        .flat_map(|c| c.split(';').map(|c| Value::from(c.trim())))
        .collect();
    if !cookies.is_empty() {
        event.insert("cookies".into(), cookies.into());
    }
    event.insert("headers".into(), joined_headers(visit).into());
    let parameters = visit.parameters();
    if !parameters.is_empty() {
        let mut map = Map::new();
        for (k, v) in parameters {
            join(&mut map, k, &v);
        }
        event.insert("queryStringParameters".into(), map.into());
    }
    let domain = visit.domain(s.region);
    let mut context = json!({
        "accountId": s.account,
        "apiId": visit.api,
        "domainName": domain,
        "domainPrefix": visit.api,
        "http": {
            "method": visit.parts.method.as_str(),
            "path": s.raw_path,
            "protocol": visit.protocol(),
            "sourceIp": visit.source_ip.to_string(),
            "userAgent": visit.user_agent(),
        },
        "requestId": visit.extended_id,
        "routeKey": s.route_key,
        "stage": s.stage,
        "time": visit.request_time(),
        "timeEpoch": visit.now.as_millisecond(),
    });
    if let Some(authorizer) = s.authorizer {
        context["authorizer"] = authorizer.clone();
    }
    event.insert("requestContext".into(), context);
    if !s.path_parameters.is_empty() {
        event.insert("pathParameters".into(), map_of(s.path_parameters));
    }
    if !s.variables.is_empty() {
        event.insert("stageVariables".into(), json!(s.variables));
    }
    let encoded = body(&mut event, visit, Binary::ByType, false);
    event.insert("isBase64Encoded".into(), encoded.into());
    event.into()
}

/// What an event of format 1.0 holds beside the request.
#[derive(Debug)]
pub struct Rest<'a> {
    /// `1.0` for HTTP APIs; REST APIs' events have no version.
    pub version: Option<&'a str>,
    /// The resource's path, or the route's.
    pub resource: &'a str,
    /// The path without its stage for REST APIs, with it for HTTP APIs.
    pub path: &'a str,
    pub path_parameters: &'a [(&'a str, String)],
    pub variables: &'a BTreeMap<String, String>,
    /// The whole of `requestContext`.
    pub context: Value,
    pub binary: Binary<'a>,
}

/// An event of format 1.0.
#[must_use]
pub fn rest_event(visit: &Visit, r: Rest<'_>) -> Value {
    let mut event = Map::new();
    if let Some(v) = r.version {
        event.insert("version".into(), v.into());
    }
    event.insert("resource".into(), r.resource.into());
    event.insert("path".into(), r.path.into());
    event.insert("httpMethod".into(), visit.parts.method.as_str().into());
    let (one, many) = both_headers(visit);
    event.insert("headers".into(), one.into());
    event.insert("multiValueHeaders".into(), many.into());
    let parameters = visit.parameters();
    if parameters.is_empty() {
        event.insert("queryStringParameters".into(), Value::Null);
        event.insert("multiValueQueryStringParameters".into(), Value::Null);
    } else {
        let (mut one, mut many) = (Map::new(), Map::new());
        for (k, v) in parameters {
            push(&mut many, &k, &v);
            one.insert(k, v.into());
        }
        event.insert("queryStringParameters".into(), one.into());
        event.insert("multiValueQueryStringParameters".into(), many.into());
    }
    let none = |empty: bool, v: Value| if empty { Value::Null } else { v };
    let path = none(r.path_parameters.is_empty(), map_of(r.path_parameters));
    event.insert("pathParameters".into(), path);
    event.insert("stageVariables".into(), none(r.variables.is_empty(), json!(r.variables)));
    event.insert("requestContext".into(), r.context);
    let encoded = body(&mut event, visit, r.binary, true);
    event.insert("isBase64Encoded".into(), encoded.into());
    event.into()
}

/// Writes the body; whether it is in base64.
fn body(event: &mut Map<String, Value>, visit: &Visit, binary: Binary<'_>, null: bool) -> bool {
    if visit.body.is_empty() {
        if null {
            event.insert("body".into(), Value::Null);
        }
        return false;
    }
    let text = match std::str::from_utf8(&visit.body) {
        Ok(text) if !binary.is(visit.header("content-type")) => Some(text.to_owned()),
        Err(_)
            if matches!(binary, Binary::Listed(_)) && !binary.is(visit.header("content-type")) =>
        {
            Some(String::from_utf8_lossy(&visit.body).into_owned())
        }
        _ => None,
    };
    let encoded = text.is_none();
    event.insert("body".into(), text.unwrap_or_else(|| STANDARD.encode(&visit.body)).into());
    encoded
}

fn map_of(pairs: &[(&str, String)]) -> Value {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), Value::from(v.as_str())))
        .collect::<Map<_, _>>()
        .into()
}

fn join(map: &mut Map<String, Value>, name: String, value: &str) {
    match map.get_mut(&name) {
        Some(Value::String(old)) => {
            old.push(',');
            old.push_str(value);
        }
        _ => {
            map.insert(name, value.into());
        }
    }
}

fn push(map: &mut Map<String, Value>, name: &str, value: &str) {
    match map.get_mut(name) {
        Some(Value::Array(list)) => list.push(value.into()),
        _ => {
            map.insert(name.to_owned(), Value::Array(vec![value.into()]));
        }
    }
}

/// The headers that the gateway adds: how the request came.
#[must_use]
pub fn forwarded(visit: &Visit) -> [(&'static str, String); 4] {
    let ip = visit.source_ip.to_string();
    let chain = match visit.header("x-forwarded-for") {
        Some(before) => format!("{before}, {ip}"),
        None => ip,
    };
    let trace = visit.header("x-amzn-trace-id").map_or_else(
        || {
            let ids = visit.cloud.ids();
            format!("Root=1-{:08x}-{}", visit.now.as_second(), ids.hex(24))
        },
        str::to_owned,
    );
    [
        ("x-amzn-trace-id", trace),
        ("x-forwarded-for", chain),
        ("x-forwarded-port", "443".to_owned()),
        ("x-forwarded-proto", "https".to_owned()),
    ]
}

/// Headers of one connection only, which nobody passes on.
#[must_use]
pub fn is_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "proxy-connection"
    )
}

fn texts(headers: &HeaderMap) -> impl Iterator<Item = (&str, String)> {
    headers
        .iter()
        .filter(|(n, _)| !is_hop(n.as_str()))
        .map(|(n, v)| (n.as_str(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
}

fn joined_headers(visit: &Visit) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, value) in texts(visit.headers()).filter(|(n, _)| *n != "cookie") {
        join(&mut map, name.to_owned(), &value);
    }
    for (name, value) in forwarded(visit) {
        map.insert(name.to_owned(), value.into());
    }
    map
}

fn both_headers(visit: &Visit) -> (Map<String, Value>, Map<String, Value>) {
    let (mut one, mut many) = (Map::new(), Map::new());
    let as_sent = visit.parts.version != Version::HTTP_2;
    let forwarded = forwarded(visit);
    for (name, value) in texts(visit.headers()) {
        if forwarded.iter().any(|(n, _)| *n == name) {
            continue;
        }
        let name = if as_sent { usual_case(name) } else { name };
        push(&mut many, name, &value);
        one.insert(name.to_owned(), value.into());
    }
    for (name, value) in forwarded {
        let name = usual_case(name);
        many.insert(name.to_owned(), Value::Array(vec![value.as_str().into()]));
        one.insert(name.to_owned(), value.into());
    }
    (one, many)
}

/// REST APIs pass the names of headers on in the case they were sent in, which our listener does
/// not keep. These are sent in this case by every client of HTTP/1.1.
fn usual_case(name: &str) -> &str {
    const USUAL: [&str; 29] = [
        "Accept",
        "Accept-Encoding",
        "Accept-Language",
        "Authorization",
        "Cache-Control",
        "Content-Encoding",
        "Content-Length",
        "Content-Type",
        "Cookie",
        "Date",
        "Host",
        "If-Match",
        "If-Modified-Since",
        "If-None-Match",
        "Origin",
        "Pragma",
        "Range",
        "Referer",
        "User-Agent",
        "Via",
        "X-Amz-Content-Sha256",
        "X-Amz-Date",
        "X-Amz-Security-Token",
        "X-Amzn-Trace-Id",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Proto",
        "X-Requested-With",
    ];
    let at =
        USUAL.binary_search_by(|u| u.bytes().map(|b| b.to_ascii_lowercase()).cmp(name.bytes()));
    at.map_or(name, |i| USUAL[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_bodies() {
        for (t, text) in [
            (None, true),
            (Some("application/json; charset=utf-8"), true),
            (Some("text/plain"), true),
            (Some("application/problem+json"), true),
            (Some("application/x-www-form-urlencoded"), false),
            (Some("image/png"), false),
            (Some("multipart/form-data; boundary=x"), false),
        ] {
            assert_eq!(is_text(t), text, "{t:?}");
        }
        let listed = ["image/*".to_owned(), "application/zip".to_owned()];
        let rest = Binary::Listed(&listed);
        assert!(rest.is(Some("image/png")) && rest.is(Some("application/zip; x=y")));
        assert!(!rest.is(Some("text/plain")) && !rest.is(None));
        assert!(Binary::Listed(&["*/*".to_owned()]).is(None));
    }

    #[test]
    fn names_of_headers() {
        assert_eq!(usual_case("user-agent"), "User-Agent");
        assert_eq!(usual_case("accept"), "Accept");
        assert_eq!(usual_case("x-requested-with"), "X-Requested-With");
        assert_eq!(usual_case("x-tenant"), "x-tenant");
    }
}
