//! `cargo xtask models`: AWS's service models, stripped of prose, as compact tables under `models/`.

use std::path::PathBuf;

use anyhow::{Result, bail};

#[derive(clap::Args)]
pub struct Args {
    /// An unpacked botocore wheel or source package
    #[arg(long, value_name = "DIR")]
    botocore: PathBuf,
}

/// Writes one table per line of `models/services.txt`.
pub fn run(args: &Args) -> Result<()> {
    if !args.botocore.join("botocore/data").is_dir() {
        bail!("{} has no botocore/data", args.botocore.display());
    }
    Ok(())
}
