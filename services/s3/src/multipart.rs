//! Multipart uploads: what their operations share.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use fogbank_core::{Cx, Kind, Op, Result};
use fogbank_store::{Key, Part, Tx};
use serde::Serialize;

use crate::error::{invalid_argument, no_such_upload};
use crate::owner::{account_of, canonical_id};
use crate::record::UploadRecord;
use crate::tables::{UPLOADS, seq_key};
use crate::{S3, seqid};

mod abort;
mod complete;
mod create;
mod part;
mod parts;

/// The operations on uploads.
pub(crate) const TABLES: [&[Op<S3>]; 5] =
    [abort::OPS, complete::OPS, create::OPS, part::OPS, parts::OPS];

/// Every part but the last has at least this many bytes.
const PART_MIN: u64 = 5 * 1024 * 1024;

/// Who began an upload.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Initiator {
    #[serde(rename = "ID")]
    id: String,
    display_name: String,
}

impl Initiator {
    /// As the record has it: an ARN for a user or a role, the canonical id for an account's root.
    pub fn of(upload: &UploadRecord) -> Self {
        let id = upload.initiator.clone();
        let name = id.rsplit('/').next().unwrap_or_default();
        Initiator { display_name: account_of(&id).unwrap_or_else(|| name.to_owned()), id }
    }

    /// What to record about the caller.
    fn record(cx: &Cx) -> String {
        match cx.principal.kind {
            Kind::Root => canonical_id(&cx.principal.account),
            _ => cx.principal.arn.clone(),
        }
    }
}

/// The row of an upload.
///
/// # Errors
/// `NoSuchUpload` when the id cannot be one.
fn upload_row(bucket: &str, key: &str, upload: &str) -> Result<Key> {
    let seq = seqid::seq(upload).ok_or_else(|| no_such_upload(upload))?;
    Ok(seq_key(bucket, key, seq))
}

/// The upload that a transaction is about.
async fn find_locked(tx: &mut Tx, row: &Key, upload: &str) -> Result<UploadRecord> {
    let found = tx.get(&UPLOADS, row).await?.filter(|u| u.id == upload);
    found.ok_or_else(|| no_such_upload(upload))
}

/// The upload, without a lock.
async fn find(s3: &S3, bucket: &str, key: &str, upload: &str) -> Result<UploadRecord> {
    s3.bucket(bucket).await?;
    let row = upload_row(bucket, key, upload)?;
    let found = s3.store.get(&UPLOADS, &row).await?.filter(|u| u.id == upload);
    found.ok_or_else(|| no_such_upload(upload))
}

/// The part number at the end of a part's row.
fn part_of(row: &Key) -> Option<u64> {
    match row.parts().last()? {
        Part::U64(n) => Some(n),
        _ => None,
    }
}

/// A part number.
///
/// # Errors
/// `InvalidArgument` unless it is between 1 and 10,000.
fn part_number(n: i64) -> Result<u32> {
    u32::try_from(n).ok().filter(|n| (1..=10_000).contains(n)).ok_or_else(|| {
        invalid_argument(
            "partNumber",
            &n.to_string(),
            "Part number must be an integer between 1 and 10000, inclusive",
        )
    })
}
