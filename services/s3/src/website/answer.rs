//! Objects and errors as a website answers them: plain HTTP, outside the API's protocol.

use fogbank_core::{ApiError, Body, Reply, Str, Value};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};

/// What identifies a request in its answer.
pub(super) struct Ids {
    pub request: String,
    pub host: String,
}

impl Ids {
    pub(super) fn new(ids: &fogbank_core::Ids) -> Self {
        Ids { request: ids.s3_request_id(), host: ids.hex(32) }
    }

    pub(super) fn stamp(&self, mut response: Response<Body>) -> Response<Body> {
        let headers = response.headers_mut();
        put(headers, "x-amz-request-id", &self.request);
        put(headers, "x-amz-id-2", &self.host);
        headers.insert(header::SERVER, HeaderValue::from_static("AmazonS3"));
        response
    }
}

/// The status of an error, whose code S3 or the gateway chose.
pub(super) fn status_of(error: &ApiError) -> StatusCode {
    let by_code = match error.code() {
        "AccessDenied" | "InvalidObjectState" => 403,
        "NoSuchKey" | "NoSuchBucket" | "NoSuchVersion" | "404" => 404,
        "NotModified" | "304" => 304,
        "PreconditionFailed" => 412,
        "InvalidRange" => 416,
        "InternalFailure" | "InternalError" => 500,
        _ => 400,
    };
    StatusCode::from_u16(error.status_override().unwrap_or(by_code)).unwrap_or_default()
}

/// Adds the visitor's range and conditions to an object request.
pub(super) fn conditions(headers: &HeaderMap, input: &mut Vec<(Str, Value)>) {
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    for (name, member) in [
        (header::RANGE, "Range"),
        (header::IF_MATCH, "IfMatch"),
        (header::IF_NONE_MATCH, "IfNoneMatch"),
    ] {
        if let Some(v) = text(name) {
            input.push((member.into(), Value::from(v)));
        }
    }
    for (name, member) in [
        (header::IF_MODIFIED_SINCE, "IfModifiedSince"),
        (header::IF_UNMODIFIED_SINCE, "IfUnmodifiedSince"),
    ] {
        // A date that is none is not a condition (RFC 9110, section 13.1.3).
        if let Some(t) = text(name).and_then(|v| DateTimeParser::new().parse_timestamp(v).ok()) {
            input.push((member.into(), Value::Time(t)));
        }
    }
}

/// An object, as a document.
pub(super) fn document(reply: Reply) -> Response<Body> {
    const MEMBERS: [(&str, &str); 14] = [
        ("ContentType", "content-type"),
        ("ContentRange", "content-range"),
        ("ContentEncoding", "content-encoding"),
        ("ContentLanguage", "content-language"),
        ("ContentDisposition", "content-disposition"),
        ("CacheControl", "cache-control"),
        ("ETag", "etag"),
        ("LastModified", "last-modified"),
        ("VersionId", "x-amz-version-id"),
        ("ServerSideEncryption", "x-amz-server-side-encryption"),
        ("StorageClass", "x-amz-storage-class"),
        ("ContentLength", "content-length"),
        ("Expires", "expires"),
        ("ExpiresString", "expires"),
    ];
    let mut response = Response::new(reply.body.unwrap_or_default());
    *response.status_mut() =
        reply.status.and_then(|s| StatusCode::from_u16(s).ok()).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    for (member, name) in MEMBERS {
        match reply.value.get(member) {
            Some(Value::Str(s)) => put(headers, name, s),
            Some(Value::Int(n)) => put(headers, name, &n.to_string()),
            Some(Value::Time(t)) => {
                if let Ok(t) = DateTimePrinter::new().timestamp_to_rfc9110_string(t) {
                    put(headers, name, &t);
                }
            }
            _ => {}
        }
    }
    if let Some(Value::Map(meta)) = reply.value.get("Metadata") {
        for (name, value) in meta {
            put(headers, &format!("x-amz-meta-{name}"), value.as_str().unwrap_or_default());
        }
    }
    put(headers, "accept-ranges", "bytes");
    response
}

/// An HTML page for an error.
pub(super) fn page(error: &ApiError, html: String) -> Response<Body> {
    let length = html.len();
    let mut response = bare(error);
    let headers = response.headers_mut();
    describe(headers, error);
    put(headers, "content-type", "text/html; charset=utf-8");
    headers.insert(header::CONTENT_LENGTH, length.into());
    *response.body_mut() = html.into();
    response
}

/// An answer without body: not modified, precondition failed.
pub(super) fn bare(error: &ApiError) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status_of(error);
    response.headers_mut().extend(error.headers().iter().cloned());
    response
}

/// Says in headers what went wrong, since the page may be anything.
pub(super) fn describe(headers: &mut HeaderMap, error: &ApiError) {
    put(headers, "x-amz-error-code", error.code());
    put(headers, "x-amz-error-message", error.message());
    for (name, value) in error.fields() {
        if let Value::Str(text) = value {
            put(headers, &format!("x-amz-error-detail-{name}"), text);
        }
    }
}

/// Answers a `HEAD`: the headers of the `GET`, its length included.
pub(super) fn drop_body(response: &mut Response<Body>) {
    let length = response.body().length();
    if let Some(n) = length.filter(|_| !response.headers().contains_key(header::CONTENT_LENGTH)) {
        response.headers_mut().insert(header::CONTENT_LENGTH, n.into());
    }
    *response.body_mut() = Body::Empty;
}

/// Sets a header; what cannot be one (a key with a line break) is left out.
fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::no_such_key;
    use fogbank_core::map;

    #[test]
    fn documents_carry_their_headers() {
        let time = jiff::Timestamp::from_second(1_700_000_000).unwrap();
        let value = map! {
            "ContentType" => "text/css", "ETag" => "\"x\"", "ContentLength" => 2_i64,
            "LastModified" => Value::Time(time), "Metadata" => map! {"a" => "b"},
        };
        let body = Some(Body::from("ab".to_owned()));
        let mut r = document(Reply { value, body, ..Reply::default() });
        assert_eq!(r.headers()["last-modified"], "Tue, 14 Nov 2023 22:13:20 GMT");
        assert_eq!(r.headers()["x-amz-meta-a"], "b");
        drop_body(&mut r);
        assert_eq!(
            (r.headers()["content-length"].as_bytes(), r.body().length()),
            (&b"2"[..], Some(0))
        );
    }

    #[test]
    fn conditions_are_read_leniently() {
        let mut headers = HeaderMap::new();
        headers.insert("if-modified-since", "Tue, 14 Nov 2023 22:13:20 GMT".parse().unwrap());
        headers.insert("if-unmodified-since", "yesterday".parse().unwrap());
        headers.insert("range", "bytes=0-1".parse().unwrap());
        let mut input = Vec::new();
        conditions(&headers, &mut input);
        let names: Vec<_> = input.iter().map(|(n, _)| n.as_ref()).collect();
        assert_eq!(names, ["Range", "IfModifiedSince"]);
    }

    #[test]
    fn errors_describe_themselves_in_headers() {
        let r = page(&no_such_key("a\nb"), "x".into());
        assert_eq!(r.status(), 404);
        assert_eq!(r.headers()["x-amz-error-code"], "NoSuchKey");
        assert!(!r.headers().contains_key("x-amz-error-detail-key"));
    }
}
