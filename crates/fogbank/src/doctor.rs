//! `fogbank doctor`: known traps of this machine, its clients and a running cloud.

use std::io::IsTerminal;
use std::process::ExitCode;

use serde_json::Value;

use crate::cli::Target;
use crate::instance::Instance;

mod clients;
mod cloud;
mod machine;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub grade: Grade,
    /// A short fact.
    pub fact: String,
    /// What to do about it; empty when nothing.
    pub hint: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    Good,
    /// Something does not work, or works differently from what one might expect.
    Trap,
    /// Something that fogbank needs is not there.
    Bad,
}

impl Finding {
    fn good(fact: impl Into<String>) -> Self {
        Finding { grade: Grade::Good, fact: fact.into(), hint: String::new() }
    }
    fn trap(fact: impl Into<String>, hint: impl Into<String>) -> Self {
        Finding { grade: Grade::Trap, fact: fact.into(), hint: hint.into() }
    }
    fn bad(fact: impl Into<String>, hint: impl Into<String>) -> Self {
        Finding { grade: Grade::Bad, fact: fact.into(), hint: hint.into() }
    }
}

/// What checks look at.
struct Patient {
    instance: Instance,
    /// The cloud's own account of itself, when one runs.
    status: Option<Value>,
}

type Check = fn(&Patient) -> Vec<Finding>;

/// Every check, in the order of the report.
const CHECKS: &[(&str, Check)] = &[
    ("cloud", cloud::running),
    ("denials", cloud::denials),
    ("data", machine::data),
    ("names", machine::names),
    ("trust", cloud::trust),
    ("shell", machine::namespaces),
    ("limits", machine::limits),
    ("settings", clients::settings),
    ("aws", clients::aws),
    ("terraform", clients::terraform),
    ("cdk", clients::cdk),
];

/// Prints what each check found. The exit code is 1 when something is bad; a trap is not.
///
/// # Errors
/// When standard output is closed.
pub fn doctor(target: &Target) -> anyhow::Result<ExitCode> {
    let instance = Instance::at(target.port);
    let status = instance.is_up().is_ok_and(|up| up).then(|| instance.get("/_fogbank/status"));
    let patient = Patient { instance, status: status.and_then(Result::ok) };
    let colour = std::io::stdout().is_terminal();
    let mut worst = Grade::Good;
    for (name, check) in CHECKS {
        for finding in check(&patient) {
            worst = worst.max(finding.grade);
            crate::output(&line(name, &finding, colour))?;
        }
    }
    Ok(if worst == Grade::Bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn line(name: &str, f: &Finding, colour: bool) -> String {
    let (word, code) = match f.grade {
        Grade::Good => ("ok", "32"),
        Grade::Trap => ("trap", "33"),
        Grade::Bad => ("bad", "31"),
    };
    let (on, off) = if colour { (format!("\x1b[{code}m"), "\x1b[0m") } else { (String::new(), "") };
    let mut text = format!("{on}{word:<5}{off} {name:<10} {}\n", f.fact);
    if !f.hint.is_empty() {
        text += &format!("{:17}{}\n", "", f.hint);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_says_something_sensible_without_a_cloud() {
        // Port 1 has no cloud; checks must cope with whatever this machine is.
        let patient = Patient { instance: Instance::at(1), status: None };
        for (name, check) in CHECKS {
            for f in check(&patient) {
                assert!(!f.fact.is_empty(), "{name}");
                assert_eq!(f.grade == Grade::Good, f.hint.is_empty(), "{name}: {f:?}");
            }
        }
    }

    #[test]
    fn a_line_is_plain_without_a_terminal() {
        let f = Finding::trap("a fact", "do this");
        assert_eq!(line("x", &f, false), "trap  x          a fact\n                 do this\n");
    }
}
