//! CompleteMultipartUpload.

use std::collections::HashMap;

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use fogbank_store::{Lock, Range};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::{PART_MIN, find_locked, part_of, upload_row};
use crate::authz::check;
use crate::checksum::{ChecksumInput, ChecksumOutput, bad_digest, combine};
use crate::condition::{WriteConditions, unquote};
use crate::data::Fresh;
use crate::error::{invalid_request, malformed_xml};
use crate::list::url_path;
use crate::object::quoted;
use crate::record::{
    Algorithm, Checksum, ChecksumType, Manifest, ManifestPart, ObjectRecord, PartRecord,
    UploadRecord,
};
use crate::sse::{CustomerKeyInput, SseOutput, same_customer};
use crate::tables::{PARTS, UPLOADS, part_key};
use crate::write::Write;
use crate::{S3, event};

pub(crate) const OPS: &[Op<S3>] =
    ops![CompleteMultipartUpload => complete_multipart_upload [check]];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CompleteMultipartUploadInput {
    bucket: String,
    key: String,
    upload_id: String,
    multipart_upload: Option<CompletedUpload>,
    checksum_type: Option<String>,
    mpu_object_size: Option<i64>,
    if_match: Option<String>,
    if_none_match: Option<String>,
    #[serde(flatten)]
    checksum: ChecksumInput,
    #[serde(flatten)]
    customer_key: CustomerKeyInput,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CompletedUpload {
    #[serde(default)]
    parts: Vec<CompletedPart>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CompletedPart {
    #[serde(rename = "ETag")]
    etag: Option<String>,
    part_number: Option<i64>,
    #[serde(flatten)]
    checksum: ChecksumInput,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CompleteMultipartUploadOutput {
    location: String,
    bucket: String,
    key: String,
    #[serde(rename = "ETag")]
    etag: String,
    version_id: Option<String>,
    #[serde(flatten)]
    checksum: ChecksumOutput,
    #[serde(flatten)]
    sse: SseOutput,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
async fn complete_multipart_upload(
    s3: &S3,
    cx: &Cx,
    input: CompleteMultipartUploadInput,
) -> Result<CompleteMultipartUploadOutput> {
    let conditions =
        WriteConditions::read(input.if_match.as_deref(), input.if_none_match.as_deref())?;
    let sent = input.checksum.value(cx, true)?;
    let asked = input.multipart_upload.as_ref().map(|m| m.parts.as_slice()).unwrap_or_default();
    let row = upload_row(&input.bucket, &input.key, &input.upload_id)?;
    let locks = vec![Lock::exclusive(&UPLOADS, &row)];
    let mut w = Write::begin(s3, cx, &input.bucket, &input.key, locks).await?;
    let upload = match find_locked(&mut w.tx, &row, &input.upload_id).await {
        Ok(u) => u,
        // A client that lost our answer asks again.
        Err(e) => {
            let done = w.current.take().filter(|c| c.upload.as_ref() == Some(&input.upload_id));
            return done.map(|r| answer(cx, input.bucket, input.key, &r)).ok_or(e);
        }
    };
    // A customer's key is needed to read the checksums of parts, if there are any.
    if upload.algorithm.is_some() || input.customer_key.key.is_some() {
        same_customer(cx, &input.customer_key, &upload.sse)?;
    }
    if asked.is_empty() || asked.len() > 10_000 {
        return Err(malformed_xml());
    }
    let stored: HashMap<u32, PartRecord> =
        w.tx.scan(&PARTS, Range::prefix(&row), usize::MAX)
            .await?
            .into_iter()
            .filter_map(|(k, p)| Some((u32::try_from(part_of(&k)?).ok()?, p)))
            .collect();
    let parts = choose(cx, &upload, asked, &stored)?;
    let checksum = checksum_of(&upload, &parts, &input, sent)?;
    w.check(&conditions)?;

    let mut md5 = Md5::new();
    for (_, p) in &parts {
        md5.update(hex::decode(&p.etag).unwrap_or_default());
    }
    let algorithm = checksum.algorithm;
    let manifest = Manifest {
        parts: parts
            .iter()
            .map(|(number, p)| ManifestPart {
                number: *number,
                size: p.size,
                blob: p.blob,
                checksum: value_of(p, algorithm).filter(|_| upload.algorithm.is_some()),
            })
            .collect(),
    };
    let count = parts.len();
    let record = ObjectRecord {
        etag: format!("{}-{count}", hex::encode(md5.finalize())),
        size: parts.iter().map(|(_, p)| p.size).sum(),
        checksum: Some(checksum),
        storage_class: upload.storage_class.clone(),
        owner: upload.owner.clone(),
        meta: upload.meta.clone(),
        sse: upload.sse.clone(),
        tags: upload.tags.clone(),
        acl: upload.acl.clone(),
        lock: upload.lock.clone(),
        parts: u32::try_from(count).ok(),
        upload: Some(input.upload_id),
        ..ObjectRecord::empty()
    };
    let used: Vec<u32> = parts.iter().map(|(n, _)| *n).collect();
    let record = w.put(record, &Fresh::Empty, Some(&manifest)).await?;
    w.tx.delete(&UPLOADS, &row);
    for (number, p) in stored {
        w.tx.delete(&PARTS, &part_key(&input.bucket, &input.key, upload.seq, number));
        if let Some(blob) = p.blob.filter(|_| !used.contains(&number)) {
            w.discard(blob, upload.seq);
        }
    }
    let bucket = w.bucket.clone();
    let how = "ObjectCreated:CompleteMultipartUpload";
    event::tell_created(s3, cx, &mut w.tx, &bucket, &input.key, &record, how).await?;
    w.commit().await?;
    event::created(s3, cx, &bucket, &input.key, &record, "CompleteMultipartUpload").await;
    Ok(answer(cx, input.bucket, input.key, &record))
}

fn answer(
    cx: &Cx,
    bucket: String,
    key: String,
    record: &ObjectRecord,
) -> CompleteMultipartUploadOutput {
    CompleteMultipartUploadOutput {
        location: location(cx, &bucket, &key),
        bucket,
        key,
        etag: quoted(&record.etag),
        version_id: record.version.clone(),
        checksum: ChecksumOutput::object(record.checksum.as_ref()),
        sse: SseOutput::from(&record.sse).without_customer(),
    }
}

/// The parts that the client names, in its order, checked one by one.
fn choose<'p>(
    cx: &Cx,
    upload: &UploadRecord,
    asked: &[CompletedPart],
    stored: &'p HashMap<u32, PartRecord>,
) -> Result<Vec<(u32, &'p PartRecord)>> {
    let mut parts: Vec<(u32, &PartRecord)> = Vec::with_capacity(asked.len());
    for a in asked {
        let (Some(number), Some(etag)) = (a.part_number, &a.etag) else {
            return Err(malformed_xml());
        };
        let number = super::part_number(number)?;
        if parts.last().is_some_and(|(before, _)| *before >= number) {
            return Err(ApiError::new(
                "InvalidPartOrder",
                "The list of parts was not in ascending order. Parts must be ordered by part number.",
            )
            .status(400)
            .field("UploadId", upload.id.clone()));
        }
        let Some(part) = stored.get(&number).filter(|p| p.etag == unquote(etag)) else {
            return Err(invalid_part(upload, number, etag));
        };
        match a.checksum.value(cx, false)? {
            Some((algorithm, value)) if value_of(part, algorithm).as_ref() != Some(&value) => {
                return Err(invalid_part(upload, number, etag));
            }
            None if upload.checksum_type == Some(ChecksumType::Composite) => {
                let name = upload.algorithm.map_or("", Algorithm::name).to_ascii_lowercase();
                return Err(invalid_request(format!(
                    "The upload was created using a {name} checksum. The complete request must \
                     include the checksum for each part. It was missing for part {number} in the \
                     request."
                )));
            }
            _ => {}
        }
        parts.push((number, part));
    }
    let all_but_last = parts.len().saturating_sub(1);
    if let Some((number, small)) = parts[..all_but_last].iter().find(|(_, p)| p.size < PART_MIN) {
        return Err(ApiError::new(
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
        )
        .status(400)
        .field("ProposedSize", small.size.to_string())
        .field("MinSizeAllowed", PART_MIN.to_string())
        .field("PartNumber", number.to_string())
        .field("ETag", small.etag.clone()));
    }
    Ok(parts)
}

/// The checksum of the whole, compared with what the client says it should be.
fn checksum_of(
    upload: &UploadRecord,
    parts: &[(u32, &PartRecord)],
    input: &CompleteMultipartUploadInput,
    sent: Option<(Algorithm, String)>,
) -> Result<Checksum> {
    let size: u64 = parts.iter().map(|(_, p)| p.size).sum();
    if let Some(n) = input.mpu_object_size.filter(|n| u64::try_from(*n) != Ok(size)) {
        return Err(invalid_request(format!(
            "The provided 'x-amz-mp-object-size' header value {n} does not match what was \
             computed: {size}"
        )));
    }
    let algorithm = upload.algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let kind = upload.checksum_type.unwrap_or(ChecksumType::FullObject);
    if input.checksum_type.as_deref().is_some_and(|t| t != kind.name()) {
        return Err(invalid_request(format!(
            "The upload was created using the {} checksum mode. The complete request must use the \
             same checksum mode.",
            kind.name()
        )));
    }
    let values: Option<Vec<(String, u64)>> =
        parts.iter().map(|(_, p)| Some((value_of(p, algorithm)?, p.size))).collect();
    let values = values.ok_or_else(|| ApiError::internal("a part without its checksum"))?;
    let borrowed: Vec<(&str, u64)> = values.iter().map(|(v, n)| (v.as_str(), *n)).collect();
    let checksum = combine(algorithm, kind, &borrowed)
        .ok_or_else(|| ApiError::internal("the checksums of parts do not combine"))?;
    match sent {
        Some((a, _)) if a != algorithm => Err(bad_digest(a)),
        // A composite value may come without the number of parts.
        Some((a, v)) if v != checksum.value && !checksum.value.starts_with(&format!("{v}-")) => {
            Err(bad_digest(a))
        }
        _ => Ok(checksum),
    }
}

fn value_of(part: &PartRecord, algorithm: Algorithm) -> Option<String> {
    part.checksums.iter().find(|c| c.algorithm == algorithm).map(|c| c.value.clone())
}

fn invalid_part(upload: &UploadRecord, number: u32, etag: &str) -> ApiError {
    ApiError::new(
        "InvalidPart",
        "One or more of the specified parts could not be found.  The part may not have been \
         uploaded, or the specified entity tag may not match the part's entity tag.",
    )
    .status(400)
    .field("UploadId", upload.id.clone())
    .field("PartNumber", number.to_string())
    .field("ETag", unquote(etag))
}

/// The URL of the object, in the style in which the client called.
fn location(cx: &Cx, bucket: &str, key: &str) -> String {
    let key = url_path(key);
    match &cx.http {
        Some(h) => {
            let scheme = if h.tls { "https" } else { "http" };
            if h.host.starts_with(&format!("{bucket}.")) {
                format!("{scheme}://{}/{key}", h.host)
            } else {
                format!("{scheme}://{}/{bucket}/{key}", h.host)
            }
        }
        None => format!("{}/{bucket}/{key}", cx.cloud.endpoint()),
    }
}
