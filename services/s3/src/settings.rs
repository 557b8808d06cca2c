//! Small settings of a bucket: tags, who pays, acceleration; and the ones that are never set.

use fogbank_core::{ApiError, Cx, Op, Reply, Result, ops};
use serde::{Deserialize, Serialize};

use crate::S3;
use crate::authz::check;
use crate::config::{self, BucketInput};
use crate::error::{malformed_xml, not_configured};
use crate::tagset::{self, Tag};

pub const OPS: &[Op<S3>] = ops![
    PutBucketTagging => put_bucket_tagging [check],
    GetBucketTagging => get_bucket_tagging [check],
    DeleteBucketTagging => delete_bucket_tagging [check],
    PutBucketRequestPayment => put_bucket_request_payment [check],
    GetBucketRequestPayment => get_bucket_request_payment [check],
    PutBucketAccelerateConfiguration => put_bucket_accelerate_configuration [check],
    GetBucketAccelerateConfiguration => get_bucket_accelerate_configuration [check],
    PutBucketLogging => put_bucket_logging [check],
    GetBucketLogging => get_bucket_logging [check],
    GetBucketReplication => get_bucket_replication [check],
    GetBucketAnalyticsConfiguration => get_unset [check],
    GetBucketInventoryConfiguration => get_unset [check],
    GetBucketMetricsConfiguration => get_unset [check],
    GetBucketIntelligentTieringConfiguration => get_unset [check],
    ListBucketAnalyticsConfigurations => list_unset [check],
    ListBucketInventoryConfigurations => list_unset [check],
    ListBucketMetricsConfigurations => list_unset [check],
    ListBucketIntelligentTieringConfigurations => list_unset [check],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutBucketTaggingInput {
    bucket: String,
    tagging: TagSet,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagSet {
    #[serde(default)]
    tag_set: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>
async fn put_bucket_tagging(s3: &S3, _: &Cx, input: PutBucketTaggingInput) -> Result<Reply> {
    let tags = input.tagging.tag_set;
    if tags.len() > 50 {
        let text = "Bucket tag count cannot be greater than 50";
        return Err(ApiError::new("BadRequest", text).status(400));
    }
    let value = config::encode(&tagset::check(tags)?)?;
    s3.set_config(&input.bucket, "tags", Some(value), |b| {
        b.has.tags = true;
        Ok(())
    })
    .await?;
    Ok(no_content())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html>
async fn get_bucket_tagging(s3: &S3, _: &Cx, input: BucketInput) -> Result<TagSet> {
    let tags: Option<Vec<(String, String)>> = config::load(s3, &input.bucket, "tags").await?;
    match tags.filter(|t| !t.is_empty()) {
        Some(tags) => Ok(TagSet { tag_set: tagset::to_output(&tags) }),
        None => Err(not_configured("NoSuchTagSet", "The TagSet does not exist", &input.bucket)),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html>
async fn delete_bucket_tagging(s3: &S3, _: &Cx, input: BucketInput) -> Result<()> {
    s3.set_config(&input.bucket, "tags", None, |b| {
        b.has.tags = false;
        Ok(())
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutBucketRequestPaymentInput {
    bucket: String,
    request_payment_configuration: Payer,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Payer {
    payer: String,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketRequestPayment.html>
async fn put_bucket_request_payment(
    s3: &S3,
    _: &Cx,
    input: PutBucketRequestPaymentInput,
) -> Result<()> {
    let requester = match input.request_payment_configuration.payer.as_str() {
        "Requester" => true,
        "BucketOwner" => false,
        _ => return Err(malformed_xml()),
    };
    s3.edit_bucket(&input.bucket, |b| {
        b.has.requester_pays = requester;
        Ok(())
    })
    .await
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketRequestPayment.html>
async fn get_bucket_request_payment(s3: &S3, _: &Cx, input: BucketInput) -> Result<Payer> {
    let requester = s3.bucket(&input.bucket).await?.has.requester_pays;
    Ok(Payer { payer: if requester { "Requester" } else { "BucketOwner" }.into() })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutBucketAccelerateConfigurationInput {
    bucket: String,
    accelerate_configuration: Accelerate,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Accelerate {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAccelerateConfiguration.html>
async fn put_bucket_accelerate_configuration(
    s3: &S3,
    cx: &Cx,
    input: PutBucketAccelerateConfigurationInput,
) -> Result<()> {
    let PutBucketAccelerateConfigurationInput { bucket, accelerate_configuration } = input;
    match accelerate_configuration.status.as_deref() {
        Some("Enabled" | "Suspended") => {}
        _ => return Err(malformed_xml()),
    }
    if bucket.contains('.') {
        let text = "S3 Transfer Acceleration is not supported for buckets with periods (.) in \
                    their names";
        return Err(crate::error::invalid_request(text));
    }
    // Every way to a bucket on this machine is the short one.
    cx.ignore_member("AccelerateConfiguration");
    let value = config::encode(&accelerate_configuration)?;
    s3.set_config(&bucket, "accelerate", Some(value), |_| Ok(())).await
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAccelerateConfiguration.html>
async fn get_bucket_accelerate_configuration(
    s3: &S3,
    _: &Cx,
    input: BucketInput,
) -> Result<Accelerate> {
    Ok(config::load(s3, &input.bucket, "accelerate").await?.unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutBucketLoggingInput {
    bucket_logging_status: LoggingStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LoggingStatus {
    logging_enabled: Option<serde::de::IgnoredAny>,
}

/// Access logs are not delivered, so they can be switched off only.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html>
async fn put_bucket_logging(_: &S3, cx: &Cx, input: PutBucketLoggingInput) -> Result<()> {
    match input.bucket_logging_status.logging_enabled {
        Some(_) => Err(cx.refuse_member("BucketLoggingStatus.LoggingEnabled")),
        None => Ok(()),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLogging.html>
async fn get_bucket_logging(_: &S3, _: &Cx, _: BucketInput) -> Result<()> {
    Ok(())
}

/// Replication is refused, so no bucket has any.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketReplication.html>
async fn get_bucket_replication(_: &S3, _: &Cx, input: BucketInput) -> Result<()> {
    Err(not_configured(
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
        &input.bucket,
    ))
}

/// Analytics, inventory, metrics and tiering are refused, so no bucket has any.
async fn get_unset(_: &S3, _: &Cx, input: BucketInput) -> Result<()> {
    let text = "The specified configuration does not exist.";
    Err(not_configured("NoSuchConfiguration", text, &input.bucket))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NoConfigurations {
    is_truncated: bool,
}

async fn list_unset(_: &S3, _: &Cx, _: BucketInput) -> Result<NoConfigurations> {
    Ok(NoConfigurations { is_truncated: false })
}

fn no_content() -> Reply {
    Reply { status: Some(204), ..Reply::default() }
}
