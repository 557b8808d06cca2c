//! Deletion: scheduled, waited for on the clock, and taken back.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html>

use fogbank_core::{Cx, Op, Result, Time, ops};
use fogbank_store::{Lock, Range, Tx};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alias::{self, ALIASES, OF_KEY};
use crate::error::invalid_state;
use crate::find::{alive, last};
use crate::job::{JOBS, Job};
use crate::key::KeyInput;
use crate::record::{KEYS, MATERIALS, Place, time};
use crate::rotation::{self, after};
use crate::{Kms, authz, grant};

pub const OPS: &[Op<Kms>] = ops![
    ScheduleKeyDeletion => schedule_key_deletion [authz::on_key],
    CancelKeyDeletion => cancel_key_deletion [authz::on_key],
];

/// The waiting time when none is asked for, in days.
const WINDOW: i64 = 30;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScheduleInput {
    key_id: String,
    pending_window_in_days: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ScheduleOutput {
    key_id: String,
    deletion_date: Time,
    key_state: &'static str,
    pending_window_in_days: i64,
}

fn id(place: &Place) -> String {
    format!("delete {}", place.arn())
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html>
async fn schedule_key_deletion(kms: &Kms, cx: &Cx, input: ScheduleInput) -> Result<ScheduleOutput> {
    let days = input.pending_window_in_days.unwrap_or(WINDOW);
    if !(7..=30).contains(&days) {
        return Err(crate::error::validation(format!(
            "1 validation error detected: Value '{days}' at 'pendingWindowInDays' failed to \
             satisfy constraint: Member must have value {}",
            if days < 7 { "greater than or equal to 7" } else { "less than or equal to 30" }
        )));
    }
    let place = kms.own(cx, &input.key_id).await?;
    let due = after(cx.now.as_microsecond(), days);
    let answer = kms
        .edit(&place, |key, tx| {
            alive(key)?;
            key.deletion = Some(due);
            JOBS.put(tx, at(due), &id(&key.place), &Job::Delete(key.place.clone(), due));
            Ok(ScheduleOutput {
                key_id: key.arn(),
                deletion_date: time(due),
                key_state: key.state(),
                pending_window_in_days: days,
            })
        })
        .await?;
    kms.wake();
    Ok(answer)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CancelOutput {
    key_id: String,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CancelKeyDeletion.html>
async fn cancel_key_deletion(kms: &Kms, cx: &Cx, input: KeyInput) -> Result<CancelOutput> {
    let place = kms.own(cx, &input.key_id).await?;
    kms.edit(&place, |key, tx| {
        let Some(due) = key.deletion.take() else {
            return Err(invalid_state(&key.arn(), "is not pending deletion"));
        };
        JOBS.cancel(tx, at(due), &id(&key.place));
        // It comes back disabled.
        key.enabled = false;
        Ok(CancelOutput { key_id: key.arn() })
    })
    .await
}

impl Kms {
    /// Deletes the key at `place` if that was due at `due`, with all that belongs to it. What it
    /// encrypted is lost.
    pub(crate) async fn destroy(&self, place: &Place, due: i64) -> Result<()> {
        let at = place.key();
        // Aliases are locked by their own names first; a key that awaits deletion gets no new ones.
        let names = self.aliases_of(place).await?;
        let alias = |name: &String| alias::key(&place.account, &place.region, name);
        let mut locks: Vec<Lock> =
            names.iter().map(|n| Lock::exclusive(&ALIASES, &alias(n))).collect();
        locks.push(Lock::exclusive(&KEYS, &at));
        let mut tx = self.store.lock(&locks).await;
        let Some(key) = tx.get(&KEYS, &at).await? else { return Ok(()) };
        if key.deletion != Some(due) {
            return Ok(());
        }
        for (entry, ()) in tx.scan(&OF_KEY, Range::prefix(&at), usize::MAX).await? {
            if let Some(name) = last(&entry) {
                drop_alias(&mut tx, place, &name).await?;
            }
            tx.delete(&OF_KEY, &entry);
        }
        for generation in 0..=key.generation {
            tx.delete(&MATERIALS, &place.material(generation));
        }
        grant::drop_all(&mut tx, place).await?;
        rotation::unschedule(&mut tx, &key);
        tx.delete(&KEYS, &at);
        Ok(tx.commit().await?)
    }
}

/// Deletes an alias that still leads to the key.
async fn drop_alias(tx: &mut Tx, place: &Place, name: &str) -> Result<()> {
    let at = alias::key(&place.account, &place.region, name);
    if tx.get(&ALIASES, &at).await?.is_some_and(|a| a.target == place.id) {
        tx.delete(&ALIASES, &at);
    }
    Ok(())
}
