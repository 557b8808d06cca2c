//! Browsers across origins: preflights are answered, other answers decorated.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>

use fogbank_apigw::Visit;
use fogbank_core::Body;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::api::Cors;

/// The answer to a preflight, if the request is one.
pub fn preflight(cors: &Cors, visit: &Visit) -> Option<Response<Body>> {
    let asks = visit.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if visit.parts.method != Method::OPTIONS || !visit.headers().contains_key(ORIGIN) || !asks {
        return None;
    }
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if origin(cors, visit, headers) {
        list(headers, ACCESS_CONTROL_ALLOW_METHODS, cors.allow_methods.as_deref());
        list(headers, ACCESS_CONTROL_ALLOW_HEADERS, cors.allow_headers.as_deref());
        list(headers, ACCESS_CONTROL_EXPOSE_HEADERS, cors.expose_headers.as_deref());
        if let Some(age) = cors.max_age {
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(age));
        }
    }
    Some(response)
}

/// Says in an answer which origins may read it, over what the integration says.
pub fn decorate(cors: &Cors, visit: &Visit, headers: &mut HeaderMap) {
    for name in [
        ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_ALLOW_CREDENTIALS,
        ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_MAX_AGE,
    ] {
        headers.remove(name);
    }
    if visit.headers().contains_key(ORIGIN) && origin(cors, visit, headers) {
        list(headers, ACCESS_CONTROL_EXPOSE_HEADERS, cors.expose_headers.as_deref());
    }
}

/// Whether the origin may; if so, says it.
fn origin(cors: &Cors, visit: &Visit, headers: &mut HeaderMap) -> bool {
    let Some(asked) = visit.header("origin") else { return false };
    let allowed = cors.allow_origins.as_deref().unwrap_or_default();
    let any = allowed.iter().any(|o| o == "*");
    if !any && !allowed.iter().any(|o| fits(o, asked)) {
        return false;
    }
    let value = if any { "*" } else { asked };
    let Ok(value) = HeaderValue::from_str(value) else { return false };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
    if !any {
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
    if cors.allow_credentials == Some(true) {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    true
}

/// `https://*` stands for every origin of its scheme.
fn fits(allowed: &str, origin: &str) -> bool {
    match allowed.strip_suffix('*') {
        Some(start) if start.ends_with("://") => origin.starts_with(start),
        _ => allowed.eq_ignore_ascii_case(origin),
    }
}

fn list(headers: &mut HeaderMap, name: HeaderName, values: Option<&[String]>) {
    let text = values.unwrap_or_default().join(",");
    if let Some(value) = HeaderValue::from_str(&text).ok().filter(|_| !text.is_empty()) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        for (allowed, origin, expected) in [
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "https://b.example", false),
            ("https://*", "https://b.example", true),
            ("https://*", "http://b.example", false),
        ] {
            assert_eq!(fits(allowed, origin), expected, "{allowed} {origin}");
        }
    }
}
