//! `cargo +nightly fuzz run json`: see `fogbank_wire::fuzz::json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fogbank_wire::fuzz::json(data));
