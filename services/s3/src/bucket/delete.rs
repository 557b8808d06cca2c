//! DeleteBucket.

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use fogbank_store::{Key, Lock, Range};

use super::{BucketInput, Empty};
use crate::authz::check;
use crate::error::no_such_bucket;
use crate::tables::{BUCKETS, CONFIG, OBJECTS, OWNERS, PARTS, UPLOADS, VERSIONS, bucket_key};
use crate::{S3, write};

pub(crate) const OPS: &[Op<S3>] = ops![DeleteBucket => delete_bucket [check]];

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html>
async fn delete_bucket(s3: &S3, _: &Cx, input: BucketInput) -> Result<Empty> {
    let name = input.bucket;
    let row = bucket_key(&name);
    let mut tx = s3.store.lock(&[Lock::exclusive(&BUCKETS, &row)]).await;
    let bucket = tx.get(&BUCKETS, &row).await?.ok_or_else(|| no_such_bucket(&name))?;
    let all = || Range::prefix(&row);
    if !tx.scan(&OBJECTS, all(), 1).await?.is_empty()
        || !tx.scan(&VERSIONS, all(), 1).await?.is_empty()
    {
        return Err(ApiError::new(
            "BucketNotEmpty",
            if bucket.versioning == crate::Versioning::Off {
                "The bucket you tried to delete is not empty"
            } else {
                "The bucket you tried to delete is not empty. You must delete all versions in the \
                 bucket."
            },
        )
        .status(409)
        .field("BucketName", name));
    }
    for (key, _) in tx.scan(&CONFIG, all(), usize::MAX).await? {
        tx.delete(&CONFIG, &key);
    }
    // Uploads in progress end with their bucket. Nobody can add to them: parts go in under a lock
    // on their upload, which is taken here too.
    let mut garbage = Vec::new();
    for (key, _) in tx.scan(&UPLOADS, all(), usize::MAX).await? {
        tx.delete(&UPLOADS, &key);
    }
    for (key, part) in tx.scan(&PARTS, all(), usize::MAX).await? {
        tx.delete(&PARTS, &key);
        garbage.extend(part.blob.map(|b| (b, 0)));
    }
    tx.delete(&OWNERS, &Key::new().str(&bucket.owner).str(&name));
    tx.delete(&BUCKETS, &row);
    write::commit(s3, tx, garbage).await?;
    Ok(Empty {})
}
