//! The data directory: who has it open, and which version wrote it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The format this version writes, and the newest it reads. Raised when an older fogbank could no
/// longer make sense of the directory.
pub const FORMAT: u64 = 1;

const ABOUT: &str = "fogbank.json";
const LOCK: &str = "lock";

/// A data directory that is ours until this is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// The format it had when it was opened; what is older than [`FORMAT`] is read as it is.
    format: u64,
    _lock: File,
}

impl DataDir {
    /// Opens `path`, and makes it if it is not there, readable to its owner only: it holds secrets.
    ///
    /// # Errors
    /// [`Error::InUse`] when another process has it, [`Error::Newer`] when a later version wrote
    /// it, [`Error::Corrupt`] when it does not say which did, [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        let make = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        make.map_err(Error::io("make", path))?;
        let lock = lock(path)?;
        let format = match fs::read(path.join(ABOUT)) {
            Ok(text) => format_of(path, &text)?,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                describe(path)?;
                FORMAT
            }
            Err(e) => return Err(Error::io("read", path.join(ABOUT))(e)),
        };
        Ok(DataDir { path: path.to_owned(), format, _lock: lock })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[must_use]
    pub fn format(&self) -> u64 {
        self.format
    }
}

/// The lock is the kernel's, on an open file: it goes with the process, however that ends. The
/// process id in the file is for the message only.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK);
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = (&file).take(32).read_to_string(&mut pid);
            let pid = pid.trim();
            let pid = if pid.is_empty() { "(unknown)" } else { pid };
            return Err(Error::InUse { path: dir.to_owned(), pid: pid.to_owned() });
        }
        Err(fs::TryLockError::Error(e)) => return Err(Error::io("lock", path)(e)),
    }
    let write = |mut f: &File| {
        f.set_len(0)?;
        f.rewind()?;
        writeln!(f, "{}", std::process::id())
    };
    write(&file).map_err(Error::io("write", path))?;
    Ok(file)
}

fn format_of(dir: &Path, text: &[u8]) -> Result<u64> {
    let about: Option<serde_json::Value> = serde_json::from_slice(text).ok();
    let found = about.and_then(|a| a.get("format")?.as_u64()).ok_or_else(|| Error::Corrupt {
        path: dir.join(ABOUT),
        detail: "it does not name a format".to_owned(),
    })?;
    if found > FORMAT {
        return Err(Error::Newer { path: dir.to_owned(), found, known: FORMAT });
    }
    Ok(found)
}

/// Complete or not there, also after power loss.
fn describe(dir: &Path) -> Result<()> {
    let (path, temp) = (dir.join(ABOUT), dir.join("fogbank.json.new"));
    let about = serde_json::json!({ "format": FORMAT, "madeBy": env!("CARGO_PKG_VERSION") });
    let write = || {
        let mut file = File::create(&temp)?;
        writeln!(file, "{about}")?;
        file.sync_all()?;
        fs::rename(&temp, &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(Error::io("write", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ours_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path()).unwrap();
        let e = DataDir::open(dir.path()).unwrap_err();
        let said = format!("in use by process {}", std::process::id());
        assert!(e.to_string().contains(&said), "{e}");
        drop(first);
        DataDir::open(dir.path()).unwrap();
    }

    #[test]
    fn newer_and_damaged_ones_are_refused_with_a_reason() {
        let cases = [
            (r#"{"format":2}"#, "has format 2, this fogbank reads up to 1"),
            ("", "it does not name a format"),
            (r#"{"format":"1"}"#, "it does not name a format"),
        ];
        for (about, said) in cases {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(ABOUT), about).unwrap();
            let e = DataDir::open(dir.path()).unwrap_err().to_string();
            assert!(e.contains(said), "{e}");
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(ABOUT), r#"{"format":0}"#).unwrap();
        assert_eq!(DataDir::open(dir.path()).unwrap().format(), 0);
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let e = DataDir::open(&file.path().join("data")).unwrap_err().to_string();
        assert!(e.contains("cannot make") && e.contains("a file is in the way"), "{e}");
    }
}
