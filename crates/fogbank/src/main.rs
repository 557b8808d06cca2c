//! The `fogbank` command.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

mod cli;
mod clock;
mod cloud;
mod doctor;
mod env;
mod instance;
mod operations;
mod run;
mod runtime;
mod shell;
mod status;
mod up;

use cli::{Cli, Command};

/// Half the work of a small request was the system's allocator; this one costs a third of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The allocator asks for huge pages, which a process that is mostly idle would only half fill.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(e) => {
            complain(&e);
            e.downcast_ref::<cloud::Error>()
                .map_or(ExitCode::FAILURE, |e| ExitCode::from(e.exit_code()))
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Env(a) => env::env(&a)?,
        Command::Clock(a) => clock::clock(&a)?,
        Command::Runtime { action } => runtime::runtime(&action)?,
        Command::Shell(a) => return shell::shell(&a),
        Command::Enter(a) => match shell::enter::enter(&a)? {},
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "fogbank", &mut std::io::stdout());
        }
        Command::Up(a) => return up::up(&a),
        Command::Status(a) => return status::status(&a),
        Command::Doctor(a) => return doctor::doctor(&a),
        Command::Run(a) => return run::run(&a),
        Command::Operations => operations::operations()?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Data goes to standard output, everything else to standard error.
fn output(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// An error for a person: the short fact, then what lies behind it.
fn complain(error: &anyhow::Error) {
    let bold = std::io::stderr().is_terminal();
    let (on, off) = if bold { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    eprintln!("{on}error:{off} {error}");
    let mut said = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Some errors tell their cause themselves.
        if !said.contains(&cause) {
            eprintln!("  because: {cause}");
            said = cause;
        }
    }
}
