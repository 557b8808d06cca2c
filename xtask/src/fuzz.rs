//! `cargo xtask fuzz`: libFuzzer on every parser that reads the network.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::shell;

/// The targets in `fuzz/fuzz_targets`.
const TARGETS: &[&str] = &["wire", "form", "sigv4", "chunked", "policy", "dns"];

/// What tells libFuzzer which code an input has reached. These are flags of the stable compiler; no
/// sanitizer is needed where `unsafe` is denied.
const COVERAGE: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
    "-Coverflow-checks",
];

#[derive(clap::Args)]
pub struct Args {
    /// Only these targets
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    targets: Vec<String>,
    /// How long each runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// Builds the targets and runs each for a while; what it learnt stays in `fuzz/corpus`.
///
/// # Errors
/// When they cannot be built. A finding is exit code 1, with its input in `fuzz/artifacts`.
pub fn run(args: &Args) -> Result<ExitCode> {
    let host = shell::host()?;
    let mut build = shell::cargo();
    build.args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml"]);
    // Naming the target keeps the flags away from build scripts and macros.
    build.args(["--target", &host, "--target-dir", "target/fuzz"]);
    shell::run(build.env("RUSTFLAGS", COVERAGE.join(" ")))?;

    let all: Vec<String> = TARGETS.iter().map(|t| (*t).to_owned()).collect();
    let targets = if args.targets.is_empty() { &all } else { &args.targets };
    let mut found = false;
    for target in targets {
        let corpus = Path::new("fuzz/corpus").join(target);
        let artifacts = Path::new("fuzz/artifacts").join(target);
        std::fs::create_dir_all(&corpus)?;
        std::fs::create_dir_all(&artifacts)?;
        eprintln!("==> {target}, {} s", args.seconds);
        let mut command =
            Command::new(Path::new("target/fuzz").join(&host).join("release").join(target));
        command.arg(&corpus).arg(format!("-max_total_time={}", args.seconds));
        command.arg(format!("-artifact_prefix={}/", artifacts.display()));
        command.args(["-timeout=10", "-rss_limit_mb=2048", "-max_len=65536", "-verbosity=0"]);
        found |= shell::run(&mut command).is_err();
    }
    Ok(if found { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
