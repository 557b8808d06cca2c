//! A cursor over the rows of a bucket, read ahead in batches: for listings that merge two tables.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use bytes::Bytes;
use fogbank_core::Result;
use fogbank_store::{Key, Parts, Range, Table};

use super::damaged;
use crate::S3;
use crate::tables::bucket_key;

/// How many rows are read at a time.
const BATCH: usize = 256;

/// A row: the object's key, the sequence if the row's key has one, and the stored record.
pub(crate) struct Row {
    pub key: String,
    pub seq: Option<u64>,
    pub value: Bytes,
}

pub(crate) struct Cursor<'a, T: 'static> {
    s3: &'a S3,
    table: &'static Table<T>,
    parent: Key,
    /// What has not been read yet; `None` at the end.
    rest: Option<Range>,
    ahead: VecDeque<Row>,
}

impl<'a, T: 'static> Cursor<'a, T> {
    /// Over the rows of `bucket` whose key begins with `prefix`.
    pub fn new(s3: &'a S3, table: &'static Table<T>, bucket: &str, prefix: &str) -> Self {
        let parent = bucket_key(bucket);
        let rest = Some(Range::starting(&parent, prefix));
        Cursor { s3, table, parent, rest, ahead: VecDeque::new() }
    }

    /// Begins behind a row; before anything was read.
    #[must_use]
    pub fn after(mut self, row: &Key) -> Self {
        self.rest = self.rest.map(|r| r.after(row));
        self
    }

    /// Begins behind a row and all whose keys extend its own; before anything was read.
    #[must_use]
    pub fn past(mut self, row: &Key) -> Self {
        self.rest = self.rest.map(|r| r.past(row));
        self
    }

    /// Skips the rows whose key begins with `prefix`.
    pub fn skip(&mut self, prefix: &str) {
        while self.ahead.front().is_some_and(|r| r.key.starts_with(prefix)) {
            self.ahead.pop_front();
        }
        if self.ahead.is_empty() {
            self.rest = self.rest.take().map(|r| r.past_starting(&self.parent, prefix));
        }
    }

    /// The next row, without taking it.
    pub async fn peek(&mut self) -> Result<Option<&Row>> {
        if self.ahead.is_empty()
            && let Some(range) = self.rest.take()
        {
            self.fill(range).await?;
        }
        Ok(self.ahead.front())
    }

    /// Takes the row that was peeked at.
    pub fn take(&mut self) -> Option<Row> {
        self.ahead.pop_front()
    }

    async fn fill(&mut self, range: Range) -> Result<()> {
        let mut last = None;
        let mut bad = false;
        let ahead = &mut self.ahead;
        self.s3
            .store
            .visit(self.table, range.clone(), |row_key, value| {
                let mut parts = Parts::of(row_key);
                let (Some(_), Some(key)) = (parts.text(), parts.text()) else {
                    bad = true;
                    return ControlFlow::Break(());
                };
                let (key, seq) = (key.into_owned(), parts.number());
                ahead.push_back(Row { key, seq, value: Bytes::copy_from_slice(value) });
                if ahead.len() < BATCH {
                    return ControlFlow::Continue(());
                }
                last = Some(Key::from_bytes(row_key));
                ControlFlow::Break(())
            })
            .await?;
        if bad {
            return Err(damaged(&"its key is not a bucket and a key"));
        }
        self.rest = last.map(|l| range.after(&l));
        Ok(())
    }
}
