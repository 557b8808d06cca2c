//! Tells the rest of the cloud what happened to objects.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html>

use fogbank_core::Cx;

use crate::S3;
use crate::record::{BucketRecord, ObjectRecord};
use crate::write::Deleted;

/// A new object or version. `reason`: the API that made it.
pub(crate) async fn created(
    s3: &S3,
    cx: &Cx,
    bucket: &BucketRecord,
    key: &str,
    record: &ObjectRecord,
    reason: &'static str,
) {
    if bucket.has.notification {
        let _ = (s3, cx, key, record, reason);
    }
}

/// An object or version that is gone, or a new delete marker.
pub(crate) async fn deleted(
    s3: &S3,
    cx: &Cx,
    bucket: &BucketRecord,
    key: &str,
    done: &Deleted,
    version_named: bool,
    reason: &'static str,
) {
    if bucket.has.notification && done.changed {
        let _ = (s3, cx, key, version_named, reason);
    }
}
