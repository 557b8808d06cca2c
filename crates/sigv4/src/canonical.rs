//! The canonical request and the string to sign.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use sha2::{Digest, Sha256};

use crate::encode::{encode_into, recode_path, recode_query};
use crate::head::Head;

/// How a service's signers write the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathStyle {
    /// Dot segments and empty segments removed, then escaped once more: every service but S3.
    Normalized,
    /// Escaped once more, otherwise as it stands.
    Unnormalized,
    /// Escaped once, otherwise as it stands: S3, whose keys may hold `//` and `..`.
    S3,
    /// As it stands, for signers that take the path for escaped already.
    Verbatim,
}

/// Everything besides the head that the canonical request depends on.
#[derive(Clone, Copy, Debug)]
pub struct Form<'a> {
    pub path: PathStyle,
    /// Names of the signed headers, lower case, separated by `;`.
    pub signed_headers: &'a str,
    /// The payload's hash in hex, or the word that stands for it.
    pub payload: &'a str,
    /// Query parameters that are not part of it: the signature itself.
    pub skip_query: &'a [&'a str],
}

/// The canonical request, byte for byte (header values need not be UTF-8).
#[must_use]
pub fn request(head: &Head<'_>, form: &Form<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(head.method.as_bytes());
    out.push(b'\n');
    path(&mut out, head.path, form.path);
    out.push(b'\n');
    query(&mut out, head.query, form.skip_query);
    out.push(b'\n');
    for name in form.signed_headers.split(';') {
        header(&mut out, head, name);
    }
    out.push(b'\n');
    out.extend_from_slice(form.signed_headers.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(form.payload.as_bytes());
    out
}

/// `AWS4-HMAC-SHA256`, the date, the scope and the hash of the canonical request.
#[must_use]
pub fn string_to_sign(date: &str, scope: &str, canonical: &[u8]) -> Vec<u8> {
    let mut hash = [0u8; 64];
    hash_hex(canonical, &mut hash);
    let mut out = Vec::with_capacity(192);
    for line in [crate::auth::ALGORITHM.as_bytes(), date.as_bytes(), scope.as_bytes()] {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend_from_slice(&hash);
    out
}

/// SHA-256 in lower-case hex.
#[must_use]
pub fn sha256_hex(data: &[u8]) -> String {
    let mut hash = [0u8; 64];
    hash_hex(data, &mut hash);
    hash.iter().map(|b| char::from(*b)).collect()
}

fn hash_hex(data: &[u8], out: &mut [u8; 64]) {
    // The sizes agree by type, so there is nothing to fail.
    let _ = hex::encode_to_slice(Sha256::digest(data), out);
}

fn path(out: &mut Vec<u8>, raw: &str, style: PathStyle) {
    let raw = if raw.is_empty() { "/" } else { raw };
    match style {
        PathStyle::S3 => recode_path(out, raw.as_bytes()),
        PathStyle::Verbatim => out.extend_from_slice(raw.as_bytes()),
        PathStyle::Unnormalized => segments(out, raw.split('/')),
        PathStyle::Normalized => {
            let mut kept: Vec<&str> = Vec::with_capacity(8);
            for s in raw.split('/') {
                match s {
                    "" | "." => {}
                    ".." => {
                        kept.pop();
                    }
                    s => kept.push(s),
                }
            }
            out.push(b'/');
            let any = !kept.is_empty();
            segments(out, kept.into_iter());
            if any && raw.ends_with('/') {
                out.push(b'/');
            }
        }
    }
}

fn segments<'a>(out: &mut Vec<u8>, segments: impl Iterator<Item = &'a str>) {
    for (i, s) in segments.enumerate() {
        if i > 0 {
            out.push(b'/');
        }
        encode_into(out, s.as_bytes());
    }
}

fn query(out: &mut Vec<u8>, raw: &str, skip: &[&str]) {
    if raw.is_empty() {
        return;
    }
    // Each pair as ranges of one buffer: the names and values are sorted escaped.
    let mut text = Vec::with_capacity(raw.len() + 16);
    let mut pairs: Vec<(usize, usize, usize)> = Vec::with_capacity(8);
    for pair in raw.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if skip.contains(&name) {
            continue;
        }
        let start = text.len();
        recode_query(&mut text, name.as_bytes());
        let middle = text.len();
        recode_query(&mut text, value.as_bytes());
        pairs.push((start, middle, text.len()));
    }
    let split = |p: &(usize, usize, usize)| (&text[p.0..p.1], &text[p.1..p.2]);
    pairs.sort_by(|a, b| split(a).cmp(&split(b)));
    for (i, p) in pairs.iter().enumerate() {
        let (name, value) = split(p);
        if i > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

fn header(out: &mut Vec<u8>, head: &Head<'_>, name: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut values = head.headers.get_all(name).iter().peekable();
    if values.peek().is_none()
        && name == "host"
        && let Some(a) = head.authority
    {
        out.extend_from_slice(a.as_bytes());
    }
    for (i, v) in values.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        folded(out, v.as_bytes());
    }
    out.push(b'\n');
}

/// Appends a value trimmed, with each run of white space as one space.
fn folded(out: &mut Vec<u8>, value: &[u8]) {
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    for (i, word) in value.split(blank).filter(|w| !w.is_empty()).enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}
