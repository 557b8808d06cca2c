//! `cargo xtask bench`: fogbank beside moto, ministack and nginx, in one run.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::shell;

#[derive(clap::Args)]
pub struct Args {
    /// Fewer repeats: a look, not a figure
    #[arg(long)]
    quick: bool,
    /// Without the peers
    #[arg(long)]
    alone: bool,
}

/// Builds fogbank for release and runs `bench/compare.py`, which writes `bench/results.md`. Fails
/// when a promise is missed.
///
/// # Errors
/// When fogbank cannot be built or Python not started.
pub fn run(args: &Args) -> Result<ExitCode> {
    shell::run(shell::cargo().args(["build", "--release", "-p", "fogbank"]))?;
    let mut command = Command::new("python3");
    command.args(["bench/compare.py", "--fogbank", "target/release/fogbank"]);
    command.args(["--peers", "target/bench", "--out", "bench/results.md"]);
    command.args(args.quick.then_some("--quick"));
    command.args(args.alone.then_some("--alone"));
    let status = command.status().context("a Python 3 is needed")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
