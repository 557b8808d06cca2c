//! ListSecrets: filters, order, pages.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_search-secret.html>

use std::cmp::Ordering;

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::{Key, Range};
use serde::{Deserialize, Serialize};

use crate::error::invalid_parameter;
use crate::record::{BY_AGE, Place, SECRETS, Secret};
use crate::secret::Described;
use crate::{Manager, page};

pub const OPS: &[Op<Manager>] = ops![ListSecrets => list_secrets];

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Filter {
    key: Option<String>,
    #[serde(default)]
    values: Vec<String>,
}

/// How to sort.
#[derive(Clone, Debug, Default)]
pub struct Order {
    by: Option<String>,
    descending: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    #[serde(default)]
    include_planned_deletion: bool,
    max_results: Option<i64>,
    next_token: Option<String>,
    #[serde(default)]
    filters: Vec<Filter>,
    sort_order: Option<String>,
    sort_by: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    secret_list: Vec<Described>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html>
async fn list_secrets(sm: &Manager, cx: &Cx, input: ListInput) -> Result<ListOutput> {
    let deleted = input.include_planned_deletion;
    let order =
        Order { by: input.sort_by, descending: input.sort_order.as_deref() == Some("desc") };
    let plain = input.filters.is_empty() && order.by.is_none() && !order.descending;
    let (secrets, next_token) = if plain {
        sm.by_age(cx, deleted, input.max_results, input.next_token.as_deref()).await?
    } else {
        let all = sm.matching(cx, &input.filters, deleted, &order).await?;
        page::cut(all, input.max_results, input.next_token.as_deref())?
    };
    let secret_list = secrets.iter().map(Described::listed).collect();
    Ok(ListOutput { secret_list, next_token })
}

impl Manager {
    /// A page of all secrets, the oldest first.
    async fn by_age(
        &self,
        cx: &Cx,
        deleted: bool,
        asked: Option<i64>,
        token: Option<&str>,
    ) -> Result<(Vec<Secret>, Option<String>)> {
        let limit = page::limit(asked);
        let here = Key::new().str(&cx.account).str(&cx.region);
        let mut after = token.map(page::decode).transpose()?;
        let mut found = Vec::new();
        loop {
            let mut range = Range::prefix(&here);
            if let Some(after) = &after {
                range = range.after(after);
            }
            let batch = self.store.scan(&BY_AGE, range, limit + 1).await?;
            let last = batch.len() <= limit;
            for (entry, ()) in batch {
                let Some(name) = name_of(&entry) else { continue };
                let (account, region) = (cx.account.clone(), cx.region.to_string());
                let place = Place { account, region, name };
                let Some(secret) = self.store.get(&SECRETS, &place.key()).await? else { continue };
                if secret.deleted.is_some() && !deleted {
                    after = Some(entry);
                    continue;
                }
                if found.len() == limit {
                    return Ok((found, after.as_ref().map(page::encode)));
                }
                found.push(secret);
                after = Some(entry);
            }
            if last {
                return Ok((found, None));
            }
        }
    }

    /// All secrets that fit, in order.
    pub(crate) async fn matching(
        &self,
        cx: &Cx,
        filters: &[Filter],
        deleted: bool,
        order: &Order,
    ) -> Result<Vec<Secret>> {
        for f in filters {
            if f.key.is_none() || f.values.is_empty() {
                return Err(invalid_parameter("Invalid filter key or values."));
            }
        }
        let here = Range::prefix(&Key::new().str(&cx.account).str(&cx.region));
        let all = self.store.scan(&SECRETS, here, usize::MAX).await?;
        let mut all: Vec<Secret> = all
            .into_iter()
            .map(|(_, s)| s)
            .filter(|s| (deleted || s.deleted.is_none()) && filters.iter().all(|f| f.fits(s)))
            .collect();
        all.sort_by(|a, b| order.compare(a, b));
        Ok(all)
    }
}

fn name_of(entry: &Key) -> Option<String> {
    let mut parts = entry.parts();
    parts.text()?;
    parts.text()?;
    parts.number()?;
    Some(parts.text()?.into_owned())
}

impl Order {
    fn compare(&self, a: &Secret, b: &Secret) -> Ordering {
        let by = match self.by.as_deref() {
            Some("name") => Ordering::Equal,
            Some("last-accessed-date") => a.accessed.cmp(&b.accessed),
            Some("last-changed-date") => a.changed.cmp(&b.changed),
            _ => a.created.cmp(&b.created),
        };
        let order = by.then_with(|| a.place.name.cmp(&b.place.name));
        if self.descending { order.reverse() } else { order }
    }
}

impl Filter {
    /// Whether one of the values fits; of those with a `!`, none must.
    fn fits(&self, secret: &Secret) -> bool {
        let (not, yes): (Vec<&String>, Vec<&String>) =
            self.values.iter().partition(|v| v.starts_with('!'));
        let one = |value: &str| self.fits_value(secret, value);
        not.iter().all(|v| !one(&v[1..])) && (yes.is_empty() || yes.iter().any(|v| one(v)))
    }

    fn fits_value(&self, secret: &Secret, value: &str) -> bool {
        let begins = |text: &str| text.starts_with(value);
        let description = secret.description.as_deref().unwrap_or_default();
        match self.key.as_deref().unwrap_or_default() {
            "name" => begins(&secret.place.name),
            "description" => description.to_lowercase().starts_with(&value.to_lowercase()),
            "tag-key" => secret.tags.iter().any(|t| begins(&t.key)),
            "tag-value" => secret.tags.iter().any(|t| begins(&t.value)),
            "primary-region" => begins(&secret.place.region),
            "owning-service" => secret.owner.as_deref().is_some_and(begins),
            _ => {
                let tags = secret.tags.iter().flat_map(|t| [t.key.as_str(), t.value.as_str()]);
                let texts: Vec<String> = [secret.place.name.as_str(), description]
                    .into_iter()
                    .chain(tags)
                    .map(str::to_lowercase)
                    .collect();
                let words = value.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
                let mut words = words.map(str::to_lowercase).peekable();
                words.peek().is_some() && words.all(|w| texts.iter().any(|t| t.contains(&w)))
            }
        }
    }
}
