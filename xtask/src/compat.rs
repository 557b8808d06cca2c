//! `cargo xtask compat`: COMPAT.md from the binary's operation tables and the notes in `compat/`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::shell;

#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail when COMPAT.md is not what it would be
    #[arg(long)]
    check: bool,
}

const FILE: &str = "COMPAT.md";

/// One service of the binary's own list.
struct Service {
    id: String,
    implemented: Vec<String>,
    /// The model's operations that are refused by name.
    refused: Vec<String>,
}

/// Writes COMPAT.md, or compares it.
///
/// # Errors
/// When the binary cannot be built or its list not read.
pub fn run(args: &Args) -> Result<ExitCode> {
    let mut list = match std::env::var_os("FOGBANK_BIN") {
        Some(binary) => Command::new(binary),
        None => {
            let mut run = shell::cargo();
            run.args(["run", "--quiet", "-p", "fogbank", "--"]);
            run
        }
    };
    let json = shell::output(list.arg("operations"))?;
    let text = page(&services(&json)?)?;
    if !args.check {
        std::fs::write(FILE, text)?;
        return Ok(ExitCode::SUCCESS);
    }
    if std::fs::read_to_string(FILE).is_ok_and(|have| have == text) {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{FILE} is out of date: run `cargo xtask compat`");
    Ok(ExitCode::FAILURE)
}

/// Reads `[{"service": "s3", "operations": [{"name": …, "implemented": true}, …]}, …]`.
fn services(json: &str) -> Result<Vec<Service>> {
    let list: Vec<Value> = serde_json::from_str(json).context("fogbank operations")?;
    list.iter()
        .map(|s| {
            let id = s["service"].as_str().context("service")?.to_owned();
            let operations = s["operations"].as_array().context("operations")?;
            let named = |yes: bool| {
                let of_kind = operations.iter().filter(|o| o["implemented"] == yes);
                of_kind.filter_map(|o| o["name"].as_str().map(str::to_owned)).collect()
            };
            Ok(Service { id, implemented: named(true), refused: named(false) })
        })
        .collect()
}

fn page(services: &[Service]) -> Result<String> {
    let mut out = String::new();
    let (real, models): (Vec<&Service>, Vec<&Service>) =
        services.iter().partition(|s| !s.implemented.is_empty());
    writeln!(
        out,
        "# What is real\n\n\
         Made by `cargo xtask compat` from the operation tables in the binary and the notes in\n\
         `compat/`. An operation that is not listed as implemented is refused by name, as a\n\
         `NotImplemented` error in the service's own protocol that no SDK retries.\n\n\
         | service | implemented | of |\n| --- | ---: | ---: |"
    )?;
    for s in &real {
        let all = s.implemented.len() + s.refused.len();
        writeln!(out, "| [{0}](#{0}) | {1} | {all} |", s.id, s.implemented.len())?;
    }
    for s in &real {
        writeln!(out, "\n## {}\n", s.id)?;
        let note = format!("compat/{}.md", s.id);
        if Path::new(&note).is_file() {
            writeln!(out, "{}\n", std::fs::read_to_string(note)?.trim_end())?;
        }
        writeln!(out, "**Implemented:** {}.", s.implemented.join(", "))?;
        if !s.refused.is_empty() {
            writeln!(out, "\n**Refused by name:** {}.", s.refused.join(", "))?;
        }
    }
    let names: Vec<&str> = models.iter().map(|s| s.id.as_str()).collect();
    writeln!(
        out,
        "\n## Known, not implemented\n\n\
         Every operation of these is recognised and refused by name: {}.",
        names.join(", ")
    )?;
    if Path::new("compat/suites.md").is_file() {
        writeln!(out, "\n{}", std::fs::read_to_string("compat/suites.md")?.trim_end())?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_binarys_list() {
        let json = r#"[{"service":"s3","operations":[{"name":"A","implemented":true},
            {"name":"B","implemented":false}]},{"service":"ec2","operations":[]}]"#;
        let list = services(json).unwrap();
        assert_eq!(
            (list[0].id.as_str(), list[0].implemented.as_slice()),
            ("s3", &["A".into()][..])
        );
        let page = page(&list).unwrap();
        assert!(page.contains("| [s3](#s3) | 1 | 2 |") && page.contains("by name: ec2."), "{page}");
        assert!(services("{}").is_err());
    }
}
