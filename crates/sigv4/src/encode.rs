//! Percent encoding as SigV4 defines it: everything but `A-Z a-z 0-9 - . _ ~`, in capital hex.

use std::borrow::Cow;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The bytes that are kept; in a path, slashes too.
const UNRESERVED: [bool; 256] = {
    let mut t = [false; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        t[i] = b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        i += 1;
    }
    t
};
const PATH: [bool; 256] = {
    let mut t = UNRESERVED;
    t[b'/' as usize] = true;
    t
};

/// Appends `text` escaped.
pub fn encode_into(out: &mut Vec<u8>, text: &[u8]) {
    runs(out, text, &UNRESERVED, |out, rest| {
        escape(out, rest[0]);
        &rest[1..]
    });
}

/// `text` escaped.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    encode_into(&mut out, text.as_bytes());
    ascii(out)
}

/// Appends a piece of a query that may already be escaped: decoded, then escaped anew.
/// A `+` is a space, as form encoding has it; a `%` that begins no escape stands for itself.
pub fn recode_query(out: &mut Vec<u8>, text: &[u8]) {
    recode(out, text, &UNRESERVED, true);
}

/// Appends a path that may already be escaped: decoded, then escaped anew except for slashes.
pub fn recode_path(out: &mut Vec<u8>, text: &[u8]) {
    recode(out, text, &PATH, false);
}

fn recode(out: &mut Vec<u8>, text: &[u8], kept: &[bool; 256], plus: bool) {
    runs(out, text, kept, |out, rest| {
        let mut d = Decode { text: rest, plus };
        match d.next() {
            Some(b) if kept[usize::from(b)] => out.push(b),
            Some(b) => escape(out, b),
            None => {}
        }
        d.text
    });
}

/// Copies what is kept as it stands, in runs; `other` appends whatever stands between them and
/// says what comes after it.
fn runs(
    out: &mut Vec<u8>,
    mut text: &[u8],
    kept: &[bool; 256],
    other: impl for<'t> Fn(&mut Vec<u8>, &'t [u8]) -> &'t [u8],
) {
    loop {
        let n = text.iter().position(|b| !kept[usize::from(*b)]).unwrap_or(text.len());
        out.extend_from_slice(&text[..n]);
        if n == text.len() {
            return;
        }
        text = other(out, &text[n..]);
    }
}

fn escape(out: &mut Vec<u8>, b: u8) {
    out.extend_from_slice(&[b'%', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]);
}

/// The decoded text of a query parameter; bytes that are no UTF-8 become U+FFFD.
#[must_use]
pub fn decode_query(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let bytes: Vec<u8> = Decode { text: text.as_bytes(), plus: true }.collect();
    Cow::Owned(match String::from_utf8(bytes) {
        Ok(s) => s,
        Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
    })
}

/// Bytes that are ASCII by construction, as text.
pub fn ascii(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

struct Decode<'a> {
    text: &'a [u8],
    plus: bool,
}

impl Iterator for Decode<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.text.split_first()?;
        if let (b'%', [h, l, after @ ..]) = (first, rest)
            && let (Some(h), Some(l)) = (digit(*h), digit(*l))
        {
            self.text = after;
            return Some(h << 4 | l);
        }
        self.text = rest;
        Some(if self.plus && *first == b'+' { b' ' } else { *first })
    }
}

fn digit(b: u8) -> Option<u8> {
    char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recoded(f: fn(&mut Vec<u8>, &[u8]), text: &str) -> String {
        let mut v = Vec::new();
        f(&mut v, text.as_bytes());
        ascii(v)
    }

    #[test]
    fn encoding_is_exact() {
        assert_eq!(encode("a b/ሴ~"), "a%20b%2F%E1%88%B4~");
        assert_eq!(recoded(recode_query, "a+b%2b%e1%zz%4"), "a%20b%2B%E1%25zz%254");
        assert_eq!(recoded(recode_path, "/a+b%2Fc d%7E"), "/a%2Bb/c%20d~");
        assert_eq!(decode_query("a%2Fb+c"), "a/b c");
        assert_eq!(decode_query("%ff"), "\u{fffd}");
    }
}
