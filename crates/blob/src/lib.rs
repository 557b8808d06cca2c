//! Blobs: immutable bytes under an id, written once and read in ranges.
//!
//! **Invariant:** a blob is visible whole or not at all, and never changes. Which blobs are in use
//! is known to the records that name them; [`Blobs::sweep`] removes those that nobody names.

mod blobs;
mod ephemeral;
mod error;
mod files;
mod id;
mod map;

pub use blobs::{Backend, Blobs, Listed, Upload, Writer};
pub use error::{Error, Result};
pub use files::Options;
pub use id::BlobId;
