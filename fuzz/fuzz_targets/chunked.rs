//! aws-chunked bodies: how they are cut into pieces makes no difference.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| fogbank_sigv4::fuzz::chunked(data));
