//! A whole fogbank for tests, and drivers for clients that nobody here wrote.
//!
//! [`Cloud`] starts the built binary on a free port; [`client`] runs boto3 scripts, the AWS CLI,
//! Terraform and Chromium against it; [`handler`] runs a service's operations by themselves; [`http`] speaks to it byte by byte, signed or broken;
//! [`load`] writes until it is killed and knows what was acknowledged.

pub mod client;
pub mod cloud;
pub mod handler;
pub mod http;
pub mod load;

use std::io::Write;
use std::path::{Path, PathBuf};

pub use cloud::Cloud;

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Notes that the running test proved nothing, and why. `cargo xtask test` counts these.
pub fn skip(why: &str) {
    eprintln!("skipped: {why}");
    let Some(list) = std::env::var_os("FOGBANK_SKIPS") else { return };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(list);
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    if let Ok(mut f) = file {
        // One write: lines of tests that run at the same time do not mix.
        let _ = f.write_all(format!("{test}: {why}\n").as_bytes());
    }
}
