//! Receipts: messages that are in somebody's hands, and the locks and steps that all share.

use std::collections::HashMap;
use std::ops::ControlFlow;

use fogbank_core::Result;
use fogbank_store::{Key, Lock, Parts, Range, Record, Store, Table, Tx};
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use parking_lot::Mutex;

use crate::fifo::{self, TURNS, Turn};
use crate::handle::Handle;
use crate::message::{MESSAGES, Message};
use crate::place::{Place, micros};
use crate::queue::Found;
use crate::tally;

/// `(generation, due, place)`: when each message of a standard queue may next be received; of a FIFO
/// queue, only those that were delayed or received.
pub static READY: Table<Receipt> = Table::new("sqs.ready");
/// `(generation, place)`: when it is due now, after ChangeMessageVisibility.
pub static MOVED: Table<u64> = Table::new("sqs.moved");

/// What is known of a message's receipts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Receipt {
    /// None yet: it was delayed, or never received.
    #[n(0)]
    pub receives: u32,
    /// When it was first received, in milliseconds since 1970.
    #[n(1)]
    pub first: i64,
    /// When it was last received, in microseconds since 1970.
    #[n(2)]
    pub last: u64,
    #[n(3)]
    pub nonce: u32,
    /// Whether its due time was changed after the receipt, and stands in [`MOVED`].
    #[n(4)]
    pub moved: bool,
}
fogbank_store::record!(Receipt, version = 1);

impl Receipt {
    /// The receipt that follows this one.
    pub fn next(&self, now: Timestamp, nonce: u32) -> Receipt {
        Receipt {
            receives: self.receives.saturating_add(1),
            first: if self.receives == 0 { now.as_millisecond() } else { self.first },
            last: micros(now),
            nonce,
            moved: false,
        }
    }
}

/// A message just received.
#[derive(Clone, Debug)]
pub struct Taken {
    pub place: Place,
    /// When it may be received again.
    pub due: u64,
    pub receipt: Receipt,
    pub message: Message,
}

/// A message in its queue, as a transaction found it.
#[derive(Clone, Debug)]
pub struct Standing {
    pub place: Place,
    pub due: u64,
    pub receipt: Receipt,
    /// In a FIFO queue, its message group.
    pub group: Option<String>,
}

/// Held alone by whoever receives from a queue, together by those who change single messages.
pub fn lane(generation: u64) -> Key {
    Key::new().u64(generation)
}

/// The locks for changing one message.
pub fn locks(found: &Found, place: Place, group: Option<&str>) -> Vec<Lock> {
    let generation = found.generation();
    let held = match group {
        Some(group) => fifo::lock(generation, group),
        None => Lock::shared(&READY, &lane(generation)),
    };
    vec![held, tally::lock(&found.at, place.shard())]
}

/// The message that a handle is for, if it is there with that receipt, under its locks.
pub async fn find(
    tx: &mut Tx,
    found: &Found,
    handle: &Handle,
    group: Option<&str>,
) -> Result<Option<Standing>> {
    let (generation, place) = (found.generation(), handle.place);
    let (due, receipt) = match group {
        Some(group) => {
            let turn = tx.get(&TURNS, &fifo::turn_key(generation, group, place)).await?;
            let Some(Turn { due, receipt }) = turn else { return Ok(None) };
            (due, receipt)
        }
        None => {
            let mut due = handle.due;
            let mut receipt = tx.get(&READY, &place.due(generation, due)).await?;
            if receipt.is_none()
                && let Some(moved) = tx.get(&MOVED, &place.key(generation)).await?
            {
                due = moved;
                receipt = tx.get(&READY, &place.due(generation, due)).await?;
            }
            let Some(receipt) = receipt else { return Ok(None) };
            (due, receipt)
        }
    };
    let same = receipt.nonce == handle.nonce && receipt.receives > 0;
    Ok(same.then(|| Standing { place, due, receipt, group: group.map(str::to_owned) }))
}

/// Takes a message out of its queue, under its locks.
pub async fn erase(tx: &mut Tx, generation: u64, s: &Standing, now: Timestamp) -> Result<()> {
    tx.delete(&MESSAGES, &s.place.key(generation));
    tx.delete(&READY, &s.place.due(generation, s.due));
    if s.receipt.moved {
        tx.delete(&MOVED, &s.place.key(generation));
    }
    if let Some(group) = &s.group {
        tx.delete(&TURNS, &fifo::turn_key(generation, group, s.place));
        fifo::line_up(tx, generation, group, now).await?;
    }
    Ok(())
}

/// Puts a message under another due time, under its locks.
pub async fn reschedule(
    tx: &mut Tx,
    generation: u64,
    s: &Standing,
    due: u64,
    now: Timestamp,
) -> Result<()> {
    tx.delete(&READY, &s.place.due(generation, s.due));
    match &s.group {
        Some(group) => {
            let turn = Turn { due, receipt: s.receipt.clone() };
            tx.put(&READY, &s.place.due(generation, due), &turn.receipt);
            tx.put(&TURNS, &fifo::turn_key(generation, group, s.place), &turn);
            fifo::line_up(tx, generation, group, now).await?;
        }
        None => {
            let receipt = Receipt { moved: true, ..s.receipt.clone() };
            tx.put(&READY, &s.place.due(generation, due), &receipt);
            tx.put(&MOVED, &s.place.key(generation), &due);
        }
    }
    Ok(())
}

/// Puts a new message into a queue, under its group's lock if it is FIFO.
pub async fn append(
    tx: &mut Tx,
    found: &Found,
    place: Place,
    message: &Message,
    due: u64,
    receipt: Receipt,
) -> Result<()> {
    let generation = found.generation();
    tx.put(&MESSAGES, &place.key(generation), message);
    match (&message.group, found.fifo()) {
        (Some(group), true) => {
            fifo::append(tx, generation, group, place, Turn { due, receipt }).await
        }
        _ => {
            tx.put(&READY, &place.due(generation, due), &receipt);
            Ok(())
        }
    }
}

/// How many messages cannot be received now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    pub in_flight: u64,
    pub delayed: u64,
}

/// Counts them, up to a limit: costs what is counted.
pub async fn count(store: &Store, generation: u64, now: Timestamp, limit: usize) -> Result<Hidden> {
    let (mut hidden, mut left) = (Hidden::default(), limit);
    let first = lane(generation).u64(micros(now) + 1);
    let range = Range::prefix(&lane(generation)).from(&first);
    let see = |_: &[u8], value: &[u8]| {
        let receipt = Receipt::load(bytes_of(value)).unwrap_or_default();
        *(if receipt.receives > 0 { &mut hidden.in_flight } else { &mut hidden.delayed }) += 1;
        left = left.saturating_sub(1);
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    store.visit(&READY, range, see).await?;
    Ok(hidden)
}

fn bytes_of(value: &[u8]) -> fogbank_store::record::Stored {
    fogbank_store::record::Stored::copy_from_slice(value)
}

/// The parts of a key of [`READY`] behind the generation.
pub fn read(key: &[u8]) -> Option<(u64, Place)> {
    let mut parts = Parts::of(key);
    parts.number()?;
    Some((parts.number()?, Place::read(&mut parts)?))
}

/// The most messages of a queue that may be in flight.
pub const MOST: usize = 120_000;

/// How many more may be received before the messages in flight must be counted again.
///
/// Only an estimate of this process: a receive takes from it, nothing is given back, and when it is
/// used up the store says how much there really is.
#[derive(Default)]
pub struct Limits(Mutex<HashMap<u64, Budget>>);

#[derive(Clone, Copy)]
struct Budget {
    left: usize,
    counted: Timestamp,
}

impl Limits {
    /// Whether `n` more messages of a queue may be in flight.
    pub async fn admit(
        &self,
        store: &Store,
        generation: u64,
        now: Timestamp,
        n: usize,
    ) -> Result<bool> {
        if let Some(budget) = self.0.lock().get_mut(&generation) {
            if budget.left >= n {
                budget.left -= n;
                return Ok(true);
            }
            // Whoever asks over and over must not make us count each time.
            if now.duration_since(budget.counted).as_millis().abs() < 500 {
                return Ok(false);
            }
        }
        let hidden = count(store, generation, now, 2 * MOST).await?;
        let room = MOST.saturating_sub(usize::try_from(hidden.in_flight).unwrap_or(MOST));
        let left = room.saturating_sub(n);
        self.0.lock().insert(generation, Budget { left, counted: now });
        Ok(room >= n)
    }

    pub fn forget(&self, generation: u64) {
        self.0.lock().remove(&generation);
    }
}
