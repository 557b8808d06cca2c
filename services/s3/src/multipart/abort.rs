//! AbortMultipartUpload.

use fogbank_core::{Cx, Op, Result, Time, ops};
use fogbank_store::{Lock, Range};
use serde::{Deserialize, Serialize};

use super::{find_locked, upload_row};
use crate::authz::check;
use crate::tables::{PARTS, UPLOADS};
use crate::{S3, write};

pub(crate) const OPS: &[Op<S3>] = ops![AbortMultipartUpload => abort_multipart_upload [check]];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AbortMultipartUploadInput {
    bucket: String,
    key: String,
    upload_id: String,
    if_match_initiated_time: Option<Time>,
}

#[derive(Debug, Serialize)]
struct Empty {}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>
async fn abort_multipart_upload(
    s3: &S3,
    cx: &Cx,
    input: AbortMultipartUploadInput,
) -> Result<Empty> {
    if input.if_match_initiated_time.is_some() {
        return Err(cx.refuse_member("IfMatchInitiatedTime"));
    }
    s3.bucket(&input.bucket).await?;
    s3.abort_upload(&input.bucket, &input.key, &input.upload_id).await?;
    Ok(Empty {})
}

impl S3 {
    /// Removes an upload and its parts.
    ///
    /// # Errors
    /// `NoSuchUpload`.
    pub async fn abort_upload(&self, bucket: &str, key: &str, upload: &str) -> Result<()> {
        let row = upload_row(bucket, key, upload)?;
        let mut tx = self.store.lock(&[Lock::exclusive(&UPLOADS, &row)]).await;
        let record = find_locked(&mut tx, &row, upload).await?;
        let mut garbage = Vec::new();
        for (part_row, part) in tx.scan(&PARTS, Range::prefix(&row), usize::MAX).await? {
            tx.delete(&PARTS, &part_row);
            garbage.extend(part.blob.map(|b| (b, record.seq)));
        }
        tx.delete(&UPLOADS, &row);
        write::commit(self, tx, garbage).await
    }
}
