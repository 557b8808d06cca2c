//! The clients that nobody here wrote: boto3 and the AWS CLI from PyPI, Chromium from Debian.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

const PINS: &str = "tests/clients/requirements.txt";

/// Makes the clients ready and returns the Python environment they are in. Debian packages are
/// installed only when `install` is set; a client that is missing then is skipped by its tests.
///
/// # Errors
/// When the Python environment cannot be made.
pub fn ready(install: bool) -> Result<PathBuf> {
    if install {
        debian("chromium", "chromium");
    }
    venv(Path::new(".venv"), PINS)
}

/// A Python environment in `folder` with the packages that the file `pins` names, made anew when
/// the pins have changed.
///
/// # Errors
/// When there is no Python with venv and pip, or a package cannot be had.
pub fn venv(folder: &Path, pins: &str) -> Result<PathBuf> {
    let wanted = std::fs::read_to_string(pins).context(pins.to_owned())?;
    let stamp = folder.join("fogbank-pins.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(folder.canonicalize()?);
    }
    eprintln!("installing {pins} into {}", folder.display());
    shell::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))
        .context("a Python 3 with venv is needed (Debian: apt-get install python3-venv)")?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", pins];
    // A download that breaks off is begun again: nothing has been tested yet.
    let install = || shell::run(Command::new(folder.join("bin/python")).args(pip));
    install().or_else(|_| install()).or_else(|_| install())?;
    std::fs::write(stamp, wanted)?;
    Ok(folder.canonicalize()?)
}

/// Installs a Debian package when its program is missing. A failure is told, not fatal: the
/// tests that need it will say that they were skipped.
fn debian(program: &str, package: &str) {
    if shell::found(program) || !shell::found("apt-get") {
        return;
    }
    let install = || -> Result<()> {
        shell::run(Command::new("apt-get").args(["update", "-qq"]))?;
        shell::run(
            Command::new("apt-get")
                .args(["install", "-y", "-qq", "--no-install-recommends", package])
                .env("DEBIAN_FRONTEND", "noninteractive")
                .stdout(std::process::Stdio::null()),
        )
    };
    if let Err(e) = install() {
        eprintln!("warning: {package}: {e:#}");
    }
}
