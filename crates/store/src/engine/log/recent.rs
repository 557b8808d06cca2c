//! Small values that were read lately, so that hot records cost no system call.
//!
//! What stands at a place of the log never changes, and a segment's number is never used again: an
//! entry cannot be stale, and a write has nothing to invalidate.

use bytes::Bytes;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter, sync::DefaultLifecycle};

use super::index::Place;
use crate::Result;

/// The most memory for values, their overhead included, in bytes.
const CAPACITY: u64 = 8 << 20;
/// Larger values are read each time: they would push out too many small ones.
const LARGEST: u32 = 4 << 10;
/// What an entry takes beside its value, roughly.
const OVERHEAD: u64 = 96;

type Key = (u32, u32);

#[derive(Clone)]
struct ByLength;

impl Weighter<Key, Bytes> for ByLength {
    fn weight(&self, _: &Key, value: &Bytes) -> u64 {
        value.len() as u64 + OVERHEAD
    }
}

/// The values.
pub struct Recent(Cache<Key, Bytes, ByLength>);

impl Default for Recent {
    fn default() -> Self {
        // Room for the table of an idle server; it grows with use.
        let options = OptionsBuilder::new()
            .estimated_items_capacity(1024)
            .weight_capacity(CAPACITY)
            .shards(4)
            .build()
            .expect("both capacities are set");
        let (hasher, life) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        Recent(Cache::with_options(options, ByLength, hasher, life))
    }
}

impl Recent {
    /// The value at `place`: remembered, or from `read` and then remembered.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn get_or_read(&self, place: Place, read: impl FnOnce() -> Result<Bytes>) -> Result<Bytes> {
        if place.len > LARGEST {
            return read();
        }
        let key = (place.segment, place.at);
        if let Some(value) = self.0.get(&key) {
            return Ok(value);
        }
        let value = read()?;
        self.0.insert(key, value.clone());
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_are_read_once() {
        let recent = Recent::default();
        let place = |at, len| Place { segment: 1, at, len };
        let get = |p| recent.get_or_read(p, || Ok(Bytes::from_static(b"v")));
        assert_eq!(get(place(8, 1)).unwrap(), "v");
        let never = || -> Result<Bytes> { panic!("it is remembered") };
        assert_eq!(recent.get_or_read(place(8, 1), never).unwrap(), "v");
        get(place(9, LARGEST + 1)).unwrap();
        assert_eq!(recent.0.len(), 1);
    }
}
