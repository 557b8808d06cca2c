//! How a request's body is bound to its signature: `x-amz-content-sha256` and what it may say.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

use std::borrow::Cow;

use fogbank_core::ApiError;
use sha2::{Digest, Sha256};

use crate::auth::{Signed, Version};
use crate::canonical::sha256_hex;
use crate::encode::decode_query;
use crate::error::{Error, Place};
use crate::head::Head;

/// The word for a body that the signature does not cover.
pub const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// What S3 must do with the bytes of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Take them as they come.
    Unsigned,
    /// Compare their SHA-256 with this lower-case hex; see [`BodyHash`].
    Hash(Cow<'a, str>),
    /// Decode them with [`crate::chunked::Decoder`].
    Chunked(Chunked),
}

/// The variants of the aws-chunked encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunked {
    /// Each chunk (and the trailer) carries a signature.
    pub signed: bool,
    /// Headers follow the last chunk.
    pub trailer: bool,
}

impl<'a> Payload<'a> {
    /// What a request to S3 says of its body. `signed` is its signature, if it has one.
    ///
    /// # Errors
    /// `NoContentHash` or `ContentHash` when it says nothing or nothing known; `Version4a`.
    pub fn of(head: &Head<'a>, signed: Option<&Signed<'_>>) -> Result<Self, Error> {
        let place = signed.map(|s| s.place);
        let text: Option<Cow<'a, str>> = match head.header("x-amz-content-sha256") {
            Some(t) => Some(Cow::Borrowed(t)),
            None if place == Some(Place::Query) => head
                .query
                .split('&')
                .find_map(|p| p.strip_prefix("X-Amz-Content-Sha256="))
                .map(decode_query),
            None => None,
        };
        let Some(text) = text else {
            let header =
                signed.is_some_and(|s| (s.place, s.version) == (Place::Header, Version::V4));
            return if header { Err(Error::NoContentHash) } else { Ok(Payload::Unsigned) };
        };
        let chains = signed.is_some_and(|s| s.version == Version::V4);
        let chunked = |signed, trailer| Ok(Payload::Chunked(Chunked { signed, trailer }));
        match &*text {
            UNSIGNED => Ok(Payload::Unsigned),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => chunked(false, true),
            // A signed chunk chains to the signature of the head: without one it means nothing.
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" if chains => chunked(true, false),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" if chains => chunked(true, true),
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
            | "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER" => Err(Error::Version4a),
            t if t.len() == 64 && t.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Ok(Payload::Hash(text))
            }
            _ => Err(Error::ContentHash { given: text.into_owned() }),
        }
    }

    /// Its text in the canonical request.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Payload::Unsigned => UNSIGNED,
            Payload::Hash(h) => h,
            Payload::Chunked(Chunked { signed: false, .. }) => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            Payload::Chunked(Chunked { trailer: false, .. }) => {
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
            }
            Payload::Chunked(_) => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        }
    }
}

/// SHA-256 of nothing.
pub(crate) const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The payload's text for services other than S3, which read the whole body first: its hash,
/// unless the client declares it unsigned.
#[must_use]
pub fn of_body(head: &Head<'_>, body: &[u8]) -> Cow<'static, str> {
    if head.header("x-amz-content-sha256") == Some(UNSIGNED) {
        return Cow::Borrowed(UNSIGNED);
    }
    if body.is_empty() { Cow::Borrowed(EMPTY) } else { Cow::Owned(sha256_hex(body)) }
}

/// Compares a streamed body with the hash that its signature covers.
#[derive(Clone, Debug)]
pub struct BodyHash {
    expected: String,
    hash: Sha256,
}

impl BodyHash {
    /// `expected` is the hex text of [`Payload::Hash`].
    #[must_use]
    pub fn new(expected: impl Into<String>) -> Self {
        BodyHash { expected: expected.into(), hash: Sha256::new() }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    /// At the end of the body.
    ///
    /// # Errors
    /// S3's `XAmzContentSHA256Mismatch`.
    pub fn finish(self) -> Result<(), ApiError> {
        let computed = hex::encode(self.hash.finalize());
        if computed.eq_ignore_ascii_case(&self.expected) {
            return Ok(());
        }
        Err(ApiError::new(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
        .status(400)
        .field("ClientComputedContentSHA256", self.expected)
        .field("S3ComputedContentSHA256", computed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &'static str) -> Result<Payload<'static>, Error> {
        let mut headers = http::HeaderMap::new();
        headers.insert("x-amz-content-sha256", http::HeaderValue::from_static(value));
        let headers = Box::leak(Box::new(headers));
        Payload::of(&Head { method: "PUT", path: "/", query: "", authority: None, headers }, None)
    }

    #[test]
    fn known_words_and_hashes_only() {
        let hash = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
        assert_eq!(of(hash), Ok(Payload::Hash(hash.into())));
        assert_eq!(of(UNSIGNED), Ok(Payload::Unsigned));
        let unsigned = Payload::Chunked(Chunked { signed: false, trailer: true });
        assert_eq!(of("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), Ok(unsigned));
        let e = of("STREAMING-AWS4-HMAC-SHA256-PAYLOAD").unwrap_err();
        assert!(matches!(e, Error::ContentHash { .. }), "anonymous requests sign no chunks");
        assert_eq!(of("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"), Err(Error::Version4a));
        assert!(matches!(of("abc"), Err(Error::ContentHash { .. })));
        assert!(matches!(of(""), Err(Error::ContentHash { .. })));
    }

    #[test]
    fn a_body_must_have_its_hash() {
        let check = |hash: &str, body: &[u8]| {
            let mut h = BodyHash::new(hash);
            h.update(body);
            h.finish()
        };
        assert_eq!(check(&sha256_hex(b"x"), b"x"), Ok(()));
        let e = check(&sha256_hex(b"x"), b"y").unwrap_err();
        assert_eq!((e.code(), e.fields().len()), ("XAmzContentSHA256Mismatch", 2));
    }
}
