//! What verifying costs: a small GET signed by header, and the same presigned. Prints nanoseconds.
#![allow(clippy::print_stdout, reason = "a bench prints its result")]

use std::hint::black_box;
use std::time::Instant;

use fogbank_sigv4::{Dialect, Head, Keys, Payload, Signer, Terms, parse};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;

/// The fastest of so many batches is printed: the others met somebody else on the machine.
const BATCHES: u32 = 50;
const ROUNDS: u32 = 5_000;

fn main() {
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    let now = Timestamp::from_second(1_440_938_160).unwrap_or_default();
    let signer = Signer::new("AKIDEXAMPLE", secret, "us-east-1", "s3", now);
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("127.0.0.1:4566"));
    let head = Head {
        method: "GET",
        path: "/bucket/some/key.txt",
        query: "",
        authority: None,
        headers: &headers,
    };
    let by_header = signer.sign(&head, "UNSIGNED-PAYLOAD");
    let by_query = signer.presign(&head, "UNSIGNED-PAYLOAD", 900);
    let mut signed = headers.clone();
    signed.extend(by_header.headers);
    let keys = Keys::default();
    measure("header", || verify(&Head { headers: &signed, ..head }, secret, now, &keys));
    measure("presigned", || verify(&Head { query: &by_query.query, ..head }, secret, now, &keys));
    measure("header, no key at hand", || {
        verify(&Head { headers: &signed, ..head }, secret, now, &Keys::new(1))
    });
}

fn verify(head: &Head<'_>, secret: &str, now: Timestamp, keys: &Keys) -> bool {
    let Ok(Some(signed)) = parse(head) else { return false };
    let Ok(payload) = Payload::of(head, Some(&signed)) else { return false };
    let terms = Terms { dialect: Dialect::S3, secret, payload: payload.text(), now };
    signed.verify(head, &terms, keys).is_ok()
}

fn measure(name: &str, f: impl Fn() -> bool) {
    let batch = || {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            assert!(black_box(f()), "{name} does not verify");
        }
        start.elapsed().as_nanos() / u128::from(ROUNDS)
    };
    let best = (0..BATCHES).map(|_| batch()).min().unwrap_or_default();
    println!("{name}: {best} ns");
}
