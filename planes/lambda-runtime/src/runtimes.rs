//! Which interpreter stands behind a runtime's id.

use std::path::{Path, PathBuf};

/// The interpreters at hand: those installed by `fogbank runtime add`, then the machine's own.
#[derive(Clone, Debug)]
pub struct Runtimes {
    cache: PathBuf,
}

/// What runs the functions of a runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The program, symbolic links resolved.
    pub program: PathBuf,
    /// Its own word: `3.13.0`, `v22.11.0`.
    pub version: String,
    /// What must be visible beside `/usr` for it to run.
    pub prefix: Option<PathBuf>,
    /// The folder of the AWS SDK that the real runtime carries.
    pub sdk: Option<PathBuf>,
    /// Whether this is the version that the id names, or only the nearest.
    pub exact: bool,
}

impl Runtimes {
    /// `cache` is where `fogbank runtime add` installs.
    #[must_use]
    pub fn new(cache: PathBuf) -> Self {
        Runtimes { cache }
    }

    /// Where runtimes are installed.
    #[must_use]
    pub fn cache(&self) -> &Path {
        &self.cache
    }
}
