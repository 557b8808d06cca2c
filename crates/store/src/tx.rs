//! Transactions: locks held, reads that see their own writes, and one atomic commit.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use crate::engine::{self, Span};
use crate::store::Collect;
use crate::{Error, Key, Range, Record, Result, Store, Table, lock};

/// A transaction. Nothing is written before [`Tx::commit`]; dropping it writes nothing and lets
/// its locks go.
///
/// Reads see the newest committed state, not a snapshot: what must not change under a
/// transaction, it locks. Never hold one across a call to another service.
#[must_use = "a transaction does nothing unless committed"]
pub struct Tx {
    store: Store,
    writes: BTreeMap<Vec<u8>, Option<Bytes>>,
    /// The first thing that went wrong where nothing could be returned.
    failed: Option<Error>,
    /// Last: the locks outlive the writes.
    _held: Held,
}

/// Whose locks a transaction holds.
pub(crate) enum Held {
    None,
    Here { _held: lock::Held },
    There { _held: Box<dyn engine::Guard> },
}

impl Tx {
    pub(crate) fn new(store: Store, held: Result<Held>) -> Self {
        let (held, failed) = match held {
            Ok(h) => (h, None),
            Err(e) => (Held::None, Some(e)),
        };
        Tx { store, writes: BTreeMap::new(), failed, _held: held }
    }

    /// The record under `key`, as this transaction has it.
    ///
    /// # Errors
    /// When the locks could not be taken, the engine fails, or the record cannot be read.
    pub async fn get<T: Record>(&mut self, table: &Table<T>, key: &Key) -> Result<Option<T>> {
        self.check()?;
        let full = table.full(key.as_bytes());
        let stored = match self.writes.get(&full) {
            Some(own) => own.clone(),
            None => self.store.raw_get(&full).await?,
        };
        stored.map(|v| table.decode(key.as_bytes(), v)).transpose()
    }

    /// The first `limit` records of `range`, as this transaction has them.
    ///
    /// # Errors
    /// As [`Tx::get`].
    pub async fn scan<T: Record>(
        &mut self,
        table: &Table<T>,
        range: Range,
        limit: usize,
    ) -> Result<Vec<(Key, T)>> {
        self.check()?;
        let mut page = Collect::new(table, limit);
        if limit > 0 {
            let prefix = table.prefix();
            let n = prefix.len();
            self.visit(range.span(&prefix), |k, v| page.see(&k[n..], v)).await?;
        }
        page.finish()
    }

    /// Writes a record at commit. What cannot be encoded fails the commit.
    pub fn put<T: Record>(&mut self, table: &Table<T>, key: &Key, record: &T) {
        match table.encode(key, record) {
            Ok(v) => {
                self.writes.insert(table.full(key.as_bytes()), Some(v));
            }
            Err(e) => self.failed = self.failed.take().or(Some(e)),
        }
    }

    /// Deletes a record at commit, if it is there.
    pub fn delete<T>(&mut self, table: &Table<T>, key: &Key) {
        self.writes.insert(table.full(key.as_bytes()), None);
    }

    /// Writes everything, atomically and as durably as the store was opened, then lets the locks
    /// go.
    ///
    /// # Errors
    /// When a record could not be encoded, the locks could not be taken, or the engine fails. What
    /// failed before the engine is not written.
    pub async fn commit(mut self) -> Result<()> {
        self.check()?;
        let batch = std::mem::take(&mut self.writes).into_iter().collect();
        self.store.raw_commit(batch).await
    }

    /// What failed where nothing could be returned; told once.
    fn check(&mut self) -> Result<()> {
        match &self.failed {
            None => Ok(()),
            Some(e) => Err(Error::Engine { action: "begin the change", detail: e.to_string() }),
        }
    }

    /// The engine's entries of `span` with our own writes laid over them.
    async fn visit(
        &self,
        span: Span,
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()> + Send,
    ) -> Result<()> {
        if span.is_empty() {
            return Ok(());
        }
        let own = self
            .writes
            .range::<[u8], _>((Bound::Included(&span.lo[..]), Bound::Excluded(&span.hi[..])));
        let reverse = span.reverse;
        let mut own: Own<'_> = if reverse { Box::new(own.rev()) } else { Box::new(own) };
        let mut next = own.next();
        let mut stopped = false;
        self.store
            .raw_visit(span, |k, v| {
                while let Some((own_key, own_value)) = next {
                    let order = own_key[..].cmp(k);
                    match if reverse { order.reverse() } else { order } {
                        Ordering::Greater => break,
                        order => {
                            next = own.next();
                            if let Some(own_value) = own_value
                                && visit(own_key, own_value).is_break()
                            {
                                stopped = true;
                                return ControlFlow::Break(());
                            }
                            if order == Ordering::Equal {
                                return ControlFlow::Continue(());
                            }
                        }
                    }
                }
                let flow = visit(k, v);
                stopped = flow.is_break();
                flow
            })
            .await?;
        while let (false, Some((k, v))) = (stopped, next) {
            next = own.next();
            stopped = v.as_ref().is_some_and(|v| visit(k, v).is_break());
        }
        Ok(())
    }
}

type Own<'a> = Box<dyn Iterator<Item = (&'a Vec<u8>, &'a Option<Bytes>)> + Send + 'a>;
