//! The store: what services hold. Cheap to clone; all clones are one store.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::dir::DataDir;
use crate::engine::log::Log;
use crate::engine::memory::Memory;
use crate::engine::{Batch, Embedded, Engine, Span};
use crate::group::Group;
use crate::lock::{Lock, Locks, names};
use crate::table::MAX_KEY;
use crate::tx::{Held, Tx};
use crate::{Key, Range, Record, Result, Table};

/// What an acknowledged commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The death of the process at any moment: every commit has reached the operating system.
    #[default]
    Process,
    /// Power loss too: every commit has reached the device. Concurrent commits share one flush.
    Fsync,
}

/// How to open a store.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub durability: Durability,
}

/// Typed tables over one engine.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    /// Only with [`Durability::Fsync`] and an engine in this process.
    group: Option<Group>,
    backend: Backend,
    locks: Arc<Locks>,
    /// Last: ours until the engine is closed.
    _dir: Option<DataDir>,
}

enum Backend {
    Embedded(Arc<dyn Embedded>),
    Shared(Box<dyn Engine>),
}

/// What the store holds, for `fogbank status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// In order of name.
    pub tables: Vec<TableStats>,
    /// Bytes on disk (in memory, if ephemeral); approximate.
    pub size: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableStats {
    pub name: String,
    pub records: u64,
    /// Key and value bytes, before compression.
    pub bytes: u64,
}

/// How many entries are asked of a shared engine at a time.
const PAGE: usize = 1000;

impl Store {
    /// A store in memory, gone with the process.
    #[must_use]
    pub fn ephemeral() -> Self {
        Store(Arc::new(Store::inner(Backend::Embedded(Arc::new(Memory::default())))))
    }

    /// The store in the data directory `path`, which is made if it is not there.
    ///
    /// # Errors
    /// [`crate::Error::InUse`], [`crate::Error::Newer`], [`crate::Error::Corrupt`], or what the
    /// operating system refused; the message says what to do.
    pub fn open(path: &Path, options: &Options) -> Result<Self> {
        let dir = DataDir::open(path)?;
        let engine = Log::open(&dir.path().join("store"))?;
        let mut store = Store::inner(Backend::Embedded(Arc::new(engine)));
        store.flush_commits(options.durability)?;
        store._dir = Some(dir);
        Ok(Store(Arc::new(store)))
    }

    /// A store on an engine in this process.
    ///
    /// # Errors
    /// When the thread that flushes commits cannot be started.
    pub fn embedded(engine: impl Embedded, durability: Durability) -> Result<Self> {
        let mut store = Store::inner(Backend::Embedded(Arc::new(engine)));
        store.flush_commits(durability)?;
        Ok(Store(Arc::new(store)))
    }

    /// A store on an engine that may be anywhere; what a commit survives is up to it.
    pub fn shared(engine: impl Engine) -> Self {
        Store(Arc::new(Store::inner(Backend::Shared(Box::new(engine)))))
    }

    fn inner(backend: Backend) -> Inner {
        Inner { backend, locks: Arc::default(), group: None, _dir: None }
    }

    /// The record under `key`.
    ///
    /// # Errors
    /// When the engine fails, or the record cannot be read.
    pub async fn get<T: Record>(&self, table: &Table<T>, key: &Key) -> Result<Option<T>> {
        let stored = self.raw_get(&table.full(key.as_bytes())).await?;
        stored.map(|v| table.decode(key.as_bytes(), v)).transpose()
    }

    /// The first `limit` records of `range`.
    ///
    /// # Errors
    /// When the engine fails, or a record cannot be read.
    pub async fn scan<T: Record>(
        &self,
        table: &Table<T>,
        range: Range,
        limit: usize,
    ) -> Result<Vec<(Key, T)>> {
        let mut page = Collect::new(table, limit);
        if limit > 0 {
            self.visit(table, range, |k, v| page.see(k, v)).await?;
        }
        page.finish()
    }

    /// Shows `visit` the key (see [`crate::Parts`]) and the stored value of each record of
    /// `range`, in order, until it breaks. For hot listings: nothing is decoded or copied.
    ///
    /// `visit` runs inside the engine's read: it is short and touches no store.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn visit<T>(
        &self,
        table: &Table<T>,
        range: Range,
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()> + Send,
    ) -> Result<()> {
        let prefix = table.prefix();
        let n = prefix.len();
        self.raw_visit(range.span(&prefix), |k, v| visit(&k[n..], v)).await
    }

    /// Begins a transaction that holds `locks`, all of them, taken without risk of deadlock.
    ///
    /// With an engine that is elsewhere, failing to lock is reported by the transaction's reads
    /// and commit.
    pub async fn lock(&self, locks: &[Lock]) -> Tx {
        let names = names(locks);
        let held = match &self.0.backend {
            _ if names.is_empty() => Ok(Held::None),
            Backend::Embedded(_) => Ok(Held::Here { _held: self.0.locks.take(names).await }),
            Backend::Shared(e) => e.lock(&names).await.map(|g| Held::There { _held: g }),
        };
        Tx::new(self.clone(), held)
    }

    /// Writes one record, whatever was there. What depends on what was there needs [`Store::lock`].
    ///
    /// # Errors
    /// When the record cannot be encoded, or the engine fails; then nothing is written.
    pub async fn put<T: Record>(&self, table: &Table<T>, key: &Key, record: &T) -> Result<()> {
        let value = table.encode(key, record)?;
        self.raw_commit(vec![(table.full(key.as_bytes()), Some(value))]).await
    }

    /// Deletes one record, if it is there.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn delete<T>(&self, table: &Table<T>, key: &Key) -> Result<()> {
        self.raw_commit(vec![(table.full(key.as_bytes()), None)]).await
    }

    /// Counts records and bytes by table. Reads everything: for `fogbank status`, not for a
    /// request.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn stats(&self) -> Result<Stats> {
        let mut tables: Vec<TableStats> = Vec::new();
        let all = Span { lo: Vec::new(), hi: vec![0xFF], reverse: false };
        self.raw_visit(all, |k, v| {
            let name = k.split(|b| *b == 0).next().unwrap_or_default();
            if tables.last().is_none_or(|t| t.name.as_bytes() != name) {
                let name = String::from_utf8_lossy(name).into_owned();
                tables.push(TableStats { name, records: 0, bytes: 0 });
            }
            if let Some(t) = tables.last_mut() {
                t.records += 1;
                t.bytes += (k.len() + v.len()) as u64;
            }
            ControlFlow::Continue(())
        })
        .await?;
        let size = match &self.0.backend {
            Backend::Embedded(e) => e.size(),
            Backend::Shared(e) => e.size().await?,
        };
        Ok(Stats { tables, size })
    }

    pub(crate) async fn raw_get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        if key.len() > MAX_KEY {
            return Ok(None);
        }
        match &self.0.backend {
            Backend::Embedded(e) => e.get(key),
            Backend::Shared(e) => e.get(key).await,
        }
    }

    pub(crate) async fn raw_commit(&self, mut batch: Batch) -> Result<()> {
        // Longer ones are refused before they come here; what is left is deleting what cannot be.
        batch.retain(|(key, _)| key.len() <= MAX_KEY);
        if batch.is_empty() {
            return Ok(());
        }
        match &self.0.backend {
            Backend::Embedded(e) => e.commit(batch)?,
            Backend::Shared(e) => e.commit(batch).await?,
        }
        match &self.0.group {
            Some(group) => group.flushed().await,
            None => Ok(()),
        }
    }

    pub(crate) async fn raw_visit(
        &self,
        mut span: Span,
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()> + Send,
    ) -> Result<()> {
        if span.is_empty() {
            return Ok(());
        }
        let engine = match &self.0.backend {
            Backend::Embedded(e) => return e.range(&span, &mut visit),
            Backend::Shared(e) => e,
        };
        loop {
            let page = engine.range(&span, PAGE).await?;
            for (k, v) in &page {
                if visit(k, v).is_break() {
                    return Ok(());
                }
            }
            match page.last() {
                Some((last, _)) if page.len() >= PAGE => span.continue_after(last),
                _ => return Ok(()),
            }
        }
    }
}

impl Inner {
    fn flush_commits(&mut self, durability: Durability) -> Result<()> {
        if let (Durability::Fsync, Backend::Embedded(e)) = (durability, &self.backend) {
            self.group = Some(Group::start(e.clone())?);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

/// Decodes what a visitor sees, up to a limit.
pub(crate) struct Collect<'t, T> {
    table: &'t Table<T>,
    limit: usize,
    page: Result<Vec<(Key, T)>>,
}

impl<'t, T: Record> Collect<'t, T> {
    pub fn new(table: &'t Table<T>, limit: usize) -> Self {
        Collect { table, limit, page: Ok(Vec::new()) }
    }

    pub fn see(&mut self, key: &[u8], value: &[u8]) -> ControlFlow<()> {
        let Ok(page) = &mut self.page else { return ControlFlow::Break(()) };
        match self.table.decode(key, Bytes::copy_from_slice(value)) {
            Ok(record) => page.push((Key::from_bytes(key), record)),
            Err(e) => self.page = Err(e),
        }
        match &self.page {
            Ok(page) if page.len() < self.limit => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }

    pub fn finish(self) -> Result<Vec<(Key, T)>> {
        self.page
    }
}
