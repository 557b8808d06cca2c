//! Lifecycle rules: what happens to objects as they age.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html>

use fogbank_core::{Cx, Op, Result, Time, ops};
use serde::{Deserialize, Serialize};

use crate::S3;
use crate::authz::check;
use crate::config::{self, BucketInput};
use crate::error::{malformed_xml, not_configured};
use crate::record::{BucketRecord, ObjectRecord};
use crate::tagset::Tag;

mod due;
mod sweep;
mod validate;
mod worker;

pub use due::Day;
pub use worker::{Options, start};

pub const OPS: &[Op<S3>] = ops![
    PutBucketLifecycleConfiguration => put_bucket_lifecycle_configuration [check],
    GetBucketLifecycleConfiguration => get_bucket_lifecycle_configuration [check],
    DeleteBucketLifecycle => delete_bucket_lifecycle [check],
];

/// The configuration as it is kept and answered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Lifecycle {
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transition_default_minimum_object_size: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Rule {
    #[serde(rename = "ID", skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<Filter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<Expiration>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    transitions: Vec<Transition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    noncurrent_version_expiration: Option<NoncurrentExpiration>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    noncurrent_version_transitions: Vec<NoncurrentTransition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    abort_incomplete_multipart_upload: Option<Abort>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Filter {
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_size_greater_than: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_size_less_than: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    and: Option<And>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct And {
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_size_greater_than: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_size_less_than: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Expiration {
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expired_object_delete_marker: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Transition {
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<i64>,
    storage_class: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NoncurrentExpiration {
    #[serde(skip_serializing_if = "Option::is_none")]
    noncurrent_days: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newer_noncurrent_versions: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NoncurrentTransition {
    #[serde(skip_serializing_if = "Option::is_none")]
    noncurrent_days: Option<i64>,
    storage_class: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    newer_noncurrent_versions: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Abort {
    #[serde(skip_serializing_if = "Option::is_none")]
    days_after_initiation: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutBucketLifecycleConfigurationInput {
    bucket: String,
    lifecycle_configuration: Option<Lifecycle>,
    transition_default_minimum_object_size: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutBucketLifecycleConfigurationOutput {
    transition_default_minimum_object_size: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>
async fn put_bucket_lifecycle_configuration(
    s3: &S3,
    cx: &Cx,
    input: PutBucketLifecycleConfigurationInput,
) -> Result<PutBucketLifecycleConfigurationOutput> {
    let mut config = input.lifecycle_configuration.ok_or_else(malformed_xml)?;
    let minimum = input.transition_default_minimum_object_size;
    config.transition_default_minimum_object_size =
        Some(minimum.unwrap_or_else(|| "all_storage_classes_128K".into()));
    validate::configuration(&config)?;
    for rule in &mut config.rules {
        rule.id.get_or_insert_with(|| cx.ids().uuid());
    }
    let value = config::encode(&config)?;
    s3.set_config(&input.bucket, "lifecycle", Some(value), |b| {
        b.has.lifecycle = true;
        Ok(())
    })
    .await?;
    let minimum = config.transition_default_minimum_object_size;
    Ok(PutBucketLifecycleConfigurationOutput { transition_default_minimum_object_size: minimum })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html>
async fn get_bucket_lifecycle_configuration(
    s3: &S3,
    _: &Cx,
    input: BucketInput,
) -> Result<Lifecycle> {
    let text = "The lifecycle configuration does not exist";
    config::load(s3, &input.bucket, "lifecycle")
        .await?
        .ok_or_else(|| not_configured("NoSuchLifecycleConfiguration", text, &input.bucket))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketLifecycle.html>
async fn delete_bucket_lifecycle(s3: &S3, _: &Cx, input: BucketInput) -> Result<()> {
    s3.set_config(&input.bucket, "lifecycle", None, |b| {
        b.has.lifecycle = false;
        Ok(())
    })
    .await
}

/// What a rule needs to know about an object.
#[derive(Clone, Copy, Debug)]
struct Subject<'a> {
    pub key: &'a str,
    pub size: u64,
    /// Seconds since 1970.
    pub modified: i64,
    pub tags: &'a [(String, String)],
}

impl<'a> Subject<'a> {
    fn new(key: &'a str, o: &'a ObjectRecord) -> Self {
        Subject { key, size: o.size, modified: o.modified, tags: &o.tags }
    }
}

/// The `x-amz-expiration` header of an object: when the first rule will delete it.
///
/// # Errors
/// The store's.
pub(crate) async fn expiration(
    s3: &S3,
    bucket: &BucketRecord,
    key: &str,
    object: &ObjectRecord,
) -> Result<Option<String>> {
    if !bucket.has.lifecycle {
        return Ok(None);
    }
    let config: Option<Lifecycle> = config::load(s3, &bucket.name, "lifecycle").await?;
    Ok(config.and_then(|c| c.expiration_header(Subject::new(key, object))))
}

/// When and by which rule an upload will be aborted: `x-amz-abort-date`, `x-amz-abort-rule-id`.
///
/// # Errors
/// The store's.
pub(crate) async fn abort_date(
    s3: &S3,
    bucket: &BucketRecord,
    key: &str,
    initiated: i64,
) -> Result<Option<(Time, String)>> {
    if !bucket.has.lifecycle {
        return Ok(None);
    }
    let config: Option<Lifecycle> = config::load(s3, &bucket.name, "lifecycle").await?;
    Ok(config.and_then(|c| c.abort(Day::REAL, key, initiated)))
}

#[cfg(test)]
mod tests;
