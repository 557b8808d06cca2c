//! Receiving from a standard queue: the first messages of an index that is ordered by due time.

use fogbank_core::Result;
use fogbank_store::{Lock, Range};
use jiff::Timestamp;

use crate::Sqs;
use crate::bury::{Fate, Round, Spent};
use crate::flight::{MOVED, READY, Standing, Taken, lane, read};
use crate::message::MESSAGES;
use crate::place::{micros, seconds};
use crate::queue::Found;
use crate::receive::Wanted;

impl Sqs {
    /// Takes what may be received now, as many as are wanted.
    pub(crate) async fn take_ready(
        &self,
        found: &Found,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Round> {
        let generation = found.generation();
        let mut tx = self.store.lock(&[Lock::exclusive(&READY, &lane(generation))]).await;
        let range = Range::prefix(&lane(generation)).to(&lane(generation).u64(micros(now) + 1));
        let first = tx.scan(&READY, range, wanted.most).await?;
        let due = micros(now) + seconds(wanted.visibility);
        let mut round = Round::default();
        for (key, receipt) in first {
            let Some((was, place)) = read(key.as_bytes()) else { continue };
            if let Some(fate) = Fate::of(found, place, &receipt, now, wanted.max_receives) {
                let standing = Standing { place, due: was, receipt, group: None };
                round.spent.push(Spent { standing, fate });
                continue;
            }
            tx.delete(&READY, &key);
            let Some(message) = tx.get(&MESSAGES, &place.key(generation)).await? else {
                continue;
            };
            if receipt.moved {
                tx.delete(&MOVED, &place.key(generation));
            }
            let receipt = receipt.next(now, wanted.nonce);
            tx.put(&READY, &place.due(generation, due), &receipt);
            round.taken.push(Taken { place, due, receipt, message });
        }
        if !round.taken.is_empty() {
            tx.commit().await?;
        }
        Ok(round)
    }

    /// When the next message will be due.
    pub(crate) async fn next_ready(&self, generation: u64, now: Timestamp) -> Result<Option<u64>> {
        let range = Range::prefix(&lane(generation)).from(&lane(generation).u64(micros(now) + 1));
        let next = self.store.scan(&READY, range, 1).await?;
        Ok(next.first().and_then(|(key, _)| read(key.as_bytes())).map(|(due, _)| due))
    }
}
