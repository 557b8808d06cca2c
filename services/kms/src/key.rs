//! Keys: made, described, listed, enabled and disabled.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html>

use bytes::Bytes;
use fogbank_core::{Cx, Op, Result, Time, ops};
use fogbank_store::{Key, Lock, Range, Tx};
use serde::{Deserialize, Serialize};

use crate::error::{access_denied, validation};
use crate::find::{By, alive};
use crate::page::{Page, PageInput};
use crate::record::{KEYS, KeyRecord, MATERIALS, Place, Rotation, Tag, time};
use crate::spec::{Spec, Usage};
use crate::{Kms, authz, policy, rotation, tag};

pub const OPS: &[Op<Kms>] = ops![
    CreateKey => create_key [authz::create_key],
    DescribeKey => describe_key [authz::on_key],
    ListKeys => list_keys,
    EnableKey => enable_key [authz::on_key],
    DisableKey => disable_key [authz::on_key],
    UpdateKeyDescription => update_key_description [authz::on_key],
];

/// `KeyMetadata`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Metadata {
    #[serde(rename = "AWSAccountId")]
    account: String,
    key_id: String,
    arn: String,
    creation_date: Time,
    enabled: bool,
    description: String,
    key_usage: &'static str,
    key_state: &'static str,
    deletion_date: Option<Time>,
    origin: &'static str,
    key_manager: &'static str,
    customer_master_key_spec: &'static str,
    key_spec: &'static str,
    encryption_algorithms: Option<Vec<&'static str>>,
    signing_algorithms: Option<Vec<&'static str>>,
    mac_algorithms: Option<Vec<&'static str>>,
    multi_region: bool,
    current_key_material_id: Option<String>,
}

impl Metadata {
    fn of(key: &KeyRecord) -> Self {
        Metadata {
            account: key.place.account.clone(),
            key_id: key.place.id.clone(),
            arn: key.arn(),
            creation_date: time(key.created),
            enabled: key.enabled && key.deletion.is_none(),
            description: key.description.clone(),
            key_usage: key.usage.name(),
            key_state: key.state(),
            deletion_date: key.deletion.map(time),
            origin: "AWS_KMS",
            key_manager: if key.managed_for.is_some() { "AWS" } else { "CUSTOMER" },
            customer_master_key_spec: key.spec.name(),
            key_spec: key.spec.name(),
            encryption_algorithms: key.spec.encryption_algorithms(key.usage),
            signing_algorithms: key.spec.signing_algorithms(key.usage),
            mac_algorithms: key.spec.mac_algorithms(),
            multi_region: false,
            current_key_material_id: key.material_id(),
        }
    }
}

impl KeyRecord {
    /// `KeyState`.
    pub fn state(&self) -> &'static str {
        match (self.deletion, self.enabled) {
            (Some(_), _) => "PendingDeletion",
            (None, true) => "Enabled",
            (None, false) => "Disabled",
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetadataOutput {
    key_metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateKeyInput {
    policy: Option<String>,
    description: Option<String>,
    key_usage: Option<String>,
    customer_master_key_spec: Option<String>,
    key_spec: Option<String>,
    origin: Option<String>,
    custom_key_store_id: Option<String>,
    #[serde(default)]
    bypass_policy_lockout_safety_check: bool,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    multi_region: bool,
    xks_key_id: Option<String>,
}

/// What a key is made of.
pub struct New {
    pub account: String,
    pub region: String,
    pub description: String,
    pub usage: Usage,
    pub spec: Spec,
    pub policy: String,
    pub tags: Vec<Tag>,
    pub managed_for: Option<String>,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html>
async fn create_key(kms: &Kms, cx: &Cx, input: CreateKeyInput) -> Result<MetadataOutput> {
    if input.custom_key_store_id.is_some() {
        return Err(cx.refuse_member("CustomKeyStoreId"));
    }
    if input.xks_key_id.is_some() {
        return Err(cx.refuse_member("XksKeyId"));
    }
    if let Some(origin) = input.origin.filter(|o| o != "AWS_KMS") {
        return Err(cx.refuse_member(&format!("Origin {origin}")));
    }
    if input.multi_region {
        return Err(cx.refuse_member("MultiRegion"));
    }
    let (spec, usage) = kind(
        cx,
        input.key_spec.or(input.customer_master_key_spec).as_deref(),
        input.key_usage.as_deref(),
    )?;
    tag::check(&input.tags)?;
    let policy = match input.policy {
        Some(text) => {
            policy::check(cx, None, &text, input.bypass_policy_lockout_safety_check).await?;
            text
        }
        None => policy::default(&cx.account),
    };
    let new = New {
        account: cx.account.clone(),
        region: cx.region.to_string(),
        description: input.description.unwrap_or_default(),
        usage,
        spec,
        policy,
        tags: input.tags,
        managed_for: None,
    };
    let mut tx = kms.store.lock(&[]).await;
    let key = kms.insert(cx, &mut tx, new).await?;
    tx.commit().await?;
    Ok(MetadataOutput { key_metadata: Metadata::of(&key) })
}

/// The spec and the usage of a new key.
fn kind(cx: &Cx, spec: Option<&str>, usage: Option<&str>) -> Result<(Spec, Usage)> {
    let spec = spec.unwrap_or("SYMMETRIC_DEFAULT");
    let known = Spec::parse(spec).ok_or_else(|| cx.refuse_member(&format!("KeySpec {spec}")))?;
    let Some(usage) = usage else {
        if known == Spec::Symmetric {
            return Ok((known, Usage::EncryptDecrypt));
        }
        return Err(validation(
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption \
             keys.",
        ));
    };
    match Usage::parse(usage) {
        Some(u) if known.serves(u) => Ok((known, u)),
        _ => Err(validation(format!("KeyUsage {usage} is not compatible with KeySpec {spec}"))),
    }
}

impl Kms {
    /// Adds a key and its first material to a transaction.
    pub(crate) async fn insert(&self, cx: &Cx, tx: &mut Tx, new: New) -> Result<KeyRecord> {
        let now = cx.now.as_microsecond();
        let place = Place { account: new.account, region: new.region, id: cx.ids().uuid() };
        // An AWS managed key rotates every year.
        let days = rotation::YEAR;
        let yearly =
            new.managed_for.as_ref().map(|_| Rotation { days, next: rotation::after(now, days) });
        let key = KeyRecord {
            place,
            created: now,
            description: new.description,
            usage: new.usage,
            spec: new.spec,
            enabled: true,
            deletion: None,
            policy: new.policy,
            tags: new.tags,
            managed_for: new.managed_for,
            rotation: yearly,
            generation: 0,
            rotated: Vec::new(),
        };
        let material = new.spec.generate(cx.ids()).await?;
        self.put_material(cx.ids(), tx, &key.place, 0, &material)?;
        rotation::schedule(tx, &key);
        tx.put(&KEYS, &key.place.key(), &key);
        Ok(key)
    }

    pub(crate) fn put_material(
        &self,
        ids: &fogbank_core::Ids,
        tx: &mut Tx,
        place: &Place,
        generation: u32,
        material: &[u8],
    ) -> Result<()> {
        let at = place.material(generation);
        let sealed = self.seal.close(ids, at.as_bytes(), material)?;
        tx.put(&MATERIALS, &at, &Bytes::from(sealed));
        Ok(())
    }

    /// Changes a key that is not about to be deleted.
    pub(crate) async fn edit<T>(
        &self,
        place: &Place,
        change: impl FnOnce(&mut KeyRecord, &mut Tx) -> Result<T>,
    ) -> Result<T> {
        let at = place.key();
        let mut tx = self.store.lock(&[Lock::exclusive(&KEYS, &at)]).await;
        let mut key = tx.get(&KEYS, &at).await?.ok_or_else(|| crate::find::no_key(place))?;
        let answer = change(&mut key, &mut tx)?;
        tx.put(&KEYS, &at, &key);
        tx.commit().await?;
        Ok(answer)
    }

    /// The key of the caller's own account that a request means to manage.
    pub(crate) async fn own(&self, cx: &Cx, text: &str) -> Result<Place> {
        let found = self.asked(cx, 0, text, By::Id).await?;
        if found.key.place.account != cx.account {
            return Err(access_denied(format!(
                "User: {} is not authorized to perform: kms:{} on resource: {}",
                cx.principal.arn,
                cx.operation,
                found.key.arn()
            )));
        }
        Ok(found.key.place.clone())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyInput {
    pub key_id: String,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html>
async fn describe_key(kms: &Kms, cx: &Cx, input: KeyInput) -> Result<MetadataOutput> {
    let found = kms.asked(cx, 0, &input.key_id, By::Alias).await?;
    Ok(MetadataOutput { key_metadata: Metadata::of(&found.key) })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListedKey {
    key_id: String,
    key_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListKeysOutput {
    keys: Vec<ListedKey>,
    next_marker: Option<String>,
    truncated: bool,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeys.html>
async fn list_keys(kms: &Kms, cx: &Cx, input: PageInput) -> Result<ListKeysOutput> {
    if input.resource_owners.is_some_and(|o| o != ["SELF"]) {
        return Err(cx.refuse_member("ResourceOwners"));
    }
    let here = Key::new().str(&cx.account).str(&cx.region);
    let (found, Page { next_marker, truncated }) = kms
        .page(&KEYS, Range::prefix(&here), input.limit.unwrap_or(100), input.marker.as_deref())
        .await?;
    let keys = found
        .into_iter()
        .map(|(_, k)| ListedKey { key_arn: k.arn(), key_id: k.place.id })
        .collect();
    Ok(ListKeysOutput { keys, next_marker, truncated })
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKey.html>
async fn enable_key(kms: &Kms, cx: &Cx, input: KeyInput) -> Result<()> {
    switch(kms, cx, &input.key_id, true).await
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_DisableKey.html>
async fn disable_key(kms: &Kms, cx: &Cx, input: KeyInput) -> Result<()> {
    switch(kms, cx, &input.key_id, false).await
}

async fn switch(kms: &Kms, cx: &Cx, id: &str, on: bool) -> Result<()> {
    let place = kms.own(cx, id).await?;
    kms.edit(&place, |key, _| {
        alive(key)?;
        key.enabled = on;
        Ok(())
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescriptionInput {
    key_id: String,
    description: String,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdateKeyDescription.html>
async fn update_key_description(kms: &Kms, cx: &Cx, input: DescriptionInput) -> Result<()> {
    let place = kms.own(cx, &input.key_id).await?;
    kms.edit(&place, |key, _| {
        alive(key)?;
        key.description = input.description;
        Ok(())
    })
    .await
}
