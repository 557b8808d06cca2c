//! Drivers for clients that nobody here wrote: boto3, the AWS CLI, Terraform, Chromium.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{Cloud, root};

/// Runs `tests/clients/SCRIPT.py` against the cloud with the Python of the clients' environment.
/// `None` when there is no such environment: the reason is noted as skipped.
///
/// # Errors
/// When the script fails; what it wrote is in the error.
pub fn python(cloud: &Cloud, script: &str, args: &[&str]) -> Result<Option<String>> {
    let Some(bin) = venv() else { return Ok(None) };
    let file = root().join("tests/clients").join(format!("{script}.py"));
    let mut command = Command::new(bin.join("python"));
    command.arg(file).args(args).env("PYTHONDONTWRITEBYTECODE", "1");
    settings(&mut command, cloud);
    run(&mut command).map(Some)
}

/// The AWS CLI, set up for the cloud; `None` as for [`python`].
#[must_use]
pub fn aws(cloud: &Cloud) -> Option<Command> {
    let mut command = Command::new(venv()?.join("aws"));
    settings(&mut command, cloud);
    Some(command)
}

/// Terraform in a copy of `folder` below the repository's root, with its own provider settings;
/// `None` when Terraform is not installed.
///
/// # Errors
/// When the folder cannot be copied.
pub fn terraform(cloud: &Cloud, folder: &str) -> Result<Option<Terraform>> {
    let Some(program) = find("terraform") else {
        crate::skip("terraform not found");
        return Ok(None);
    };
    let home = cloud.folder().join("terraform");
    copy(&root().join(folder), &home)?;
    let settings = cloud.folder().join("terraformrc");
    // Where the provider lies on this disk, if it does: the test needs no registry then.
    let mirror =
        std::env::var_os("TF_MIRROR").map_or_else(|| "/opt/tf-plugins".into(), PathBuf::from);
    let text = if mirror.is_dir() {
        format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = {mirror:?}\n  }}\n}}\n"
        )
    } else {
        String::new()
    };
    std::fs::write(&settings, text)?;
    Ok(Some(Terraform { program, folder: home, settings, endpoint: cloud.endpoint() }))
}

/// A Terraform project under test.
pub struct Terraform {
    program: PathBuf,
    /// The copy of the project it works in.
    pub folder: PathBuf,
    settings: PathBuf,
    endpoint: String,
}

impl Terraform {
    /// A Terraform command in `sub` of the project; its status is for the caller to judge.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn try_run(&self, sub: &str, args: &[&str]) -> Result<std::process::Output> {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .current_dir(self.folder.join(sub))
            .env("TF_CLI_CONFIG_FILE", &self.settings)
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1");
        root_settings(&mut command, &self.endpoint);
        Ok(command.stdin(Stdio::null()).output()?)
    }

    /// A Terraform command that must succeed; returns what it wrote.
    ///
    /// # Errors
    /// When it does not.
    pub fn run(&self, sub: &str, args: &[&str]) -> Result<String> {
        let out = self.try_run(sub, args)?;
        judged(&format!("terraform {}", args.join(" ")), &out)
    }
}

/// The page at `url` as headless Chromium shows it, after its scripts have run. `host` leads to
/// the cloud. `None` when there is no Chromium.
///
/// # Errors
/// When Chromium fails.
pub fn chromium(cloud: &Cloud, host: &str, url: &str) -> Result<Option<String>> {
    let Some(program) = find("chromium").or_else(|| find("chromium-browser")) else {
        crate::skip("chromium not found");
        return Ok(None);
    };
    let profile = tempfile::tempdir_in(cloud.folder())?;
    let rules = format!("--host-resolver-rules=MAP {host} {}", cloud.address());
    let mut command = Command::new(program);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(rules)
        .args(["--dump-dom", url])
        .env("HOME", profile.path());
    let out = command.stdin(Stdio::null()).output().context("chromium")?;
    if !out.status.success() {
        bail!("chromium: {}\n{}", out.status, String::from_utf8_lossy(&out.stderr));
    }
    Ok(Some(String::from_utf8_lossy(&out.stdout).into_owned()))
}

/// Runs a client that must succeed; returns what it wrote to stdout.
///
/// # Errors
/// When it does not; what it wrote is in the error.
pub fn run(command: &mut Command) -> Result<String> {
    let out = command.stdin(Stdio::null()).output().context("cannot be started")?;
    judged(&command.get_program().to_string_lossy(), &out)
}

fn judged(name: &str, out: &std::process::Output) -> Result<String> {
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    if !out.status.success() {
        bail!("{name}: {}\n{text}{}", out.status, String::from_utf8_lossy(&out.stderr));
    }
    Ok(text)
}

/// Points a client at the cloud as its root, whatever the machine's own settings are.
pub fn settings(command: &mut Command, cloud: &Cloud) {
    root_settings(command, &cloud.endpoint());
    command.env("FOGBANK_BIN", crate::cloud::binary());
}

fn root_settings(command: &mut Command, endpoint: &str) {
    clean(command);
    command
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_DEFAULT_REGION", "us-east-1");
}

/// Takes away every AWS setting of the machine; what is left is what a fresh user has.
pub fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("NO_PROXY", "*")
        .env("no_proxy", "*");
}

/// The programs of the Python clients: `FOGBANK_VENV`, or `.venv` at the repository's root.
#[must_use]
pub fn venv() -> Option<PathBuf> {
    let venv = std::env::var_os("FOGBANK_VENV").map_or_else(|| root().join(".venv"), PathBuf::from);
    let bin = venv.join("bin");
    if !bin.join("python").is_file() {
        crate::skip("python clients not found: `cargo xtask test` makes them");
        return None;
    }
    Some(bin)
}

/// A program on the `PATH`.
#[must_use]
pub fn find(program: impl AsRef<OsStr>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|d| d.join(program.as_ref())).find(|p| p.is_file())
}

/// Copies a project without what Terraform leaves behind.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with(".terraform") || text.contains("tfstate") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(&name))?;
        } else {
            std::fs::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}
