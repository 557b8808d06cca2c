//! aws-chunked bodies in pieces of any size: never more bytes than announced, never a panic.
#![no_main]

use bytes::Bytes;
use fogbank_sigv4::Head;
use fogbank_sigv4::chunked::Decoder;
use fogbank_sigv4::payload::Chunked;
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [length, size, rest @ ..] = data else { return };
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-decoded-content-length", u16::from(*length).into());
    headers.insert("x-amz-trailer", "x-amz-checksum-crc32".parse().expect("a value"));
    let head = Head { method: "PUT", path: "/b/k", query: "", authority: None, headers: &headers };
    let mode = Chunked { signed: false, trailer: true };
    let Ok(mut decoder) = Decoder::new(&head, mode, None) else { return };
    let mut decoded = 0;
    for piece in rest.chunks(usize::from(*size) + 1) {
        decoder.push(Bytes::copy_from_slice(piece));
        loop {
            match decoder.next() {
                Ok(Some(bytes)) => decoded += bytes.len(),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
    if decoder.end().is_ok() {
        assert_eq!(decoded, usize::from(*length), "what was announced");
    }
});
