//! A request's body with its checks wrapped around it: hash, chunk signatures, trailers.

use fogbank_core::cx::Trailers;
use fogbank_core::{ApiError, Body, Result};
use futures_util::stream::unfold;

use crate::auth::Signed;
use crate::chunked::Decoder;
use crate::head::Head;
use crate::key::SigningKey;
use crate::payload::{BodyHash, EMPTY, Payload};

/// The body that a handler reads: decoded, and ending in an error when it is not what was signed.
/// `signed` is the verified signature with the key that [`Signed::verify`] gave; `trailers` is
/// filled before the body ends.
///
/// # Errors
/// Those of [`Decoder::new`], and `XAmzContentSHA256Mismatch` when the body is at hand already.
pub fn checked(
    body: Body,
    head: &Head<'_>,
    payload: &Payload<'_>,
    signed: Option<(&Signed<'_>, SigningKey)>,
    trailers: &Trailers,
) -> Result<Body> {
    match payload {
        Payload::Unsigned => Ok(body),
        Payload::Hash(expected) => {
            if matches!(body, Body::Empty) && *expected == EMPTY {
                return Ok(Body::Empty);
            }
            let mut hash = BodyHash::new(&**expected);
            match body {
                Body::Empty => hash.finish().map(|()| Body::Empty),
                Body::Full(bytes) => {
                    hash.update(&bytes);
                    hash.finish().map(|()| Body::Full(bytes))
                }
                stream @ Body::Stream { .. } => Ok(hashed(stream, hash)),
            }
        }
        Payload::Chunked(mode) => {
            Ok(decoded(body, Decoder::new(head, *mode, signed)?, trailers.clone()))
        }
    }
}

fn hashed(body: Body, hash: BodyHash) -> Body {
    let length = body.length();
    let chunks = unfold(Some((body, hash)), |state| async move {
        let (mut body, mut hash) = state?;
        match body.next().await {
            Some(Ok(bytes)) => {
                hash.update(&bytes);
                Some((Ok(bytes), Some((body, hash))))
            }
            Some(Err(e)) => Some((Err(e), None)),
            None => hash.finish().err().map(|e| (Err(e), None)),
        }
    });
    Body::stream(length, chunks)
}

fn decoded(body: Body, decoder: Decoder, trailers: Trailers) -> Body {
    let length = Some(decoder.length());
    let chunks = unfold(Some((body, decoder, trailers)), |state| async move {
        let (mut body, mut decoder, trailers) = state?;
        let fail = |e: ApiError| Some((Err(e), None));
        loop {
            match decoder.next() {
                Err(e) => return fail(e),
                Ok(Some(bytes)) => return Some((Ok(bytes), Some((body, decoder, trailers)))),
                Ok(None) => {}
            }
            match body.next().await {
                Some(Ok(bytes)) => decoder.push(bytes),
                Some(Err(e)) => return fail(e),
                None => {
                    return match decoder.end() {
                        Ok(map) => {
                            trailers.set(map);
                            None
                        }
                        Err(e) => fail(e),
                    };
                }
            }
        }
    });
    Body::stream(length, chunks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::sha256_hex;
    use bytes::Bytes;
    use futures_util::FutureExt;

    fn run(body: Body, payload: &Payload<'_>, headers: &http::HeaderMap) -> Result<(Bytes, usize)> {
        let head = Head { method: "PUT", path: "/", query: "", authority: None, headers };
        let trailers = Trailers::default();
        let body = checked(body, &head, payload, None, &trailers)?;
        let bytes = body.collect(1 << 20).now_or_never().expect("nothing to wait for")?;
        Ok((bytes, trailers.get().len()))
    }

    fn pieces(text: &'static str) -> Body {
        let parts: Vec<Result<Bytes>> =
            text.as_bytes().chunks(3).map(|c| Ok(Bytes::from_static(c))).collect();
        Body::stream(None, futures_util::stream::iter(parts))
    }

    #[test]
    fn a_wrong_hash_ends_the_body_in_an_error() {
        let none = http::HeaderMap::new();
        let right = Payload::Hash(sha256_hex(b"hello").into());
        let wrong = Payload::Hash(sha256_hex(b"other").into());
        for make in [|| pieces("hello"), || Body::Full("hello".into())] {
            assert_eq!(run(make(), &right, &none).unwrap().0, "hello");
            let e = run(make(), &wrong, &none).unwrap_err();
            assert_eq!(e.code(), "XAmzContentSHA256Mismatch");
        }
        assert!(run(Body::Empty, &wrong, &none).is_err());
    }

    #[test]
    fn chunks_are_decoded_and_trailers_handed_on() {
        let mut headers = http::HeaderMap::new();
        headers.insert("x-amz-decoded-content-length", 5.into());
        headers.insert("x-amz-trailer", http::HeaderValue::from_static("x-amz-checksum-crc32"));
        let mode = crate::payload::Chunked { signed: false, trailer: true };
        let payload = Payload::Chunked(mode);
        let body = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n";
        assert_eq!(run(pieces(body), &payload, &headers).unwrap(), ("hello".into(), 1));
        let e = run(pieces("5\r\nhel"), &payload, &headers).unwrap_err();
        assert_eq!(e.code(), "IncompleteBody");
    }
}
