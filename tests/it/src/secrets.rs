//! Keys, secrets and parameters: by Terraform, and what of them is on disk.

use std::path::Path;

use anyhow::{Result, ensure};
use fogbank_testkit::client;
use fogbank_testkit::cloud::Options;

use crate::terraform;

#[test]
fn secrets_by_terraform() -> Result<()> {
    let changes = [
        ("\"first\"", "\"second\""),
        ("rotation_period_in_days = 180", "rotation_period_in_days = 200"),
        ("{ Team = \"red\" }", "{ Team = \"blue\", Size = \"2\" }"),
        ("\"The database\"", "\"The database, again\""),
        ("https://one.example.com", "https://two.example.com"),
        ("\"hidden\"", "\"hidden again\""),
        ("\"a,b,c\"", "\"a,b,c,d\""),
    ];
    terraform::cycle("tests/terraform/secrets", &changes).map(drop)
}

/// What a client was told is kept survives kill -9, and stands nowhere on disk in clear.
#[test]
fn secrets_survive_and_are_sealed_on_disk() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let options = Options::durable(folder.path());
    for phase in ["write", "read", "read"] {
        let cloud = options.start()?;
        if client::python(&cloud, "secrets_kept", &[phase])?.is_none() {
            return Ok(());
        }
        absent(folder.path())?;
        cloud.kill()?;
        absent(folder.path())?;
    }
    Ok(())
}

/// What the script hides, as text and as it is written in requests.
const HIDDEN: [&[u8]; 3] =
    [b"correct-horse-battery", b"Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5", b"battery-staple-pass"];

fn absent(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            absent(&path)?;
            continue;
        }
        let bytes = std::fs::read(&path)?;
        for hidden in HIDDEN {
            let found = bytes.windows(hidden.len()).any(|w| w == hidden);
            ensure!(!found, "{} holds {}", path.display(), String::from_utf8_lossy(hidden));
        }
    }
    Ok(())
}
