//! `cargo xtask bench`: fogbank beside moto, ministack and nginx, in one run.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::shell;
use crate::test::clients;

#[derive(clap::Args)]
pub struct Args {
    /// Only these: fogbank, ministack, moto, nginx
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How often each load is run; the median counts
    #[arg(long, default_value_t = 3)]
    repeat: u32,
}

/// Builds fogbank for release and the load generator, then runs `bench/bench.py`, which writes
/// `bench/results.md`.
///
/// # Errors
/// When something cannot be built or installed.
pub fn run(args: &Args) -> Result<ExitCode> {
    shell::run(shell::cargo().args(["build", "--release", "-p", "fogbank"]))?;
    let loader = "target/loader";
    shell::run(Command::new("cc").args(["-O2", "-pthread", "-o", loader, "bench/loader.c"]))?;
    let venv = clients::venv(Path::new("target/bench-venv"), "bench/requirements.txt")?;
    let mut command = Command::new(venv.join("bin/python"));
    command.args(["bench/bench.py", "--fogbank", "target/release/fogbank", "--loader", loader]);
    command.arg("--bin").arg(venv.join("bin")).args(["--repeat", &args.repeat.to_string()]);
    if !args.only.is_empty() {
        command.args(["--only", &args.only.join(",")]);
    }
    let ok = shell::run(&mut command).is_ok();
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
