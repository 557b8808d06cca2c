//! `cargo xtask crash`: the kill -9 test, as many rounds as wanted.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::{shell, test};

#[derive(clap::Args)]
pub struct Args {
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// Kill a release build: more writes a second, so more in flight at the kill
    #[arg(long)]
    release: bool,
}

/// Builds fogbank and runs the test `crash` with that many rounds.
///
/// # Errors
/// When cargo cannot be started or the build fails.
pub fn run(args: &Args) -> Result<ExitCode> {
    let profile: &[&str] = if args.release { &["--release"] } else { &[] };
    shell::run(shell::cargo().args(["build", "-p", "fogbank"]).args(profile))?;
    let rounds = args.rounds.to_string();
    let folder = if args.release { "release" } else { "debug" };
    let binary = std::env::current_dir()?.join("target").join(folder).join("fogbank");
    let tally = test::tests(
        &["-p", "fogbank-it", "kill9_loses_no_acknowledged_write", "--no-capture"],
        &[("FOGBANK_CRASH_ROUNDS", Path::new(&rounds)), ("FOGBANK_BIN", &binary)],
    )?;
    Ok(if tally.failed == 0 && tally.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
