//! Hot records that are decoded once for many reads.

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::sync::Cache;

use crate::{Key, Record, Result, Store, Table};

/// Decoded records of one table, each beside the bytes it was read from. A read still asks the
/// engine for the bytes and compares: what is here can be old only where the store itself is.
pub struct Decoded<T>(Cache<Key, (Bytes, Arc<T>)>);

impl<T> Decoded<T> {
    /// Room for about `records` of them.
    #[must_use]
    pub fn with_room_for(records: usize) -> Self {
        Decoded(Cache::new(records))
    }
}

impl<T> std::fmt::Debug for Decoded<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Decoded({})", self.0.len())
    }
}

impl Store {
    /// The record under `key`, decoded only if `known` has not seen these very bytes: for small
    /// records that nearly every request reads (a bucket, a table).
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn get_decoded<T: Record>(
        &self,
        table: &Table<T>,
        key: &Key,
        known: &Decoded<T>,
    ) -> Result<Option<Arc<T>>> {
        let Some(stored) = self.raw_get(&table.full(key.as_bytes())).await? else {
            known.0.remove(key);
            return Ok(None);
        };
        if let Some((bytes, record)) = known.0.get(key)
            && bytes == stored
        {
            return Ok(Some(record));
        }
        let record = Arc::new(table.decode(key.as_bytes(), stored.clone())?);
        known.0.insert(key.clone(), (stored, Arc::clone(&record)));
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static T: Table<Bytes> = Table::new("t");

    #[tokio::test]
    async fn a_change_shows_at_once() {
        let (store, known) = (Store::ephemeral(), Decoded::with_room_for(8));
        let key = Key::new().str("k");
        assert_eq!(store.get_decoded(&T, &key, &known).await.unwrap(), None);
        for text in ["one", "two"] {
            store.put(&T, &key, &Bytes::from_static(text.as_bytes())).await.unwrap();
            let first = store.get_decoded(&T, &key, &known).await.unwrap().unwrap();
            let again = store.get_decoded(&T, &key, &known).await.unwrap().unwrap();
            assert_eq!(*first, text.as_bytes());
            assert!(Arc::ptr_eq(&first, &again));
        }
        store.delete(&T, &key).await.unwrap();
        assert_eq!(store.get_decoded(&T, &key, &known).await.unwrap(), None);
    }
}
