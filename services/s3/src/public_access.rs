//! Public access blocks, and who owns what others write (ownership controls).
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::S3;
use crate::authz::check;
use crate::config::BucketInput;
use crate::error::{malformed_xml, not_configured};
use crate::record::{Ownership, PublicAccessBlock};

pub const OPS: &[Op<S3>] = ops![
    PutPublicAccessBlock => put_public_access_block [check],
    GetPublicAccessBlock => get_public_access_block [check],
    DeletePublicAccessBlock => delete_public_access_block [check],
    PutBucketOwnershipControls => put_bucket_ownership_controls [check],
    GetBucketOwnershipControls => get_bucket_ownership_controls [check],
    DeleteBucketOwnershipControls => delete_bucket_ownership_controls [check],
];

/// What new buckets have since April 2023.
pub(crate) const DEFAULT: PublicAccessBlock = PublicAccessBlock {
    block_public_acls: true,
    ignore_public_acls: true,
    block_public_policy: true,
    restrict_public_buckets: true,
};

/// The refusal of a public policy or ACL.
pub(crate) fn refused(cx: &Cx, bucket: &str, operation: &str) -> ApiError {
    let (what, setting) = match operation {
        "PutBucketPolicy" => ("policies", "BlockPublicPolicy"),
        _ => ("access control lists (ACLs)", "BlockPublicAcls"),
    };
    ApiError::new(
        "AccessDenied",
        format!(
            "User: {} is not authorized to perform: s3:{operation} on resource: \
             \"arn:aws:s3:::{bucket}\" because public {what} are blocked by the {setting} block \
             public access setting.",
            cx.principal.arn
        ),
    )
    .status(403)
}

/// The four settings on the wire; what is left out is off.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Settings {
    block_public_acls: bool,
    ignore_public_acls: bool,
    block_public_policy: bool,
    restrict_public_buckets: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutPublicAccessBlockInput {
    bucket: String,
    public_access_block_configuration: Settings,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html>
async fn put_public_access_block(s3: &S3, _: &Cx, input: PutPublicAccessBlockInput) -> Result<()> {
    let s = input.public_access_block_configuration;
    let block = PublicAccessBlock {
        block_public_acls: s.block_public_acls,
        ignore_public_acls: s.ignore_public_acls,
        block_public_policy: s.block_public_policy,
        restrict_public_buckets: s.restrict_public_buckets,
    };
    s3.edit_bucket(&input.bucket, |b| {
        b.public_access_block = Some(block);
        Ok(())
    })
    .await
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetPublicAccessBlockOutput {
    public_access_block_configuration: Settings,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html>
async fn get_public_access_block(
    s3: &S3,
    _: &Cx,
    input: BucketInput,
) -> Result<GetPublicAccessBlockOutput> {
    let b = s3.bucket(&input.bucket).await?.public_access_block.ok_or_else(|| {
        let text = "The public access block configuration was not found";
        not_configured("NoSuchPublicAccessBlockConfiguration", text, &input.bucket)
    })?;
    Ok(GetPublicAccessBlockOutput {
        public_access_block_configuration: Settings {
            block_public_acls: b.block_public_acls,
            ignore_public_acls: b.ignore_public_acls,
            block_public_policy: b.block_public_policy,
            restrict_public_buckets: b.restrict_public_buckets,
        },
    })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeletePublicAccessBlock.html>
async fn delete_public_access_block(s3: &S3, _: &Cx, input: BucketInput) -> Result<()> {
    s3.edit_bucket(&input.bucket, |b| {
        b.public_access_block = None;
        Ok(())
    })
    .await
}

impl Ownership {
    /// Reads the setting.
    ///
    /// # Errors
    /// `MalformedXML` for a word that is none.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text {
            "BucketOwnerEnforced" => Ok(Ownership::BucketOwnerEnforced),
            "BucketOwnerPreferred" => Ok(Ownership::BucketOwnerPreferred),
            "ObjectWriter" => Ok(Ownership::ObjectWriter),
            _ => Err(malformed_xml()),
        }
    }

    /// As it stands on the wire.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Ownership::BucketOwnerEnforced => "BucketOwnerEnforced",
            Ownership::BucketOwnerPreferred => "BucketOwnerPreferred",
            Ownership::ObjectWriter => "ObjectWriter",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OwnershipControls {
    rules: Vec<OwnershipRule>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OwnershipRule {
    object_ownership: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutBucketOwnershipControlsInput {
    bucket: String,
    ownership_controls: OwnershipControls,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html>
async fn put_bucket_ownership_controls(
    s3: &S3,
    _: &Cx,
    input: PutBucketOwnershipControlsInput,
) -> Result<()> {
    let [rule] = input.ownership_controls.rules.as_slice() else { return Err(malformed_xml()) };
    let ownership = Ownership::parse(&rule.object_ownership)?;
    s3.edit_bucket(&input.bucket, |b| {
        let shared = b.acl.as_ref().is_some_and(|a| !a.is_owner_only(&b.owner));
        if ownership == Ownership::BucketOwnerEnforced && shared {
            return Err(crate::acl::ops::invalid_with_ownership());
        }
        b.ownership = Some(ownership);
        Ok(())
    })
    .await
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetBucketOwnershipControlsOutput {
    ownership_controls: OwnershipControls,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html>
async fn get_bucket_ownership_controls(
    s3: &S3,
    _: &Cx,
    input: BucketInput,
) -> Result<GetBucketOwnershipControlsOutput> {
    let ownership = s3.bucket(&input.bucket).await?.ownership.ok_or_else(|| {
        let text = "The bucket ownership controls were not found";
        not_configured("OwnershipControlsNotFoundError", text, &input.bucket)
    })?;
    let rule = OwnershipRule { object_ownership: ownership.as_str().into() };
    let ownership_controls = OwnershipControls { rules: vec![rule] };
    Ok(GetBucketOwnershipControlsOutput { ownership_controls })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html>
async fn delete_bucket_ownership_controls(s3: &S3, _: &Cx, input: BucketInput) -> Result<()> {
    s3.edit_bucket(&input.bucket, |b| {
        b.ownership = None; // as for buckets older than the setting: objects belong to their writer
        Ok(())
    })
    .await
}
