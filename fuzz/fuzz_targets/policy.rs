//! Policy documents: parsed or refused.
#![no_main]

use fogbank_policy::{Policy, Usage};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(policy) = Policy::parse(text, Usage::Identity) {
        let _ = policy.principals().count();
    }
    let _ = Policy::parse(text, Usage::Trust);
});
