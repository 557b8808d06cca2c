//! Entry points for fuzzing: one per parser, each taking any bytes and checking what must hold.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use crate::auth::parse;
use crate::canonical::{Form, PathStyle, request};
use crate::chunked::Decoder;
use crate::error::Dialect;
use crate::head::Head;
use crate::payload::Chunked;
use crate::post::PostPolicy;

/// Any bytes as an `Authorization` header.
pub fn header(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let mut headers = HeaderMap::new();
    headers.insert("authorization", value);
    headers.insert("x-amz-date", HeaderValue::from_static("20150830T123600Z"));
    check(&Head { method: "GET", path: "/", query: "", authority: None, headers: &headers });
}

/// Any text as the query of a presigned URL, and as a path.
pub fn query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let headers = HeaderMap::new();
    for (path, query) in [("/", &*text), (&*text, "")] {
        check(&Head { method: "GET", path, query, authority: None, headers: &headers });
    }
}

/// Any bytes as an aws-chunked body: how it is cut into pieces must make no difference.
///
/// # Panics
/// When it does.
pub fn chunked(data: &[u8]) {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-decoded-content-length", HeaderValue::from_static("20"));
    headers.insert("x-amz-trailer", HeaderValue::from_static("x-amz-checksum-crc32"));
    let head = Head { method: "PUT", path: "/", query: "", authority: None, headers: &headers };
    let run = |piece: usize| {
        let mode = Chunked { signed: false, trailer: true };
        let mut d = Decoder::new(&head, mode, None).ok()?;
        let mut out = Vec::new();
        for p in data.chunks(piece) {
            d.push(Bytes::copy_from_slice(p));
            while let Some(b) = d.next().ok()? {
                out.extend_from_slice(&b);
            }
        }
        d.end().ok().map(|t| (out, t))
    };
    let whole = run(data.len().max(1));
    for piece in [1, 2, 7] {
        assert_eq!(run(piece), whole, "in pieces of {piece}");
    }
    if let Some((out, _)) = whole {
        assert_eq!(out.len(), 20, "the announced length");
    }
}

/// Any bytes as a browser form's policy, plain and as base64.
pub fn post_policy(data: &[u8]) {
    use base64::Engine;
    let base64 = base64::engine::general_purpose::STANDARD.encode(data);
    for text in [&*base64, &*String::from_utf8_lossy(data)] {
        if let Ok(p) = PostPolicy::parse(text) {
            let form = [("key".to_owned(), "a".to_owned())];
            let _ = p.check(&form, "b", jiff::Timestamp::UNIX_EPOCH);
            let _ = p.check_length(5);
        }
    }
}

/// Whatever the head, it parses or is refused in every dialect, and has a canonical form that is
/// its own canonical form.
fn check(head: &Head<'_>) {
    match parse(head) {
        Ok(_) => {}
        Err(e) => {
            for d in [Dialect::S3, Dialect::Query, Dialect::Ec2, Dialect::Json, Dialect::RestJson] {
                assert!(!e.api(d).code().is_empty(), "an error has a code");
            }
        }
    }
    let canonical = |head: &Head<'_>| {
        let form =
            Form { path: PathStyle::S3, signed_headers: "host", payload: "", skip_query: &[] };
        String::from_utf8(request(head, &form)).unwrap_or_default()
    };
    let once = canonical(head);
    let mut lines = once.split('\n').skip(1);
    let (path, query) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    assert_eq!(canonical(&Head { path, query, ..*head }), once, "canonical twice");
}
