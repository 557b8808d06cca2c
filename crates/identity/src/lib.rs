//! What IAM and STS share: temporary sessions that any node can verify, and the directory of roles;
//! and the seal under which services keep key material.
//!
//! **Invariant:** no session is stored anywhere. A session token carries the session, sealed with a
//! secret of the installation; whoever holds the store can open it.

pub mod directory;
pub mod keys;
pub mod seal;
mod secret;
pub mod session;

pub use directory::{Directory, Issuers, NoIssuers, OidcProvider, Role};
pub use seal::Seal;
pub use session::{Grant, Issued, Sessions};
