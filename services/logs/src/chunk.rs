//! Chunks: what lies on disk of a stream's events.

use fogbank_store::{Key, Parts, Table, Tx};
use minicbor::{Decode, Encode};

use crate::event::{OVERHEAD, Pos};

/// By group, stream, time of the first event, its number.
pub static CHUNKS: Table<Chunk> = Table::new("logs.chunk");
/// By group, time of the first event, stream, its number: points at a chunk.
pub static INDEX: Table<()> = Table::new("logs.chunk-by-time");

/// No chunk spans more than this, in milliseconds. So whoever looks for a time need not look
/// further back than this.
pub const SPAN: i64 = 10_000;

/// Events that follow each other.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Chunk {
    /// When they came, in milliseconds since 1970.
    #[n(0)]
    pub ingested: i64,
    #[n(1)]
    pub lines: Vec<Line>,
}
fogbank_store::record!(Chunk, version = 1);

/// An event in a chunk; its number is the first's and its position.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Line {
    /// Milliseconds after the first.
    #[n(0)]
    pub after: u32,
    #[n(1)]
    pub message: String,
}

impl Chunk {
    /// What its events count.
    pub fn bytes(&self) -> u64 {
        self.lines.iter().map(|l| (l.message.len() + OVERHEAD) as u64).sum()
    }
}

pub fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// The chunk's key: the place is its first event's.
pub fn chunk_key(group: u64, first: Pos) -> Key {
    Key::new().u64(group).u64(first.stream).u64(unsigned(first.ts)).u64(first.seq)
}

pub fn index_key(group: u64, first: Pos) -> Key {
    Key::new().u64(group).u64(unsigned(first.ts)).u64(first.stream).u64(first.seq)
}

/// The place in a chunk's key.
pub fn of_chunk_key(key: &[u8]) -> Option<Pos> {
    let mut parts = Parts::of(key);
    parts.number()?;
    let stream = parts.number()?;
    let ts = i64::try_from(parts.number()?).ok()?;
    Some(Pos { ts, stream, seq: parts.number()? })
}

/// The place in an index key.
pub fn of_index_key(key: &[u8]) -> Option<Pos> {
    let mut parts = Parts::of(key);
    parts.number()?;
    let ts = i64::try_from(parts.number()?).ok()?;
    Some(Pos { ts, stream: parts.number()?, seq: parts.number()? })
}

/// Writes events, which are in order of time, as chunks. `next` is the number of the first.
pub fn write(
    tx: &mut Tx,
    group: u64,
    stream: u64,
    next: u64,
    now: i64,
    events: Vec<(i64, String)>,
) {
    let mut open: Option<(Pos, Chunk)> = None;
    for (seq, (ts, message)) in (next..).zip(events) {
        let fits = |first: &Pos| ts - first.ts < SPAN;
        match &mut open {
            Some((first, chunk)) if fits(first) => {
                chunk.lines.push(Line { after: (ts - first.ts) as u32, message });
            }
            _ => {
                close(tx, group, open.take());
                let lines = vec![Line { after: 0, message }];
                open = Some((Pos { ts, stream, seq }, Chunk { ingested: now, lines }));
            }
        }
    }
    close(tx, group, open);
}

fn close(tx: &mut Tx, group: u64, chunk: Option<(Pos, Chunk)>) {
    if let Some((first, chunk)) = chunk {
        tx.put(&CHUNKS, &chunk_key(group, first), &chunk);
        tx.put(&INDEX, &index_key(group, first), &());
    }
}
