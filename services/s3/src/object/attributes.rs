//! GetObjectAttributes.

use fogbank_core::{Cx, Op, Result, Time, ops};
use serde::{Deserialize, Serialize};

use crate::S3;
use crate::authz::check;
use crate::checksum::ChecksumOutput;
use crate::error::invalid_argument;
use crate::object::get::time;
use crate::object::version_header;
use crate::record::{Checksum, ChecksumType, ManifestPart, ObjectRecord};
use crate::sse::CustomerKeyInput;
use crate::tables::{MANIFESTS, seq_key};

pub(crate) const OPS: &[Op<S3>] = ops![GetObjectAttributes => get_object_attributes [check]];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetObjectAttributesInput {
    bucket: String,
    key: String,
    version_id: Option<String>,
    max_parts: Option<i64>,
    part_number_marker: Option<i64>,
    #[serde(default)]
    object_attributes: Vec<String>,
    #[serde(flatten)]
    customer_key: CustomerKeyInput,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetObjectAttributesOutput {
    last_modified: Option<Time>,
    version_id: Option<String>,
    /// Without quotes, unlike everywhere else.
    #[serde(rename = "ETag")]
    etag: Option<String>,
    checksum: Option<ChecksumOutput>,
    object_parts: Option<ObjectParts>,
    storage_class: Option<String>,
    object_size: Option<u64>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ObjectParts {
    total_parts_count: usize,
    part_number_marker: i64,
    next_part_number_marker: i64,
    max_parts: i64,
    is_truncated: bool,
    parts: Vec<ObjectPart>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ObjectPart {
    part_number: u32,
    size: u64,
    #[serde(flatten)]
    checksum: ChecksumOutput,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>
async fn get_object_attributes(
    s3: &S3,
    cx: &Cx,
    input: GetObjectAttributesInput,
) -> Result<GetObjectAttributesOutput> {
    let bucket = s3.bucket(&input.bucket).await?;
    let record = s3.version(cx, &bucket, &input.key, input.version_id.as_deref()).await?;
    input.customer_key.open(cx, &record.sse)?;
    let mut out = GetObjectAttributesOutput {
        last_modified: time(record.modified),
        version_id: version_header(&bucket, &record),
        ..GetObjectAttributesOutput::default()
    };
    for attribute in input.object_attributes.iter().flat_map(|a| a.split(',')).map(str::trim) {
        match attribute {
            "ETag" => out.etag = Some(record.etag.clone()),
            "Checksum" => {
                out.checksum =
                    record.checksum.as_ref().map(|c| ChecksumOutput::object(Some(&whole(c))));
            }
            "ObjectParts" if record.parts.is_some() => {
                out.object_parts = Some(parts(s3, &input, &record).await?);
            }
            "ObjectParts" => {}
            "StorageClass" => {
                let class = record.storage_class.as_deref().unwrap_or("STANDARD");
                out.storage_class = Some(class.to_owned());
            }
            "ObjectSize" => out.object_size = Some(record.size),
            other => {
                return Err(invalid_argument(
                    "x-amz-object-attributes",
                    other,
                    "Invalid attribute name specified.",
                ));
            }
        }
    }
    Ok(out)
}

/// A composite checksum is shown here without the number of its parts.
fn whole(c: &Checksum) -> Checksum {
    let value = match c.kind {
        ChecksumType::Composite => c.value.split('-').next().unwrap_or_default().to_owned(),
        ChecksumType::FullObject => c.value.clone(),
    };
    Checksum { value, ..c.clone() }
}

async fn parts(
    s3: &S3,
    input: &GetObjectAttributesInput,
    record: &ObjectRecord,
) -> Result<ObjectParts> {
    let row = seq_key(&input.bucket, &input.key, record.seq);
    let all = s3.store.get(&MANIFESTS, &row).await?.map(|m| m.parts).unwrap_or_default();
    let max = input.max_parts.unwrap_or(1000).clamp(0, 1000);
    let marker = input.part_number_marker.unwrap_or(0);
    let mut page: Vec<ObjectPart> = Vec::new();
    let mut truncated = false;
    for p in all.iter().filter(|p| i64::from(p.number) > marker) {
        if i64::try_from(page.len()).is_ok_and(|n| n >= max) {
            truncated = true;
            break;
        }
        page.push(part(record, p));
    }
    Ok(ObjectParts {
        total_parts_count: all.len(),
        part_number_marker: marker,
        next_part_number_marker: page.last().map_or(marker, |p| i64::from(p.part_number)),
        max_parts: max,
        is_truncated: truncated,
        parts: page,
    })
}

fn part(record: &ObjectRecord, p: &ManifestPart) -> ObjectPart {
    let mut checksum = ChecksumOutput::default();
    if let (Some(c), Some(value)) = (&record.checksum, &p.checksum) {
        checksum.set(c.algorithm, value.clone());
    }
    ObjectPart { part_number: p.number, size: p.size, checksum }
}
