//! FIFO queues: message groups, each in order, of which one receiver has one at a time; and the
//! messages that must not come twice.
//!
//! Each group that holds messages has one entry in an index ordered by when the group may next be
//! received from. While a message of it is in flight, that is when the last of these comes back.

use fogbank_core::Result;
use fogbank_store::{Key, Lock, Range, Table, Tx};
use jiff::Timestamp;
use minicbor::{Decode, Encode};

use crate::Sqs;
use crate::bury::{Fate, Round, Spent};
use crate::flight::{READY, Receipt, Standing, Taken, lane};
use crate::message::MESSAGES;
use crate::place::{Place, micros, seconds};
use crate::queue::Found;
use crate::receive::Wanted;
use crate::redrive::part_text;

/// `(generation, group, place)`.
pub static TURNS: Table<Turn> = Table::new("sqs.turn");
/// `(generation, group)`: where the group stands in [`LINE`].
pub static HEADS: Table<Head> = Table::new("sqs.head");
/// `(generation, due, order of the first message, group)`.
pub static LINE: Table<()> = Table::new("sqs.line");

/// A message in its group.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Turn {
    #[n(0)]
    pub due: u64,
    #[n(1)]
    pub receipt: Receipt,
}
fogbank_store::record!(Turn, version = 1);

/// A group's place in the line.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Head {
    #[n(0)]
    pub due: u64,
    #[n(1)]
    pub order: u64,
}
fogbank_store::record!(Head, version = 1);

/// A receive takes at most this many, so that no more of a group are ever in flight.
const MOST: usize = 10;

fn group_key(generation: u64, group: &str) -> Key {
    Key::new().u64(generation).str(group)
}

pub fn turn_key(generation: u64, group: &str, place: Place) -> Key {
    group_key(generation, group).u64(place.order).u64(place.salt)
}

fn line_key(generation: u64, head: &Head, group: &str) -> Key {
    Key::new().u64(generation).u64(head.due).u64(head.order).str(group)
}

/// The lock of a group.
pub fn lock(generation: u64, group: &str) -> Lock {
    Lock::exclusive(&HEADS, &group_key(generation, group))
}

/// Adds a message to the end of its group, under the group's lock.
pub async fn append(
    tx: &mut Tx,
    generation: u64,
    group: &str,
    place: Place,
    turn: Turn,
) -> Result<()> {
    if micros(place.sent()) < turn.due {
        tx.put(&READY, &place.due(generation, turn.due), &turn.receipt);
    }
    tx.put(&TURNS, &turn_key(generation, group, place), &turn);
    if tx.get(&HEADS, &group_key(generation, group)).await?.is_none() {
        let head = Head { due: turn.due, order: place.order };
        tx.put(&LINE, &line_key(generation, &head, group), &());
        tx.put(&HEADS, &group_key(generation, group), &head);
    }
    Ok(())
}

/// The order of the newest message of a group, under the group's lock.
pub async fn last_order(tx: &mut Tx, generation: u64, group: &str) -> Result<u64> {
    let range = Range::prefix(&group_key(generation, group)).reverse();
    let last = tx.scan(&TURNS, range, 1).await?;
    Ok(last.first().and_then(|(key, _)| place_of(key)).map_or(0, |p| p.order))
}

/// Puts a group where it belongs in the line after its messages changed, under its lock.
pub async fn line_up(tx: &mut Tx, generation: u64, group: &str, now: Timestamp) -> Result<()> {
    let key = group_key(generation, group);
    let first = tx.scan(&TURNS, Range::prefix(&key), MOST).await?;
    let now = micros(now);
    let in_flight =
        first.iter().filter(|(_, t)| t.receipt.receives > 0 && t.due > now).map(|(_, t)| t.due);
    let head = match (in_flight.max(), first.first()) {
        (_, None) => None,
        (Some(due), Some((k, _))) => place_of(k).map(|p| Head { due, order: p.order }),
        (None, Some((k, t))) => place_of(k).map(|p| Head { due: t.due, order: p.order }),
    };
    let old = tx.get(&HEADS, &key).await?;
    if old == head {
        return Ok(());
    }
    if let Some(old) = old {
        tx.delete(&LINE, &line_key(generation, &old, group));
        tx.delete(&HEADS, &key);
    }
    if let Some(head) = head {
        tx.put(&LINE, &line_key(generation, &head, group), &());
        tx.put(&HEADS, &key, &head);
    }
    Ok(())
}

fn place_of(turn: &Key) -> Option<Place> {
    let mut parts = turn.parts();
    parts.number()?;
    parts.text()?;
    Place::read(&mut parts)
}

impl Sqs {
    /// Takes what may be received now: from the group that waited longest as many as are wanted,
    /// then from the next.
    pub(crate) async fn take_turns(
        &self,
        found: &Found,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Round> {
        let generation = found.generation();
        // Alone among receivers; held while the groups' own locks are taken. Nobody who holds a
        // group's lock waits for this one.
        let _alone = self.store.lock(&[Lock::exclusive(&READY, &lane(generation))]).await;
        let range = Range::prefix(&lane(generation)).to(&lane(generation).u64(micros(now) + 1));
        let line = self.store.scan(&LINE, range, wanted.most).await?;
        let groups: Vec<String> =
            line.iter().filter_map(|(k, ())| k.parts().nth(3).map(|p| part_text(&p))).collect();
        let mut round = Round::default();
        if groups.is_empty() {
            return Ok(round);
        }
        let locks: Vec<Lock> = groups.iter().map(|g| lock(generation, g)).collect();
        let mut tx = self.store.lock(&locks).await;
        for group in &groups {
            let room = wanted.most - round.taken.len();
            if room == 0 {
                break;
            }
            let head = tx.get(&HEADS, &group_key(generation, group)).await?;
            if head.is_none_or(|h| h.due > micros(now)) {
                continue; // its messages were taken or deleted meanwhile
            }
            self.take_group(&mut tx, found, group, room, wanted, now, &mut round).await?;
        }
        if !round.taken.is_empty() {
            tx.commit().await?;
        }
        Ok(round)
    }

    #[expect(clippy::too_many_arguments, reason = "the inside of one loop")]
    async fn take_group(
        &self,
        tx: &mut Tx,
        found: &Found,
        group: &str,
        room: usize,
        wanted: &Wanted,
        now: Timestamp,
        round: &mut Round,
    ) -> Result<()> {
        let generation = found.generation();
        let due = micros(now) + seconds(wanted.visibility);
        let turns = tx.scan(&TURNS, Range::prefix(&group_key(generation, group)), room).await?;
        for (key, turn) in turns {
            let Some(place) = place_of(&key) else { continue };
            if turn.due > micros(now) {
                break;
            }
            if let Some(fate) = Fate::of(found, place, &turn.receipt, now, wanted.max_receives) {
                // Those behind it must not overtake it.
                let (due, receipt) = (turn.due, turn.receipt);
                let standing = Standing { place, due, receipt, group: Some(group.to_owned()) };
                round.spent.push(Spent { standing, fate });
                break;
            }
            tx.delete(&READY, &place.due(generation, turn.due));
            let Some(message) = tx.get(&MESSAGES, &place.key(generation)).await? else {
                tx.delete(&TURNS, &key);
                continue;
            };
            let receipt = turn.receipt.next(now, wanted.nonce);
            tx.put(&READY, &place.due(generation, due), &receipt);
            tx.put(&TURNS, &key, &Turn { due, receipt: receipt.clone() });
            round.taken.push(Taken { place, due, receipt, message });
        }
        line_up(tx, generation, group, now).await
    }

    /// When the next group may be received from.
    pub(crate) async fn next_turn(&self, generation: u64, now: Timestamp) -> Result<Option<u64>> {
        let range = Range::prefix(&lane(generation)).from(&lane(generation).u64(micros(now) + 1));
        let next = self.store.scan(&LINE, range, 1).await?;
        Ok(next.first().and_then(|(key, ())| key.parts().nth(1)).and_then(|p| match p {
            fogbank_store::Part::U64(n) => Some(n),
            _ => None,
        }))
    }
}
