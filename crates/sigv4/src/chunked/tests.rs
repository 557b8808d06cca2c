//! Chunked bodies, good and bad, in pieces of every size.

use sha2::{Digest, Sha256};

use super::*;
use crate::{Dialect, Keys, Payload, Signer as HeadSigner, Terms, parse};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// AWS's documented example of a signed upload: 65 KiB of `a` in chunks of 64 KiB and 1 KiB.
struct Upload {
    headers: HeaderMap,
}

impl Upload {
    fn new(payload: &str, extra: &[(&'static str, &str)]) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("s3.amazonaws.com"));
        headers.insert("x-amz-content-sha256", payload.parse().unwrap());
        for (name, value) in extra {
            headers.insert(*name, value.parse().unwrap());
        }
        let now = "2013-05-24T00:00:00Z".parse().unwrap();
        let signer = HeadSigner::new("AKIAIOSFODNN7EXAMPLE", SECRET, "us-east-1", "s3", now);
        let head = Head {
            method: "PUT",
            path: "/examplebucket/chunkObject.txt",
            query: "",
            authority: None,
            headers: &headers,
        };
        let added = signer.sign(&head, payload).headers;
        headers.extend(added);
        Upload { headers }
    }

    fn head(&self) -> Head<'_> {
        Head {
            method: "PUT",
            path: "/examplebucket/chunkObject.txt",
            query: "",
            authority: None,
            headers: &self.headers,
        }
    }

    fn decoder(&self) -> (Decoder, Option<super::Signer>) {
        let head = self.head();
        let signed = parse(&head).unwrap().unwrap();
        let payload = Payload::of(&head, Some(&signed)).unwrap();
        let terms = Terms {
            dialect: Dialect::S3,
            secret: SECRET,
            payload: payload.text(),
            now: signed.date.time,
        };
        let key = signed.verify(&head, &terms, &Keys::new(1)).unwrap();
        let Payload::Chunked(mode) = payload else { panic!("not chunked") };
        let signer = mode.signed.then(|| super::Signer::new(&signed, key.clone()));
        (Decoder::new(&head, mode, Some((&signed, key))).unwrap(), signer)
    }
}

fn encode(signer: &mut Option<super::Signer>, chunks: &[&[u8]], trailer: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    for c in chunks.iter().copied().chain([&b""[..]]) {
        out.extend(format!("{:x}", c.len()).bytes());
        if let Some(s) = signer {
            out.extend(format!(";chunk-signature={}", s.sign_chunk(&Sha256::digest(c))).bytes());
        }
        out.extend(b"\r\n");
        if !c.is_empty() {
            out.extend_from_slice(c);
            out.extend(b"\r\n");
        }
    }
    if let Some(t) = trailer {
        out.extend(t.bytes());
        out.extend(b"\r\n");
        if let Some(s) = signer {
            let signature = s.sign_trailer(&format!("{t}\n"));
            out.extend(format!("x-amz-trailer-signature:{signature}\r\n").bytes());
        }
    }
    out.extend(b"\r\n");
    out
}

fn run(mut d: Decoder, body: &[u8], piece: usize) -> Result<(Vec<u8>, HeaderMap), ApiError> {
    let mut out = Vec::new();
    for p in body.chunks(piece) {
        d.push(Bytes::copy_from_slice(p));
        while let Some(data) = d.next()? {
            out.extend_from_slice(&data);
        }
    }
    Ok((out, d.end()?))
}

fn code(d: Decoder, body: &[u8]) -> String {
    run(d, body, 1000).map_or_else(|e| e.code().to_owned(), |_| "fine".into())
}

#[test]
fn the_documented_example_decodes() {
    let upload = Upload::new(
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        &[
            ("content-encoding", "aws-chunked"),
            ("content-length", "66824"),
            ("x-amz-decoded-content-length", "66560"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ],
    );
    let auth = upload.headers["authorization"].to_str().unwrap();
    assert!(auth.ends_with("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"));
    let mut body = Vec::new();
    let a = [b'a'; 65536];
    for (size, signature) in [
        (65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
        (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
        (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
    ] {
        body.extend(format!("{size:x};chunk-signature={signature}\r\n").bytes());
        body.extend_from_slice(&a[..size]);
        body.extend(b"\r\n");
    }
    for piece in [1, 7, 1000, 65536, 1 << 20] {
        let (data, trailers) = run(upload.decoder().0, &body, piece).unwrap();
        assert_eq!((data.len(), trailers.len()), (66560, 0));
    }
    let at = body.len() / 2;
    body[at] = b'b';
    assert_eq!(code(upload.decoder().0, &body), "SignatureDoesNotMatch");
}

#[test]
fn trailers_signed_and_unsigned() {
    let data = [b'x'; 20_000];
    for payload in
        ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"]
    {
        let upload = Upload::new(
            payload,
            &[("x-amz-decoded-content-length", "20000"), ("x-amz-trailer", "x-amz-checksum-crc32")],
        );
        let make = |trailer| {
            let (d, mut s) = upload.decoder();
            (d, encode(&mut s, &[&data[..10_000], &data[10_000..]], trailer))
        };
        let (d, body) = make(Some("x-amz-checksum-crc32:AAAAAA=="));
        let (got, trailers) = run(d, &body, 777).unwrap();
        assert_eq!(got, data);
        assert_eq!(trailers["x-amz-checksum-crc32"], "AAAAAA==");
        let (d, _) = make(None);
        assert!(run(d, &body[..body.len() - 2], 50).is_ok(), "the last empty line may be missing");
        let (d, body) = make(Some("x-amz-checksum-sha1:AAAAAA=="));
        assert_eq!(code(d, &body), "MalformedTrailerError", "not the one announced");
        let (d, body) = make(None);
        assert_eq!(code(d, &body), "MalformedTrailerError", "announced but not there");
        let (d, mut body) = make(Some("x-amz-checksum-crc32:AAAAAA=="));
        let at = body.len() - 10;
        body[at] ^= 1;
        let wrong = code(d, &body);
        if payload.contains("HMAC") {
            assert_eq!(wrong, "SignatureDoesNotMatch");
        }
    }
}

#[test]
fn bad_bodies_have_s3s_errors() {
    let upload = Upload::new(
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        &[("x-amz-decoded-content-length", "10")],
    );
    for (body, wanted) in [
        ("a\r\n0123456789\r\n0\r\n\r\n", "fine"),
        ("A;x=y\r\n0123456789\r\n0\r\n\r\n", "fine"),
        ("a\r\n0123456789\r\n0\r\n", "fine"),
        ("5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", "InvalidChunkSizeError"),
        ("", "IncompleteBody"),
        ("a\r\n01234", "IncompleteBody"),
        ("a\r\n0123456789", "IncompleteBody"),
        ("a\r\n0123456789\r\n", "IncompleteBody"),
        ("a\r\n0123456789XX0\r\n\r\n", "IncompleteBody"),
        ("b\r\n0123456789a\r\n0\r\n\r\n", "IncompleteBody"),
        ("5\r\n01234\r\n0\r\n\r\n", "IncompleteBody"),
        ("-a\r\n0123456789\r\n0\r\n\r\n", "IncompleteBody"),
        ("ffffffffffffffffff\r\n", "IncompleteBody"),
        ("ffffffffffffffff\r\n", "IncompleteBody"),
        ("\r\n", "IncompleteBody"),
        ("a\n0123456789", "IncompleteBody"),
        ("a\r\n0123456789\r\n0\r\nx:y\r\n\r\n", "MalformedTrailerError"),
        ("a\r\n0123456789\r\n0\r\nnonsense\r\n\r\n", "MalformedTrailerError"),
        ("a\r\n0123456789\r\n0\r\n\r\nmore", "IncompleteBody"),
    ] {
        for piece in [1, 3, 1000] {
            let got = run(upload.decoder().0, body.as_bytes(), piece);
            let got = got.map_or_else(|e| e.code().to_owned(), |_| "fine".into());
            assert_eq!(got, wanted, "{body:?} in pieces of {piece}");
        }
    }
    assert_eq!(code(upload.decoder().0, &[b'0'; 1 << 20]), "IncompleteBody", "an endless line");
}

#[test]
fn a_slice_of_the_input_is_yielded_not_a_copy() {
    let upload = Upload::new(
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        &[("x-amz-decoded-content-length", "10")],
    );
    let mut d = upload.decoder().0;
    let input = Bytes::from_static(b"a\r\n0123456789\r\n0\r\n\r\n");
    let from = input.as_ptr() as usize;
    d.push(input);
    let data = d.next().unwrap().unwrap();
    assert_eq!(data.as_ptr() as usize, from + 3);
}

#[test]
fn the_decoded_length_is_required() {
    let upload = Upload::new("STREAMING-UNSIGNED-PAYLOAD-TRAILER", &[]);
    let mode = Chunked { signed: false, trailer: true };
    let e = Decoder::new(&upload.head(), mode, None).unwrap_err();
    assert_eq!((e.code(), e.status_override()), ("MissingContentLength", Some(411)));
}

#[test]
fn content_encoding_loses_only_aws_chunked() {
    assert_eq!(content_encoding("aws-chunked"), None);
    assert_eq!(content_encoding("aws-chunked, gzip").as_deref(), Some("gzip"));
    assert_eq!(content_encoding("gzip,AWS-Chunked,br").as_deref(), Some("gzip,br"));
}
