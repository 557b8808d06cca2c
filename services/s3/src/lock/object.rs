//! Retention and legal hold of a version.

use fogbank_core::{ApiError, Cx, Op, Result, Time, Value, ops};
use serde::{Deserialize, Serialize};

use super::{bypass, future, millis, not_configured, on_off, protected};
use crate::S3;
use crate::authz::check;
use crate::bucket::Empty;
use crate::error::malformed_xml;
use crate::record::{BucketRecord, Hold, LockMode, ObjectRecord};

pub(crate) const OPS: &[Op<S3>] = ops![
    GetObjectLegalHold => get_object_legal_hold [check],
    GetObjectRetention => get_object_retention [check],
    PutObjectLegalHold => put_object_legal_hold [check],
    PutObjectRetention => put_object_retention [check],
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ObjectInput {
    bucket: String,
    key: String,
    version_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutObjectRetentionInput {
    bucket: String,
    key: String,
    version_id: Option<String>,
    retention: Option<Retention>,
    bypass_governance_retention: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Retention {
    mode: Option<String>,
    retain_until_date: Option<Time>,
    event_hold: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetObjectRetentionOutput {
    retention: Retention,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectRetention.html>
async fn put_object_retention(s3: &S3, cx: &Cx, input: PutObjectRetentionInput) -> Result<Empty> {
    let bucket = lockable(s3, &input.bucket).await?;
    let r = input.retention.ok_or_else(malformed_xml)?;
    if r.event_hold.is_some() {
        return Err(cx.refuse_member("EventHold"));
    }
    let wanted = match (r.mode.as_deref(), r.retain_until_date) {
        (None, None) => None,
        (Some(mode), Some(until)) => {
            let mode = LockMode::parse(mode).ok_or_else(malformed_xml)?;
            Some((mode, future(cx, until)?.as_millisecond()))
        }
        _ => return Err(malformed_xml()),
    };
    let free = bypass(cx, &bucket, &input.key, input.bypass_governance_retention).await?;
    let version = input.version_id.as_deref();
    s3.edit_object(cx, &input.bucket, &input.key, version, |_, record| {
        let old = record.lock.clone().unwrap_or_default();
        if !may_replace(cx, &old, wanted, free) {
            return Err(protected());
        }
        let (mode, until) = wanted.unzip();
        record.lock = Some(Hold { mode, until: until.unwrap_or(0), ..old });
        Ok(())
    })
    .await?;
    Ok(Empty {})
}

/// A period may grow; shortening it or changing its mode is for who may bypass governance, and for
/// nobody in compliance mode.
fn may_replace(cx: &Cx, old: &Hold, wanted: Option<(LockMode, i64)>, bypass: bool) -> bool {
    let Some(mode) = old.retains(cx.now) else { return true };
    let grows = wanted.is_some_and(|(m, until)| m == mode && until >= old.until);
    grows || (mode == LockMode::Governance && bypass)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectRetention.html>
async fn get_object_retention(
    s3: &S3,
    cx: &Cx,
    input: ObjectInput,
) -> Result<GetObjectRetentionOutput> {
    let record = find(s3, cx, &input).await?;
    let hold = record.lock.filter(|h| h.mode.is_some()).ok_or_else(none)?;
    Ok(GetObjectRetentionOutput {
        retention: Retention {
            mode: hold.mode.map(|m| m.name().to_owned()),
            retain_until_date: millis(hold.until),
            event_hold: None,
        },
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutObjectLegalHoldInput {
    bucket: String,
    key: String,
    version_id: Option<String>,
    legal_hold: Option<LegalHold>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LegalHold {
    status: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetObjectLegalHoldOutput {
    legal_hold: LegalHold,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLegalHold.html>
async fn put_object_legal_hold(s3: &S3, cx: &Cx, input: PutObjectLegalHoldInput) -> Result<Empty> {
    lockable(s3, &input.bucket).await?;
    let on = match input.legal_hold.and_then(|h| h.status).as_deref() {
        Some("ON") => true,
        Some("OFF") => false,
        _ => return Err(malformed_xml()),
    };
    let version = input.version_id.as_deref();
    s3.edit_object(cx, &input.bucket, &input.key, version, |_, record| {
        record.lock.get_or_insert_default().legal = Some(on);
        Ok(())
    })
    .await?;
    Ok(Empty {})
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLegalHold.html>
async fn get_object_legal_hold(
    s3: &S3,
    cx: &Cx,
    input: ObjectInput,
) -> Result<GetObjectLegalHoldOutput> {
    let record = find(s3, cx, &input).await?;
    let on = record.lock.and_then(|h| h.legal).ok_or_else(none)?;
    Ok(GetObjectLegalHoldOutput { legal_hold: LegalHold { status: Some(on_off(on).to_owned()) } })
}

async fn lockable(s3: &S3, bucket: &str) -> Result<BucketRecord> {
    let bucket = s3.bucket(bucket).await?;
    if bucket.object_lock == Some(true) { Ok(bucket) } else { Err(not_configured()) }
}

async fn find(s3: &S3, cx: &Cx, input: &ObjectInput) -> Result<ObjectRecord> {
    let bucket = lockable(s3, &input.bucket).await?;
    s3.version(cx, &bucket, &input.key, input.version_id.as_deref()).await
}

fn none() -> ApiError {
    ApiError::new(
        "NoSuchObjectLockConfiguration",
        "The specified object does not have a ObjectLock configuration",
    )
    .status(404)
}
