//! HeadBucket and GetBucketLocation.

use fogbank_core::{Cx, Op, Result, ops};
use serde::Serialize;

use super::BucketInput;
use crate::S3;
use crate::authz::check;

pub(crate) const OPS: &[Op<S3>] = ops![
    GetBucketLocation => get_bucket_location [check],
    HeadBucket => head_bucket [check],
];

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HeadBucketOutput {
    bucket_region: String,
    access_point_alias: bool,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>
async fn head_bucket(s3: &S3, _: &Cx, input: BucketInput) -> Result<HeadBucketOutput> {
    let bucket = s3.bucket(&input.bucket).await?;
    Ok(HeadBucketOutput { bucket_region: bucket.region, access_point_alias: false })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetBucketLocationOutput {
    location_constraint: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>
async fn get_bucket_location(
    s3: &S3,
    _: &Cx,
    input: BucketInput,
) -> Result<GetBucketLocationOutput> {
    let region = s3.bucket(&input.bucket).await?.region;
    // The first region has no name here, for history's sake.
    Ok(GetBucketLocationOutput { location_constraint: Some(region).filter(|r| r != "us-east-1") })
}
