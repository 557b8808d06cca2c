//! Long work on tables: rows of what is gone are dropped, new indexes are filled, expiries found.
//!
//! A task does some rows at a time and is kept with its place, so that a killed process goes on
//! where it was.

use std::ops::ControlFlow;

use fogbank_bus::{Job, Jobs, Next};
use fogbank_core::Result;
use fogbank_store::{Key, Lock, Range, Table};
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};

use crate::Dynamo;
use crate::keys::{self, ITEMS, ROWS};
use crate::schema::{IndexState, Place, RAW, TABLES};
use crate::ttl;

pub static WORK: Jobs<Task> = Jobs::new("dynamodb.work");

/// How many rows are done in one go.
const PAGE: usize = 500;

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Task {
    #[n(0)]
    pub kind: Kind,
    #[n(1)]
    pub account: String,
    #[n(2)]
    pub region: String,
    #[n(3)]
    pub table: String,
    /// The table's id.
    #[n(4)]
    pub id: u64,
    /// The index's.
    #[n(5)]
    pub index: u64,
    /// The last row that was done.
    #[n(6)]
    #[cbor(with = "minicbor::bytes")]
    pub after: Vec<u8>,
}
fogbank_store::record!(Task, version = 1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Kind {
    /// Drop the items of a deleted table.
    #[n(0)]
    Items,
    /// Drop the rows of a deleted index.
    #[n(1)]
    Rows,
    /// Fill a new index.
    #[n(2)]
    Fill,
    /// Find the items that expire.
    #[n(3)]
    Schedule,
}

impl Task {
    fn new(kind: Kind, place: &Place, id: u64, index: u64) -> Self {
        let Place { account, region, name: table } = place.clone();
        Task { kind, account, region, table, id, index, after: Vec::new() }
    }

    pub fn items(place: &Place, id: u64) -> Self {
        Task::new(Kind::Items, place, id, 0)
    }

    pub fn rows(place: &Place, id: u64, index: u64) -> Self {
        Task::new(Kind::Rows, place, id, index)
    }

    pub fn fill(place: &Place, id: u64, index: u64) -> Self {
        Task::new(Kind::Fill, place, id, index)
    }

    pub fn schedule(place: &Place, id: u64) -> Self {
        Task::new(Kind::Schedule, place, id, 0)
    }

    fn place(&self) -> Place {
        let (account, region) = (self.account.clone(), self.region.clone());
        Place { account, region, name: self.table.clone() }
    }
}

impl Dynamo {
    /// Does some of a task.
    pub async fn work(&self, job: Job<Task>, now: Timestamp) -> Next<Task> {
        let mut task = job.what;
        let done = match task.kind {
            Kind::Items => self.drop_rows(&ITEMS, task.id).await,
            Kind::Rows => self.drop_index(&task).await,
            Kind::Fill => self.fill(&mut task, now).await,
            Kind::Schedule => self.find_expiries(&mut task, now).await,
        };
        match done {
            Ok(true) => Next::Done,
            Ok(false) => Next::At(now, task),
            Err(e) => {
                let why = e.internal_context().unwrap_or(e.message());
                tracing::error!("work on the table {} failed: {why}", task.table);
                let later = now.saturating_add(SignedDuration::from_secs(1));
                Next::At(later.unwrap_or(Timestamp::MAX), task)
            }
        }
    }

    async fn rows<T>(&self, table: &Table<T>, range: Range) -> Result<Vec<Key>> {
        let mut rows = Vec::new();
        self.store
            .visit(table, range, |k, _| {
                rows.push(Key::from_bytes(k));
                if rows.len() < PAGE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
            .await?;
        Ok(rows)
    }

    /// Drops some of what is left under `id`; says whether that was all.
    async fn drop_rows<T>(&self, table: &Table<T>, id: u64) -> Result<bool> {
        let rows = self.rows(table, keys::all(id)).await?;
        let mut tx = self.store.lock(&[]).await;
        rows.iter().for_each(|k| tx.delete(table, k));
        let all = rows.len() < PAGE;
        if all {
            self.counts.forget(&mut tx, id);
        }
        tx.commit().await?;
        Ok(all)
    }

    /// Drops some of an index's rows, and with the last the index itself.
    async fn drop_index(&self, task: &Task) -> Result<bool> {
        if !self.drop_rows(&ROWS, task.index).await? {
            return Ok(false);
        }
        let place = task.place();
        let mut tx = self.store.lock(&[Lock::exclusive(&TABLES, &place.key())]).await;
        if let Some(mut record) = tx.get(&TABLES, &place.key()).await?
            && record.id == task.id
        {
            record.indexes.retain(|i| i.id != task.index);
            tx.put(&TABLES, &place.key(), &record);
            tx.commit().await?;
        }
        Ok(true)
    }

    /// Adds some items of before to a new index; with the last it becomes active.
    async fn fill(&self, task: &mut Task, now: Timestamp) -> Result<bool> {
        let place = task.place();
        let range = keys::all(task.id).after(&Key::from_bytes(&task.after));
        let range = if task.after.is_empty() { keys::all(task.id) } else { range };
        let rows = self.rows(&ITEMS, range).await?;
        for row in &rows {
            let locks = [Lock::shared(&RAW, &place.key()), Lock::exclusive(&ITEMS, row)];
            let mut tx = self.store.lock(&locks).await;
            let Some(schema) = self.find(&place).await? else { return Ok(true) };
            let index = schema.kept().find(|i| i.id == task.index);
            let Some(index) = index.filter(|_| schema.record.id == task.id) else {
                return Ok(true);
            };
            let Some(item) = tx.get(&ITEMS, row).await? else { continue };
            let item = item.item()?;
            let Some(at) = keys::index_row(&schema, index, &item) else { continue };
            let stored = keys::projected(&schema, index, &item);
            // A write since the index was made has done it already.
            let known = tx.get(&ROWS, &at).await?.is_some();
            self.counts.open(&mut tx, index.id).await?;
            tx.put(&ROWS, &at, &stored);
            tx.commit().await?;
            if !known {
                self.counts.add(task.index, 1, stored.size() as i64);
            }
        }
        if rows.len() == PAGE {
            task.after = rows.last().map(|k| k.as_bytes().to_vec()).unwrap_or_default();
            return Ok(false);
        }
        let _ = now;
        let mut tx = self.store.lock(&[Lock::exclusive(&TABLES, &place.key())]).await;
        if let Some(mut record) = tx.get(&TABLES, &place.key()).await?
            && record.id == task.id
        {
            for index in &mut record.indexes {
                if index.id == task.index && index.state == IndexState::Creating {
                    index.state = IndexState::Active;
                }
            }
            tx.put(&TABLES, &place.key(), &record);
            tx.commit().await?;
        }
        Ok(true)
    }

    /// Schedules the expiry of some items that were there before time to live was switched on.
    async fn find_expiries(&self, task: &mut Task, now: Timestamp) -> Result<bool> {
        let place = task.place();
        let range = if task.after.is_empty() {
            keys::all(task.id)
        } else {
            keys::all(task.id).after(&Key::from_bytes(&task.after))
        };
        let rows = self.rows(&ITEMS, range).await?;
        for row in &rows {
            let locks = [Lock::shared(&RAW, &place.key()), Lock::exclusive(&ITEMS, row)];
            let mut tx = self.store.lock(&locks).await;
            let Some(schema) = self.find(&place).await? else { return Ok(true) };
            if schema.record.id != task.id || schema.record.ttl.is_none() {
                return Ok(true);
            }
            let Some(item) = tx.get(&ITEMS, row).await? else { continue };
            if ttl::reschedule(&mut tx, now, &schema, row, None, Some(&item.item()?)) {
                tx.commit().await?;
            }
        }
        self.wake_expiry();
        task.after = rows.last().map(|k| k.as_bytes().to_vec()).unwrap_or_default();
        Ok(rows.len() < PAGE)
    }
}
