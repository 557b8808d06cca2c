//! Streams: what happened to a table's items, in order, for a day.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html>
//!
//! A stream has one shard. A record's sequence number is given out under its item's lock, before
//! the commit; readers see no record past one that is still being committed, so that none is
//! skipped and no write waits for another.

use std::collections::BTreeSet;
use std::sync::Arc;

use fogbank_bus::Jobs;
use fogbank_core::Result;
use fogbank_dynamo::{Item, codec, item_size};
use fogbank_store::{Key, Range, Table, Tx};
use jiff::{SignedDuration, Timestamp};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use parking_lot::Mutex;

use crate::Dynamo;
use crate::schema::{KeySchema, Place, Schema, StreamState};
use crate::write::Actor;

pub mod api;

/// Streams, those of tables that are gone too, by account, region, table and label.
pub static STREAMS: Table<Stream> = Table::new("dynamodb.stream");
/// Records, by stream and sequence number.
pub static EVENTS: Table<Event> = Table::new("dynamodb.event");
/// When to drop what is older than a day.
pub static TRIMS: Jobs<Trim> = Jobs::new("dynamodb.trim");

/// How long records are kept.
pub const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A stream's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Stream {
    #[n(0)]
    pub id: u64,
    #[n(1)]
    pub view: String,
    #[n(2)]
    pub key: KeySchema,
    /// Microseconds since 1970.
    #[n(3)]
    pub created: i64,
    /// The first sequence number that it will not have any more.
    #[n(4)]
    pub ended: Option<u64>,
    #[n(5)]
    pub shard: String,
}
fogbank_store::record!(Stream, version = 1);

/// What happened to an item.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Event {
    /// `INSERT`, `MODIFY`, `REMOVE`.
    #[n(0)]
    pub name: String,
    /// Microseconds since 1970.
    #[n(1)]
    pub at: i64,
    #[n(2)]
    pub keys: ByteVec,
    #[n(3)]
    pub old: Option<ByteVec>,
    #[n(4)]
    pub new: Option<ByteVec>,
    #[n(5)]
    pub size: u64,
    #[n(6)]
    pub expired: bool,
}
fogbank_store::record!(Event, version = 1);

/// The stream to trim.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Trim {
    #[n(0)]
    pub id: u64,
    #[n(1)]
    pub account: String,
    #[n(2)]
    pub region: String,
    #[n(3)]
    pub table: String,
    #[n(4)]
    pub label: String,
}
fogbank_store::record!(Trim, version = 1);

/// Gives out a stream's sequence numbers.
#[derive(Debug)]
pub struct Sequencer(Mutex<Sequence>);

#[derive(Debug)]
struct Sequence {
    next: u64,
    /// Given out and not committed yet.
    open: BTreeSet<u64>,
}

impl Sequencer {
    fn ticket(self: &Arc<Self>, now: Timestamp) -> Ticket {
        let mut s = self.0.lock();
        let number = s.next.max(u64::try_from(now.as_microsecond()).unwrap_or(0));
        s.next = number + 1;
        s.open.insert(number);
        Ticket { number, of: Arc::clone(self) }
    }

    /// Every record before this number is committed.
    pub fn settled(&self) -> u64 {
        let s = self.0.lock();
        s.open.first().copied().unwrap_or(s.next)
    }
}

/// A sequence number; readers wait for it until it is dropped.
#[derive(Debug)]
pub struct Ticket {
    number: u64,
    of: Arc<Sequencer>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.of.0.lock().open.remove(&self.number);
    }
}

/// A sequence number as text: all of one length, so that their order is that of the texts.
pub fn number(n: u64) -> String {
    format!("1{n:020}")
}

/// The number behind a text.
pub fn parse_number(text: &str) -> Option<u64> {
    text.strip_prefix('1').filter(|t| t.len() == 20)?.parse().ok()
}

/// The key of a stream.
pub fn key(place: &Place, label: &str) -> Key {
    place.key().str(label)
}

/// `2026-11-24T15:30:05.123`.
pub fn label(at: Timestamp) -> String {
    let ms = at.as_millisecond();
    let at = Timestamp::from_millisecond(ms).unwrap_or(at);
    format!("{at:.3}").trim_end_matches('Z').to_owned()
}

impl Dynamo {
    /// The sequence numbers of a stream, from where its records end.
    pub async fn sequencer(&self, id: u64) -> Result<Arc<Sequencer>> {
        if let Some(s) = self.sequencers.lock().get(&id) {
            return Ok(Arc::clone(s));
        }
        let range = crate::keys::all(id).reverse();
        let last = self.store.scan(&EVENTS, range, 1).await?;
        let last = last.first().and_then(|(k, _)| k.parts().nth(1));
        let next = match last {
            Some(fogbank_store::Part::U64(n)) => n + 1,
            _ => 0,
        };
        let fresh = || Arc::new(Sequencer(Mutex::new(Sequence { next, open: BTreeSet::new() })));
        Ok(Arc::clone(self.sequencers.lock().entry(id).or_insert_with(fresh)))
    }

    /// Adds a change to a stream.
    #[expect(clippy::too_many_arguments, reason = "a change is old, new, who and when")]
    pub async fn record(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        schema: &Schema,
        stream: &StreamState,
        old: Option<&Item>,
        new: Option<&Item>,
        actor: Actor,
    ) -> Result<Ticket> {
        let ticket = self.sequencer(stream.id).await?.ticket(now);
        let none = Item::new();
        let keys = schema.key_of(new.or(old).unwrap_or(&none));
        let wants = |which: &str| stream.view == which || stream.view == "NEW_AND_OLD_IMAGES";
        let mut size = item_size(&keys);
        let mut image = |wanted: bool, item: Option<&Item>| {
            let item = item.filter(|_| wanted)?;
            size += item_size(item);
            Some(ByteVec::from(codec::to_bytes(item)))
        };
        let (old_image, new_image) =
            (image(wants("OLD_IMAGE"), old), image(wants("NEW_IMAGE"), new));
        let name = match (old, new) {
            (None, _) => "INSERT",
            (_, None) => "REMOVE",
            _ => "MODIFY",
        };
        let event = Event {
            name: name.to_owned(),
            at: now.as_microsecond(),
            keys: codec::to_bytes(&keys).into(),
            old: old_image,
            new: new_image,
            size: size as u64,
            expired: actor == Actor::TimeToLive,
        };
        tx.put(&EVENTS, &Key::new().u64(stream.id).u64(ticket.number), &event);
        Ok(ticket)
    }

    /// Starts a stream of a table in the table's transaction.
    pub fn begin_stream(
        &self,
        tx: &mut Tx,
        place: &Place,
        key_schema: &KeySchema,
        view: &str,
        now: Timestamp,
    ) -> StreamState {
        let (id, label) = (self.new_id(), label(now));
        let shard = format!("shardId-{:020}-{}", now.as_millisecond(), self.ids.hex(8));
        let created = now.as_microsecond();
        let (view, key_schema) = (view.to_owned(), key_schema.clone());
        let stream =
            Stream { id, view: view.clone(), key: key_schema, created, ended: None, shard };
        tx.put(&STREAMS, &key(place, &label), &stream);
        let trim = Trim {
            id,
            account: place.account.clone(),
            region: place.region.clone(),
            table: place.name.clone(),
            label: label.clone(),
        };
        TRIMS.put(tx, now.saturating_add(DAY).unwrap_or(Timestamp::MAX), &id.to_string(), &trim);
        StreamState { id, label, view, enabled: true }
    }

    /// Ends a table's stream in the table's transaction, which nobody writes through meanwhile.
    pub async fn end_stream(&self, tx: &mut Tx, place: &Place, state: &StreamState) -> Result<()> {
        let key = key(place, &state.label);
        if let Some(mut stream) = tx.get(&STREAMS, &key).await? {
            stream.ended = Some(self.sequencer(state.id).await?.settled());
            tx.put(&STREAMS, &key, &stream);
        }
        Ok(())
    }

    /// Drops what is older than a day; says whether the stream is still there.
    pub async fn trim(&self, trim: &Trim, now: Timestamp) -> Result<bool> {
        let horizon = horizon(now);
        loop {
            let range = crate::keys::all(trim.id).to(&Key::new().u64(trim.id).u64(horizon));
            let mut old = Vec::new();
            self.store
                .visit(&EVENTS, range, |k, _| {
                    old.push(Key::from_bytes(k));
                    if old.len() < 1000 {
                        std::ops::ControlFlow::Continue(())
                    } else {
                        std::ops::ControlFlow::Break(())
                    }
                })
                .await?;
            let mut tx = self.store.lock(&[]).await;
            old.iter().for_each(|k| tx.delete(&EVENTS, k));
            tx.commit().await?;
            if old.len() < 1000 {
                break;
            }
        }
        let (account, region) = (trim.account.clone(), trim.region.clone());
        let place = Place { account, region, name: trim.table.clone() };
        let at = key(&place, &trim.label);
        let Some(stream) = self.store.get(&STREAMS, &at).await? else { return Ok(false) };
        let left = !self.store.scan(&EVENTS, crate::keys::all(trim.id), 1).await?.is_empty();
        // A stream that has ended goes a day later, with its last record.
        let gone = !left && stream.ended.is_some_and(|end| end <= horizon);
        if gone {
            self.store.delete(&STREAMS, &at).await?;
            self.sequencers.lock().remove(&trim.id);
        }
        Ok(!gone)
    }
}

/// The first sequence number that a record of the last day can have.
pub fn horizon(now: Timestamp) -> u64 {
    let at = now.saturating_sub(DAY).unwrap_or(Timestamp::MIN);
    u64::try_from(at.as_microsecond()).unwrap_or(0)
}

/// All records of a stream from `from` up to, and without, `to`.
pub fn between(id: u64, from: u64, to: u64) -> Range {
    let at = |n: u64| Key::new().u64(id).u64(n);
    crate::keys::all(id).from(&at(from)).to(&at(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_wait_for_what_is_not_committed() {
        let s = Arc::new(Sequencer(Mutex::new(Sequence { next: 5, open: BTreeSet::new() })));
        let at = |us: i64| Timestamp::from_microsecond(us).unwrap();
        let (a, b) = (s.ticket(at(3)), s.ticket(at(100)));
        assert_eq!((a.number, b.number, s.settled()), (5, 100, 5));
        drop(a);
        assert_eq!(s.settled(), 100);
        drop(b);
        assert_eq!(s.settled(), 101);
        assert_eq!(s.ticket(at(7)).number, 101, "the clock may be moved back");
    }

    #[test]
    fn numbers_and_labels() {
        assert_eq!(parse_number(&number(42)), Some(42));
        assert!(number(9) < number(10) && number(9).len() == 21);
        assert_eq!(parse_number("x"), None);
        assert_eq!(
            label("2026-11-24T15:30:05.123456Z".parse().unwrap()),
            "2026-11-24T15:30:05.123"
        );
    }
}
