//! Tables: a name on disk and the record type behind it.

use std::marker::PhantomData;

use bytes::Bytes;

use crate::{Error, Key, Record, Result};

/// The longest encoded key, table name included: what the embedded engine can hold.
pub const MAX_KEY: usize = 60 * 1024;

/// A table: `pub static ROLES: Table<Role> = Table::new("iam.role");`. The name is part of every
/// key on disk: short, and never changed.
pub struct Table<T> {
    name: &'static str,
    record: PhantomData<fn() -> T>,
}

impl<T> Table<T> {
    /// `name`: `service.thing`, in ASCII.
    ///
    /// # Panics
    /// When the name is empty or not printable ASCII: at compile time, for a static.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        let b = name.as_bytes();
        assert!(!b.is_empty(), "a table needs a name");
        let mut i = 0;
        while i < b.len() {
            assert!(b[i].is_ascii_graphic(), "a table's name is printable ASCII");
            i += 1;
        }
        Table { name, record: PhantomData }
    }

    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What all keys of this table begin with in the engine's one key space.
    pub(crate) fn prefix(&self) -> Vec<u8> {
        self.full(&[])
    }

    /// The key in the engine's one key space.
    pub(crate) fn full(&self, key: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.name.len() + 1 + key.len());
        out.extend_from_slice(self.name.as_bytes());
        out.push(0);
        out.extend_from_slice(key);
        out
    }
}

impl<T: Record> Table<T> {
    pub(crate) fn encode(&self, key: &Key, record: &T) -> Result<Bytes> {
        let write = |detail| Error::Write { table: self.name, detail };
        let size = self.name.len() + 1 + key.as_bytes().len();
        if size > MAX_KEY {
            return Err(write(format!("its key has {size} bytes, the longest has {MAX_KEY}")));
        }
        let mut out = Vec::with_capacity(256);
        record.store(&mut out).map_err(write)?;
        Ok(out.into())
    }

    pub(crate) fn decode(&self, key: &[u8], stored: Bytes) -> Result<T> {
        T::load(stored).map_err(|detail| Error::Record {
            table: self.name,
            key: Key::from_bytes(key).to_string(),
            detail,
        })
    }
}

impl<T> std::fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({})", self.name)
    }
}
