//! The engine of `--ephemeral`: an ordered map in memory, gone with the process.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;
use parking_lot::RwLock;

use super::{Batch, Embedded, Span, Visitor};
use crate::Result;

/// An ordered map. Reads run side by side; a commit is one short exclusive section.
#[derive(Default)]
pub struct Memory(RwLock<Map>);

#[derive(Default)]
struct Map {
    entries: BTreeMap<Box<[u8]>, Bytes>,
    /// Key and value bytes.
    size: u64,
}

impl Embedded for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.0.read().entries.get(key).cloned())
    }

    fn range(&self, span: &Span, visit: Visitor<'_>) -> Result<()> {
        if span.is_empty() {
            return Ok(());
        }
        let map = self.0.read();
        let range = (Bound::Included(&span.lo[..]), Bound::Excluded(&span.hi[..]));
        let entries = map.entries.range::<[u8], _>(range);
        let _: ControlFlow<()> = if span.reverse {
            entries.rev().try_for_each(|(k, v)| visit(k, v))
        } else {
            entries.into_iter().try_for_each(|(k, v)| visit(k, v))
        };
        Ok(())
    }

    fn commit(&self, batch: Batch) -> Result<()> {
        let mut map = self.0.write();
        for (key, value) in batch {
            let k = key.len() as u64;
            let old = match value {
                Some(v) => {
                    map.size += k + v.len() as u64;
                    map.entries.insert(key.into(), v)
                }
                None => map.entries.remove(&key[..]),
            };
            if let Some(old) = old {
                map.size -= k + old.len() as u64;
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn size(&self) -> u64 {
        self.0.read().size
    }
}
