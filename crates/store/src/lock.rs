//! Locks: exact, per key, shared or exclusive; all of a transaction's taken at once, in order.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::{Key, Table};

/// A lock that a transaction asks for. It names what is protected: a record, or any key that all
/// who touch the same thing agree on.
#[derive(Clone, Debug)]
pub struct Lock(Name);

/// A lock as an engine sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Table and key.
    pub name: Vec<u8>,
    pub exclusive: bool,
}

impl Lock {
    /// Nobody else, neither exclusive nor shared.
    #[must_use]
    pub fn exclusive<T>(table: &Table<T>, key: &Key) -> Self {
        Lock(Name { name: table.full(key.as_bytes()), exclusive: true })
    }

    /// Nobody exclusive: the parent stays while a child is written.
    #[must_use]
    pub fn shared<T>(table: &Table<T>, key: &Key) -> Self {
        Lock(Name { name: table.full(key.as_bytes()), exclusive: false })
    }
}

/// Sorted, each name once; exclusive wins.
pub(crate) fn names(locks: &[Lock]) -> Vec<Name> {
    let mut names: Vec<Name> = locks.iter().map(|l| l.0.clone()).collect();
    names.sort_by(|a, b| a.name.cmp(&b.name).then(b.exclusive.cmp(&a.exclusive)));
    names.dedup_by(|b, a| a.name == b.name);
    names
}

const SHARDS: usize = 64;

type Shard = Mutex<HashMap<Arc<[u8]>, Arc<RwLock<()>>>>;

/// The lock table of this process. An entry lives while somebody holds it or waits for it.
pub struct Locks {
    shards: [Shard; SHARDS],
    hasher: RandomState,
}

impl Default for Locks {
    fn default() -> Self {
        Locks { shards: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }
}

/// Locks held; dropping lets them go.
pub struct Held {
    // Field order: what is held goes before the table it is entered in.
    _entries: Vec<Entry>,
}

impl Locks {
    /// Takes `names`, sorted and distinct, one after the other: two that want the same locks meet
    /// at the first. Dropping the future gives back what it has.
    pub async fn take(self: &Arc<Self>, names: Vec<Name>) -> Held {
        let mut entries = Vec::with_capacity(names.len());
        for n in names {
            let mut entry = self.enter(n.name);
            let lock = entry.lock.clone();
            entry.guard = Some(match (n.exclusive, lock) {
                (true, lock) => Guard::Write { _held: lock.write_owned().await },
                (false, lock) => Guard::Read { _held: lock.read_owned().await },
            });
            entries.push(entry);
        }
        Held { _entries: entries }
    }

    /// How many names are held or waited for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|s| s.lock().len()).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn enter(self: &Arc<Self>, name: Vec<u8>) -> Entry {
        let shard = self.hasher.hash_one(&name[..]) as usize % SHARDS;
        let name: Arc<[u8]> = name.into();
        let lock = self.shards[shard].lock().entry(name.clone()).or_default().clone();
        Entry { table: self.clone(), shard, name, lock, guard: None }
    }
}

/// A place in the lock table, held or waiting.
struct Entry {
    table: Arc<Locks>,
    shard: usize,
    name: Arc<[u8]>,
    lock: Arc<RwLock<()>>,
    guard: Option<Guard>,
}

enum Guard {
    Read { _held: OwnedRwLockReadGuard<()> },
    Write { _held: OwnedRwLockWriteGuard<()> },
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.guard = None;
        let mut shard = self.table.shards[self.shard].lock();
        // The map's and ours: nobody else holds it or waits, and nobody can enter meanwhile.
        if Arc::strong_count(&self.lock) == 2 {
            shard.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    static T: Table<()> = Table::new("t");

    fn key(n: u64) -> Key {
        Key::new().u64(n)
    }

    fn try_take(table: &Arc<Locks>, locks: &[Lock]) -> Option<Held> {
        table.take(names(locks)).now_or_never()
    }

    #[test]
    fn shared_goes_with_shared_and_exclusive_alone() {
        let table = Arc::new(Locks::default());
        let a = try_take(&table, &[Lock::shared(&T, &key(1))]).unwrap();
        let b = try_take(&table, &[Lock::shared(&T, &key(1))]).unwrap();
        assert!(try_take(&table, &[Lock::exclusive(&T, &key(1))]).is_none());
        assert!(try_take(&table, &[Lock::exclusive(&T, &key(2))]).is_some());
        drop((a, b));
        let c = try_take(&table, &[Lock::exclusive(&T, &key(1))]).unwrap();
        assert!(try_take(&table, &[Lock::shared(&T, &key(1))]).is_none());
        drop(c);
        assert!(table.is_empty(), "unused entries are removed, abandoned waits too");
    }

    #[test]
    fn a_name_asked_for_twice_is_taken_once() {
        let table = Arc::new(Locks::default());
        let twice = [Lock::shared(&T, &key(1)), Lock::exclusive(&T, &key(1))];
        let held = try_take(&table, &twice).unwrap();
        assert!(try_take(&table, &[Lock::shared(&T, &key(1))]).is_none());
        drop(held);
        assert!(table.is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn opposite_orders_do_not_deadlock() {
        let table = Arc::new(Locks::default());
        let tasks: Vec<_> = (0..8u64)
            .map(|n| {
                let table = table.clone();
                tokio::spawn(async move {
                    for i in 0..500 {
                        let (a, b) = (key((n + i) % 3), key((n * i + 1) % 3));
                        let l = [Lock::exclusive(&T, &a), Lock::shared(&T, &b)];
                        let _held = table.take(names(&l)).await;
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for t in tasks {
            t.await.unwrap();
        }
        assert!(table.is_empty());
    }
}
