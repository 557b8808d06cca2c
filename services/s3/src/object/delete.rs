//! DeleteObject and DeleteObjects.

use fogbank_core::{Cx, Op, Result, Time, ops};
use serde::{Deserialize, Serialize};

use crate::authz::{self, check};
use crate::condition::matches;
use crate::error::{malformed_xml, no_such_key, precondition_failed};
use crate::object::check_key;
use crate::record::{BucketRecord, ObjectRecord};
use crate::versions::{check_version_id, delete};
use crate::write::{Deleted, Write};
use crate::{S3, event, lock};

pub(crate) const OPS: &[Op<S3>] = ops![
    DeleteObject => delete_object [check],
    DeleteObjects => delete_objects [check],
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteObjectInput {
    bucket: String,
    key: String,
    version_id: Option<String>,
    #[serde(rename = "MFA")]
    mfa: Option<String>,
    bypass_governance_retention: Option<bool>,
    if_match: Option<String>,
    if_match_last_modified_time: Option<Time>,
    if_match_size: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteObjectOutput {
    delete_marker: Option<bool>,
    version_id: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>
async fn delete_object(s3: &S3, cx: &Cx, input: DeleteObjectInput) -> Result<DeleteObjectOutput> {
    if input.mfa.is_some() {
        return Err(cx.refuse_member("MFA"));
    }
    let bucket = s3.bucket(&input.bucket).await?;
    let bypass = lock::bypass(cx, &bucket, &input.key, input.bypass_governance_retention).await?;
    let conditions = Conditions {
        etag: input.if_match,
        modified: input.if_match_last_modified_time,
        size: input.if_match_size,
    };
    let version = input.version_id.as_deref();
    let done = delete_one(s3, cx, &input.bucket, &input.key, version, &conditions, bypass).await?;
    Ok(DeleteObjectOutput { delete_marker: done.marker.then_some(true), version_id: done.version })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteObjectsInput {
    bucket: String,
    delete: DeleteInput,
    #[serde(rename = "MFA")]
    mfa: Option<String>,
    bypass_governance_retention: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteInput {
    #[serde(default)]
    objects: Vec<Identifier>,
    quiet: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Identifier {
    key: String,
    version_id: Option<String>,
    #[serde(rename = "ETag")]
    etag: Option<String>,
    last_modified_time: Option<Time>,
    size: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteObjectsOutput {
    deleted: Vec<DeletedObject>,
    errors: Vec<DeleteError>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeletedObject {
    key: String,
    version_id: Option<String>,
    delete_marker: Option<bool>,
    delete_marker_version_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteError {
    key: String,
    version_id: Option<String>,
    code: String,
    message: String,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
async fn delete_objects(
    s3: &S3,
    cx: &Cx,
    input: DeleteObjectsInput,
) -> Result<DeleteObjectsOutput> {
    if input.mfa.is_some() {
        return Err(cx.refuse_member("MFA"));
    }
    if input.delete.objects.is_empty() || input.delete.objects.len() > 1000 {
        return Err(malformed_xml());
    }
    let bucket = s3.bucket(&input.bucket).await?;
    lock::check_bypass(&bucket, input.bypass_governance_retention)?;
    let quiet = input.delete.quiet.unwrap_or(false);
    let mut out = DeleteObjectsOutput { deleted: Vec::new(), errors: Vec::new() };
    for object in input.delete.objects {
        match delete_listed(s3, cx, &bucket, &object, input.bypass_governance_retention).await {
            Ok(_) if quiet => {}
            Ok(done) => out.deleted.push(deleted_object(object, done)),
            Err(e) => out.errors.push(DeleteError {
                key: object.key,
                version_id: object.version_id,
                code: e.code().to_owned(),
                message: e.message().to_owned(),
            }),
        }
    }
    Ok(out)
}

async fn delete_listed(
    s3: &S3,
    cx: &Cx,
    bucket: &BucketRecord,
    object: &Identifier,
    bypass: Option<bool>,
) -> Result<Deleted> {
    check_key(&object.key)?;
    let version = object.version_id.as_deref();
    let bypass = lock::bypass(cx, bucket, &object.key, bypass).await?;
    authz::delete(s3, cx, bucket, &object.key, version).await?;
    let conditions = Conditions {
        etag: object.etag.clone(),
        modified: object.last_modified_time,
        size: object.size,
    };
    delete_one(s3, cx, &bucket.name, &object.key, version, &conditions, bypass).await
}

fn deleted_object(object: Identifier, done: Deleted) -> DeletedObject {
    DeletedObject {
        key: object.key,
        version_id: object.version_id,
        delete_marker: done.marker.then_some(true),
        // A marker was made, or the version that was named was one.
        delete_marker_version_id: done.version.filter(|_| done.marker),
    }
}

/// What a delete asks of the version it would hide or remove.
#[derive(Debug, Default)]
struct Conditions {
    etag: Option<String>,
    modified: Option<Time>,
    size: Option<i64>,
}

impl Conditions {
    fn check(&self, key: &str, target: Option<&ObjectRecord>) -> Result<()> {
        if self.etag.is_none() && self.modified.is_none() && self.size.is_none() {
            return Ok(());
        }
        let Some(target) = target.filter(|t| !t.delete_marker) else {
            return Err(no_such_key(key));
        };
        if self.etag.as_ref().is_some_and(|t| !matches(t, &target.etag)) {
            return Err(precondition_failed("If-Match"));
        }
        if self.modified.is_some_and(|t| t.0.as_second() != target.modified) {
            return Err(precondition_failed("x-amz-if-match-last-modified-time"));
        }
        if self.size.is_some_and(|n| u64::try_from(n) != Ok(target.size)) {
            return Err(precondition_failed("x-amz-if-match-size"));
        }
        Ok(())
    }
}

async fn delete_one(
    s3: &S3,
    cx: &Cx,
    bucket: &str,
    key: &str,
    version: Option<&str>,
    conditions: &Conditions,
    bypass: bool,
) -> Result<Deleted> {
    if let Some(v) = version {
        check_version_id(v)?;
    }
    let mut w = Write::begin(s3, cx, bucket, key, Vec::new()).await?;
    let target = match version {
        Some(v) => w.find(v).await?,
        None => w.current.clone(),
    };
    conditions.check(key, target.as_ref())?;
    let done = delete(&mut w, version, bypass).await?;
    let bucket = w.bucket.clone();
    event::tell_deleted(s3, cx, &mut w.tx, &bucket, key, &done, version.is_some(), "ObjectRemoved")
        .await?;
    w.commit().await?;
    event::deleted(s3, cx, &bucket, key, &done, version.is_some(), "DeleteObject").await;
    Ok(done)
}
