//! `cargo +nightly fuzz run rest`: see `fogbank_wire::fuzz::rest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fogbank_wire::fuzz::rest(data));
