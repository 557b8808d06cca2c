//! Configurations of a bucket: how they are kept, and the members they share.

use bytes::Bytes;
use fogbank_core::{ApiError, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::S3;

/// The input of operations that name a bucket and nothing more.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BucketInput {
    pub bucket: String,
}

/// A configuration as it is kept: JSON, since most are read rarely and grow new members.
///
/// # Errors
/// `InternalFailure` when it cannot be written.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Bytes> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|e| ApiError::internal(e.to_string()))
}

/// Reads a configuration made by [`encode`]; `None` when it is not set. The bucket exists: the
/// authorisation of every operation has asked.
///
/// # Errors
/// The store's, or `InternalFailure` when the row cannot be read.
pub(crate) async fn load<T: DeserializeOwned>(
    s3: &S3,
    bucket: &str,
    kind: &str,
) -> Result<Option<T>> {
    let row = s3.config(bucket, kind).await?;
    row.map(|b| serde_json::from_slice(&b))
        .transpose()
        .map_err(|e| ApiError::internal(format!("{kind} of {bucket}: {e}")))
}
