//! What is compiled from an API, for as long as the store has the version it was made from.

use std::collections::HashMap;
use std::sync::Arc;

use fogbank_core::Result;
use fogbank_store::{Store, Table};
use parking_lot::Mutex;

use crate::change::api_key;

/// Compiled APIs, by id.
pub struct Cache<C>(Mutex<HashMap<String, (u64, Arc<C>)>>);

/// APIs kept at most.
const MOST: usize = 1000;

impl<C> Default for Cache<C> {
    fn default() -> Self {
        Cache(Mutex::default())
    }
}

impl<C> Cache<C> {
    /// The API of this id as it is now, made by `make` unless it is there already; `None` when
    /// the store has no version of it.
    ///
    /// # Errors
    /// The store's, or those of `make`.
    pub async fn get<F>(
        &self,
        store: &Store,
        versions: &Table<u64>,
        id: &str,
        make: impl Fn() -> F,
    ) -> Result<Option<Arc<C>>>
    where
        F: Future<Output = Result<Option<C>>>,
    {
        let key = api_key(id);
        let Some(mut version) = store.get(versions, &key).await? else { return Ok(None) };
        if let Some((_, kept)) = self.0.lock().get(id).filter(|(v, _)| *v == version) {
            return Ok(Some(Arc::clone(kept)));
        }
        loop {
            let made = make().await?;
            match store.get(versions, &key).await? {
                Some(now) if now == version => {
                    let Some(made) = made.map(Arc::new) else { return Ok(None) };
                    let mut all = self.0.lock();
                    if all.len() >= MOST {
                        all.clear();
                    }
                    all.insert(id.to_owned(), (version, Arc::clone(&made)));
                    return Ok(Some(made));
                }
                // It changed meanwhile: what was read may be of two minds.
                Some(now) => version = now,
                None => return Ok(None),
            }
        }
    }
}
