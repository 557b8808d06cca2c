//! The versioning configuration of a bucket.

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use super::{BucketInput, Empty};
use crate::S3;
use crate::authz::check;
use crate::record::Versioning;

pub(crate) const OPS: &[Op<S3>] = ops![
    GetBucketVersioning => get_bucket_versioning [check],
    PutBucketVersioning => put_bucket_versioning [check],
];

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetBucketVersioningOutput {
    /// Absent while versioning was never enabled.
    status: Option<&'static str>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html>
async fn get_bucket_versioning(
    s3: &S3,
    _: &Cx,
    input: BucketInput,
) -> Result<GetBucketVersioningOutput> {
    let status = match s3.bucket(&input.bucket).await?.versioning {
        Versioning::Off => None,
        Versioning::Enabled => Some("Enabled"),
        Versioning::Suspended => Some("Suspended"),
    };
    Ok(GetBucketVersioningOutput { status })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutBucketVersioningInput {
    bucket: String,
    versioning_configuration: Configuration,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    status: Option<String>,
    #[serde(rename = "MFADelete")]
    mfa_delete: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>
async fn put_bucket_versioning(s3: &S3, cx: &Cx, input: PutBucketVersioningInput) -> Result<Empty> {
    let configuration = input.versioning_configuration;
    if configuration.mfa_delete.as_deref() == Some("Enabled") {
        return Err(cx.refuse_member("VersioningConfiguration.MFADelete"));
    }
    let versioning = match configuration.status.as_deref() {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        _ => {
            return Err(ApiError::new(
                "IllegalVersioningConfigurationException",
                "The Versioning element must be specified",
            )
            .status(400));
        }
    };
    s3.edit_bucket(&input.bucket, |b| {
        if b.object_lock == Some(true) && versioning != Versioning::Enabled {
            return Err(ApiError::new(
                "InvalidBucketState",
                "An Object Lock configuration is present on this bucket, so the versioning state \
                 cannot be changed.",
            )
            .status(409));
        }
        b.versioning = versioning;
        Ok(())
    })
    .await?;
    Ok(Empty {})
}
