//! Object Lock, which no bucket here has: reading it answers as S3 does for a bucket without it.
//! Setting it is refused by name, since those operations are in no table.

use fogbank_core::{Cx, Op, Result, ops};

use super::{BucketInput, Empty};
use crate::S3;
use crate::authz::check;
use crate::error::{invalid_request, not_configured};

pub(crate) const OPS: &[Op<S3>] = ops![
    GetObjectLegalHold => object_lock_state [check],
    GetObjectLockConfiguration => get_object_lock_configuration [check],
    GetObjectRetention => object_lock_state [check],
];

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html>
async fn get_object_lock_configuration(s3: &S3, _: &Cx, input: BucketInput) -> Result<Empty> {
    s3.bucket(&input.bucket).await?;
    Err(not_configured(
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
        &input.bucket,
    ))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectRetention.html>
/// and <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLegalHold.html>
async fn object_lock_state(s3: &S3, _: &Cx, input: BucketInput) -> Result<Empty> {
    s3.bucket(&input.bucket).await?;
    Err(invalid_request("Bucket is missing Object Lock Configuration"))
}
