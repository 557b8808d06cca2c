//! Which key a `KeyId` means: an id, an alias, or the ARN of either.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id>

use std::sync::Arc;

use fogbank_core::{ApiError, Arn, Cx, Result};
use fogbank_store::{Key, Range};

use crate::Kms;
use crate::alias::{self, ALIASES, OF_KEY};
use crate::error::{disabled, invalid_state, not_found};
use crate::managed;
use crate::record::{KEYS, KeyRecord, Place};

/// A key that a request names.
#[derive(Clone, Debug)]
pub struct Found {
    pub key: KeyRecord,
    /// The alias by which it was named.
    pub alias: Option<String>,
    /// The grant that lets the caller in, by its id.
    pub grant: Option<String>,
}

/// The keys that the checks of a request have found, in the order in which it names them.
pub struct Asked(pub Vec<Arc<Found>>);

/// How a request may name a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By its id or ARN.
    Id,
    /// By an alias too.
    Alias,
}

impl Kms {
    /// The key that `text` means.
    ///
    /// # Errors
    /// `NotFoundException` in its several wordings.
    pub(crate) async fn find(&self, cx: &Cx, text: &str, by: By) -> Result<Found> {
        let (place, alias) = match name(cx, text)? {
            Named::Key(place) => (place, None),
            Named::Alias { .. } if by == By::Id => return Err(invalid_id(text)),
            Named::Alias { account, region, name } => {
                let id = self.target(cx, &account, &region, &name).await?;
                (Place { account, region, id }, Some(name))
            }
        };
        let key = self.load(&place).await?;
        Ok(Found { key, alias, grant: None })
    }

    /// What the checks of this request found at `position`, else the key that `text` means.
    pub(crate) async fn asked(
        &self,
        cx: &Cx,
        position: usize,
        text: &str,
        by: By,
    ) -> Result<Arc<Found>> {
        if let Some(found) = cx.recall::<Asked>().and_then(|a| a.0.get(position).cloned()) {
            return Ok(found);
        }
        Ok(Arc::new(self.find(cx, text, by).await?))
    }

    /// The key in its place.
    pub(crate) async fn load(&self, place: &Place) -> Result<KeyRecord> {
        self.store.get(&KEYS, &place.key()).await?.ok_or_else(|| no_key(place))
    }

    /// The id of the key behind an alias. The aliases of AWS managed keys lead to one that is made
    /// when it is first asked for.
    async fn target(&self, cx: &Cx, account: &str, region: &str, name: &str) -> Result<String> {
        let key = alias::key(account, region, name);
        if let Some(found) = self.store.get(&ALIASES, &key).await? {
            return Ok(found.target);
        }
        if account == cx.account
            && let Some(service) = managed::service(name)
        {
            return self.managed(cx, account, region, service).await;
        }
        Err(not_found(format!("Alias {} is not found.", alias::arn(account, region, name))))
    }

    /// The aliases of a key (`kms:ResourceAliases`).
    pub(crate) async fn aliases_of(&self, place: &Place) -> Result<Vec<String>> {
        let range = Range::prefix(&place.key());
        let found = self.store.scan(&OF_KEY, range, usize::MAX).await?;
        Ok(found.into_iter().filter_map(|(k, ())| last(&k)).collect())
    }
}

/// The last part of an index entry's key.
pub fn last(key: &Key) -> Option<String> {
    key.parts().last().and_then(|p| match p {
        fogbank_store::Part::Str(s) => Some(s.into_owned()),
        _ => None,
    })
}

enum Named {
    Key(Place),
    Alias { account: String, region: String, name: String },
}

fn name(cx: &Cx, text: &str) -> Result<Named> {
    let (account, region, resource) = match Arn::parse(text) {
        Some(arn) => {
            if arn.service != "kms" || arn.partition != "aws" || !digits(arn.account) {
                return Err(invalid_arn(text));
            }
            if arn.region != cx.region {
                return Err(not_found(format!("Invalid arn {}", arn.region)));
            }
            (arn.account, arn.region, arn.resource)
        }
        None if text.starts_with("arn:") => return Err(invalid_arn(text)),
        None => (cx.account.as_str(), &*cx.region, text),
    };
    let (account, region) = (account.to_owned(), region.to_owned());
    if resource.starts_with("alias/") {
        return Ok(Named::Alias { account, region, name: resource.to_owned() });
    }
    let id = match resource.strip_prefix("key/") {
        Some(id) if text.starts_with("arn:") => id,
        None if !text.starts_with("arn:") => resource,
        _ => return Err(invalid_id(text)),
    };
    if !is_key_id(id) {
        return Err(invalid_id(text));
    }
    Ok(Named::Key(Place { account, region, id: id.to_owned() }))
}

fn digits(account: &str) -> bool {
    account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())
}

/// A UUID, or a multi-Region key's id.
fn is_key_id(id: &str) -> bool {
    let hex = |s: &str| s.bytes().all(|b| b.is_ascii_hexdigit());
    if let Some(rest) = id.strip_prefix("mrk-") {
        return rest.len() == 32 && hex(rest);
    }
    let groups: Vec<&str> = id.split('-').collect();
    groups.iter().map(|g| g.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(|g| hex(g))
}

fn invalid_id(text: &str) -> ApiError {
    not_found(format!("Invalid keyId '{text}'"))
}

fn invalid_arn(text: &str) -> ApiError {
    ApiError::new("InvalidArnException", format!("Invalid arn {text}"))
}

/// A key that is not there.
pub fn no_key(place: &Place) -> ApiError {
    not_found(format!("Key '{}' does not exist", place.arn()))
}

/// Refuses a key that is to be deleted.
///
/// # Errors
/// `KMSInvalidStateException`.
pub fn alive(key: &KeyRecord) -> Result<()> {
    match key.deletion {
        Some(_) => Err(invalid_state(&key.arn(), "is pending deletion")),
        None => Ok(()),
    }
}

/// Refuses a key that cannot be used now.
///
/// # Errors
/// `KMSInvalidStateException`, `DisabledException`.
pub fn usable(key: &KeyRecord) -> Result<()> {
    alive(key)?;
    if key.enabled { Ok(()) } else { Err(disabled(&key.arn())) }
}
