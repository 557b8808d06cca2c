//! Running other programs: found or not, quietly or with their output shown as it comes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Whether a program of that name is on the `PATH`.
pub fn found(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|d| d.join(program).is_file()))
}

/// Whether `cargo SUBCOMMAND` exists.
pub fn cargo_has(subcommand: &str) -> bool {
    found(&format!("cargo-{subcommand}"))
}

/// `cargo` as it was called, so that the same toolchain is used throughout.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs to the end; the output goes where ours goes.
///
/// # Errors
/// When it cannot be started or ends with another status than 0.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", name(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", name(command));
    }
    Ok(())
}

/// Runs to the end and returns stdout; stderr goes where ours goes.
///
/// # Errors
/// When it cannot be started or ends with another status than 0.
pub fn output(command: &mut Command) -> Result<String> {
    let out = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", name(command)))?;
    if !out.status.success() {
        bail!("{} failed: {}", name(command), out.status);
    }
    String::from_utf8(out.stdout).with_context(|| format!("{} wrote no UTF-8", name(command)))
}

/// Runs to the end, shows stdout and stderr as they come and hands each line to `see` too.
/// Returns whether it succeeded.
///
/// # Errors
/// When it cannot be started.
pub fn watch(command: &mut Command, mut see: impl FnMut(&str)) -> Result<bool> {
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot run {}", name(command)))?;
    // Our copies of the pipe's end would keep it open for ever.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for line in BufReader::new(reader).lines() {
        let line = line?;
        eprintln!("{line}");
        see(&line);
    }
    Ok(child.wait()?.success())
}

/// The target triple of this machine.
///
/// # Errors
/// When rustc cannot be asked.
pub fn host() -> Result<String> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|l| l.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

fn name(command: &Command) -> String {
    Path::new(command.get_program())
        .file_name()
        .map_or_else(String::new, |n| n.to_string_lossy().into_owned())
        + &command.get_args().take(3).fold(String::new(), |s, a| s + " " + &a.to_string_lossy())
}
