//! Time to live: items that go by themselves, as jobs on the cloud's clock.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use fogbank_bus::Jobs;
use fogbank_core::{Cx, Op, Result, Value, map, ops};
use fogbank_dynamo::{Attr, Item};
use fogbank_store::{Key, Lock, Tx};
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};
use serde::Deserialize;

use crate::error::{parameter, validation};
use crate::keys::ITEMS;
use crate::schema::{Place, RAW, Schema, TABLES};
use crate::work::{Task, WORK};
use crate::write::{Actor, Before};
use crate::{Dynamo, authz};

pub const OPS: &[Op<Dynamo>] = ops![
    UpdateTimeToLive => update_time_to_live [authz::table],
    DescribeTimeToLive => describe_time_to_live [authz::table],
];

/// Items that will expire.
pub static EXPIRIES: Jobs<Expiry> = Jobs::new("dynamodb.expiry");

/// An item to look at when its time has come.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Expiry {
    #[n(0)]
    pub account: String,
    #[n(1)]
    pub region: String,
    #[n(2)]
    pub table: String,
    /// The item's row.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub row: Vec<u8>,
}
fogbank_store::record!(Expiry, version = 1);

/// Items that expired longer ago than this are taken for mistakes and kept.
const OLDEST: SignedDuration = SignedDuration::from_hours(5 * 365 * 24);

/// When an item expires, if it does.
fn due(schema: &Schema, item: &Item) -> Option<Timestamp> {
    let Attr::N(at) = item.get(schema.record.ttl.as_ref()?)? else { return None };
    Timestamp::from_second(at.to_i64()?).ok().filter(|t| t.as_second() > 0)
}

fn id(row: &Key) -> String {
    STANDARD_NO_PAD.encode(row.as_bytes())
}

/// Puts an item's expiry where it belongs after a change; says whether one waits now.
pub fn reschedule(
    tx: &mut Tx,
    now: Timestamp,
    schema: &Schema,
    row: &Key,
    old: Option<&Item>,
    new: Option<&Item>,
) -> bool {
    if schema.record.ttl.is_none() {
        return false;
    }
    let (was, is) = (old.and_then(|i| due(schema, i)), new.and_then(|i| due(schema, i)));
    if was == is {
        return false;
    }
    if let Some(at) = was {
        EXPIRIES.cancel(tx, at, &id(row));
    }
    let too_old = now.saturating_sub(OLDEST).unwrap_or(Timestamp::MIN);
    let Some(at) = is.filter(|at| *at > too_old) else { return false };
    let Place { account, region, name: table } = schema.place.clone();
    EXPIRIES.put(
        tx,
        at,
        &id(row),
        &Expiry { account, region, table, row: row.as_bytes().to_vec() },
    );
    true
}

impl Dynamo {
    /// Deletes an item whose time has come, if that is still so.
    pub async fn expire(&self, job: Expiry, now: Timestamp) -> Result<()> {
        let place = Place { account: job.account, region: job.region, name: job.table };
        let row = Key::from_bytes(&job.row);
        let locks = [Lock::shared(&RAW, &place.key()), Lock::exclusive(&ITEMS, &row)];
        let mut tx = self.store.lock(&locks).await;
        let Some(schema) = self.find(&place).await? else { return Ok(()) };
        let before = Before::new(tx.get(&ITEMS, &row).await?);
        let over = before.item()?.and_then(|i| due(&schema, i)).is_some_and(|at| at <= now);
        if over {
            let staged =
                self.change(&mut tx, now, &schema, &row, before, None, Actor::TimeToLive).await?;
            self.commit(tx, vec![staged]).await?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateInput {
    table_name: String,
    time_to_live_specification: Specification,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Specification {
    attribute_name: String,
    enabled: bool,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html>
async fn update_time_to_live(ddb: &Dynamo, cx: &Cx, input: UpdateInput) -> Result<Value> {
    let place = Place::of(cx, &input.table_name)?;
    let Specification { attribute_name, enabled } = input.time_to_live_specification;
    if attribute_name.is_empty() {
        return Err(parameter("TimeToLiveSpecification.AttributeName must have a value"));
    }
    let mut tx = ddb.store.lock(&[Lock::exclusive(&TABLES, &place.key())]).await;
    let mut record = ddb
        .locked(&mut tx, &place)
        .await
        .map_err(|_| crate::error::no_table(&place.name))?
        .record
        .clone();
    match (&record.ttl, enabled) {
        (Some(_), true) => return Err(validation("TimeToLive is already enabled")),
        (None, false) => return Err(validation("TimeToLive is already disabled")),
        (Some(name), false) if *name != attribute_name => {
            return Err(validation(format!(
                "TimeToLive is active on a different AttributeName: current AttributeName is {name}"
            )));
        }
        _ => {}
    }
    record.ttl = enabled.then(|| attribute_name.clone());
    tx.put(&TABLES, &place.key(), &record);
    if enabled {
        // Items of before: theirs is looked at in the background.
        WORK.put(
            &mut tx,
            cx.now,
            &format!("ttl-{}", record.id),
            &Task::schedule(&place, record.id),
        );
    }
    tx.commit().await?;
    ddb.wake();
    Ok(map! {"TimeToLiveSpecification" => map! {
        "AttributeName" => attribute_name, "Enabled" => enabled,
    }})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeInput {
    table_name: String,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTimeToLive.html>
async fn describe_time_to_live(ddb: &Dynamo, cx: &Cx, input: DescribeInput) -> Result<Value> {
    let schema = ddb.described(&Place::of(cx, &input.table_name)?).await?;
    Ok(map! {"TimeToLiveDescription" => match &schema.record.ttl {
        Some(name) => map! {"TimeToLiveStatus" => "ENABLED", "AttributeName" => name.as_str()},
        None => map! {"TimeToLiveStatus" => "DISABLED"},
    }})
}
