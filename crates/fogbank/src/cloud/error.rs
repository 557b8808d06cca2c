//! Why a cloud cannot start, with a hint and an exit code of its own for each kind.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a cloud cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Port {} is in use.\nHint: is a cloud running already (`fogbank status`)? Otherwise choose another port with --port.", .0.port())]
    PortInUse(SocketAddr),
    #[error("fogbank cannot listen on {address}: {source}{}", .hint)]
    Listen { address: SocketAddr, source: io::Error, hint: &'static str },
    #[error("fogbank cannot use {}: {source}\nHint: choose a directory of your own with --data, or keep nothing with --ephemeral.", .path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("{0}")]
    Store(#[from] fogbank_store::Error),
    #[error("{0}")]
    Blobs(#[from] fogbank_blob::Error),
    #[error("{} cannot be read: {detail}\nHint: remove it to get a new root key.", .path.display())]
    RootKey { path: PathBuf, detail: String },
    #[error("A service cannot load its state: {0}")]
    Service(String),
}

impl Error {
    /// Sorts out why an address cannot be listened on.
    pub fn bind(address: SocketAddr, source: io::Error) -> Self {
        let hint = match source.kind() {
            io::ErrorKind::AddrInUse => return Error::PortInUse(address),
            io::ErrorKind::PermissionDenied => "\nHint: ports below 1024 need root's rights.",
            io::ErrorKind::AddrNotAvailable => {
                "\nHint: --host takes an address of this machine, such as 127.0.0.1 or 0.0.0.0."
            }
            _ => "",
        };
        Error::Listen { address, source, hint }
    }

    /// The exit code, as `fogbank up --help` lists them.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        use fogbank_store::Error as Store;
        match self {
            Error::PortInUse(_) => 3,
            Error::Listen { .. } => 4,
            Error::Store(Store::InUse { .. }) => 5,
            Error::Store(Store::Newer { .. }) => 6,
            Error::Store(Store::Corrupt { .. }) | Error::RootKey { .. } => 7,
            Error::Store(Store::Io { .. }) | Error::Directory { .. } => 8,
            Error::Store(_) | Error::Blobs(_) | Error::Service(_) => 1,
        }
    }
}
