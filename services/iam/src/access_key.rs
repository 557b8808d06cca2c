//! Access keys: what programs sign with.

use fogbank_core::{ApiError, Cx, Op, Result, Time, ops};
use fogbank_identity::keys;
use fogbank_store::{Key, Lock, Store, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Iam;
use crate::authz;
use crate::entity::{self, Entity, time};
use crate::error::{no_such_entity, quota, validation};
use crate::page::{PageOutput, cut};
use crate::user::{USERS, User, user_or_caller};

pub const OPS: &[Op<Iam>] = ops![
    CreateAccessKey => create_key [authz::own_user],
    ListAccessKeys => list_keys [authz::own_user],
    UpdateAccessKey => update_key [authz::own_user],
    DeleteAccessKey => delete_key [authz::own_user],
    GetAccessKeyLastUsed => last_used [authz::key_user],
];

/// By key id, across accounts: the gateway looks here first.
pub static KEYS: Table<AccessKey> = Table::new("iam.key");
/// Account, user id, key id.
static KEYS_OF: Table<()> = Table::new("iam.user-key");
/// By key id. Apart from the key, since it is no change of the account.
pub static KEY_USES: Table<KeyUse> = Table::new("iam.key-used");

const PER_USER: usize = 2;

/// An access key's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct AccessKey {
    #[n(0)]
    pub account: String,
    #[n(1)]
    pub user_id: String,
    #[n(2)]
    pub secret: String,
    #[n(3)]
    pub active: bool,
    /// Seconds since 1970.
    #[n(4)]
    pub created: i64,
}
fogbank_store::record!(AccessKey, version = 1);

/// The last use of an access key.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct KeyUse {
    /// Seconds since 1970.
    #[n(0)]
    pub at: i64,
    #[n(1)]
    pub service: String,
    #[n(2)]
    pub region: String,
}
fogbank_store::record!(KeyUse, version = 1);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserInput {
    user_name: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyInput {
    user_name: Option<String>,
    access_key_id: String,
    status: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyView {
    user_name: String,
    access_key_id: String,
    status: &'static str,
    secret_access_key: Option<String>,
    create_date: Time,
}

impl KeyView {
    fn of(user: &User, id: String, key: &AccessKey) -> Self {
        KeyView {
            user_name: user.head.name.clone(),
            access_key_id: id,
            status: if key.active { "Active" } else { "Inactive" },
            secret_access_key: None,
            create_date: time(key.created),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateOutput {
    access_key: KeyView,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html>
async fn create_key(iam: &Iam, cx: &Cx, input: UserInput) -> Result<CreateOutput> {
    let account = &cx.account;
    let name = user_or_caller(cx, input.user_name.as_deref())?;
    let id = keys::key_id(cx.ids(), "AKIA", account);
    let (user_key, key) = (User::key(account, name), Key::new().str(&id));
    let locks = [Lock::exclusive(&USERS, &user_key), Lock::exclusive(&KEYS, &key)];
    let mut tx = iam.store.lock(&locks).await;
    let user: User = entity::get(&mut tx, account, name).await?;
    if of_user(&iam.store, account, &user.head.id).await?.len() >= PER_USER {
        return Err(quota("AccessKeysPerUser", PER_USER));
    }
    if tx.get(&KEYS, &key).await?.is_some() {
        // One in half a million million; the client's retry draws again.
        return Err(ApiError::new("ServiceFailure", "The access key id is taken; try again."));
    }
    let record = AccessKey {
        account: account.clone(),
        user_id: user.head.id.clone(),
        secret: keys::secret(cx.ids()),
        active: true,
        created: cx.now.as_second(),
    };
    tx.put(&KEYS, &key, &record);
    tx.put(&KEYS_OF, &of_key(account, &user.head.id, &id), &());
    iam.commit(cx, tx).await?;
    let mut access_key = KeyView::of(&user, id, &record);
    access_key.secret_access_key = Some(record.secret);
    Ok(CreateOutput { access_key })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    access_key_metadata: Vec<KeyView>,
    is_truncated: bool,
    marker: Option<String>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html>
async fn list_keys(iam: &Iam, cx: &Cx, input: UserInput) -> Result<ListOutput> {
    if input.user_name.is_none() && cx.principal.is_root() {
        // The root's keys are implied by the account; none of them was ever created.
        return Ok(ListOutput { access_key_metadata: vec![], is_truncated: false, marker: None });
    }
    let name = user_or_caller(cx, input.user_name.as_deref())?;
    let user: User = iam.load(&cx.account, name).await?;
    let ids = of_user(&iam.store, &cx.account, &user.head.id).await?;
    let (ids, PageOutput { is_truncated, marker }) =
        cut(ids, |id: &String| id, input.marker.as_deref(), input.max_items)?;
    let mut access_key_metadata = Vec::with_capacity(ids.len());
    for id in ids {
        let key = iam.store.get(&KEYS, &Key::new().str(&id)).await?;
        access_key_metadata.extend(key.map(|k| KeyView::of(&user, id, &k)));
    }
    Ok(ListOutput { access_key_metadata, is_truncated, marker })
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html>
async fn update_key(iam: &Iam, cx: &Cx, input: KeyInput) -> Result<()> {
    let active = match input.status.as_deref() {
        Some("Active") => true,
        Some("Inactive") => false,
        other => {
            return Err(validation(format!(
                "Value '{}' at 'status' is not one of: [Active, Inactive]",
                other.unwrap_or_default()
            )));
        }
    };
    change(iam, cx, &input, Some(active)).await
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccessKey.html>
async fn delete_key(iam: &Iam, cx: &Cx, input: KeyInput) -> Result<()> {
    change(iam, cx, &input, None).await
}

/// Sets whether a key is active, or deletes it.
async fn change(iam: &Iam, cx: &Cx, input: &KeyInput, active: Option<bool>) -> Result<()> {
    let (account, id) = (&cx.account, &input.access_key_id);
    let name = user_or_caller(cx, input.user_name.as_deref())?;
    let (user_key, key) = (User::key(account, name), Key::new().str(id));
    let locks = [Lock::exclusive(&USERS, &user_key), Lock::exclusive(&KEYS, &key)];
    let mut tx = iam.store.lock(&locks).await;
    let user: User = entity::get(&mut tx, account, name).await?;
    let record = tx.get(&KEYS, &key).await?.filter(|k| k.user_id == user.head.id);
    let mut record = record.ok_or_else(|| missing(id))?;
    match active {
        Some(active) => {
            record.active = active;
            tx.put(&KEYS, &key, &record);
        }
        None => {
            tx.delete(&KEYS, &key);
            tx.delete(&KEY_USES, &key);
            tx.delete(&KEYS_OF, &of_key(account, &user.head.id, id));
        }
    }
    iam.commit(cx, tx).await
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LastUsedOutput {
    user_name: String,
    access_key_last_used: LastUsedView,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LastUsedView {
    last_used_date: Option<Time>,
    service_name: String,
    region: String,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html>
async fn last_used(iam: &Iam, cx: &Cx, input: KeyInput) -> Result<LastUsedOutput> {
    let id = &input.access_key_id;
    let key = iam.store.get(&KEYS, &Key::new().str(id)).await?;
    let key = key.filter(|k| k.account == cx.account).ok_or_else(|| missing(id))?;
    let user: Option<User> = iam.holder(&cx.account, &key.user_id).await?;
    let user = user.ok_or_else(|| missing(id))?;
    let used = iam.store.get(&KEY_USES, &Key::new().str(id)).await?;
    let na = || "N/A".to_owned();
    let view = LastUsedView {
        last_used_date: used.as_ref().map(|u| time(u.at)),
        service_name: used.as_ref().map_or_else(na, |u| u.service.clone()),
        region: used.map_or_else(na, |u| u.region),
    };
    Ok(LastUsedOutput { user_name: user.head.name, access_key_last_used: view })
}

/// The ids of a user's keys.
pub async fn of_user(store: &Store, account: &str, user_id: &str) -> Result<Vec<String>> {
    entity::links(store, &KEYS_OF, account, user_id).await
}

fn of_key(account: &str, user_id: &str, id: &str) -> Key {
    Key::new().str(account).str(user_id).str(id)
}

fn missing(id: &str) -> ApiError {
    no_such_entity(format!("The Access Key with id {id} cannot be found."))
}
