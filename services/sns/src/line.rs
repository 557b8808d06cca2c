//! Lines: the messages of a FIFO topic, by group and in order, until they are delivered.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fogbank_store::{Key, Lock, Table};
use jiff::Timestamp;
use parking_lot::Mutex;

use crate::address::Address;
use crate::delivery::Delivery;

/// `(topic, group, order)`.
pub static LINE: Table<Delivery> = Table::new("sns.line");

/// The lock of a group: what is published under it is in order.
pub fn lock(topic: &Address, group: &str) -> Lock {
    Lock::exclusive(&LINE, &group_key(topic, group))
}

pub fn group_key(topic: &Address, group: &str) -> Key {
    topic.key().str(group)
}

/// Which groups are being delivered by this process, and the order of new messages.
#[derive(Default)]
pub struct Lines {
    order: AtomicU64,
    busy: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
}

/// A group that nobody else delivers.
pub struct Turn<'a> {
    lines: &'a Lines,
    key: Key,
    held: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl Lines {
    /// An order that is greater than all before.
    pub fn next(&self, now: Timestamp) -> u64 {
        let now = u64::try_from(now.as_microsecond()).unwrap_or(0) << 12;
        let step = |last: u64| Some((last + 1).max(now));
        match self.order.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
            Ok(last) | Err(last) => (last + 1).max(now),
        }
    }

    /// Waits for a group to be free.
    pub async fn turn(&self, key: Key) -> Turn<'_> {
        let mutex = Arc::clone(self.busy.lock().entry(key.clone()).or_default());
        let held = Some(mutex.lock_owned().await);
        Turn { lines: self, key, held }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.held = None;
        let mut busy = self.lines.busy.lock();
        // Only the table's: nobody holds it or waits.
        if busy.get(&self.key).is_some_and(|m| Arc::strong_count(m) == 1) {
            busy.remove(&self.key);
        }
    }
}
