//! AWS Signature Version 4: parse, verify and make signatures; decode signed bodies.
//!
//! **Invariant:** pure. No I/O, no clock, no look-up of keys: the caller passes the secret and the
//! time. Signatures are compared in constant time.
//!
//! The gateway's way through: [`parse`] the [`Head`]; find the credential; say what the body is
//! ([`Payload::of`] for S3, [`payload::of_body`] for the others); [`Signed::verify`];
//! [`Signed::verify_token`]; [`stream::checked`] wraps the body.

pub mod auth;
pub mod canonical;
pub mod chunked;
pub mod date;
pub mod encode;
pub mod error;
#[doc(hidden)]
pub mod fuzz;
pub mod head;
pub mod key;
pub mod payload;
pub mod post;
pub mod sign;
pub mod stream;
mod v2;
pub mod verify;

pub use auth::{Scope, Signed, parse};
pub use error::{Dialect, Error, Place};
pub use head::Head;
pub use key::{Keys, SigningKey};
pub use payload::Payload;
pub use sign::Signer;
pub use verify::Terms;
