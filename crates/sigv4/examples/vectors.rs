//! An engine for AWS's published signing vectors: one JSON request a line, one JSON answer a line.
//!
//! `{"op":"sign"|"verify","mode":"header"|"query","request":RAW,"context":{…}}` gives
//! `{"canonical":…,"sts":…,"signature":…}` or `{"ok":…}`.

use std::io::{BufRead, Write};

use fogbank_sigv4::canonical::{PathStyle, sha256_hex};
use fogbank_sigv4::{Dialect, Head, Keys, Payload, Signer, Terms, parse, payload};
use http::HeaderValue;
use serde_json::{Value, json};

#[path = "../tests/support/raw.rs"]
mod raw;

use raw::Raw;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?) {
            Ok(q) => answer(&q).unwrap_or_else(|e| json!({ "err": e })),
            Err(e) => json!({ "err": e.to_string() }),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn answer(q: &Value) -> Result<Value, String> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let raw = text(&q["request"]);
    let request = Raw::parse(&raw)?;
    let head = request.head();
    let context = &q["context"];
    let credentials = &context["credentials"];
    let (key, secret) =
        (text(&credentials["access_key_id"]), text(&credentials["secret_access_key"]));
    let (region, service) = (text(&context["region"]), text(&context["service"]));
    let time = context["timestamp"].as_str().unwrap_or_default();
    let time = time.parse().map_err(|e| format!("{time}: {e}"))?;
    if q["op"] == "verify" {
        let signed = parse(&head).map_err(|e| e.to_string())?.ok_or("no signature")?;
        let (dialect, body) = if signed.scope.service() == "s3" {
            let payload = Payload::of(&head, Some(&signed)).map_err(|e| e.to_string())?;
            (Dialect::S3, payload.text().to_owned())
        } else {
            (Dialect::Query, payload::of_body(&head, request.body.as_bytes()).into_owned())
        };
        let terms = Terms { dialect, secret: &secret, payload: &body, now: time };
        let done = signed.verify(&head, &terms, &Keys::default());
        let why = done.as_ref().err().map(ToString::to_string);
        return Ok(json!({ "ok": done.is_ok(), "why": why }));
    }
    let mut signer = Signer::new(&key, &secret, &region, &service, time);
    signer.token = credentials["token"].as_str();
    signer.token_unsigned = context["omit_session_token"] == true;
    if context["normalize"] == false {
        signer.path = PathStyle::Unnormalized;
    }
    let hash = sha256_hex(request.body.as_bytes());
    let expires = context["expiration_in_seconds"].as_u64().unwrap_or_default();
    let s = if q["mode"] == "query" {
        signer.presign(&head, &hash, u32::try_from(expires).map_err(|e| e.to_string())?)
    } else {
        let mut headers = request.headers.clone();
        if context["sign_body"] == true {
            let value = HeaderValue::from_str(&hash).map_err(|e| e.to_string())?;
            headers.insert("x-amz-content-sha256", value);
        }
        signer.sign(&Head { headers: &headers, ..head }, &hash)
    };
    Ok(json!({
        "canonical": String::from_utf8_lossy(&s.canonical_request),
        "sts": s.string_to_sign,
        "signature": s.signature,
    }))
}
