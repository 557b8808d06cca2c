//! The tables of S3 and the keys of their rows.
//!
//! | table | key | row |
//! | --- | --- | --- |
//! | `s3.bucket` | bucket | [`BucketRecord`] |
//! | `s3.owner` | account, bucket | nothing: the index behind ListBuckets |
//! | `s3.config` | bucket, kind | a configuration in its own encoding |
//! | `s3.object` | bucket, key | the current version of a key, unless that is a delete marker |
//! | `s3.version` | bucket, key, sequence (newest first) | every other version, and delete markers |
//! | `s3.null` | bucket, key | the sequence of the null version, while it is in `s3.version` |
//! | `s3.inline` | bucket, key, sequence | the bytes of a small object |
//! | `s3.manifest` | bucket, key, sequence | the parts of a large multipart object |
//! | `s3.upload` | bucket, key, sequence | a multipart upload in progress |
//! | `s3.part` | bucket, key, sequence, part number | a part of it |
//! | `s3.blobref` | blob id | how many rows beyond the first name the blob |
//! | `s3.garbage` | blob id | a blob that no row names, until it is deleted |

use bytes::Bytes;
use fogbank_blob::BlobId;
use fogbank_store::{Key, Table};

use crate::record::{BucketRecord, Manifest, ObjectRecord, PartRecord, UploadRecord};

pub static BUCKETS: Table<BucketRecord> = Table::new("s3.bucket");
pub static OWNERS: Table<()> = Table::new("s3.owner");
pub static CONFIG: Table<Bytes> = Table::new("s3.config");
pub static OBJECTS: Table<ObjectRecord> = Table::new("s3.object");
pub static VERSIONS: Table<ObjectRecord> = Table::new("s3.version");
pub static NULLS: Table<u64> = Table::new("s3.null");
pub static INLINE: Table<Bytes> = Table::new("s3.inline");
pub static MANIFESTS: Table<Manifest> = Table::new("s3.manifest");
pub static UPLOADS: Table<UploadRecord> = Table::new("s3.upload");
pub static PARTS: Table<PartRecord> = Table::new("s3.part");
pub static BLOBREFS: Table<u64> = Table::new("s3.blobref");
pub static GARBAGE: Table<()> = Table::new("s3.garbage");

/// The row of a bucket, and the prefix of everything in it.
pub fn bucket_key(bucket: &str) -> Key {
    Key::new().str(bucket)
}

/// The current version of a key; the prefix of its other rows.
pub fn object_key(bucket: &str, key: &str) -> Key {
    Key::new().str(bucket).str(key)
}

/// A version of a key: newest first.
pub fn version_key(bucket: &str, key: &str, seq: u64) -> Key {
    object_key(bucket, key).u64_desc(seq)
}

/// Rows that follow a version or an upload: oldest first.
pub fn seq_key(bucket: &str, key: &str, seq: u64) -> Key {
    object_key(bucket, key).u64(seq)
}

/// A part of an upload.
pub fn part_key(bucket: &str, key: &str, seq: u64, part: u32) -> Key {
    seq_key(bucket, key, seq).u64(u64::from(part))
}

/// A configuration of a bucket.
pub fn config_key(bucket: &str, kind: &str) -> Key {
    Key::new().str(bucket).str(kind)
}

/// Rows about a blob.
pub fn blob_key(blob: &BlobId) -> Key {
    Key::new().str(&blob.to_string())
}
