//! What IAM and STS share: temporary sessions that any node can verify, and the directory of roles.
//!
//! **Invariant:** no session is stored anywhere. A session token carries the session, sealed with a
//! secret of the installation; whoever holds the store can open it.

pub mod directory;
pub mod keys;
pub mod session;

pub use directory::{Directory, Issuers, NoIssuers, OidcProvider, Role};
pub use session::{Grant, Issued, Sessions};
