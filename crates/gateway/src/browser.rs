//! Web pages as clients: what they may ask, and what a page from elsewhere may not.
//!
//! AWS's services other than S3 answer pages of any origin; S3's rules are its buckets' own.
//!
//! **Invariant:** a page that was not served by this machine cannot act as the root of an account
//! by its well-known key. Anybody's page can be open in a browser here and knows `test`.

use fogbank_core::{ApiError, Body, Credential, Result};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN,
    REFERER,
};
use http::{HeaderMap, HeaderValue, Response, Uri};

use crate::names;

/// The secret that everybody knows.
const WELL_KNOWN: &str = "test";

/// Refuses the well-known key to pages from elsewhere.
///
/// # Errors
/// `AccessDenied`.
pub fn check(headers: &HeaderMap, credential: &Credential) -> Result<()> {
    let shared = credential.secret == WELL_KNOWN && credential.principal.is_root();
    if !shared || !is_foreign(headers) {
        return Ok(());
    }
    Err(ApiError::new(
        "AccessDenied",
        "Web pages from other machines may not use the well-known root key. Give them a user's.",
    )
    .status(403))
}

/// Whether a browser sends the request for a page that this machine did not serve.
fn is_foreign(headers: &HeaderMap) -> bool {
    let from = headers.get(ORIGIN).or_else(|| {
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        // Without an origin it is a picture, a form or a link; typed addresses say `none`.
        if site == Some(b"cross-site") { headers.get(REFERER).or(Some(&UNKNOWN)) } else { None }
    });
    let Some(from) = from else { return false };
    let uri: Option<Uri> = from.to_str().ok().and_then(|t| t.parse().ok());
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    !(loopback || names::is_ours(&host))
}

static UNKNOWN: HeaderValue = HeaderValue::from_static("null");

/// The answer to a preflight for a service that has no rules of its own.
pub fn preflight(request: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    let headers = response.headers_mut();
    decorate(headers);
    let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("172800"));
    if let Some(asked) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    response
}

/// Lets any page read an answer.
pub fn decorate(headers: &mut HeaderMap) {
    const EXPOSED: &str =
        "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,x-fogbank-ignored,Date";
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_this_machine_are_known() {
        let foreign = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs
                .iter()
                .map(|(n, v)| (http::HeaderName::from_static(n), HeaderValue::from_static(v)));
            is_foreign(&headers.collect())
        };
        assert!(!foreign(&[]));
        assert!(!foreign(&[("origin", "http://localhost:3000")]));
        assert!(!foreign(&[("origin", "http://127.0.0.1:3000")]));
        assert!(!foreign(&[("origin", "http://[::1]:3000")]));
        assert!(!foreign(&[("origin", "https://b.s3-website.localhost.localstack.cloud")]));
        assert!(!foreign(&[("sec-fetch-site", "none")]));
        assert!(!foreign(&[("sec-fetch-site", "cross-site"), ("referer", "http://localhost/a")]));
        assert!(foreign(&[("origin", "https://example.com")]));
        assert!(foreign(&[("origin", "https://localhost.example.com")]));
        assert!(foreign(&[("origin", "null")]));
        assert!(foreign(&[("sec-fetch-site", "cross-site")]));
        assert!(foreign(&[("sec-fetch-site", "cross-site"), ("referer", "https://example.com/a")]));
    }
}
