//! PutObject.

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::acl::{self, AclInput};
use crate::authz::check;
use crate::checksum::{ChecksumInput, ChecksumOutput, Expected};
use crate::condition::WriteConditions;
use crate::error::invalid_request;
use crate::lock::LockInput;
use crate::object::{MetaInput, check_key, quoted, storage_class};
use crate::record::ObjectRecord;
use crate::sse::{self, CustomerKeyInput, SseInput, SseOutput};
use crate::write::Write;
use crate::{S3, data, event, lifecycle, tagset};

pub(crate) const OPS: &[Op<S3>] = ops![PutObject => put_object [check]];

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutObjectInput {
    pub bucket: String,
    pub key: String,
    #[serde(rename = "ContentMD5")]
    pub content_md5: Option<String>,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    pub storage_class: Option<String>,
    pub tagging: Option<String>,
    pub write_offset_bytes: Option<i64>,
    #[serde(flatten)]
    pub checksum: ChecksumInput,
    #[serde(flatten)]
    pub meta: MetaInput,
    #[serde(flatten)]
    pub sse: SseInput,
    #[serde(flatten)]
    pub customer_key: CustomerKeyInput,
    #[serde(flatten)]
    pub acl: AclInput,
    #[serde(flatten)]
    pub lock: LockInput,
}

#[derive(Debug, Serialize)]
pub(crate) struct PutObjectOutput {
    #[serde(rename = "ETag")]
    pub etag: String,
    #[serde(rename = "VersionId")]
    pub version_id: Option<String>,
    #[serde(rename = "Expiration")]
    pub expiration: Option<String>,
    #[serde(flatten)]
    pub checksum: ChecksumOutput,
    #[serde(flatten)]
    pub sse: SseOutput,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
pub(crate) async fn put_object(s3: &S3, cx: &Cx, input: PutObjectInput) -> Result<PutObjectOutput> {
    if input.write_offset_bytes.is_some() {
        return Err(cx.refuse_member("WriteOffsetBytes"));
    }
    let body = cx.take_body();
    let unsized_body = body.length().is_none() && cx.header("transfer-encoding").is_none();
    if unsized_body && cx.operation == "PutObject" && cx.http.is_some() {
        return Err(ApiError::new(
            "MissingContentLength",
            "You must provide the Content-Length HTTP header.",
        )
        .status(411));
    }
    check_key(&input.key)?;
    let conditions =
        WriteConditions::read(input.if_match.as_deref(), input.if_none_match.as_deref())?;
    let expected = Expected::read(cx, input.content_md5.as_deref(), &input.checksum)?;
    if input.lock.is_given() && expected.is_empty() && cx.http.is_some() {
        return Err(invalid_request(
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with \
             Object Lock parameters",
        ));
    }
    let storage_class = storage_class(input.storage_class.as_deref())?;
    let tags = input.tagging.as_deref().map(tagset::from_header).transpose()?;
    let meta = input.meta.into_meta()?;
    input.customer_key.read(cx)?;

    let arrived = data::receive(s3, cx, body, &expected, true).await?;

    let mut w = Write::begin(s3, cx, &input.bucket, &input.key, Vec::new()).await?;
    w.check(&conditions)?;
    let (owner, acl) = acl::for_new_object(cx, &w.bucket, &input.acl)?;
    let record = ObjectRecord {
        etag: hex::encode(arrived.md5),
        size: arrived.size,
        checksum: arrived.checksums.into_iter().next(),
        storage_class,
        owner,
        meta,
        sse: sse::choose(cx, &w.bucket, &input.sse, &input.customer_key)?,
        tags: tags.unwrap_or_default(),
        acl,
        lock: input.lock.resolve(cx, &w.bucket)?,
        ..ObjectRecord::empty()
    };
    let record = w.put(record, &arrived.fresh, None).await?;
    let bucket = w.bucket.clone();
    // A form is a PutObject that came another way.
    let how = if cx.operation == "PutObject" { "ObjectCreated:Put" } else { "ObjectCreated:Post" };
    event::tell_created(s3, cx, &mut w.tx, &bucket, &input.key, &record, how).await?;
    w.commit().await?;
    arrived.fresh.keep();

    event::created(s3, cx, &bucket, &input.key, &record, "PutObject").await;
    Ok(PutObjectOutput {
        etag: quoted(&record.etag),
        version_id: record.version.clone(),
        expiration: lifecycle::expiration(s3, &bucket, &input.key, &record).await?,
        checksum: ChecksumOutput::object(record.checksum.as_ref()),
        sse: SseOutput::from(&record.sse),
    })
}
