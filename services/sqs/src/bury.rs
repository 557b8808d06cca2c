//! Messages that have ended their time in a queue: too old, or received too often.

use fogbank_core::Result;
use fogbank_store::Lock;
use jiff::{SignedDuration, Timestamp};

use crate::address::Address;
use crate::fifo::{self, TURNS};
use crate::flight::{self, READY, Receipt, Standing, Taken, lane};
use crate::message::MESSAGES;
use crate::place::{Place, micros};
use crate::queue::Found;
use crate::{Sqs, tally};

/// Why a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its retention period has ended.
    Expired,
    /// It was received as often as the redrive policy allows.
    Dead,
}

/// A message that goes.
#[derive(Debug)]
pub struct Spent {
    pub standing: Standing,
    pub fate: Fate,
}

/// What one look at a queue gave.
#[derive(Debug, Default)]
pub struct Round {
    pub taken: Vec<Taken>,
    pub spent: Vec<Spent>,
}

impl Fate {
    /// What becomes of a message that would be received now; `None`: it is received.
    pub fn of(
        found: &Found,
        place: Place,
        receipt: &Receipt,
        now: Timestamp,
        max_receives: Option<u32>,
    ) -> Option<Fate> {
        if expires(found, place) <= now {
            return Some(Fate::Expired);
        }
        max_receives.is_some_and(|max| receipt.receives >= max).then_some(Fate::Dead)
    }
}

/// When a message's retention period ends.
pub fn expires(found: &Found, place: Place) -> Timestamp {
    let retention = SignedDuration::from_secs(found.queue.settings.retention as i64);
    place.sent().saturating_add(retention).unwrap_or(Timestamp::MAX)
}

impl Sqs {
    /// Lets messages go, each in a transaction of its own. `false` when dead letters had to stay,
    /// since there is no queue for them.
    pub(crate) async fn bury(&self, found: &Found, all: &[Spent], now: Timestamp) -> Result<bool> {
        let dead = all.iter().any(|s| s.fate == Fate::Dead);
        let target = match (&found.queue.settings.redrive, dead) {
            (Some(redrive), true) => match Address::of_arn(&redrive.target) {
                Some(at) => self.look_up(&at).await?.filter(|t| t.fifo() == found.fifo()),
                None => None,
            },
            _ => None,
        };
        let mut went = true;
        for Spent { standing, fate } in all {
            went &= match (fate, &target) {
                (Fate::Expired, _) => self.shift(found, standing, None, now).await?,
                (Fate::Dead, Some(target)) => {
                    self.shift(found, standing, Some((target, Fresh::No)), now).await?
                }
                (Fate::Dead, None) => false,
            };
        }
        if let Some(target) = target {
            self.waiting.wake(target.generation(), all.len());
        }
        Ok(went)
    }

    /// Takes a message that nobody holds out of its queue and, if there is one, puts it into
    /// another. `false`: the other one is not there any more, and nothing was done.
    pub(crate) async fn shift(
        &self,
        from: &Found,
        standing: &Standing,
        to: Option<(&Found, Fresh)>,
        now: Timestamp,
    ) -> Result<bool> {
        let (generation, place) = (from.generation(), standing.place);
        let group = standing.group.as_deref();
        let mut locks = vec![tally::lock(&from.at, place.shard())];
        locks.push(match group {
            Some(group) => fifo::lock(generation, group),
            None => Lock::exclusive(&READY, &lane(generation)),
        });
        if let Some((to, _)) = to {
            locks.push(tally::lock(&to.at, place.shard()));
            locks.extend(group.map(|g| fifo::lock(to.generation(), g)));
        }
        let mut tx = self.store.lock(&locks).await;
        let receipt = match group {
            Some(group) => {
                let turn = tx.get(&TURNS, &fifo::turn_key(generation, group, place)).await?;
                turn.filter(|t| t.due == standing.due).map(|t| t.receipt)
            }
            None => tx.get(&READY, &place.due(generation, standing.due)).await?,
        };
        // Somebody else was here first.
        let Some(receipt) = receipt.filter(|r| *r == standing.receipt) else { return Ok(true) };
        let Some(mut message) = tx.get(&MESSAGES, &place.key(generation)).await? else {
            flight::erase(&mut tx, generation, standing, now).await?;
            tx.commit().await?;
            return Ok(true);
        };
        if !tally::add(&mut tx, &from.at, generation, place.shard(), -1).await? {
            return Ok(true);
        }
        flight::erase(&mut tx, generation, standing, now).await?;
        if let Some((to, fresh)) = to {
            let new = to.generation();
            if !tally::add(&mut tx, &to.at, new, place.shard(), 1).await? {
                return Ok(false);
            }
            let (mut place, mut receipt) = (place, receipt);
            receipt.moved = false;
            match fresh {
                Fresh::No => message.source = Some(from.at.arn()),
                Fresh::Yes(id) => {
                    message.id = id;
                    message.source = None;
                    message.sent = now.as_millisecond();
                    receipt = Receipt::default();
                }
            }
            // A FIFO queue counts the retention period anew, a standard one does not.
            if let Some(group) = message.group.as_deref().filter(|_| to.fifo()) {
                let last = fifo::last_order(&mut tx, new, group).await?;
                place.order = self.order.next(now, last);
                message.sent = now.as_millisecond();
            } else if message.source.is_none() {
                place.order = self.order.next(now, 0);
            }
            flight::append(&mut tx, to, place, &message, micros(now), receipt).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// Whether a message begins anew in the queue that it comes to.
pub enum Fresh {
    /// A dead letter keeps what it has.
    No,
    /// A message that is moved back is a new one, with this id.
    Yes(String),
}
