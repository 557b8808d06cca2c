//! House rules that no compiler checks: `cargo xtask tidy`.

use std::process::{Command, ExitCode};

use anyhow::Result;
use cargo_metadata::{CargoOpt, Metadata, MetadataCommand};

use crate::shell;

mod edges;
mod files;
mod packages;

/// What a check found: `errors` fail the run, `warnings` are only shown.
#[derive(Default)]
struct Findings {
    errors: Vec<String>,
    warnings: Vec<String>,
}

/// Runs every check and prints what it found.
///
/// # Errors
/// When cargo or git cannot be asked.
pub fn run() -> Result<ExitCode> {
    let metadata = metadata()?;
    let mut found = Findings::default();
    edges::check(&metadata, &mut found);
    packages::licences(&metadata, &mut found);
    packages::duplicates(&metadata, &mut found)?;
    files::check(&tracked()?, &mut found)?;

    for w in &found.warnings {
        eprintln!("warning: {w}");
    }
    for e in &found.errors {
        eprintln!("error: {e}");
    }
    eprintln!("tidy: {} errors, {} warnings", found.errors.len(), found.warnings.len());
    Ok(if found.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The workspace and all its dependencies, as built for this machine.
fn metadata() -> Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.features(CargoOpt::AllFeatures);
    command.other_options(vec!["--filter-platform".into(), shell::host()?]);
    Ok(command.exec()?)
}

/// The files git knows or would take up.
fn tracked() -> Result<Vec<String>> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let names = shell::output(Command::new("git").args(list))?;
    Ok(names.lines().filter(|f| std::path::Path::new(f).is_file()).map(str::to_owned).collect())
}
