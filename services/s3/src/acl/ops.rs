//! Setting and reading the lists of buckets and objects, and the list a new object gets.

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use serde::Deserialize;

use super::{AccessControlPolicy, Acl, AclInput, AclOutput};
use crate::S3;
use crate::authz::check;
use crate::config::BucketInput;
use crate::event;
use crate::public_access::refused;
use crate::record::{BucketRecord, ObjectRecord, Ownership};

pub const OPS: &[Op<S3>] = ops![
    PutBucketAcl => put_bucket_acl [check],
    GetBucketAcl => get_bucket_acl [check],
    PutObjectAcl => put_object_acl [check],
    GetObjectAcl => get_object_acl [check],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutAclInput {
    bucket: String,
    key: Option<String>,
    version_id: Option<String>,
    access_control_policy: Option<AccessControlPolicy>,
    #[serde(flatten)]
    headers: AclInput,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html>
async fn put_bucket_acl(s3: &S3, cx: &Cx, input: PutAclInput) -> Result<()> {
    let PutAclInput { bucket, access_control_policy, headers, .. } = input;
    s3.edit_bucket(&bucket, |b| {
        let acl = requested(b, &b.owner, &headers, access_control_policy)?;
        if blocks_public(b) && acl.is_public() {
            return Err(refused(cx, &b.name, "PutBucketAcl"));
        }
        b.acl = Some(acl);
        Ok(())
    })
    .await
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html>
async fn get_bucket_acl(s3: &S3, _: &Cx, input: BucketInput) -> Result<AclOutput> {
    let b = s3.bucket(&input.bucket).await?;
    Ok(shown(&b, &b.owner, b.acl.as_ref()))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html>
async fn put_object_acl(s3: &S3, cx: &Cx, input: PutAclInput) -> Result<()> {
    let PutAclInput { bucket, key, version_id, access_control_policy, headers } = input;
    let key = key.unwrap_or_default();
    let mut found = None;
    let edit = |b: &BucketRecord, object: &mut ObjectRecord| {
        let acl = requested(b, &object.owner, &headers, access_control_policy)?;
        if blocks_public(b) && acl.is_public() {
            return Err(refused(cx, &format!("{}/{key}", b.name), "PutObjectAcl"));
        }
        object.acl = Some(acl);
        found = Some(b.clone());
        Ok(())
    };
    let object = s3.edit_object(cx, &bucket, &key, version_id.as_deref(), edit).await?;
    if let Some(bucket) = found {
        event::changed(cx, &bucket, &key, &object, "Object ACL Updated", &[]);
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetObjectAclInput {
    bucket: String,
    key: String,
    version_id: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html>
async fn get_object_acl(s3: &S3, cx: &Cx, input: GetObjectAclInput) -> Result<AclOutput> {
    let b = s3.bucket(&input.bucket).await?;
    let object = s3.version(cx, &b, &input.key, input.version_id.as_deref()).await?;
    Ok(shown(&b, &object.owner, object.acl.as_ref()))
}

/// A list as it counts now: where ACLs are disabled, that of the bucket's owner alone.
fn shown(bucket: &BucketRecord, owner: &str, acl: Option<&Acl>) -> AclOutput {
    match acl {
        Some(acl) if !disabled(bucket) => AclOutput::new(owner, acl),
        _ if disabled(bucket) => AclOutput::new(&bucket.owner, &Acl::private(&bucket.owner)),
        _ => AclOutput::new(owner, &Acl::private(owner)),
    }
}

/// The list that a `Put…Acl` asks for.
fn requested(
    bucket: &BucketRecord,
    owner: &str,
    headers: &AclInput,
    body: Option<AccessControlPolicy>,
) -> Result<Acl> {
    let canned = headers.canned.is_some();
    let acl = match (headers.resolve(owner, &bucket.owner)?, body) {
        (Some(_), Some(_)) => {
            let text = "This request does not support content";
            return Err(ApiError::new("UnexpectedContent", text).status(400));
        }
        (Some(acl), None) => acl,
        (None, Some(body)) => body.resolve(owner)?,
        (None, None) => {
            let text = "Your request was missing a required header";
            let error = ApiError::new("MissingSecurityHeader", text).status(400);
            return Err(error.field("MissingHeaderName", "x-amz-acl"));
        }
    };
    if disabled(bucket) && (canned || !acl.is_owner_only(&bucket.owner)) {
        return Err(not_supported());
    }
    Ok(acl)
}

/// The owner (an account) and the list of an object that the caller writes to `bucket`.
///
/// # Errors
/// `AccessControlListNotSupported` when the bucket's ACLs are disabled, `AccessDenied` for a
/// public list that the bucket blocks.
pub(crate) fn for_new_object(
    cx: &Cx,
    bucket: &BucketRecord,
    input: &AclInput,
) -> Result<(String, Option<Acl>)> {
    let account = &cx.principal.account;
    let writer = if account.is_empty() { &bucket.owner } else { account };
    let gives_all = input.canned.as_deref() == Some("bucket-owner-full-control");
    let owner = match bucket.ownership {
        Some(Ownership::BucketOwnerEnforced) => &bucket.owner,
        Some(Ownership::BucketOwnerPreferred) if gives_all => &bucket.owner,
        _ => writer,
    };
    let acl = input.resolve(owner, &bucket.owner)?;
    let Some(acl) = acl else { return Ok((owner.clone(), None)) };
    if disabled(bucket) {
        let harmless = gives_all || (input.canned.is_none() && acl.is_owner_only(&bucket.owner));
        return if harmless { Ok((owner.clone(), None)) } else { Err(not_supported()) };
    }
    if blocks_public(bucket) && acl.is_public() {
        return Err(refused(cx, &bucket.name, "PutObject"));
    }
    Ok((owner.clone(), Some(acl)))
}

/// The list of a new bucket of `owner`.
///
/// # Errors
/// `InvalidBucketAclWithObjectOwnership` for a list where ACLs are disabled, which they are unless
/// the request says otherwise.
pub(crate) fn for_new_bucket(
    owner: &str,
    ownership: Ownership,
    input: &AclInput,
) -> Result<Option<Acl>> {
    match input.resolve(owner, owner)? {
        Some(acl) if ownership == Ownership::BucketOwnerEnforced => {
            if acl.is_owner_only(owner) {
                Ok(None)
            } else {
                Err(invalid_with_ownership())
            }
        }
        acl => Ok(acl),
    }
}

/// The refusal of a list beside `BucketOwnerEnforced`.
pub(crate) fn invalid_with_ownership() -> ApiError {
    ApiError::new(
        "InvalidBucketAclWithObjectOwnership",
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    )
    .status(400)
}

fn disabled(bucket: &BucketRecord) -> bool {
    bucket.ownership == Some(Ownership::BucketOwnerEnforced)
}

fn blocks_public(bucket: &BucketRecord) -> bool {
    bucket.public_access_block.as_ref().is_some_and(|p| p.block_public_acls)
}

fn not_supported() -> ApiError {
    ApiError::new("AccessControlListNotSupported", "The bucket does not allow ACLs").status(400)
}
