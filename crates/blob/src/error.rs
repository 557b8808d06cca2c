//! What can go wrong with blobs, in words that say what to do next.

use std::path::PathBuf;

use fogbank_core::ApiError;

use crate::BlobId;

/// What every function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the blob store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such blob.
    #[error("there is no blob {0}")]
    Missing(BlobId),

    /// The operating system refused a file operation of ours.
    #[error("cannot {action} {}: {source}{}", .path.display(), hint(.source))]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },

    /// A backend that is elsewhere failed.
    #[error("the blob store failed to {action}: {detail}")]
    Backend { action: &'static str, detail: String },
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
        K::StorageFull | K::QuotaExceeded => "; free some space on this disk",
        K::ReadOnlyFilesystem | K::PermissionDenied => {
            "; the data directory must be writable, choose another with --data"
        }
        _ => "",
    }
}
