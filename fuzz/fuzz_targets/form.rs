//! Browser forms: `multipart/form-data` in pieces of any size.
#![no_main]

use bytes::Bytes;
use fogbank_core::Body;
use futures_util::FutureExt;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [size, rest @ ..] = data else { return };
    let pieces: Vec<_> =
        rest.chunks(usize::from(*size) + 1).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
    let body = Body::stream(None, futures_util::stream::iter(pieces));
    let read = fogbank_wire::multipart::read("multipart/form-data; boundary=b", body);
    if let Some(Ok((_, file))) = read.now_or_never() {
        drop(file.collect(1 << 20).now_or_never());
    }
});
