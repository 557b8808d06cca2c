//! DNS messages: answered, refused or ignored.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use fogbank_dns::{Zone, answer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let zone = Zone::aws(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let _ = answer(&zone, data);
});
