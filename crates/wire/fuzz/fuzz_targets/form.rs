//! `cargo +nightly fuzz run form`: see `fogbank_wire::fuzz::form`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fogbank_wire::fuzz::form(data));
