//! fjall, a log-structured merge tree, behind the engine trait: measured and not chosen.
//!
//! Each commit is appended to the journal with one write, so it survives the death of the process;
//! the tree's own threads move it from memory to sorted files later. Everything that takes memory
//! is bounded below.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use fogbank_store::engine::{Batch, Embedded, Span, Visitor};
use fogbank_store::{Error, Result};

/// Writes gathered in memory before they become a sorted file. As many again may wait to be
/// written while the disk is slow.
const MEMTABLE: u64 = 8 << 20;

/// Blocks of sorted files kept in memory; the kernel's page cache stands behind it.
const CACHE: u64 = 8 << 20;

/// Journals kept before the tree is made to catch up: what a start may have to read.
const JOURNALS: u64 = 64 << 20;

/// A tree in a directory.
pub struct Lsm {
    path: PathBuf,
    db: Database,
    records: Keyspace,
}

impl Lsm {
    /// Opens the tree in `path`, and makes it if it is not there. A torn end of the journal, as a
    /// killed process leaves it, is cut off: it was never acknowledged.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the files are not what was written, [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        let open = || {
            let db = Database::builder(path)
                .cache_size(CACHE)
                .max_journaling_size(JOURNALS)
                .worker_threads(1)
                .max_cached_files(Some(64))
                .open()?;
            let records = db.keyspace("records", || {
                KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE)
            })?;
            Ok((db, records))
        };
        // The tree asserts some of what it reads: damage that it meets that way is an error too.
        let opened = catch_unwind(AssertUnwindSafe(open))
            .map_err(|panic| Error::Corrupt { path: path.to_owned(), detail: said(&*panic) })?;
        let (db, records) = opened.map_err(|e| open_error(path, e))?;
        Ok(Lsm { path: path.to_owned(), db, records })
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(fjall::Error) -> Error {
        let path = self.path.clone();
        move |e| match e {
            fjall::Error::Io(e) | fjall::Error::Storage(fjall::LsmError::Io(e)) => {
                Error::io(action, path)(e)
            }
            fjall::Error::Poisoned => Error::Engine {
                action,
                detail: "an earlier write failed, so nothing more is written; see the first \
                         error in the log, mend its cause (a full disk?) and restart"
                    .to_owned(),
            },
            e => Error::Engine { action, detail: e.to_string() },
        }
    }
}

impl Embedded for Lsm {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let found = self.records.get(key).map_err(self.failed("read"))?;
        Ok(found.map(|v| Bytes::copy_from_slice(&v)))
    }

    fn range(&self, span: &Span, visit: Visitor<'_>) -> Result<()> {
        if span.is_empty() {
            return Ok(());
        }
        let entries = self.records.range::<&[u8], _>(&span.lo[..]..&span.hi[..]);
        let mut see = |entry: fjall::Guard| -> Result<ControlFlow<()>> {
            let (k, v) = entry.into_inner().map_err(self.failed("read"))?;
            Ok(visit(&k, &v))
        };
        if span.reverse {
            for entry in entries.rev() {
                if see(entry)?.is_break() {
                    break;
                }
            }
        } else {
            for entry in entries {
                if see(entry)?.is_break() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn commit(&self, batch: Batch) -> Result<()> {
        let mut writes = self.db.batch();
        for (key, value) in batch {
            match value {
                Some(v) => writes.insert(&self.records, key, &v[..]),
                None => writes.remove(&self.records, key),
            }
        }
        writes.commit().map_err(self.failed("write"))
    }

    fn sync(&self) -> Result<()> {
        self.db.persist(PersistMode::SyncData).map_err(self.failed("flush"))
    }

    fn size(&self) -> u64 {
        self.db.disk_space().unwrap_or_default()
    }
}

fn open_error(path: &Path, e: fjall::Error) -> Error {
    match e {
        fjall::Error::Io(e) | fjall::Error::Storage(fjall::LsmError::Io(e)) => {
            Error::io("open", path)(e)
        }
        e => Error::Corrupt { path: path.to_owned(), detail: e.to_string() },
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it cannot be read").to_owned()
}
