//! `fogbank env`: the settings that point AWS tools at a cloud.

use std::fmt::Write;

use crate::cli::{Env, Syntax};
use crate::instance::Instance;

/// Prints the settings in the syntax of the caller's shell.
///
/// # Errors
/// When standard output is closed.
pub fn env(args: &Env) -> anyhow::Result<()> {
    let instance = Instance::at(args.target.port);
    if !instance.is_up()? {
        eprintln!(
            "note: no cloud runs on port {0} yet; start one with `fogbank up --port {0}`",
            args.target.port
        );
    }
    let syntax = args.shell.unwrap_or_else(guess);
    crate::output(&render(&settings(&instance, args.account.as_deref()), syntax))
}

/// Names and values. The key is the account's: a twelve-digit key with secret `test` is the root of
/// that account.
fn settings(instance: &Instance, account: Option<&str>) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", instance.endpoint()),
        ("AWS_ACCESS_KEY_ID", account.unwrap_or("test").into()),
        ("AWS_SECRET_ACCESS_KEY", "test".into()),
        ("AWS_DEFAULT_REGION", "us-east-1".into()),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
    ]
}

fn render(settings: &[(&str, String)], syntax: Syntax) -> String {
    let mut out = String::new();
    for (k, v) in settings {
        let _ = match syntax {
            Syntax::Posix => writeln!(out, "export {k}='{v}'"),
            Syntax::Fish => writeln!(out, "set -gx {k} '{v}'"),
            Syntax::Powershell => writeln!(out, "$Env:{k} = '{v}'"),
            Syntax::Dotenv => writeln!(out, "{k}={v}"),
        };
    }
    out
}

fn guess() -> Syntax {
    match std::env::var("SHELL") {
        Ok(s) if s.ends_with("/fish") => Syntax::Fish,
        _ if cfg!(windows) => Syntax::Powershell,
        _ => Syntax::Posix,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_syntax_sets_the_endpoint() {
        let s = settings(&Instance::at(4566), Some("111111111111"));
        assert!(
            render(&s, Syntax::Posix)
                .starts_with("export AWS_ENDPOINT_URL='http://127.0.0.1:4566'\nexport AWS_ACCESS_KEY_ID='111111111111'\n")
        );
        assert!(render(&s, Syntax::Fish).starts_with("set -gx AWS_ENDPOINT_URL '"));
        assert!(render(&s, Syntax::Powershell).starts_with("$Env:AWS_ENDPOINT_URL = '"));
    }
}
