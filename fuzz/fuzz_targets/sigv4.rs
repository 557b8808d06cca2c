//! Signatures in headers and queries, and browser forms' policies and fields.
#![no_main]

use fogbank_sigv4::fuzz::{header, post_policy, query};
use fogbank_sigv4::post::PostAuth;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    header(data);
    query(data);
    post_policy(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let fields: Vec<(String, String)> = text
        .split('\n')
        .filter_map(|l| l.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    let _ = PostAuth::parse(&fields);
});
