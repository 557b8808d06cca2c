//! A data directory that is in use, newer, corrupt or read-only: fogbank says what is wrong and what
//! to do, and touches nothing.

use std::path::Path;

use anyhow::{Result, ensure};
use fogbank_testkit::cloud::Options;
use fogbank_testkit::http::Request;

/// A directory in which a cloud has run and left an object.
fn used() -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let cloud = Options::durable(folder.path()).start()?;
    let mut connection = cloud.connect()?;
    for (method, target, body) in [("PUT", "/kept", &b""[..]), ("PUT", "/kept/k", b"still here")] {
        let answer = connection.send(&Request::s3(method, target, body))?;
        ensure!(answer.status == 200, "{}", answer.text());
    }
    Ok(folder)
}

fn holds(folder: &Path) -> Result<()> {
    let cloud = Options::durable(folder).start()?;
    let answer = cloud.connect()?.send(&Request::s3("GET", "/kept/k", b""))?;
    ensure!(answer.body == b"still here", "{}", answer.text());
    Ok(())
}

/// Starting on `folder` must fail with a message that has all the `words`.
fn refused(folder: &Path, words: &[&str]) -> Result<()> {
    let (status, text) = Options::durable(folder).refuse()?;
    ensure!(!status.success(), "it started");
    ensure!(!text.contains("panicked"), "{text}");
    let lower = text.to_lowercase();
    for word in words {
        ensure!(lower.contains(word), "no word of `{word}` in: {text}");
    }
    Ok(())
}

#[test]
fn state_is_there_after_a_restart() -> Result<()> {
    holds(used()?.path())
}

#[test]
fn a_directory_in_use_is_refused() -> Result<()> {
    let folder = used()?;
    let first = Options::durable(folder.path()).start()?;
    refused(folder.path(), &["in use"])?;
    drop(first);
    holds(folder.path())
}

#[test]
fn a_path_that_is_no_directory_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    std::fs::write(&file, "not a directory")?;
    refused(&file, &["file"])
}

/// Every file of the state cut in half, one at a time: fogbank either starts with all that was
/// acknowledged, or refuses to start and says why. Never a panic, never a silent loss.
#[test]
fn a_damaged_directory_is_told() -> Result<()> {
    let folder = used()?;
    let mut files = Vec::new();
    walk(folder.path(), &mut files)?;
    ensure!(!files.is_empty(), "no state in the directory");
    for file in files {
        let whole = std::fs::read(&file)?;
        if whole.len() < 2 || file.extension().is_some_and(|e| e == "pem") {
            continue;
        }
        let mut broken = whole.clone();
        broken.iter_mut().for_each(|b| *b ^= 0x5A);
        std::fs::write(&file, broken)?;
        let told = match Options::durable(folder.path()).start() {
            Ok(cloud) => {
                let answer = cloud.connect()?.send(&Request::s3("GET", "/kept/k", b""))?;
                answer.body == b"still here" || answer.status == 500
            }
            Err(e) => !format!("{e:#}").contains("panicked"),
        };
        ensure!(told, "{}: damaged, and nobody was told", file.display());
        std::fs::write(&file, whole)?;
    }
    Ok(())
}

fn walk(folder: &Path, files: &mut Vec<std::path::PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { walk(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
