//! CreateMultipartUpload.

use fogbank_core::{Cx, Op, Result, Time, ops};
use fogbank_store::Lock;
use serde::{Deserialize, Serialize};

use super::Initiator;
use crate::acl::{self, AclInput};
use crate::authz::check;
use crate::error::{invalid_request, no_such_bucket};
use crate::lock::LockInput;
use crate::object::{MetaInput, check_key, storage_class};
use crate::record::{Algorithm, ChecksumType, UploadRecord};
use crate::sse::{self, CustomerKeyInput, SseInput, SseOutput};
use crate::tables::{BUCKETS, UPLOADS, bucket_key, seq_key};
use crate::{S3, lifecycle, seqid, tagset};

pub(crate) const OPS: &[Op<S3>] = ops![CreateMultipartUpload => create_multipart_upload [check]];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateMultipartUploadInput {
    bucket: String,
    key: String,
    storage_class: Option<String>,
    tagging: Option<String>,
    checksum_algorithm: Option<String>,
    checksum_type: Option<String>,
    #[serde(flatten)]
    meta: MetaInput,
    #[serde(flatten)]
    sse: SseInput,
    #[serde(flatten)]
    customer_key: CustomerKeyInput,
    #[serde(flatten)]
    acl: AclInput,
    #[serde(flatten)]
    lock: LockInput,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateMultipartUploadOutput {
    bucket: String,
    key: String,
    upload_id: String,
    checksum_algorithm: Option<&'static str>,
    checksum_type: Option<&'static str>,
    abort_date: Option<Time>,
    abort_rule_id: Option<String>,
    #[serde(flatten)]
    sse: SseOutput,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>
async fn create_multipart_upload(
    s3: &S3,
    cx: &Cx,
    input: CreateMultipartUploadInput,
) -> Result<CreateMultipartUploadOutput> {
    check_key(&input.key)?;
    let algorithm =
        input.checksum_algorithm.as_deref().map(|a| Algorithm::parse(cx, a)).transpose()?;
    let kind = match (algorithm, input.checksum_type.as_deref()) {
        (Some(a), kind) => Some(ChecksumType::for_upload(a, kind)?),
        (None, None) => None,
        (None, Some(_)) => {
            return Err(invalid_request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm \
                 header.",
            ));
        }
    };
    let storage_class = storage_class(input.storage_class.as_deref())?;
    let tags = input.tagging.as_deref().map(tagset::from_header).transpose()?;
    let meta = input.meta.into_meta()?;

    let bucket_row = bucket_key(&input.bucket);
    let mut tx = s3.store.lock(&[Lock::shared(&BUCKETS, &bucket_row)]).await;
    let bucket =
        tx.get(&BUCKETS, &bucket_row).await?.ok_or_else(|| no_such_bucket(&input.bucket))?;
    let (owner, acl) = acl::for_new_object(cx, &bucket, &input.acl)?;
    // Two uploads of one key in the same microsecond: the next free sequence.
    let mut seq = seqid::next(cx.now, None);
    while tx.get(&UPLOADS, &seq_key(&input.bucket, &input.key, seq)).await?.is_some() {
        seq += 1;
    }
    let upload = UploadRecord {
        id: seqid::make(cx.ids(), seq),
        initiated: cx.now.as_second(),
        owner,
        initiator: Initiator::record(cx),
        storage_class,
        algorithm,
        checksum_type: kind,
        meta,
        sse: sse::choose(cx, &bucket, &input.sse, &input.customer_key)?,
        tags: tags.unwrap_or_default(),
        acl,
        seq,
        lock: input.lock.resolve(cx, &bucket)?,
    };
    tx.put(&UPLOADS, &seq_key(&input.bucket, &input.key, seq), &upload);
    tx.commit().await?;
    let abort = lifecycle::abort_date(s3, &bucket, &input.key, upload.initiated).await?;
    let (abort_date, abort_rule_id) = abort.unzip();
    Ok(CreateMultipartUploadOutput {
        bucket: input.bucket,
        key: input.key,
        checksum_algorithm: algorithm.map(Algorithm::name),
        checksum_type: kind.map(ChecksumType::name),
        abort_date,
        abort_rule_id,
        sse: SseOutput::from(&upload.sse),
        upload_id: upload.id,
    })
}
