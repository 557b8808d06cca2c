//! Object Lock of a bucket, and the default retention of its objects.

use fogbank_core::{ApiError, Cx, Op, Result, Value, ops};
use serde::{Deserialize, Serialize};

use crate::S3;
use crate::authz::check;
use crate::bucket::{BucketInput, Empty};
use crate::error::{malformed_xml, not_configured};
use crate::record::{LockMode, LockRule, Versioning};

pub(crate) const OPS: &[Op<S3>] = ops![
    GetObjectLockConfiguration => get_object_lock_configuration [check],
    PutObjectLockConfiguration => put_object_lock_configuration [check],
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutObjectLockConfigurationInput {
    bucket: String,
    object_lock_configuration: Option<Configuration>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    object_lock_enabled: Option<String>,
    rule: Option<Rule>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    default_retention: Option<Retention>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Retention {
    mode: Option<String>,
    days: Option<i64>,
    years: Option<i64>,
    default_event_hold: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetObjectLockConfigurationOutput {
    object_lock_configuration: Configuration,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html>
async fn put_object_lock_configuration(
    s3: &S3,
    cx: &Cx,
    input: PutObjectLockConfigurationInput,
) -> Result<Empty> {
    let c = input.object_lock_configuration.ok_or_else(malformed_xml)?;
    if c.object_lock_enabled.as_deref() != Some("Enabled") {
        return Err(malformed_xml());
    }
    let rule = match c.rule {
        None => None,
        Some(rule) => Some(read_rule(cx, &rule.default_retention.ok_or_else(malformed_xml)?)?),
    };
    s3.edit_bucket(&input.bucket, |b| {
        if b.versioning != Versioning::Enabled {
            return Err(ApiError::new(
                "InvalidBucketState",
                "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
            )
            .status(409));
        }
        b.object_lock = Some(true);
        b.lock_rule = rule;
        Ok(())
    })
    .await?;
    Ok(Empty {})
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html>
async fn get_object_lock_configuration(
    s3: &S3,
    _: &Cx,
    input: BucketInput,
) -> Result<GetObjectLockConfigurationOutput> {
    let bucket = s3.bucket(&input.bucket).await?;
    if bucket.object_lock != Some(true) {
        return Err(not_configured(
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
            &input.bucket,
        ));
    }
    let rule = bucket.lock_rule.map(|r| Rule {
        default_retention: Some(Retention {
            mode: Some(r.mode.name().to_owned()),
            days: r.days.map(i64::from),
            years: r.years.map(i64::from),
            default_event_hold: None,
        }),
    });
    Ok(GetObjectLockConfigurationOutput {
        object_lock_configuration: Configuration {
            object_lock_enabled: Some("Enabled".to_owned()),
            rule,
        },
    })
}

fn read_rule(cx: &Cx, r: &Retention) -> Result<LockRule> {
    if r.default_event_hold.is_some() {
        return Err(cx.refuse_member("DefaultEventHold"));
    }
    let mode = r.mode.as_deref().and_then(LockMode::parse).ok_or_else(malformed_xml)?;
    let period = |n: i64, most: u32| {
        u32::try_from(n).ok().filter(|n| (1..=most).contains(n)).ok_or_else(|| {
            ApiError::new(
                "InvalidRetentionPeriod",
                "Default retention period must be a positive integer value.",
            )
            .status(400)
        })
    };
    match (r.days, r.years) {
        (Some(n), None) => Ok(LockRule { mode, days: Some(period(n, 36_500)?), years: None }),
        (None, Some(n)) => Ok(LockRule { mode, days: None, years: Some(period(n, 100)?) }),
        _ => Err(malformed_xml()),
    }
}
