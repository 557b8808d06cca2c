//! Amazon S3: buckets and objects.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html>
//!
//! **Invariant:** a key is data: it never becomes a file name. Object bytes live in the store (small
//! ones) or in `blob` files with generated names.
//! **Invariant:** an object is visible whole or not at all: its bytes are stored first, the record
//! that names them is committed last, and bytes that no record names are deleted after the commit.

use std::sync::Arc;

use fogbank_core::{Op, Service};

pub mod acl;
pub mod authz;
mod bucket;
mod bucket_policy;
mod checksum;
mod condition;
mod config;
mod copysource;
mod cors;
mod data;
mod edge;
pub mod error;
mod event;
mod form;
pub mod lifecycle;
mod list;
mod lock;
mod multipart;
mod notice;
mod notification;
mod object;
pub mod owner;
#[cfg(test)]
mod policed;
mod public_access;
mod range;
pub mod record;
mod seqid;
mod settings;
mod sse;
pub mod state;
pub mod tables;
mod tagset;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod versions;
pub mod website;
mod write;

pub use record::{BucketRecord, ObjectRecord, Versioning};
pub use state::S3;

/// The service, ready for the gateway.
#[must_use]
pub fn service(s3: Arc<S3>) -> Service {
    Service::new("s3", s3, &tables())
}

/// Every operation.
fn tables() -> Vec<&'static [Op<S3>]> {
    let settings = [
        acl::ops::OPS,
        bucket_policy::OPS,
        cors::OPS,
        lifecycle::OPS,
        notification::OPS,
        public_access::OPS,
        settings::OPS,
        website::OPS,
    ];
    [
        bucket::TABLES.as_slice(),
        list::TABLES.as_slice(),
        lock::TABLES.as_slice(),
        multipart::TABLES.as_slice(),
        object::TABLES.as_slice(),
        settings.as_slice(),
    ]
    .concat()
}
