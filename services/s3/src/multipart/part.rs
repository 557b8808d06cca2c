//! UploadPart and UploadPartCopy.

use fogbank_blob::BlobId;
use fogbank_core::{ApiError, Cx, Op, Result, Time, ops};
use fogbank_store::Lock;
use serde::{Deserialize, Serialize};

use super::{find, find_locked, part_number, upload_row};
use crate::authz::check;
use crate::checksum::{ChecksumInput, ChecksumOutput, Expected};
use crate::data::{Arrived, Fresh};
use crate::error::{invalid_argument, invalid_request};
use crate::object::copy::{CopyResult, SourceInput};
use crate::object::get::time;
use crate::object::{quoted, version_header};
use crate::record::{Algorithm, Checksum, ChecksumType, PartRecord, UploadRecord};
use crate::sse::{CustomerKeyInput, SseOutput, same_customer};
use crate::tables::{PARTS, UPLOADS, part_key};
use crate::{S3, data, write};

pub(crate) const OPS: &[Op<S3>] = ops![
    UploadPart => upload_part [check],
    UploadPartCopy => upload_part_copy [check],
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UploadPartInput {
    bucket: String,
    key: String,
    part_number: i64,
    upload_id: String,
    #[serde(rename = "ContentMD5")]
    content_md5: Option<String>,
    #[serde(flatten)]
    checksum: ChecksumInput,
    #[serde(flatten)]
    customer_key: CustomerKeyInput,
}

#[derive(Debug, Serialize)]
struct UploadPartOutput {
    #[serde(rename = "ETag")]
    etag: String,
    #[serde(flatten)]
    checksum: ChecksumOutput,
    #[serde(flatten)]
    sse: SseOutput,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>
async fn upload_part(s3: &S3, cx: &Cx, input: UploadPartInput) -> Result<UploadPartOutput> {
    let number = part_number(input.part_number)?;
    let upload = find(s3, &input.bucket, &input.key, &input.upload_id).await?;
    same_customer(cx, &input.customer_key, &upload.sse)?;
    let mut expected = Expected::read(cx, input.content_md5.as_deref(), &input.checksum)?;
    match (upload.algorithm, expected.algorithm) {
        (Some(want), Some(sent)) if want != sent => return Err(mismatch(want, Some(sent))),
        (Some(want), None) if upload.checksum_type == Some(ChecksumType::Composite) => {
            return Err(mismatch(want, None));
        }
        _ => {}
    }
    let own = upload.algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let asked = expected.algorithm.is_some() || upload.algorithm.is_some();
    expected.algorithm = expected.algorithm.or(upload.algorithm);
    expected.also = Some(own);
    let body = cx.take_body();
    let arrived = data::receive(s3, cx, body, &expected, false).await?;
    let shown = arrived.checksums.first().cloned().filter(|_| asked);
    let part = store_part(s3, cx, &input.bucket, &input.key, &upload, number, arrived).await?;
    let shown = shown.or_else(|| part.checksums.first().cloned());
    Ok(UploadPartOutput {
        etag: quoted(&part.etag),
        checksum: ChecksumOutput::part(shown.as_ref()),
        sse: SseOutput::from(&upload.sse),
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UploadPartCopyInput {
    bucket: String,
    key: String,
    part_number: i64,
    upload_id: String,
    copy_source_range: Option<String>,
    copy_source_if_modified_since: Option<Time>,
    copy_source_if_unmodified_since: Option<Time>,
    #[serde(flatten)]
    source: SourceInput,
    #[serde(flatten)]
    customer_key: CustomerKeyInput,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct UploadPartCopyOutput {
    copy_source_version_id: Option<String>,
    copy_part_result: CopyResult,
    #[serde(flatten)]
    sse: SseOutput,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>
async fn upload_part_copy(
    s3: &S3,
    cx: &Cx,
    input: UploadPartCopyInput,
) -> Result<UploadPartCopyOutput> {
    let number = part_number(input.part_number)?;
    let upload = find(s3, &input.bucket, &input.key, &input.upload_id).await?;
    same_customer(cx, &input.customer_key, &upload.sse)?;
    for _ in 0..16 {
        let times = (input.copy_source_if_modified_since, input.copy_source_if_unmodified_since);
        let source = input.source.find(s3, cx, times.0, times.1).await?;
        let size = source.record.size;
        let bytes = match &input.copy_source_range {
            Some(r) => copy_range(r, size)?,
            None => 0..size,
        };
        if bytes.end - bytes.start > data::PUT_MAX {
            return Err(invalid_request(format!(
                "The specified copy source is larger than the maximum allowable size for a copy \
                 source: {}",
                data::PUT_MAX
            )));
        }
        let Some(body) = source.read(s3, bytes).await? else { continue };
        let expected = Expected { algorithm: upload.algorithm, ..Expected::default() };
        let arrived = data::receive(s3, cx, body, &expected, false).await?;
        let part = store_part(s3, cx, &input.bucket, &input.key, &upload, number, arrived).await?;
        let shown = part.checksums.first().filter(|_| upload.algorithm.is_some());
        return Ok(UploadPartCopyOutput {
            copy_source_version_id: version_header(&source.bucket, &source.record),
            copy_part_result: CopyResult {
                etag: quoted(&part.etag),
                last_modified: time(part.modified),
                checksum: ChecksumOutput::part(shown),
            },
            sse: SseOutput::from(&upload.sse),
        });
    }
    Err(ApiError::internal("the source of a copy changed too often"))
}

/// Enters a part in its upload; an earlier part of the same number goes.
async fn store_part(
    s3: &S3,
    cx: &Cx,
    bucket: &str,
    key: &str,
    upload: &UploadRecord,
    number: u32,
    arrived: Arrived,
) -> Result<PartRecord> {
    let upload_row = upload_row(bucket, key, &upload.id)?;
    let row = part_key(bucket, key, upload.seq, number);
    let locks = [Lock::shared(&UPLOADS, &upload_row), Lock::exclusive(&PARTS, &row)];
    let mut tx = s3.store.lock(&locks).await;
    find_locked(&mut tx, &upload_row, &upload.id).await?;
    let old = tx.get(&PARTS, &row).await?.and_then(|p| p.blob);
    let part = PartRecord {
        etag: hex::encode(arrived.md5),
        size: arrived.size,
        modified: cx.now.as_second(),
        blob: blob_of(&arrived.fresh)?,
        checksums: own_first(upload, arrived.checksums),
    };
    tx.put(&PARTS, &row, &part);
    write::commit(s3, tx, old.map(|b| (b, upload.seq)).into_iter().collect()).await?;
    arrived.fresh.keep();
    Ok(part)
}

/// The checksum that the whole object will have comes first.
fn own_first(upload: &UploadRecord, mut sums: Vec<Checksum>) -> Vec<Checksum> {
    let own = upload.algorithm.unwrap_or(Algorithm::Crc64Nvme);
    sums.sort_by_key(|c| c.algorithm != own);
    sums
}

fn blob_of(fresh: &Fresh) -> Result<Option<BlobId>> {
    match fresh {
        Fresh::Empty => Ok(None),
        Fresh::Blob(b) => Ok(b.id().copied()),
        Fresh::Inline(_) => Err(ApiError::internal("a part was kept inline")),
    }
}

/// `bytes=first-last`, both given and inside the source: stricter than a read's `Range`.
fn copy_range(text: &str, size: u64) -> Result<std::ops::Range<u64>> {
    let malformed = || {
        invalid_argument(
            "x-amz-copy-source-range",
            text,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first \
             and last are the zero-based offsets of the first and last bytes to copy",
        )
    };
    let (first, last) =
        text.strip_prefix("bytes=").and_then(|r| r.split_once('-')).ok_or_else(malformed)?;
    let number = |s: &str| s.parse::<u64>().ok().filter(|_| !s.starts_with('+'));
    let (first, last) = number(first).zip(number(last)).ok_or_else(malformed)?;
    if first > last {
        return Err(malformed());
    }
    if last >= size {
        return Err(invalid_argument(
            "x-amz-copy-source-range",
            text,
            &format!("Range specified is not valid for source object of size: {size}"),
        ));
    }
    Ok(first..last + 1)
}

fn mismatch(want: Algorithm, sent: Option<Algorithm>) -> ApiError {
    invalid_request(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        want.name().to_ascii_lowercase(),
        sent.map_or("null".to_owned(), |a| a.name().to_ascii_lowercase())
    ))
}

#[cfg(test)]
mod tests {
    use super::copy_range;

    #[test]
    fn copy_ranges() {
        assert_eq!(copy_range("bytes=0-9", 10).unwrap(), 0..10);
        assert_eq!(copy_range("bytes=5-5", 10).unwrap(), 5..6);
        for bad in ["bytes=0-10", "0-5", "bytes=-5", "bytes=5-", "bytes=+1-2", "bytes=5-2", "x"] {
            assert_eq!(copy_range(bad, 10).unwrap_err().code(), "InvalidArgument", "{bad}");
        }
    }
}
