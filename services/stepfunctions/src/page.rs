//! Pages of lists: a token that names the last key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fogbank_core::{ApiError, Result};
use fogbank_store::{Key, Range, Record, Store, Table};
use serde::Deserialize;

/// What every list takes.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct PageInput {
    pub max_results: Option<i64>,
    pub next_token: Option<String>,
}

impl PageInput {
    /// How many; 0 and absent mean `usual`.
    pub fn limit(&self, usual: usize) -> usize {
        let n = self.max_results.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
        n.unwrap_or(usual).min(1000)
    }

    /// Continues a range where the last page ended.
    pub fn after(&self, range: Range) -> Result<Range> {
        let Some(token) = &self.next_token else { return Ok(range) };
        let bad = || ApiError::new("InvalidToken", format!("Invalid Token: '{token}'"));
        let key = URL_SAFE_NO_PAD.decode(token).map_err(|_| bad())?;
        Ok(range.after(&Key::from_bytes(&key)))
    }

    /// A page of a table.
    pub async fn read<T: Record>(
        &self,
        store: &Store,
        table: &Table<T>,
        range: Range,
        usual: usize,
    ) -> Result<(Vec<(Key, T)>, Option<String>)> {
        let limit = self.limit(usual);
        let mut found = store.scan(table, self.after(range)?, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(k, _)| token(k));
        Ok((found, next))
    }
}

pub fn token(key: &Key) -> String {
    URL_SAFE_NO_PAD.encode(key.as_bytes())
}
