//! What can go wrong with state, in words that say what to do next.

use std::path::PathBuf;

use fogbank_core::ApiError;

/// What every function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the store. `Display` is a short fact and, where there is one, a hint.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused a file operation of ours.
    #[error("cannot {action} {}: {source}{}", .path.display(), hint(.source))]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },

    /// Another process holds the data directory.
    #[error(
        "the data directory {} is in use by process {pid}; stop it, or choose another directory \
         with --data",
        .path.display()
    )]
    InUse { path: PathBuf, pid: String },

    /// The data directory was written by a later version.
    #[error(
        "the data directory {} has format {found}, this fogbank reads up to {known}; use a newer \
         fogbank, or another directory with --data",
        .path.display()
    )]
    Newer { path: PathBuf, found: u64, known: u64 },

    /// What is on disk cannot be read as what we wrote.
    #[error(
        "{} is damaged: {detail}; restore it from a backup, or move it away to start empty",
        .path.display()
    )]
    Corrupt { path: PathBuf, detail: String },

    /// A record cannot be decoded.
    #[error("the record {key} of table {table} cannot be read: {detail}")]
    Record { table: &'static str, key: String, detail: String },

    /// A record cannot be encoded, or breaks a limit of the store.
    #[error("a record of table {table} cannot be written: {detail}")]
    Write { table: &'static str, detail: String },

    /// The engine failed.
    #[error("the store failed to {action}: {detail}")]
    Engine { action: &'static str, detail: String },
}

impl Error {
    /// Wraps an [`std::io::Error`] with what was attempted on which path.
    pub fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }
}

/// The client sees `InternalFailure`; the log sees what happened.
impl From<Error> for ApiError {
    fn from(e: Error) -> Self {
        ApiError::internal(e.to_string())
    }
}

fn hint(e: &std::io::Error) -> &'static str {
    use std::io::ErrorKind as K;
    match e.kind() {
        K::PermissionDenied => "; check who owns it, or choose another directory with --data",
        K::ReadOnlyFilesystem => "; choose a writable directory with --data",
        K::StorageFull | K::QuotaExceeded => "; free some space and start again",
        K::NotADirectory => "; a file is in the way, choose another directory with --data",
        _ => "",
    }
}
