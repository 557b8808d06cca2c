//! Repository chores: `cargo xtask CHORE`.

use anyhow::Result;
use clap::{Parser, Subcommand};

mod models;

#[derive(Parser)]
#[command(about = "Repository chores")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Make models/*.model from a botocore wheel
    Models(models::Args),
}

fn main() -> Result<()> {
    match Args::parse().chore {
        Chore::Models(args) => models::run(&args),
    }
}
