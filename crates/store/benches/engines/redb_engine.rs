//! redb behind the engine trait: the alternative that was measured and not chosen.

use std::fs::File;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;
use fogbank_store::engine::{Batch, Embedded, Span, Visitor};
use fogbank_store::{Error, Result};
use redb::{Database, ReadableDatabase, StorageBackend, TableDefinition};

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

pub struct Redb(Database);

impl Redb {
    pub fn open(path: &Path, fsync: bool) -> Self {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let backend = Backend { file: file.unwrap(), fsync };
        let db = Database::builder().set_cache_size(8 << 20).create_with_backend(backend).unwrap();
        let tx = db.begin_write().unwrap();
        tx.open_table(RECORDS).unwrap();
        tx.commit().unwrap();
        Redb(db)
    }
}

fn failed(e: impl std::fmt::Display) -> Error {
    Error::Engine { action: "work", detail: e.to_string() }
}

impl Embedded for Redb {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let tx = self.0.begin_read().map_err(failed)?;
        let table = tx.open_table(RECORDS).map_err(failed)?;
        let found = table.get(key).map_err(failed)?;
        Ok(found.map(|v| Bytes::copy_from_slice(v.value())))
    }

    fn range(&self, span: &Span, visit: Visitor<'_>) -> Result<()> {
        let tx = self.0.begin_read().map_err(failed)?;
        let table = tx.open_table(RECORDS).map_err(failed)?;
        let entries = table.range::<&[u8]>(&span.lo[..]..&span.hi[..]).map_err(failed)?;
        for entry in entries {
            let (k, v) = entry.map_err(failed)?;
            if let ControlFlow::Break(()) = visit(k.value(), v.value()) {
                break;
            }
        }
        Ok(())
    }

    fn commit(&self, batch: Batch) -> Result<()> {
        let tx = self.0.begin_write().map_err(failed)?;
        let mut table = tx.open_table(RECORDS).map_err(failed)?;
        for (key, value) in batch {
            match value {
                Some(v) => drop(table.insert(&key[..], &v[..]).map_err(failed)?),
                None => drop(table.remove(&key[..]).map_err(failed)?),
            }
        }
        drop(table);
        tx.commit().map_err(failed)
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn size(&self) -> u64 {
        0
    }
}

/// A file whose flush may be left out: what is written then survives the process, not the machine.
#[derive(Debug)]
struct Backend {
    file: File,
    fsync: bool,
}

impl StorageBackend for Backend {
    fn len(&self) -> std::io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.file.read_exact_at(out, offset)
    }
    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.file.set_len(len)
    }
    fn sync_data(&self) -> std::io::Result<()> {
        if self.fsync { self.file.sync_data() } else { Ok(()) }
    }
    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.file.write_all_at(data, offset)
    }
}
