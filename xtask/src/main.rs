//! Repository chores: `cargo xtask CHORE`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod bench;
mod compat;
mod crash;
mod fuzz;
mod models;
mod shell;
mod test;
mod tidy;

#[derive(Parser)]
#[command(about = "Repository chores")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything that must hold: format, lints, tidy, unit tests, real clients
    Test(test::Args),
    /// House rules: crate edges, file lengths, licences, duplicate versions, module docs
    Tidy,
    /// Write COMPAT.md from the operation tables
    Compat(compat::Args),
    /// Measure fogbank beside its peers, in one run
    Bench(bench::Args),
    /// kill -9 under load, restart, read back every acknowledged write
    Crash(crash::Args),
    /// Feed the parsers that read the network what nobody would send
    Fuzz(fuzz::Args),
    /// Make models/*.model from a botocore wheel
    Models(models::Args),
}

fn main() -> Result<ExitCode> {
    std::env::set_current_dir(root())?;
    match Args::parse().chore {
        Chore::Test(args) => test::run(&args),
        Chore::Tidy => tidy::run(),
        Chore::Compat(args) => compat::run(&args),
        Chore::Bench(args) => bench::run(&args),
        Chore::Crash(args) => crash::run(&args),
        Chore::Fuzz(args) => fuzz::run(&args),
        Chore::Models(args) => models::run(&args).map(|()| ExitCode::SUCCESS),
    }
}

/// The repository's root: the folder above this crate.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| PathBuf::from("."), PathBuf::from)
}
