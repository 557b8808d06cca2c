//! Rotation: new material for a key, on the clock and on demand; what old material encrypted still
//! decrypts.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>

use fogbank_core::{Cx, Ids, Op, Result, Time, ops};
use fogbank_store::{Lock, Tx};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{limit_exceeded, unsupported};
use crate::find::{By, usable};
use crate::job::{JOBS, Job};
use crate::key::KeyInput;
use crate::page::{self, Page};
use crate::record::{KEYS, KeyRecord, Place, Rotated, Rotation, time};
use crate::spec::Spec;
use crate::{Kms, authz};

pub const OPS: &[Op<Kms>] = ops![
    EnableKeyRotation => enable_key_rotation [authz::on_key],
    DisableKeyRotation => disable_key_rotation [authz::on_key],
    GetKeyRotationStatus => get_key_rotation_status [authz::on_key],
    RotateKeyOnDemand => rotate_key_on_demand [authz::on_key],
    ListKeyRotations => list_key_rotations [authz::on_key],
];

/// The period when none is asked for, in days.
pub const YEAR: i64 = 365;
/// How often a key may be rotated on demand.
const ON_DEMAND: usize = 25;

/// `days` after `now`, in microseconds.
pub fn after(now: i64, days: i64) -> i64 {
    now.saturating_add(days.saturating_mul(24 * 3600 * 1_000_000))
}

/// Adds the job that rotates a key which rotates by itself.
pub fn schedule(tx: &mut Tx, key: &KeyRecord) {
    if let Some(r) = &key.rotation {
        JOBS.put(tx, at(r.next), &id(&key.place), &Job::Rotate(key.place.clone(), r.next));
    }
}

/// Takes that job back.
pub fn unschedule(tx: &mut Tx, key: &KeyRecord) {
    if let Some(r) = &key.rotation {
        JOBS.cancel(tx, at(r.next), &id(&key.place));
    }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

fn id(place: &Place) -> String {
    format!("rotate {}", place.arn())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EnableInput {
    key_id: String,
    rotation_period_in_days: Option<i64>,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKeyRotation.html>
async fn enable_key_rotation(kms: &Kms, cx: &Cx, input: EnableInput) -> Result<()> {
    let place = kms.own(cx, &input.key_id).await?;
    kms.edit(&place, |key, tx| {
        rotates(key)?;
        unschedule(tx, key);
        let days = input.rotation_period_in_days.unwrap_or(YEAR);
        // A period that stays as it is goes on running.
        let next = match &key.rotation {
            Some(r) if r.days == days => r.next,
            _ => after(cx.now.as_microsecond(), days),
        };
        key.rotation = Some(Rotation { days, next });
        schedule(tx, key);
        Ok(())
    })
    .await?;
    kms.wake();
    Ok(())
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_DisableKeyRotation.html>
async fn disable_key_rotation(kms: &Kms, cx: &Cx, input: KeyInput) -> Result<()> {
    let place = kms.own(cx, &input.key_id).await?;
    kms.edit(&place, |key, tx| {
        rotates(key)?;
        unschedule(tx, key);
        key.rotation = None;
        Ok(())
    })
    .await
}

fn rotates(key: &KeyRecord) -> Result<()> {
    usable(key)?;
    if key.spec == Spec::Symmetric { Ok(()) } else { Err(unsupported()) }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StatusOutput {
    key_id: String,
    key_rotation_enabled: bool,
    rotation_period_in_days: Option<i64>,
    next_rotation_date: Option<Time>,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyRotationStatus.html>
async fn get_key_rotation_status(kms: &Kms, cx: &Cx, input: KeyInput) -> Result<StatusOutput> {
    let found = kms.asked(cx, 0, &input.key_id, By::Id).await?;
    // Of keys that cannot rotate it says that they do not. While a key waits for its deletion, it does not rotate.
    let rotation = found.key.rotation.as_ref().filter(|_| found.key.deletion.is_none());
    Ok(StatusOutput {
        key_id: found.key.arn(),
        key_rotation_enabled: rotation.is_some(),
        rotation_period_in_days: rotation.map(|r| r.days),
        next_rotation_date: rotation.map(|r| time(r.next)),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyIdOutput {
    key_id: String,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_RotateKeyOnDemand.html>
async fn rotate_key_on_demand(kms: &Kms, cx: &Cx, input: KeyInput) -> Result<KeyIdOutput> {
    let place = kms.own(cx, &input.key_id).await?;
    let material = Spec::Symmetric.generate(cx.ids()).await?;
    kms.edit(&place, |key, tx| {
        rotates(key)?;
        if key.rotated.iter().filter(|r| r.on_demand).count() >= ON_DEMAND {
            return Err(limit_exceeded(format!(
                "The on-demand rotation limit of {ON_DEMAND} has been exceeded for this key."
            )));
        }
        kms.renew(
            cx.ids(),
            tx,
            key,
            &material,
            Rotated { at: cx.now.as_microsecond(), on_demand: true },
        )
    })
    .await?;
    Ok(KeyIdOutput { key_id: place.arn() })
}

impl Kms {
    fn renew(
        &self,
        ids: &Ids,
        tx: &mut Tx,
        key: &mut KeyRecord,
        material: &[u8],
        how: Rotated,
    ) -> Result<()> {
        key.generation += 1;
        key.rotated.push(how);
        self.put_material(ids, tx, &key.place, key.generation, material)
    }

    /// Rotates the key at `place` if that was due at `due`, and plans the next time.
    pub(crate) async fn rotate(&self, place: &Place, due: i64, now: Timestamp) -> Result<()> {
        let at = place.key();
        let material = Spec::Symmetric.generate(&self.ids).await?;
        let mut tx = self.store.lock(&[Lock::exclusive(&KEYS, &at)]).await;
        let Some(mut key) = tx.get(&KEYS, &at).await? else { return Ok(()) };
        let Some(Rotation { days, next }) = key.rotation.clone() else { return Ok(()) };
        if next != due {
            return Ok(()); // it was planned anew
        }
        // A key that is not in use skips its turn.
        if usable(&key).is_ok() {
            let how = Rotated { at: next, on_demand: false };
            self.renew(&self.ids, &mut tx, &mut key, &material, how)?;
        }
        let mut next = after(next, days);
        if next <= now.as_microsecond() {
            next = after(now.as_microsecond(), days);
        }
        key.rotation = Some(Rotation { days, next });
        schedule(&mut tx, &key);
        tx.put(&KEYS, &at, &key);
        Ok(tx.commit().await?)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    key_id: String,
    include_key_material: Option<String>,
    limit: Option<i64>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    key_id: String,
    key_material_id: String,
    rotation_date: Option<Time>,
    rotation_type: Option<&'static str>,
    key_material_state: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    rotations: Vec<Listed>,
    next_marker: Option<String>,
    truncated: bool,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyRotations.html>
async fn list_key_rotations(kms: &Kms, cx: &Cx, input: ListInput) -> Result<ListOutput> {
    let found = kms.asked(cx, 0, &input.key_id, By::Id).await?;
    let key = &found.key;
    if key.spec != Spec::Symmetric {
        return Err(unsupported());
    }
    let all = input.include_key_material.as_deref() == Some("ALL_KEY_MATERIAL");
    let generations = u32::from(!all)..=key.generation;
    let rotations = generations.map(|g| {
        let how = usize::try_from(g).ok().and_then(|g| key.rotated.get(g.checked_sub(1)?));
        Listed {
            key_id: key.arn(),
            key_material_id: key.place.material_id(g),
            rotation_date: how.map(|r| time(r.at)),
            rotation_type: how.map(|r| if r.on_demand { "ON_DEMAND" } else { "AUTOMATIC" }),
            key_material_state: all.then_some(if g == key.generation {
                "CURRENT"
            } else {
                "NON_CURRENT"
            }),
        }
    });
    let limit = input.limit.unwrap_or(100);
    let (rotations, Page { next_marker, truncated }) =
        page::cut(rotations.collect(), limit, input.marker.as_deref())?;
    Ok(ListOutput { rotations, next_marker, truncated })
}
