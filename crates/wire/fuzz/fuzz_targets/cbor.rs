//! `cargo +nightly fuzz run cbor`: see `fogbank_wire::fuzz::cbor`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fogbank_wire::fuzz::cbor(data));
