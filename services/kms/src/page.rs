//! Pages as KMS has them: `Limit` and `Marker` in, `NextMarker` and `Truncated` out.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fogbank_core::{ApiError, Result};
use fogbank_store::{Key, Range, Record, Table};
use serde::Deserialize;

use crate::Kms;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PageInput {
    pub limit: Option<i64>,
    pub marker: Option<String>,
    pub resource_owners: Option<Vec<String>>,
}

/// How an answer goes on.
pub struct Page {
    pub next_marker: Option<String>,
    pub truncated: bool,
}

impl Kms {
    /// A page of `range`; the marker is the key of the last record before it.
    pub(crate) async fn page<T: Record>(
        &self,
        table: &Table<T>,
        range: Range,
        limit: i64,
        marker: Option<&str>,
    ) -> Result<(Vec<(Key, T)>, Page)> {
        let limit = usize::try_from(limit).unwrap_or(1).clamp(1, 1000);
        let range = match marker {
            Some(m) => range.after(&decode(m)?),
            None => range,
        };
        let mut found = self.store.scan(table, range, limit + 1).await?;
        let truncated = found.len() > limit;
        found.truncate(limit);
        let next_marker = found.last().filter(|_| truncated).map(|(k, _)| encode(k));
        Ok((found, Page { next_marker, truncated }))
    }
}

/// A page of a short list: the marker is a position.
pub fn cut<T>(items: Vec<T>, limit: i64, marker: Option<&str>) -> Result<(Vec<T>, Page)> {
    let from = match marker {
        Some(m) => decode(m)?.parts().number().ok_or_else(invalid)?,
        None => 0,
    };
    let limit = usize::try_from(limit).unwrap_or(1).max(1);
    let from = usize::try_from(from).map_err(|_| invalid())?;
    let truncated = items.len().saturating_sub(from) > limit;
    let next = u64::try_from(from.saturating_add(limit)).unwrap_or(u64::MAX);
    let next_marker = truncated.then(|| encode(&Key::new().u64(next)));
    Ok((items.into_iter().skip(from).take(limit).collect(), Page { next_marker, truncated }))
}

/// A marker for the records behind `key`.
pub fn encode(key: &Key) -> String {
    URL_SAFE_NO_PAD.encode(key.as_bytes())
}

/// The key in a marker.
pub fn decode(marker: &str) -> Result<Key> {
    URL_SAFE_NO_PAD.decode(marker).map(|b| Key::from_bytes(&b)).map_err(|_| invalid())
}

fn invalid() -> ApiError {
    ApiError::new("InvalidMarkerException", "Invalid marker")
}
