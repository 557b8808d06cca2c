//! Engines: what keeps the bytes. One ordered key space, range reads, atomic batches, named locks.
//!
//! An [`Embedded`] engine lives in this process and answers at once, so the hot path boxes no
//! future. An [`Engine`] may be anywhere (a PostgreSQL-compatible database shared by several
//! nodes); it also holds the locks, since a lock that only this process knows protects nothing
//! there.

pub mod faults;
pub mod log;
pub mod memory;

use std::ops::ControlFlow;

use bytes::Bytes;
use fogbank_core::BoxFuture;

use crate::Result;
use crate::lock::Name;

/// A range of full keys: `lo` inclusive, `hi` exclusive; empty when `lo >= hi`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub lo: Vec<u8>,
    pub hi: Vec<u8>,
    /// Largest key first.
    pub reverse: bool,
}

impl Span {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lo >= self.hi
    }

    /// What is left of it once `key` was seen.
    pub(crate) fn continue_after(&mut self, key: &[u8]) {
        if self.reverse {
            self.hi = key.to_vec();
        } else {
            self.lo = [key, &[0]].concat();
        }
    }
}

/// Writes that happen together or not at all: full key, and the value or `None` to delete.
/// Ordered by key, each key once.
pub type Batch = Vec<(Vec<u8>, Option<Bytes>)>;

/// Sees each key and value of a span, in order, until it breaks. It runs inside the engine's read:
/// it must not write to the same store.
pub type Visitor<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// An engine in this process. Reads see every commit that has returned.
pub trait Embedded: Send + Sync + 'static {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>>;

    fn range(&self, span: &Span, visit: Visitor<'_>) -> Result<()>;

    /// Applies `batch` atomically. On return it has reached the operating system, or is in memory
    /// if that is all this engine promises.
    fn commit(&self, batch: Batch) -> Result<()>;

    /// Forces every commit that has returned down to the device.
    fn sync(&self) -> Result<()>;

    /// Bytes on disk, or in memory where there is no disk; approximate.
    fn size(&self) -> u64;
}

/// An engine anywhere. [`faults::Faults`] is one, over an embedded engine.
pub trait Engine: Send + Sync + 'static {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>>>;

    /// The first `limit` entries of `span`.
    fn range<'a>(
        &'a self,
        span: &'a Span,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>>>;

    /// Applies `batch` atomically and durably.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<()>>;

    /// Takes all of `names`, which are sorted and distinct, among all nodes on this state. Dropping
    /// the guard lets them go; so does losing the connection, after which commits under it fail.
    fn lock<'a>(&'a self, names: &'a [Name]) -> BoxFuture<'a, Result<Box<dyn Guard>>>;

    /// Bytes held; approximate.
    fn size(&self) -> BoxFuture<'_, Result<u64>>;
}

/// Held locks.
pub trait Guard: Send + Sync {}

impl<T: Send + Sync> Guard for T {}
