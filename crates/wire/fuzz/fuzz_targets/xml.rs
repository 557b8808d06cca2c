//! `cargo +nightly fuzz run xml`: see `fogbank_wire::fuzz::xml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fogbank_wire::fuzz::xml(data));
