//! `cargo xtask test`: every check that must hold before a change lands, in order, with a summary.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::shell;

pub mod clients;
mod tally;

use tally::Tally;

#[derive(clap::Args)]
pub struct Args {
    /// Install missing Debian packages (Chromium); done without asking in CI
    #[arg(long)]
    install: bool,
    /// Only these steps: fmt, lint, tidy, unit, clients
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// Where tests note what they skipped and why: one line each.
const SKIPS: &str = "target/skipped.txt";

/// One line of the summary.
struct Step {
    name: &'static str,
    time: Duration,
    result: Result<Tally>,
}

/// Runs the steps in order; a failed one does not stop the others.
///
/// # Errors
/// When a step cannot even be started.
pub fn run(args: &Args) -> Result<ExitCode> {
    let install = args.install || std::env::var_os("CI").is_some();
    std::fs::create_dir_all("target")?;
    std::fs::write(SKIPS, "")?;

    let mut steps = Vec::new();
    let mut step = |name: &'static str, run: &dyn Fn() -> Result<Tally>| {
        if args.only.is_empty() || args.only.iter().any(|o| o == name) {
            eprintln!("\n==> {name}");
            let start = Instant::now();
            let result = run();
            if let Err(e) = &result {
                eprintln!("error: {e:#}");
            }
            steps.push(Step { name, time: start.elapsed(), result });
        }
    };
    step("fmt", &|| one(shell::cargo().args(["fmt", "--all", "--check"])));
    step("lint", &|| {
        let lint = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
        one(shell::cargo().args(lint))
    });
    step("tidy", &|| one(shell::cargo().args(["run", "--quiet", "-p", "xtask", "--", "tidy"])));
    step("unit", &|| tests(&["--workspace", "--exclude", "fogbank-it"], &[]));
    step("clients", &|| {
        let venv = clients::ready(install)?;
        shell::run(shell::cargo().args(["build", "--quiet", "-p", "fogbank"]))?;
        tests(&["-p", "fogbank-it"], &[("FOGBANK_VENV", &venv), ("FOGBANK_SKIPS", &skips())])
    });
    Ok(summary(&steps))
}

/// Runs the tests of the chosen packages, with nextest where it is installed.
///
/// # Errors
/// When cargo cannot be started.
pub fn tests(packages: &[&str], env: &[(&str, &Path)]) -> Result<Tally> {
    let mut command = shell::cargo();
    let runner: &[&str] = if shell::cargo_has("nextest") {
        &["nextest", "run", "--no-fail-fast"]
    } else {
        &["test", "--no-fail-fast"]
    };
    command.args(runner).args(packages).envs(env.iter().copied());
    let mut tally = Tally::default();
    let ok = shell::watch(&mut command, |line| tally.read(line))?;
    // A crate that does not compile runs no test, and says so by its status alone.
    if !ok && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(tally)
}

/// A step that is one check: it passes or fails as a whole.
fn one(command: &mut Command) -> Result<Tally> {
    shell::run(command).map(|()| Tally { passed: 1, ..Tally::default() })
}

fn skips() -> PathBuf {
    std::env::current_dir().unwrap_or_default().join(SKIPS)
}

fn summary(steps: &[Step]) -> ExitCode {
    let mut all = Tally::default();
    eprintln!();
    for s in steps {
        let result = match &s.result {
            Ok(t) if t.failed == 0 => "ok",
            _ => "FAILED",
        };
        eprintln!("{:>8} {:>7.1}s  {result}", s.name, s.time.as_secs_f64());
        match &s.result {
            Ok(t) => all.add(t),
            Err(_) => all.failed += 1,
        }
    }
    let skipped = std::fs::read_to_string(SKIPS).unwrap_or_default();
    for line in skipped.lines() {
        eprintln!("skipped: {line}");
    }
    // A test that skips ends well; it is not one that proved something.
    let n = skipped.lines().count();
    all.passed = all.passed.saturating_sub(n);
    all.skipped += n;
    #[allow(clippy::print_stdout, reason = "the result of the command")]
    {
        println!("{} passed, {} failed, {} skipped", all.passed, all.failed, all.skipped);
    }
    if all.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
