//! Reading events in order, from a group or one of its streams, without reading more than needed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;

use fogbank_core::Result;
use fogbank_store::{Key, Range, Store};

use crate::chunk::{
    CHUNKS, INDEX, SPAN, chunk_key, index_key, of_chunk_key, of_index_key, unsigned,
};
use crate::event::{Event, OVERHEAD, Pos};
use crate::stream::NAMES;

/// Which events, in which direction, and how many.
pub struct Want<'a> {
    pub group: u64,
    /// One stream's, or the group's.
    pub stream: Option<u64>,
    /// In a group: whether a stream's events are wanted, by its name.
    pub streams: &'a (dyn Fn(&str) -> bool + Sync),
    /// Whether an event is wanted, by its text.
    pub fits: &'a (dyn Fn(&str) -> bool + Sync),
    /// Milliseconds, inclusive.
    pub from: i64,
    /// Milliseconds, exclusive.
    pub to: i64,
    /// Only what comes behind it.
    pub after: Option<Pos>,
    /// Only what comes before it.
    pub before: Option<Pos>,
    /// The newest instead of the oldest.
    pub newest: bool,
    pub limit: usize,
    /// Events that are looked at before giving up for now.
    pub budget: usize,
}

/// What was found, in order of time.
pub struct Found {
    pub events: Vec<Event>,
    /// Where to go on: the `after` (or `before`, for the newest) of the next page.
    pub next: Option<Pos>,
    /// The names of the streams, by id.
    pub names: HashMap<u64, Option<Arc<str>>>,
    pub scanned: usize,
    pub scanned_bytes: usize,
}

/// An answer has at most this many bytes of events.
const ANSWER: usize = 1 << 20;
/// How many chunks are named at a time.
const PAGE: usize = 256;

/// Reads what is wanted.
pub async fn gather(store: &Store, want: &Want<'_>) -> Result<Found> {
    let mut cursor = Cursor::new(want);
    let mut page = Page::new(want);
    let mut names: HashMap<u64, Option<Arc<str>>> = HashMap::new();
    let (mut scanned, mut scanned_bytes) = (0, 0);
    let mut stopped = None;
    while let Some(first) = cursor.next(store, want).await? {
        if page.is_done_before(first) {
            page.more = true;
            break;
        }
        if scanned >= want.budget {
            stopped = Some(page.cut_at(first));
            break;
        }
        if want.stream.is_none() {
            let name = match names.get(&first.stream) {
                Some(known) => known.clone(),
                None => {
                    let name = name_of(store, want.group, first.stream).await?;
                    names.insert(first.stream, name.clone());
                    name
                }
            };
            if !name.is_some_and(|n| (want.streams)(&n)) {
                scanned += 1;
                continue;
            }
        }
        let Some(chunk) = store.get(&CHUNKS, &chunk_key(want.group, first)).await? else {
            continue; // swept meanwhile
        };
        for (seq, line) in (first.seq..).zip(chunk.lines) {
            let pos = Pos { ts: first.ts + i64::from(line.after), seq, ..first };
            if want.has(pos) {
                scanned += 1;
                scanned_bytes += line.message.len();
                if (want.fits)(&line.message) {
                    page.add(Event { pos, message: line.message, ingested: chunk.ingested });
                }
            }
        }
    }
    let next = stopped.or_else(|| page.more.then(|| page.edge()).flatten());
    let events = page.events.into_values().collect();
    Ok(Found { events, next, names, scanned, scanned_bytes })
}

/// The name of a stream that is there.
pub async fn name_of(store: &Store, group: u64, stream: u64) -> Result<Option<Arc<str>>> {
    let name = store.get(&NAMES, &Key::new().u64(group).u64(stream)).await?;
    Ok(name.map(|n| String::from_utf8_lossy(&n).into()))
}

impl Want<'_> {
    fn has(&self, pos: Pos) -> bool {
        (self.from..self.to).contains(&pos.ts)
            && self.after.is_none_or(|a| pos > a)
            && self.before.is_none_or(|b| pos < b)
    }

    /// The first and the last time at which a chunk with wanted events can begin.
    fn bounds(&self) -> (i64, i64) {
        let from = self.after.map_or(self.from, |a| self.from.max(a.ts));
        let to = self.before.map_or(self.to, |b| self.to.min(b.ts.saturating_add(1)));
        ((from - SPAN).max(0), to.max(0))
    }
}

/// The events so far: the first of all, or the last, up to the limits.
struct Page<'a> {
    want: &'a Want<'a>,
    events: BTreeMap<Pos, Event>,
    bytes: usize,
    /// Something was wanted that has no room.
    more: bool,
}

impl<'a> Page<'a> {
    fn new(want: &'a Want<'a>) -> Self {
        Page { want, events: BTreeMap::new(), bytes: 0, more: false }
    }

    fn add(&mut self, event: Event) {
        self.bytes += event.message.len() + OVERHEAD;
        self.events.insert(event.pos, event);
        while self.events.len() > self.want.limit || self.bytes > ANSWER && self.events.len() > 1 {
            let gone =
                if self.want.newest { self.events.pop_first() } else { self.events.pop_last() };
            if let Some((_, e)) = gone {
                self.bytes -= e.message.len() + OVERHEAD;
                self.more = true;
            }
        }
    }

    /// The event at which the next page begins.
    fn edge(&self) -> Option<Pos> {
        let edge =
            if self.want.newest { self.events.keys().next() } else { self.events.keys().last() };
        edge.copied()
    }

    /// Whether nothing in a chunk that begins there, or behind it, can have room.
    fn is_done_before(&self, first: Pos) -> bool {
        let full = self.more || self.events.len() >= self.want.limit;
        full && self.edge().is_some_and(|edge| {
            if self.want.newest { edge.ts > first.ts + SPAN } else { edge < first }
        })
    }

    /// Forgets what would be found again by going on from an unread chunk; says from where.
    fn cut_at(&mut self, first: Pos) -> Pos {
        if self.want.newest {
            let at = Pos { ts: first.ts + SPAN, stream: 0, seq: 0 };
            self.events = self.events.split_off(&at);
            at
        } else {
            self.events.split_off(&first);
            Pos { seq: first.seq.saturating_sub(1), ..first }
        }
    }
}

/// The chunks that may hold wanted events, in order of their first event.
struct Cursor {
    buffer: VecDeque<Pos>,
    last: Option<Pos>,
    ended: bool,
}

impl Cursor {
    fn new(want: &Want<'_>) -> Self {
        let (lo, hi) = want.bounds();
        Cursor { buffer: VecDeque::new(), last: None, ended: lo >= hi || want.limit == 0 }
    }

    async fn next(&mut self, store: &Store, want: &Want<'_>) -> Result<Option<Pos>> {
        if self.buffer.is_empty() && !self.ended {
            self.fill(store, want).await?;
        }
        Ok(self.buffer.pop_front())
    }

    async fn fill(&mut self, store: &Store, want: &Want<'_>) -> Result<()> {
        let (lo, hi) = want.bounds();
        let parent = match want.stream {
            Some(s) => Key::new().u64(want.group).u64(s),
            None => Key::new().u64(want.group),
        };
        let at = |t: i64| parent.clone().u64(unsigned(t));
        let mut range = Range::prefix(&parent).from(&at(lo)).to(&at(hi));
        if want.newest {
            range = range.reverse();
        }
        if let Some(last) = self.last {
            range = range.after(&match want.stream {
                Some(_) => chunk_key(want.group, last),
                None => index_key(want.group, last),
            });
        }
        let buffer = &mut self.buffer;
        let see = |pos: Option<Pos>| {
            buffer.extend(pos);
            if buffer.len() < PAGE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        match want.stream {
            Some(_) => {
                let mut see = see;
                store.visit(&CHUNKS, range, |k, _| see(of_chunk_key(k))).await?;
            }
            None => {
                let mut see = see;
                store.visit(&INDEX, range, |k, _| see(of_index_key(k))).await?;
            }
        }
        self.ended = self.buffer.len() < PAGE;
        self.last = self.buffer.back().copied();
        Ok(())
    }
}
