//! Signatures in headers and queries, the payload's announcement, and browser forms' policies.
#![no_main]

use fogbank_sigv4::post::{PostAuth, PostPolicy};
use fogbank_sigv4::{Head, Payload};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.splitn(4, '\n');
    let mut part = || parts.next().unwrap_or_default();
    let (target, authorization, hash, date) = (part(), part(), part(), part());
    let mut headers = HeaderMap::new();
    for (name, value) in
        [("authorization", authorization), ("x-amz-content-sha256", hash), ("x-amz-date", date)]
    {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let head = Head { method: "GET", path, query, authority: None, headers: &headers };
    if let Ok(signed) = fogbank_sigv4::parse(&head) {
        let _ = Payload::of(&head, signed.as_ref());
    }
    let _ = PostPolicy::parse(text);
    let fields: Vec<(String, String)> = text
        .split('\n')
        .filter_map(|l| l.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    let _ = PostAuth::parse(&fields);
});
