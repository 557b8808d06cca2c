//! What is removed later: events past their retention, and what was in deleted groups and streams.

use std::sync::Arc;

use fogbank_bus::{Job, Jobs, Next, Options, Worker};
use fogbank_core::{Cloud, Cx, Result};
use fogbank_store::{Key, Lock, Range, Store, Table, Tx};
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};

use crate::Logs;
use crate::chunk::{
    CHUNKS, INDEX, SPAN, chunk_key, index_key, of_chunk_key, of_index_key, unsigned,
};
use crate::event::Pos;
use crate::group::{GROUPS, Group, millis};
use crate::put::{SIZES, size_key};
use crate::stream::{NAMES, RECENT, STREAMS};

static SWEEPS: Jobs<Sweep> = Jobs::new("logs.sweep");

/// A job: a deleted group's (or stream's) remains, or a group's retention.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Sweep {
    #[n(0)]
    group: u64,
    #[n(1)]
    stream: Option<u64>,
    #[n(2)]
    retention: Option<Retention>,
}
fogbank_store::record!(Sweep, version = 1);

/// A group whose retention is kept: where its record is.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Retention {
    #[n(0)]
    account: String,
    #[n(1)]
    region: String,
    #[n(2)]
    name: String,
}

/// When a group's retention is next looked after, by group id: a job that is due at another time
/// has been replaced.
static NEXT: Table<u64> = Table::new("logs.sweep-next");

/// How many records one transaction removes.
const STEP: usize = 500;

pub fn purge_group(tx: &mut Tx, now: Timestamp, group: u64) {
    let job = Sweep { group, stream: None, retention: None };
    SWEEPS.put(tx, now, &format!("{group:016x}-purge"), &job);
}

pub fn purge_stream(tx: &mut Tx, now: Timestamp, group: u64, stream: u64) {
    let job = Sweep { group, stream: Some(stream), retention: None };
    SWEEPS.put(tx, now, &format!("{group:016x}-{stream:016x}"), &job);
}

impl Retention {
    pub fn new(cx: &Cx, name: &str) -> Self {
        let (account, region) = (cx.account.clone(), cx.region.clone().into_owned());
        Retention { account, region, name: name.to_owned() }
    }

    /// Has the group looked after at `due`, and at no other time.
    pub fn soon(self, tx: &mut Tx, due: Timestamp, group: u64) {
        tx.put(&NEXT, &Key::new().u64(group), &unsigned(due.as_microsecond()));
        let job = Sweep { group, stream: None, retention: Some(self) };
        SWEEPS.put(tx, due, &format!("{group:016x}"), &job);
    }

    fn key(&self) -> Key {
        Key::new().str(&self.account).str(&self.region).str(&self.name)
    }
}

/// Starts the work.
pub fn start(logs: &Arc<Logs>, cloud: &Arc<dyn Cloud>) -> Worker {
    let clock = cloud.clock().clone();
    let (store, time) = (logs.store.clone(), clock.clone());
    Worker::start(logs.store.clone(), clock, &SWEEPS, Options { at_once: 2 }, move |job| {
        let (store, now) = (store.clone(), time.now());
        async move { work(&store, now, job).await }
    })
}

async fn work(store: &Store, now: Timestamp, job: Job<Sweep>) -> Next<Sweep> {
    let done = match (&job.what.retention, job.what.stream) {
        (Some(r), _) => keep(store, now, &job, r).await,
        (None, Some(stream)) => stream_remains(store, job.what.group, stream).await,
        (None, None) => group_remains(store, job.what.group).await,
    };
    match done {
        Ok(()) => Next::Done,
        Err(e) => {
            let why = e.internal_context().unwrap_or_default();
            tracing::error!("log events cannot be removed: {why}");
            Next::At(later(now, SignedDuration::from_mins(1)), job.what)
        }
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Removes what a group's retention has ended, and says when to come back.
async fn keep(store: &Store, now: Timestamp, job: &Job<Sweep>, r: &Retention) -> Result<()> {
    let id = job.what.group;
    let mine = |g: &Group| g.id == id && g.retention_days.is_some();
    let Some(group) = store.get(&GROUPS, &r.key()).await?.filter(mine) else { return Ok(()) };
    let oldest = group.oldest(millis(now));
    // A chunk goes when its last event must.
    let ended =
        Range::prefix(&Key::new().u64(id)).to(&Key::new().u64(id).u64(unsigned(oldest - SPAN)));
    loop {
        let page = store.scan(&INDEX, ended.clone(), STEP).await?;
        let firsts: Vec<Pos> =
            page.iter().filter_map(|(k, ())| of_index_key(k.as_bytes())).collect();
        remove(store, id, &firsts).await?;
        if page.len() < STEP {
            break;
        }
    }
    let left = store.scan(&INDEX, Range::prefix(&Key::new().u64(id)), 1).await?;
    let first = left.first().and_then(|(k, ())| of_index_key(k.as_bytes()));
    let at_least = later(now, SignedDuration::from_hours(1));
    let due = match first {
        Some(p) => {
            let wait = p.ts + 2 * SPAN - oldest;
            at_least.max(later(now, SignedDuration::from_millis(wait.max(0))))
        }
        None => later(now, SignedDuration::from_hours(24)),
    };
    let key = r.key();
    let mut tx = store.lock(&[Lock::exclusive(&GROUPS, &key)]).await;
    let still = tx.get(&GROUPS, &key).await?.is_some_and(|g| mine(&g));
    let next = tx.get(&NEXT, &Key::new().u64(id)).await?;
    if still && next == Some(unsigned(job.due.as_microsecond())) {
        r.clone().soon(&mut tx, due, id);
        tx.commit().await?;
    }
    Ok(())
}

/// Removes chunks and what points at them, and corrects the group's size.
async fn remove(store: &Store, group: u64, firsts: &[Pos]) -> Result<()> {
    if firsts.is_empty() {
        return Ok(());
    }
    let locks: Vec<Lock> =
        firsts.iter().map(|p| Lock::exclusive(&SIZES, &size_key(group, p.stream))).collect();
    let mut tx = store.lock(&locks).await;
    for first in firsts {
        let key = chunk_key(group, *first);
        if let Some(chunk) = tx.get(&CHUNKS, &key).await? {
            let size_key = size_key(group, first.stream);
            let size = tx.get(&SIZES, &size_key).await?.unwrap_or(0);
            tx.put(&SIZES, &size_key, &size.saturating_sub(chunk.bytes()));
        }
        tx.delete(&CHUNKS, &key);
        tx.delete(&INDEX, &index_key(group, *first));
    }
    tx.commit().await?;
    Ok(())
}

async fn stream_remains(store: &Store, group: u64, stream: u64) -> Result<()> {
    loop {
        let range = Range::prefix(&Key::new().u64(group).u64(stream));
        let page = store.scan(&CHUNKS, range, STEP).await?;
        let firsts: Vec<Pos> =
            page.iter().filter_map(|(k, _)| of_chunk_key(k.as_bytes())).collect();
        remove(store, group, &firsts).await?;
        if page.len() < STEP {
            return Ok(());
        }
    }
}

async fn group_remains(store: &Store, group: u64) -> Result<()> {
    drop_all(store, &STREAMS, group).await?;
    drop_all(store, &NAMES, group).await?;
    drop_all(store, &RECENT, group).await?;
    drop_all(store, &CHUNKS, group).await?;
    drop_all(store, &INDEX, group).await?;
    drop_all(store, &SIZES, group).await?;
    drop_all(store, &NEXT, group).await
}

/// Removes what a table has of a group, whose id stands in front.
async fn drop_all<T>(store: &Store, table: &'static Table<T>, group: u64) -> Result<()> {
    loop {
        let mut keys = Vec::new();
        let all = Range::prefix(&Key::new().u64(group));
        store
            .visit(table, all, |k, _| {
                keys.push(Key::from_bytes(k));
                if keys.len() < STEP {
                    std::ops::ControlFlow::Continue(())
                } else {
                    std::ops::ControlFlow::Break(())
                }
            })
            .await?;
        let mut tx = store.lock(&[]).await;
        for key in &keys {
            tx.delete(table, key);
        }
        tx.commit().await?;
        if keys.len() < STEP {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
