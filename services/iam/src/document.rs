//! Policy documents on their way in and out.

use std::fmt::Write;

use fogbank_core::Result;
use fogbank_policy::{Policy, Usage};

/// What a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// What an identity may do; also a boundary.
    Identity,
    /// Who may assume a role.
    Trust,
}

/// Refuses a document that AWS would call malformed.
pub fn check(text: &str, what: Use) -> Result<()> {
    parse(text, what).map(drop)
}

/// The document, read.
pub fn parse(text: &str, what: Use) -> Result<Policy> {
    let usage = match what {
        Use::Identity => Usage::Identity,
        Use::Trust => Usage::Trust,
    };
    Policy::parse(text, usage).map_err(|e| e.api())
}

/// The size that quotas speak of: characters that are no white space.
pub fn size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

/// The document as answers carry it: percent-encoded as by RFC 3986.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3 / 2);
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_counted_and_encoded() {
        assert_eq!(size("{ \"a\":\n\t1 }"), 7);
        assert_eq!(encode(r#"{"a": "ä*~"}"#), "%7B%22a%22%3A%20%22%C3%A4%2A~%22%7D");
    }

    #[test]
    fn malformed_documents_are_refused() {
        let ok = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
        assert_eq!(check(ok, Use::Identity), Ok(()));
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#;
        for bad in ["", "{", "null", "[]", "\"x\"", &deep, trust] {
            let e = check(bad, Use::Identity).unwrap_err();
            assert_eq!(e.code(), "MalformedPolicyDocument", "{bad:.40}");
        }
        assert_eq!(check(trust, Use::Trust), Ok(()));
        assert!(check(ok, Use::Trust).is_err());
    }
}
