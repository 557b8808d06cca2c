//! Tallies: how many messages a queue holds, counted in shards so that senders do not meet.
//!
//! A shard also names the queue's generation: whoever writes messages holds a shard and reads it,
//! and so knows that the queue was not purged or deleted meanwhile.

use fogbank_core::Result;
use fogbank_store::{Key, Lock, Store, Table, Tx};
use minicbor::{Decode, Encode};

use crate::address::Address;

/// How many shards a queue has. A part of the state: never changed.
pub const SHARDS: u64 = 4;

static TALLIES: Table<Tally> = Table::new("sqs.tally");

/// A shard.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Tally {
    #[n(0)]
    generation: u64,
    #[n(1)]
    messages: u64,
}
fogbank_store::record!(Tally, version = 1);

fn key(at: &Address, shard: u64) -> Key {
    at.key().u64(shard)
}

/// The lock of one shard.
pub fn lock(at: &Address, shard: u64) -> Lock {
    Lock::exclusive(&TALLIES, &key(at, shard))
}

/// The locks of all shards: nobody sends or deletes messages.
pub fn all(at: &Address) -> impl Iterator<Item = Lock> {
    (0..SHARDS).map(|shard| lock(at, shard))
}

/// Adds `more` (or takes away) under the shard's lock. `false`: the queue's generation is another
/// one now, and nothing may be written.
pub async fn add(
    tx: &mut Tx,
    at: &Address,
    generation: u64,
    shard: u64,
    more: i64,
) -> Result<bool> {
    let key = key(at, shard);
    match tx.get(&TALLIES, &key).await? {
        Some(t) if t.generation == generation => {
            let messages = t.messages.saturating_add_signed(more);
            tx.put(&TALLIES, &key, &Tally { messages, ..t });
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Begins a generation with no messages, under all locks.
pub fn reset(tx: &mut Tx, at: &Address, generation: u64) {
    for shard in 0..SHARDS {
        tx.put(&TALLIES, &key(at, shard), &Tally { generation, messages: 0 });
    }
}

/// Forgets a deleted queue, under all locks.
pub fn remove(tx: &mut Tx, at: &Address) {
    for shard in 0..SHARDS {
        tx.delete(&TALLIES, &key(at, shard));
    }
}

/// How many messages there are, in whatever state.
pub async fn total(store: &Store, at: &Address) -> Result<u64> {
    let mut sum = 0;
    for shard in 0..SHARDS {
        sum += store.get(&TALLIES, &key(at, shard)).await?.map_or(0, |t| t.messages);
    }
    Ok(sum)
}
