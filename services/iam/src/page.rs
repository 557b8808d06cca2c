//! Pages as IAM has them: `Marker` and `MaxItems` in, `IsTruncated` and `Marker` out.

use fogbank_core::{Cx, Result, page};
use fogbank_store::{Key, Range};
use serde::{Deserialize, Serialize};

use crate::Iam;
use crate::entity::Entity;

/// The page asked for. Flattened into inputs by hand, since serde's `flatten` is slow.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PageInput {
    pub path_prefix: Option<String>,
    pub marker: Option<String>,
    pub max_items: Option<i64>,
}

impl PageInput {
    /// At most this many items; 100 when the client does not say.
    pub fn limit(&self) -> usize {
        limit(self.max_items)
    }
}

/// Which page of what an answer is.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PageOutput {
    pub is_truncated: bool,
    pub marker: Option<String>,
}

fn limit(max_items: Option<i64>) -> usize {
    max_items.and_then(|n| usize::try_from(n).ok()).unwrap_or(100).clamp(1, 1000)
}

/// A page of a short list, which is sorted by `key`.
pub fn cut<T>(
    items: Vec<T>,
    key: impl Fn(&T) -> &str,
    marker: Option<&str>,
    max_items: Option<i64>,
) -> Result<(Vec<T>, PageOutput)> {
    let p = page::page(items, key, marker, limit(max_items))?;
    Ok((p.items, PageOutput { is_truncated: p.next.is_some(), marker: p.next }))
}

impl Iam {
    /// A page of the account's resources below a path, in the order of their names.
    pub(crate) async fn page<E: Entity>(
        &self,
        cx: &Cx,
        input: &PageInput,
    ) -> Result<(Vec<E>, PageOutput)> {
        let limit = input.limit();
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let mut after = match &input.marker {
            Some(m) => Some(E::key(&cx.account, &page::decode(m)?)),
            None => None,
        };
        let mut found: Vec<E> = Vec::new();
        loop {
            let mut range = Range::prefix(&Key::new().str(&cx.account));
            if let Some(after) = &after {
                range = range.after(after);
            }
            let batch = self.store.scan(E::table(), range, limit + 1).await?;
            let last = batch.len() <= limit;
            after = batch.last().map(|(key, _)| key.clone());
            found.extend(
                batch.into_iter().map(|b| b.1).filter(|e| e.head().path.starts_with(prefix)),
            );
            if last || found.len() > limit {
                break;
            }
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let marker = found
            .last()
            .filter(|_| more)
            .map(|e| page::encode(&e.head().name.to_ascii_lowercase()));
        Ok((found, PageOutput { is_truncated: more, marker }))
    }

    /// All of the account's resources of one sort.
    pub(crate) async fn all<E: Entity>(&self, account: &str) -> Result<Vec<E>> {
        let range = Range::prefix(&Key::new().str(account));
        let all = self.store.scan(E::table(), range, usize::MAX).await?;
        Ok(all.into_iter().map(|(_, e)| e).collect())
    }
}
