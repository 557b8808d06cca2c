//! Aliases: names for keys that can be moved from one to another.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html>

use fogbank_core::{ApiError, Cx, Op, Result, Time, ops};
use fogbank_store::{Key, Lock, Range, Table, Tx};
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::error::{limit_exceeded, not_found, validation};
use crate::find::{By, alive, last};
use crate::page::{self, Page};
use crate::record::{KEYS, Place, time};
use crate::{Kms, authz, managed};

pub const OPS: &[Op<Kms>] = ops![
    CreateAlias => create_alias [authz::create_alias],
    UpdateAlias => update_alias [authz::update_alias],
    DeleteAlias => delete_alias [authz::delete_alias],
    ListAliases => list_aliases,
];

/// By account, region and name.
pub static ALIASES: Table<Alias> = Table::new("kms.alias");
/// By the place of the key and the alias.
pub static OF_KEY: Table<()> = Table::new("kms.alias-of");

/// As many aliases as a key may have.
const MOST: usize = 50;

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Alias {
    /// The key's id.
    #[n(0)]
    pub target: String,
    #[n(1)]
    pub created: i64,
    #[n(2)]
    pub updated: i64,
}
fogbank_store::record!(Alias, version = 1);

impl Alias {
    /// Adds an alias for the key at `place`.
    pub fn put(tx: &mut Tx, place: &Place, name: &str, now: Timestamp) {
        let now = now.as_microsecond();
        let alias = Alias { target: place.id.clone(), created: now, updated: now };
        tx.put(&ALIASES, &key(&place.account, &place.region, name), &alias);
        tx.put(&OF_KEY, &place.key().str(name), &());
    }
}

pub fn key(account: &str, region: &str, name: &str) -> Key {
    Key::new().str(account).str(region).str(name)
}

pub fn arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:{name}")
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AliasInput {
    alias_name: String,
    target_key_id: String,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html>
async fn create_alias(kms: &Kms, cx: &Cx, input: AliasInput) -> Result<()> {
    let name = &input.alias_name;
    check(name)?;
    let place = kms.target_of(cx, &input.target_key_id, 0).await?;
    let at = key(&cx.account, &cx.region, name);
    let locks = [Lock::exclusive(&ALIASES, &at), Lock::exclusive(&KEYS, &place.key())];
    let mut tx = kms.store.lock(&locks).await;
    if tx.get(&ALIASES, &at).await?.is_some() {
        return Err(ApiError::new(
            "AlreadyExistsException",
            format!("An alias with the name {} already exists", arn(&cx.account, &cx.region, name)),
        ));
    }
    targetable(&mut tx, &place).await?;
    Alias::put(&mut tx, &place, name, cx.now);
    Ok(tx.commit().await?)
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdateAlias.html>
async fn update_alias(kms: &Kms, cx: &Cx, input: AliasInput) -> Result<()> {
    let name = &input.alias_name;
    check(name)?;
    let place = kms.target_of(cx, &input.target_key_id, 1).await?;
    let at = key(&cx.account, &cx.region, name);
    let locks = [Lock::exclusive(&ALIASES, &at), Lock::exclusive(&KEYS, &place.key())];
    let mut tx = kms.store.lock(&locks).await;
    let mut alias = tx.get(&ALIASES, &at).await?.ok_or_else(|| missing(cx, name))?;
    let old = Place { id: alias.target.clone(), ..place.clone() };
    if old.id != place.id {
        let before = tx.get(&KEYS, &old.key()).await?;
        let now = targetable(&mut tx, &place).await?;
        if before.is_some_and(|b| b.spec.kind() != now.spec.kind() || b.usage != now.usage) {
            return Err(validation(
                "The current and new KMS keys of an alias must be of the same type and have the \
                 same key usage.",
            ));
        }
        tx.delete(&OF_KEY, &old.key().str(name));
        tx.put(&OF_KEY, &place.key().str(name), &());
    }
    alias.target.clone_from(&place.id);
    alias.updated = cx.now.as_microsecond();
    tx.put(&ALIASES, &at, &alias);
    Ok(tx.commit().await?)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteInput {
    alias_name: String,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_DeleteAlias.html>
async fn delete_alias(kms: &Kms, cx: &Cx, input: DeleteInput) -> Result<()> {
    let name = &input.alias_name;
    check(name)?;
    let at = key(&cx.account, &cx.region, name);
    let mut tx = kms.store.lock(&[Lock::exclusive(&ALIASES, &at)]).await;
    let alias = tx.get(&ALIASES, &at).await?.ok_or_else(|| missing(cx, name))?;
    let place =
        Place { account: cx.account.clone(), region: cx.region.to_string(), id: alias.target };
    tx.delete(&ALIASES, &at);
    tx.delete(&OF_KEY, &place.key().str(name));
    Ok(tx.commit().await?)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    key_id: Option<String>,
    limit: Option<i64>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    alias_name: String,
    alias_arn: String,
    target_key_id: Option<String>,
    creation_date: Option<Time>,
    last_updated_date: Option<Time>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    aliases: Vec<Listed>,
    next_marker: Option<String>,
    truncated: bool,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListAliases.html>
async fn list_aliases(kms: &Kms, cx: &Cx, input: ListInput) -> Result<ListOutput> {
    let (limit, marker) = (input.limit.unwrap_or(50), input.marker.as_deref());
    let listed = |name: String, a: Alias| Listed {
        alias_arn: arn(&cx.account, &cx.region, &name),
        alias_name: name,
        target_key_id: Some(a.target),
        creation_date: Some(time(a.created)),
        last_updated_date: Some(time(a.updated)),
    };
    let mut aliases = Vec::new();
    let page = match &input.key_id {
        Some(id) => {
            let found = kms.find(cx, id, By::Id).await?;
            let range = Range::prefix(&found.key.place.key());
            let (names, page) = kms.page(&OF_KEY, range, limit, marker).await?;
            for name in names.iter().filter_map(|(k, ())| last(k)) {
                let at = key(&cx.account, &cx.region, &name);
                if let Some(alias) = kms.store.get(&ALIASES, &at).await? {
                    aliases.push(listed(name, alias));
                }
            }
            page
        }
        None => {
            let here = Key::new().str(&cx.account).str(&cx.region);
            let (found, page) = kms.page(&ALIASES, Range::prefix(&here), limit, marker).await?;
            for (k, alias) in found {
                aliases.extend(last(&k).map(|name| listed(name, alias)));
            }
            let from = marker.map(page::decode).transpose()?;
            let to = aliases.last().filter(|_| page.truncated).map(|a| a.alias_name.clone());
            let unused = managed::aliases().filter(|name| {
                let at = key(&cx.account, &cx.region, name);
                from.as_ref().is_none_or(|f| at > *f)
                    && to.as_ref().is_none_or(|t| name < t)
                    && !aliases.iter().any(|a| a.alias_name == *name)
            });
            // Those of AWS managed keys are there before their keys are.
            let unused: Vec<Listed> = unused
                .map(|name| Listed {
                    alias_arn: arn(&cx.account, &cx.region, &name),
                    alias_name: name,
                    target_key_id: None,
                    creation_date: None,
                    last_updated_date: None,
                })
                .collect();
            aliases.extend(unused);
            aliases.sort_by(|a, b| a.alias_name.cmp(&b.alias_name));
            let limit = usize::try_from(limit).unwrap_or(1);
            let truncated = page.truncated || aliases.len() > limit;
            aliases.truncate(limit);
            let end = aliases.last().filter(|_| truncated);
            let end = end.map(|a| key(&cx.account, &cx.region, &a.alias_name));
            Page { next_marker: end.as_ref().map(page::encode), truncated }
        }
    };
    let Page { next_marker, truncated } = page;
    Ok(ListOutput { aliases, next_marker, truncated })
}

impl Kms {
    /// The key of the same account and region that an alias is to lead to.
    async fn target_of(&self, cx: &Cx, text: &str, position: usize) -> Result<Place> {
        let place = self.asked(cx, position, text, By::Id).await?.key.place.clone();
        if place.account != cx.account {
            return Err(not_found(format!("Key '{}' does not exist", place.arn())));
        }
        Ok(place)
    }
}

/// The key at `place`, if it can get another alias.
async fn targetable(tx: &mut Tx, place: &Place) -> Result<crate::record::KeyRecord> {
    let found = tx.get(&KEYS, &place.key()).await?;
    let found = found.ok_or_else(|| crate::find::no_key(place))?;
    alive(&found)?;
    if tx.scan(&OF_KEY, Range::prefix(&place.key()), MOST).await?.len() >= MOST {
        return Err(limit_exceeded(format!("A key can have {MOST} aliases at most.")));
    }
    Ok(found)
}

fn missing(cx: &Cx, name: &str) -> ApiError {
    not_found(format!("Alias {} is not found.", arn(&cx.account, &cx.region, name)))
}

/// What the model cannot say of an alias's name.
fn check(name: &str) -> Result<()> {
    let Some(rest) = name.strip_prefix("alias/") else {
        return Err(validation("Invalid identifier"));
    };
    if rest.starts_with("aws/") {
        return Err(ApiError::new("NotAuthorizedException", "").status(400));
    }
    if rest.is_empty() || !rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b)) {
        return Err(validation(format!(
            "1 validation error detected: Value '{name}' at 'aliasName' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"
        )));
    }
    Ok(())
}
