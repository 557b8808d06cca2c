//! The index: every key in order, and where its value stands.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use super::frame;
use super::segment::{self, ReadError};
use crate::engine::{Span, Visitor};

/// Where a value stands: checksum and `len` bytes at `at` of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub segment: u32,
    pub at: u32,
    pub len: u32,
}

#[derive(Default)]
pub struct Index {
    keys: BTreeMap<Box<[u8]>, Place>,
    segments: BTreeMap<u32, Segment>,
}

pub struct Segment {
    pub file: Arc<File>,
    pub size: u64,
    /// Bytes of entries that the index points to.
    pub live: u64,
    /// Whether its keys are beside it, so that a start need not read it.
    pub listed: bool,
}

impl Index {
    pub fn find(&self, key: &[u8]) -> Option<(Arc<File>, Place)> {
        let place = *self.keys.get(key)?;
        Some((self.segments.get(&place.segment)?.file.clone(), place))
    }

    pub fn place(&self, key: &[u8]) -> Option<Place> {
        self.keys.get(key).copied()
    }

    /// Enters what a batch in `segment` did to `key`.
    pub fn apply(&mut self, key: &[u8], segment: u32, place: Option<Place>) {
        let old = match place {
            None => self.keys.remove(key),
            Some(place) => {
                self.count(segment, key.len(), place, u64::wrapping_add);
                // Most are updates of nothing: the key is copied only where it stays.
                match self.keys.get_mut(key) {
                    Some(old) => Some(std::mem::replace(old, place)),
                    None => self.keys.insert(key.into(), place),
                }
            }
        };
        if let Some(old) = old {
            self.count(old.segment, key.len(), old, u64::wrapping_sub);
        }
    }

    fn count(&mut self, segment: u32, key: usize, place: Place, change: fn(u64, u64) -> u64) {
        if let Some(s) = self.segments.get_mut(&segment) {
            s.live = change(s.live, frame::entry_size(key, Some(place.len as usize)));
        }
    }

    pub fn add_segment(&mut self, id: u32, file: Arc<File>, size: u64) {
        self.segments.insert(id, Segment { file, size, live: 0, listed: false });
    }

    /// The segment has grown to `size`.
    pub fn grown(&mut self, id: u32, size: u64) {
        if let Some(s) = self.segments.get_mut(&id) {
            s.size = size;
        }
    }

    pub fn set_listed(&mut self, id: u32) {
        if let Some(s) = self.segments.get_mut(&id) {
            s.listed = true;
        }
    }

    pub fn remove_segment(&mut self, id: u32) {
        self.segments.remove(&id);
    }

    /// All segments but the one being written, oldest first.
    pub fn sealed(&self) -> impl Iterator<Item = (u32, &Segment)> {
        let n = self.segments.len().saturating_sub(1);
        self.segments.iter().take(n).map(|(id, s)| (*id, s))
    }

    pub fn size(&self) -> u64 {
        self.segments.values().map(|s| s.size).sum()
    }

    pub fn live(&self) -> u64 {
        self.segments.values().map(|s| s.live).sum()
    }

    /// The first `limit` entries of `span`.
    pub fn page(&self, span: &Span, limit: usize) -> Page {
        let range = (Bound::Included(&span.lo[..]), Bound::Excluded(&span.hi[..]));
        let range = self.keys.range::<[u8], _>(range);
        let mut page = Page::default();
        if span.reverse {
            range.rev().take(limit).for_each(|(key, place)| page.add(key, *place));
        } else {
            range.take(limit).for_each(|(key, place)| page.add(key, *place));
        }
        for id in page.places.iter().map(|p| p.segment) {
            if !page.files.iter().any(|(i, _)| *i == id)
                && let Some(s) = self.segments.get(&id)
            {
                page.files.push((id, s.file.clone()));
            }
        }
        page
    }
}

/// Keys and places copied out of the index, to be read without its lock.
#[derive(Default)]
pub struct Page {
    keys: Vec<u8>,
    key_ends: Vec<usize>,
    places: Vec<Place>,
    files: Vec<(u32, Arc<File>)>,
}

/// A read costs about as much as copying this many bytes: what lies closer is read together.
const GAP: u64 = 5 << 10;
const LARGEST_READ: u64 = 1 << 20;

impl Page {
    fn add(&mut self, key: &[u8], place: Place) {
        self.keys.extend_from_slice(key);
        self.key_ends.push(self.keys.len());
        self.places.push(place);
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    fn key(&self, i: usize) -> &[u8] {
        let start = if i == 0 { 0 } else { self.key_ends[i - 1] };
        &self.keys[start..self.key_ends[i]]
    }

    /// Shows each entry to `visit`. Returns the last key, or `None` when the visitor has enough.
    pub fn for_each(self, visit: Visitor<'_>) -> Result<Option<Vec<u8>>, (u32, ReadError)> {
        let mut buffer = Vec::new();
        let mut i = 0;
        while i < self.len() {
            let (n, lo, hi) = self.run(i);
            let segment = self.places[i].segment;
            let wrong = |e| (segment, e);
            // A page holds the files of all its places.
            let file = self.files.iter().find(|(id, _)| *id == segment).map(|(_, f)| f);
            let file = file.ok_or_else(|| wrong(ReadError::Damaged(lo)))?;
            segment::read_at(file, &mut buffer, lo, hi).map_err(wrong)?;
            for (i, place) in self.places.iter().enumerate().skip(i).take(n) {
                let start = (u64::from(place.at) - lo) as usize;
                let stored = &buffer[start..start + 4 + place.len as usize];
                let value = segment::checked(stored, place.at).map_err(wrong)?;
                if let ControlFlow::Break(()) = visit(self.key(i), value) {
                    return Ok(None);
                }
            }
            i += n;
        }
        Ok(self.len().checked_sub(1).map(|last| self.key(last).to_vec()))
    }

    /// How many entries from `i` on are worth one read, and the bytes of the file they are in.
    fn run(&self, i: usize) -> (usize, u64, u64) {
        let bounds = |p: &Place| (u64::from(p.at), u64::from(p.at) + 4 + u64::from(p.len));
        let (mut lo, mut hi) = bounds(&self.places[i]);
        let mut used = hi - lo;
        let mut n = 1;
        for place in &self.places[i + 1..] {
            let (from, to) = bounds(place);
            let (new_lo, new_hi) = (lo.min(from), hi.max(to));
            let wasted = (new_hi - new_lo).saturating_sub(used + (to - from));
            let together = new_hi - new_lo <= LARGEST_READ && wasted <= GAP * n as u64;
            if place.segment != self.places[i].segment || !together {
                break;
            }
            (lo, hi) = (new_lo, new_hi);
            used += to - from;
            n += 1;
        }
        (n, lo, hi)
    }
}
