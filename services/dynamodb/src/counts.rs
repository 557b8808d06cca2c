//! How many items a table has and how large they are: counted beside the writes, so that no write
//! waits for another one's.
//!
//! What a process has counted and not yet added to the store is in its memory; a mark in the store
//! says so, until nothing has changed for a while. A mark that another process has left means that
//! its count was lost, and the rows are counted anew, in the background. As on AWS, the figures
//! are approximate.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use fogbank_core::Result;
use fogbank_store::{Key, Lock, Range, Store, Table, Tx};
use minicbor::{Decode, Encode};
use parking_lot::RwLock;
use tokio::sync::Notify;

use crate::keys::{ITEMS, ROWS};
use crate::reply::size_of;

static COUNTS: Table<Count> = Table::new("dynamodb.count");
/// Marks: table or index, and the process that counts it.
static OPEN: Table<()> = Table::new("dynamodb.counting");

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Count {
    #[n(0)]
    pub items: i64,
    #[n(1)]
    pub bytes: i64,
}
fogbank_store::record!(Count, version = 1);

pub struct Counts {
    store: Store,
    process: String,
    open: RwLock<HashMap<u64, Arc<Counter>>>,
    dirty: Notify,
}

#[derive(Default)]
struct Counter {
    items: AtomicI64,
    bytes: AtomicI64,
    marked: AtomicBool,
    changed: AtomicBool,
}

impl Counts {
    pub fn new(store: Store, process: String) -> Self {
        Counts { store, process, open: RwLock::default(), dirty: Notify::new() }
    }

    fn mark(&self, id: u64) -> Key {
        Key::new().u64(id).str(&self.process)
    }

    fn counter(&self, id: u64) -> Arc<Counter> {
        if let Some(c) = self.open.read().get(&id) {
            return Arc::clone(c);
        }
        Arc::clone(self.open.write().entry(id).or_default())
    }

    /// Marks in a write's transaction, once, that this process counts.
    pub async fn open(&self, tx: &mut Tx, id: u64) -> Result<()> {
        if !self.counter(id).marked.load(Ordering::Acquire) {
            tx.put(&OPEN, &self.mark(id), &());
        }
        Ok(())
    }

    /// Counts what was committed.
    pub fn add(&self, id: u64, items: i64, bytes: i64) {
        let c = self.counter(id);
        c.marked.store(true, Ordering::Release);
        c.items.fetch_add(items, Ordering::Relaxed);
        c.bytes.fetch_add(bytes, Ordering::Relaxed);
        if !c.changed.swap(true, Ordering::AcqRel) {
            self.dirty.notify_one();
        }
    }

    /// The figures of a table or an index.
    pub async fn get(&self, id: u64) -> Result<Count> {
        let kept = self.store.get(&COUNTS, &Key::new().u64(id)).await?.unwrap_or_default();
        let c = self.counter(id);
        Ok(Count {
            items: (kept.items + c.items.load(Ordering::Relaxed)).max(0),
            bytes: (kept.bytes + c.bytes.load(Ordering::Relaxed)).max(0),
        })
    }

    /// Forgets a table or an index that is gone.
    pub fn forget(&self, tx: &mut Tx, id: u64) {
        tx.delete(&COUNTS, &Key::new().u64(id));
        tx.delete(&OPEN, &self.mark(id));
        self.open.write().remove(&id);
    }

    /// Adds to the store what was counted, again and again, and recounts what an earlier process
    /// had not added.
    pub async fn run(self: Arc<Self>) {
        if let Err(e) = self.recount().await {
            tracing::error!("the items of the tables cannot be counted: {e}");
        }
        loop {
            // Marks are taken back when a look finds nothing new.
            let marked = self.open.read().values().any(|c| c.marked.load(Ordering::Relaxed));
            tokio::select! {
                () = self.dirty.notified() => tokio::time::sleep(Duration::from_secs(1)).await,
                () = tokio::time::sleep(Duration::from_secs(5)), if marked => {}
            }
            let all: Vec<(u64, Arc<Counter>)> =
                self.open.read().iter().map(|(id, c)| (*id, Arc::clone(c))).collect();
            for (id, c) in all {
                if let Err(e) = self.flush(id, &c).await {
                    tracing::error!("the count of a table cannot be kept: {e}");
                }
            }
        }
    }

    async fn flush(&self, id: u64, c: &Counter) -> Result<()> {
        if !c.changed.swap(false, Ordering::AcqRel) {
            if c.marked.swap(false, Ordering::AcqRel) {
                self.store.delete(&OPEN, &self.mark(id)).await?;
            }
            return Ok(());
        }
        let key = Key::new().u64(id);
        let mut tx = self.store.lock(&[Lock::exclusive(&COUNTS, &key)]).await;
        let kept = tx.get(&COUNTS, &key).await?.unwrap_or_default();
        let (items, bytes) = (c.items.load(Ordering::Relaxed), c.bytes.load(Ordering::Relaxed));
        tx.put(&COUNTS, &key, &Count { items: kept.items + items, bytes: kept.bytes + bytes });
        tx.commit().await?;
        c.items.fetch_sub(items, Ordering::Relaxed);
        c.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Ok(())
    }

    async fn recount(&self) -> Result<()> {
        let marks = self.store.scan(&OPEN, Range::all(), usize::MAX).await?;
        for (key, ()) in marks {
            let mut parts = key.parts();
            let Some(id) = parts.number() else { continue };
            if parts.text().as_deref() == Some(&*self.process) {
                continue;
            }
            let count = match count(&self.store, &ITEMS, id).await? {
                Count { items: 0, .. } => count(&self.store, &ROWS, id).await?,
                found => found,
            };
            let at = Key::new().u64(id);
            let mut tx = self.store.lock(&[Lock::exclusive(&COUNTS, &at)]).await;
            tx.put(&COUNTS, &at, &count);
            tx.delete(&OPEN, &key);
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Counts the rows of a table or an index, some at a time.
async fn count<T>(store: &Store, table: &Table<T>, id: u64) -> Result<Count> {
    const PAGE: usize = 10_000;
    let mut all = Count::default();
    let mut range = crate::keys::all(id);
    loop {
        let (mut seen, mut last) = (0, None);
        store
            .visit(table, range, |k, v| {
                all.items += 1;
                all.bytes += size_of(v) as i64;
                seen += 1;
                if seen < PAGE {
                    return ControlFlow::Continue(());
                }
                last = Some(Key::from_bytes(k));
                ControlFlow::Break(())
            })
            .await?;
        match last {
            None => return Ok(all),
            Some(key) => range = crate::keys::all(id).after(&key),
        }
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_killed_process_had_counted_is_counted_again() {
        let store = Store::ephemeral();
        let first = Counts::new(store.clone(), "first".into());
        let mut tx = store.lock(&[]).await;
        first.open(&mut tx, 7).await.unwrap();
        let item: fogbank_dynamo::Item = [("p".to_owned(), fogbank_dynamo::Attr::Null)].into();
        for n in 0..3 {
            tx.put(&ITEMS, &Key::new().u64(7).u64(n), &crate::reply::Stored::of(&item));
        }
        tx.commit().await.unwrap();
        first.add(7, 3, 6);
        assert_eq!(first.get(7).await.unwrap(), Count { items: 3, bytes: 6 });
        let second = Counts::new(store.clone(), "second".into());
        assert_eq!(second.get(7).await.unwrap(), Count::default());
        second.recount().await.unwrap();
        assert_eq!(second.get(7).await.unwrap(), Count { items: 3, bytes: 6 });
        assert!(store.scan(&OPEN, Range::all(), 9).await.unwrap().is_empty());
        let c = second.counter(7);
        second.add(7, -1, -2);
        second.flush(7, &c).await.unwrap();
        assert_eq!(second.get(7).await.unwrap(), Count { items: 2, bytes: 4 });
    }
}
