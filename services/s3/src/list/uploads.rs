//! ListMultipartUploads.

use fogbank_core::{Cx, Op, Result, Time, Value, ops};
use serde::{Deserialize, Serialize};

use super::cursor::Cursor;
use super::{Encoding, common_prefix, page_size, prefixes};
use crate::S3;
use crate::authz::check;
use crate::object::get::time;
use crate::owner::Owner;
use crate::record::UploadRecord;
use crate::tables::{UPLOADS, object_key, seq_key};
use crate::{multipart, seqid};

pub(crate) const OPS: &[Op<S3>] = ops![ListMultipartUploads => list_multipart_uploads [check]];

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListMultipartUploadsInput {
    bucket: String,
    delimiter: Option<String>,
    encoding_type: Option<String>,
    key_marker: Option<String>,
    max_uploads: Option<i64>,
    prefix: Option<String>,
    upload_id_marker: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListMultipartUploadsOutput {
    bucket: String,
    key_marker: String,
    upload_id_marker: String,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
    prefix: String,
    delimiter: Option<String>,
    max_uploads: usize,
    is_truncated: bool,
    uploads: Option<Vec<Upload>>,
    common_prefixes: Option<Vec<Value>>,
    encoding_type: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    upload_id: String,
    key: String,
    initiated: Option<Time>,
    storage_class: String,
    owner: Owner,
    initiator: multipart::Initiator,
    checksum_algorithm: Option<&'static str>,
    checksum_type: Option<&'static str>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
async fn list_multipart_uploads(
    s3: &S3,
    _: &Cx,
    input: ListMultipartUploadsInput,
) -> Result<ListMultipartUploadsOutput> {
    let encoding = Encoding::read(input.encoding_type.as_deref())?;
    let max = page_size("max-uploads", input.max_uploads)?;
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let delimiter = input.delimiter.as_deref().filter(|d| !d.is_empty());
    let key_marker = input.key_marker.as_deref().unwrap_or_default();
    s3.bucket(&input.bucket).await?;
    let mut rows = Cursor::<UploadRecord>::new(s3, &UPLOADS, &input.bucket, prefix);
    if !key_marker.is_empty() {
        // Without a key marker the upload marker is ignored.
        rows = match input.upload_id_marker.as_deref().and_then(seqid::seq) {
            Some(seq) => rows.after(&seq_key(&input.bucket, key_marker, seq)),
            None => rows.past(&object_key(&input.bucket, key_marker)),
        };
        if let Some(p) = delimiter.and_then(|d| common_prefix(key_marker, prefix, d))
            && p == key_marker
        {
            rows.skip(p);
        }
    }
    let mut uploads = Vec::new();
    let mut found: Vec<String> = Vec::new();
    let mut last: Option<(String, String)> = None;
    let mut truncated = false;
    while let Some(row) = rows.peek().await? {
        if uploads.len() + found.len() == max {
            truncated = max > 0;
            break;
        }
        if let Some(p) = delimiter.and_then(|d| common_prefix(&row.key, prefix, d)) {
            let p = p.to_owned();
            rows.skip(&p);
            last = Some((p.clone(), String::new()));
            found.push(p);
            continue;
        }
        let Some(row) = rows.take() else { break };
        let Some(seq) = row.seq else { continue };
        let at = seq_key(&input.bucket, &row.key, seq);
        // It may have been completed since the row was read ahead.
        let Some(u) = s3.store.get(&UPLOADS, &at).await? else { continue };
        last = Some((row.key.clone(), u.id.clone()));
        uploads.push(Upload {
            initiator: multipart::Initiator::of(&u),
            upload_id: u.id,
            key: encoding.text(&row.key),
            initiated: time(u.initiated),
            storage_class: u.storage_class.unwrap_or_else(|| "STANDARD".to_owned()),
            owner: Owner::of(&u.owner),
            checksum_algorithm: u.algorithm.map(crate::record::Algorithm::name),
            checksum_type: u.checksum_type.map(crate::record::ChecksumType::name),
        });
    }
    let (next_key, next_upload) = last.filter(|_| truncated).unzip();
    Ok(ListMultipartUploadsOutput {
        bucket: input.bucket,
        key_marker: encoding.text(key_marker),
        upload_id_marker: input.upload_id_marker.unwrap_or_default(),
        next_key_marker: encoding.opt(next_key.as_deref()),
        next_upload_id_marker: next_upload,
        prefix: encoding.text(prefix),
        delimiter: encoding.opt(delimiter),
        max_uploads: max,
        is_truncated: truncated,
        uploads: (!uploads.is_empty()).then_some(uploads),
        common_prefixes: prefixes(&found, encoding),
        encoding_type: encoding.name(),
    })
}
