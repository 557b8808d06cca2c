//! ListParts.

use fogbank_core::{Cx, Op, Result, Time, ops};
use fogbank_store::Range;
use serde::{Deserialize, Serialize};

use super::{Initiator, find, part_of, upload_row};
use crate::authz::check;
use crate::checksum::ChecksumOutput;
use crate::list::page_size;
use crate::object::get::time;
use crate::object::quoted;
use crate::owner::Owner;
use crate::record::{Algorithm, ChecksumType};
use crate::tables::{PARTS, part_key};
use crate::{S3, lifecycle};

pub(crate) const OPS: &[Op<S3>] = ops![ListParts => list_parts [check]];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListPartsInput {
    bucket: String,
    key: String,
    upload_id: String,
    max_parts: Option<i64>,
    part_number_marker: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListPartsOutput {
    bucket: String,
    key: String,
    upload_id: String,
    part_number_marker: i64,
    next_part_number_marker: i64,
    max_parts: usize,
    is_truncated: bool,
    parts: Option<Vec<Part>>,
    initiator: Initiator,
    owner: Owner,
    storage_class: String,
    checksum_algorithm: Option<&'static str>,
    checksum_type: Option<&'static str>,
    abort_date: Option<Time>,
    abort_rule_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    part_number: u64,
    last_modified: Option<Time>,
    #[serde(rename = "ETag")]
    etag: String,
    size: u64,
    #[serde(flatten)]
    checksum: ChecksumOutput,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>
async fn list_parts(s3: &S3, _: &Cx, input: ListPartsInput) -> Result<ListPartsOutput> {
    let upload = find(s3, &input.bucket, &input.key, &input.upload_id).await?;
    let max = page_size("max-parts", input.max_parts)?;
    let marker = input.part_number_marker.unwrap_or(0).max(0);
    let row = upload_row(&input.bucket, &input.key, &input.upload_id)?;
    let mut range = Range::prefix(&row);
    if marker > 0 {
        let number = u32::try_from(marker).unwrap_or(u32::MAX);
        range = range.after(&part_key(&input.bucket, &input.key, upload.seq, number));
    }
    let mut found = s3.store.scan(&PARTS, range, max + 1).await?;
    let truncated = max > 0 && found.len() > max;
    found.truncate(max);
    let parts: Vec<Part> = found
        .into_iter()
        .map(|(key, p)| Part {
            part_number: part_of(&key).unwrap_or(0),
            last_modified: time(p.modified),
            etag: quoted(&p.etag),
            size: p.size,
            checksum: ChecksumOutput::part(
                p.checksums.first().filter(|_| upload.algorithm.is_some()),
            ),
        })
        .collect();
    let last = parts.last().and_then(|p| i64::try_from(p.part_number).ok());
    let bucket = s3.bucket(&input.bucket).await?;
    let abort = lifecycle::abort_date(s3, &bucket, &input.key, upload.initiated).await?;
    let (abort_date, abort_rule_id) = abort.unzip();
    Ok(ListPartsOutput {
        bucket: input.bucket,
        key: input.key,
        upload_id: input.upload_id,
        part_number_marker: marker,
        next_part_number_marker: last.unwrap_or(0),
        max_parts: max,
        is_truncated: truncated,
        parts: (!parts.is_empty()).then_some(parts),
        initiator: Initiator::of(&upload),
        owner: Owner::of(&upload.owner),
        storage_class: upload.storage_class.unwrap_or_else(|| "STANDARD".to_owned()),
        checksum_algorithm: upload.algorithm.map(Algorithm::name),
        checksum_type: upload.checksum_type.map(ChecksumType::name),
        abort_date,
        abort_rule_id,
    })
}
