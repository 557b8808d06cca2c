//! The command line: what can be typed, and its help.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// AWS on your own machine, in one binary: no container engine, no account, no internet.
#[derive(Parser, Debug)]
#[command(name = "fogbank", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  fogbank up                              start a cloud on http://127.0.0.1:4566
  eval \"$(fogbank env)\" && aws s3 ls      point this shell's AWS tools at it
  fogbank shell -- terraform apply        no settings at all: the real AWS names lead here
  fogbank run static-website              deploy an example system and look at it";

const UP: &str = "\
When the cloud can be used, one line goes to standard output: ready http://127.0.0.1:4566

Exit codes:
  0  stopped by SIGINT or SIGTERM    3  the port is in use
  1  something else went wrong       4  the address cannot be listened on
  2  the command line is wrong       5  the data directory is in use
                                     6  the data directory is of a newer fogbank
                                     7  the data directory is damaged
                                     8  the data directory cannot be read or written";

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Start a cloud and serve until interrupted
    #[command(after_help = UP)]
    Up(Up),
    /// Print the settings that point AWS tools at a cloud, for your shell to evaluate
    Env(Env),
    /// Run a command (or a shell) in which the real AWS names lead to a cloud, over trusted TLS
    Shell(Shell),
    /// Show what a running cloud does and holds
    Status(Target),
    /// Check this machine, its clients and a running cloud for known traps
    Doctor(Target),
    /// Deploy one of the example systems and show it at work
    Run(Run),
    /// Show or move a cloud's clock: timers, expiries and lifecycle rules follow it
    Clock(Clock),
    /// Show which interpreters run Lambda functions, or install what a runtime needs
    Runtime {
        #[command(subcommand)]
        action: RuntimeAction,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell to complete for
        shell: clap_complete::Shell,
    },
    /// Lists every operation the models know as JSON, and whether it is implemented; for COMPAT.md.
    #[command(hide = true)]
    Operations,
    /// Enters the namespaces of `fogbank shell`; not for typing.
    #[command(name = "__enter", hide = true)]
    Enter(Enter),
}

/// Which cloud a command talks to.
#[derive(Args, Debug, Clone)]
pub struct Target {
    /// The port of the cloud
    #[arg(long, default_value_t = 4566, env = "FOGBANK_PORT")]
    pub port: u16,
}

/// Where state lives.
#[derive(Args, Debug, Clone)]
pub struct Place {
    /// Keep state in this directory [default: ~/.local/share/fogbank]
    #[arg(long, value_name = "DIR", env = "FOGBANK_DATA")]
    pub data: Option<PathBuf>,
    /// Keep everything in memory and forget it at the end
    #[arg(long, conflicts_with = "data")]
    pub ephemeral: bool,
}

#[derive(Args, Debug, Clone)]
pub struct Up {
    /// The port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 4566, env = "FOGBANK_PORT")]
    pub port: u16,
    #[command(flatten)]
    pub place: Place,
    /// Whether IAM policies decide: enforce them, only record what they would deny, or ask nothing
    #[arg(long, value_enum, default_value_t = Iam::Enforce, env = "FOGBANK_IAM")]
    pub iam: Iam,
    /// What an acknowledged write survives: the end of the process (kill -9), or power loss too
    #[arg(long, value_enum, default_value_t = Durability::Process, env = "FOGBANK_DURABILITY")]
    pub durability: Durability,
    /// The address to listen on. Anything but loopback refuses the well-known root credentials
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1", env = "FOGBANK_HOST")]
    pub host: IpAddr,
    /// Listen on ports 443 and 80 as well, for clients that drop the port from a URL; needs the
    /// right to bind low ports
    #[arg(long, env = "FOGBANK_LOW_PORTS")]
    pub low_ports: bool,
    /// How long a "day" of an S3 lifecycle rule lasts, in seconds; for tests
    #[arg(long, value_name = "SECONDS", env = "FOGBANK_LIFECYCLE_DAY")]
    pub lifecycle_day: Option<u32>,
    /// Create buckets with ACLs and without public access block, as S3 did before April 2023; for
    /// tools and tests of that time
    #[arg(long, env = "FOGBANK_S3_ACLS")]
    pub s3_acls: bool,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Iam {
    /// Policies decide
    Enforce,
    /// Everything is allowed; what would be denied is recorded
    Audit,
    /// Nothing is asked
    Off,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every acknowledged write has reached the operating system
    Process,
    /// Every acknowledged write has reached the disk
    Fsync,
}

#[derive(Args, Debug)]
pub struct Env {
    #[command(flatten)]
    pub target: Target,
    /// The twelve-digit account to act in [default: 000000000000, by the key `test`]
    #[arg(long, value_parser = account)]
    pub account: Option<String>,
    /// The syntax to print
    #[arg(long, value_enum)]
    pub shell: Option<Syntax>,
}

fn account(s: &str) -> Result<String, String> {
    if s.len() == 12 && s.bytes().all(|b| b.is_ascii_digit()) {
        Ok(s.to_owned())
    } else {
        Err("an account is twelve digits".into())
    }
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// sh, bash, zsh
    Posix,
    Fish,
    Powershell,
    /// NAME=value lines, for a file that tools read
    Dotenv,
}

#[derive(Args, Debug)]
pub struct Shell {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub place: Place,
    /// The command and its arguments [default: your shell]
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

#[derive(Args, Debug)]
pub struct Enter {
    /// The socket on which the outer process waits for the listeners; also means "isolated".
    #[arg(long)]
    pub handover: Option<PathBuf>,
    /// `FILE=TARGET`: shows FILE in the place of TARGET.
    #[arg(long)]
    pub bind: Vec<String>,
    #[arg(last = true)]
    pub command: Vec<String>,
}

#[derive(Args, Debug)]
pub struct Run {
    /// The system's name or number; without one, the list of systems
    pub blueprint: Option<String>,
    /// Exit when it has been shown: 0 only if all went well
    #[arg(long)]
    pub once: bool,
    /// The port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 4566, env = "FOGBANK_PORT")]
    pub port: u16,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Args, Debug)]
pub struct Clock {
    #[command(flatten)]
    pub target: Target,
    #[command(subcommand)]
    pub action: ClockAction,
}

#[derive(Subcommand, Debug)]
pub enum ClockAction {
    /// Print the cloud's time
    Show,
    /// Set the cloud's time
    Set {
        /// Such as 2030-01-01T00:00:00Z, or `now` for real time
        time: String,
    },
    /// Move the cloud's time on
    Advance {
        /// Such as 60s, 2h, 1d12h
        by: String,
    },
}

#[derive(Subcommand, Debug)]
pub enum RuntimeAction {
    /// List what each runtime stands for on this machine
    List,
    /// Install what a runtime needs and this machine lacks: the interpreter (Node.js) and the AWS
    /// SDK that functions expect to be there, from the language's registry
    Add {
        /// Such as python3.13, nodejs22.x
        id: String,
        /// Further packages, such as @aws-sdk/client-kinesis
        #[arg(value_name = "PACKAGE")]
        packages: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn shell_takes_a_command_after_two_dashes() {
        let c = Cli::parse_from(["fogbank", "shell", "--port", "1", "--", "aws", "s3", "--help"]);
        let Command::Shell(s) = c.command else { panic!("not shell") };
        assert_eq!(s.command, ["aws", "s3", "--help"]);
        assert!(Cli::try_parse_from(["fogbank", "env", "--account", "12"]).is_err());
    }
}
