//! Writers that never stop by themselves, and a ledger of what was acknowledged to them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail};

use crate::http::{Connection, Request};

/// A key's state as its writer knows it: version numbers of its content, 0 = absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known {
    /// The last write that was acknowledged.
    pub acknowledged: u64,
    /// A write that was sent and not answered: it may have happened or not.
    pub in_flight: Option<u64>,
}

/// What every key must hold after a crash.
pub type Ledger = BTreeMap<String, Known>;

/// One client that writes to `bucket` until its connection breaks.
pub struct Writer {
    bucket: String,
    id: usize,
    ledger: Ledger,
    version: u64,
}

impl Writer {
    /// # Panics
    /// Never.
    #[must_use]
    pub fn new(bucket: &str, id: usize) -> Self {
        Writer { bucket: bucket.into(), id, ledger: Ledger::new(), version: 0 }
    }

    /// What it knows.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Writes until the connection breaks and tells `acks` of each acknowledged write. New keys,
    /// overwrites of an old one and deletions take turns; sizes go from inline to a blob.
    fn work(&mut self, address: SocketAddr, acks: &SyncSender<()>) -> Result<()> {
        let mut connection = Connection::open(address)?;
        loop {
            self.version += 1;
            let v = self.version;
            let key = match v % 8 {
                3 | 5 => format!("{}/hot", self.id),
                7 => format!("{}/{}", self.id, v - 6),
                _ => format!("{}/{v}", self.id),
            };
            let content = if v % 8 == 7 { 0 } else { v };
            let known = self.ledger.entry(key.clone()).or_default();
            known.in_flight = Some(content);
            let target = format!("/{}/{key}", self.bucket);
            let answer = if content == 0 {
                connection.send(&Request::s3("DELETE", &target, b""))
            } else {
                connection.send(&Request::s3("PUT", &target, &body(&key, content)))
            };
            let Ok(answer) = answer else { return Ok(()) };
            if answer.status / 100 != 2 {
                bail!("{target}: {} {}", answer.status, answer.text());
            }
            *known = Known { acknowledged: content, in_flight: None };
            if acks.send(()).is_err() {
                return Ok(());
            }
        }
    }
}

/// Running writers; `acks` has one message for each acknowledged write.
pub struct Load {
    pub acks: Receiver<()>,
    threads: Vec<JoinHandle<Result<Writer>>>,
}

impl Load {
    /// Sets the writers to work.
    #[must_use]
    pub fn start(address: SocketAddr, writers: Vec<Writer>) -> Load {
        let (send, acks) = sync_channel(1 << 16);
        let threads = writers
            .into_iter()
            .map(|mut w| {
                let send = send.clone();
                std::thread::spawn(move || w.work(address, &send).map(|()| w))
            })
            .collect();
        Load { acks, threads }
    }

    /// Waits until every writer's connection has broken.
    ///
    /// # Errors
    /// When a writer was answered with an error.
    pub fn finish(self) -> Result<Vec<Writer>> {
        drop(self.acks);
        let join = |t: JoinHandle<Result<Writer>>| t.join().ok().context("a writer panicked")?;
        self.threads.into_iter().map(join).collect()
    }
}

/// Reads every key of the writers' ledgers back and settles what was in flight. Returns how many
/// keys were compared.
///
/// # Errors
/// The first key that lost an acknowledged write, or holds what nobody wrote.
pub fn verify(address: SocketAddr, writers: &mut [Writer]) -> Result<usize> {
    let mut connection = Connection::open(address)?;
    let mut compared = 0;
    for w in writers {
        for (key, known) in &mut w.ledger {
            let target = format!("/{}/{key}", w.bucket);
            let answer = connection.send(&Request::s3("GET", &target, b""))?;
            let holds = |content: u64| match (content, answer.status) {
                (0, 404) => true,
                (0, _) | (_, 404) => false,
                (_, 200) => answer.body == body(key, content),
                _ => false,
            };
            let Some(found) =
                std::iter::once(known.acknowledged).chain(known.in_flight).find(|c| holds(*c))
            else {
                bail!(
                    "{target}: acknowledged {known:?}, found {} with {} bytes: {:.200}",
                    answer.status,
                    answer.body.len(),
                    answer.text()
                );
            };
            *known = Known { acknowledged: found, in_flight: None };
            compared += 1;
        }
    }
    Ok(compared)
}

/// The content that a key has in a version: its size and bytes follow from both.
fn body(key: &str, version: u64) -> Vec<u8> {
    let size = match version % 16 {
        0 => 300_000,
        1..=3 => 20_000,
        4..=6 => 0,
        _ => 200,
    };
    let mut state = key.bytes().fold(version.wrapping_mul(0x9E37_79B9_7F4A_7C15), |s, b| {
        (s ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3)
    }) | 1;
    let mut out = Vec::with_capacity(size + 8);
    out.extend_from_slice(format!("{key}#{version}\n").as_bytes());
    while out.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out
}
