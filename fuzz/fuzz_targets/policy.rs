//! Policy documents: parsed or refused, and what is accepted can be asked.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| fogbank_policy::fuzz::document(data));
