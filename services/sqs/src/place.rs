//! Places: the order of messages, and the parts of the keys under which they lie.

use std::sync::atomic::{AtomicU64, Ordering};

use fogbank_core::Ids;
use fogbank_store::{Key, Parts};
use jiff::Timestamp;

use crate::tally::SHARDS;

/// Bits of an order below the microsecond.
const FINER: u32 = 12;

/// Identifies a message within a generation of its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// When it was sent, made unique in this process: later messages have greater ones.
    pub order: u64,
    /// Random, so that no two nodes make the same place; its last bits name the tally's shard.
    pub salt: u64,
}

impl Place {
    /// When the message was sent.
    pub fn sent(self) -> Timestamp {
        let us = i64::try_from(self.order >> FINER).unwrap_or(i64::MAX);
        Timestamp::from_microsecond(us).unwrap_or(Timestamp::MAX)
    }

    pub fn shard(self) -> u64 {
        self.salt % SHARDS
    }

    /// `SequenceNumber`: twenty digits.
    pub fn sequence(self) -> String {
        (10_000_000_000_000_000_000 + u128::from(self.order)).to_string()
    }

    /// `(generation, place)`.
    pub fn key(self, generation: u64) -> Key {
        Key::new().u64(generation).u64(self.order).u64(self.salt)
    }

    /// `(generation, due, place)`.
    pub fn due(self, generation: u64, due: u64) -> Key {
        Key::new().u64(generation).u64(due).u64(self.order).u64(self.salt)
    }

    /// The last two parts of a key.
    pub fn read(parts: &mut Parts<'_>) -> Option<Place> {
        Some(Place { order: parts.number()?, salt: parts.number()? })
    }
}

/// Microseconds since 1970.
pub fn micros(t: Timestamp) -> u64 {
    u64::try_from(t.as_microsecond()).unwrap_or(0)
}

pub fn seconds(n: u64) -> u64 {
    n * 1_000_000
}

/// A random salt whose shard is `shard`.
pub fn salt(ids: &Ids, shard: u64) -> u64 {
    let mut b = [0; 8];
    ids.fill(&mut b);
    let random = u64::from_le_bytes(b) / SHARDS * SHARDS;
    // The greatest multiple may not have room above it.
    random.checked_add(shard).unwrap_or(shard)
}

/// Gives out orders, each greater than the one before.
#[derive(Default)]
pub struct Order(AtomicU64);

impl Order {
    /// An order for now that is greater than `after`.
    pub fn next(&self, now: Timestamp, after: u64) -> u64 {
        let now = (micros(now) << FINER).max(after + 1);
        let step = |last: u64| Some((last + 1).max(now));
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
            Ok(last) | Err(last) => (last + 1).max(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_grow_even_when_the_clock_does_not() {
        let (order, now) = (Order::default(), Timestamp::from_second(1_800_000_000).unwrap());
        let first = order.next(now, 0);
        let second = order.next(now - jiff::SignedDuration::from_secs(5), 0);
        assert!(second > first && order.next(now, second + 9) > second + 9);
        let place = Place { order: first, salt: salt(&Ids::seeded(1), 3) };
        assert_eq!((place.sent(), place.shard()), (now, 3));
        assert_eq!(place.sequence().len(), 20);
    }
}
