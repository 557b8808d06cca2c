//! File windows mapped into memory: the kernel's page cache is the only cache of contents.
#![allow(unsafe_code, reason = "mapping a file is unsafe: see the invariant at the call")]

use std::collections::VecDeque;
use std::fs::File;
use std::io;

use bytes::Bytes;
use memmap2::{Advice, MmapOptions};
use parking_lot::Mutex;

use crate::BlobId;

/// The piece of a file that is mapped at a time. It bounds the memory one reader pins.
pub(crate) const WINDOW: u64 = 8 << 20;

/// Maps `len` bytes from `offset`, which is a multiple of [`WINDOW`].
pub(crate) fn window(file: &File, offset: u64, len: usize) -> io::Result<Bytes> {
    // SAFETY: blobs are immutable. We write them under another name and rename them when they are
    // complete, nobody of ours opens them for writing afterwards, and only one process has the
    // directory open, so no mapped byte changes or disappears. (Somebody who truncates a file of
    // the data directory by hand breaks that; so they would any file we read.)
    let map = unsafe { MmapOptions::new().offset(offset).len(len).map(file)? };
    // One system call instead of a page fault per 64 KiB. Kernels before 5.14 do not know it: then
    // the faults happen one by one.
    let _ = map.advise(Advice::PopulateRead);
    Ok(Bytes::from_owner(map))
}

/// The windows read last, so that a popular blob is not mapped again for each reader.
#[derive(Default)]
pub(crate) struct Windows(Mutex<VecDeque<Entry>>);

struct Entry {
    id: BlobId,
    index: u64,
    /// Of the whole file.
    file_len: u64,
    bytes: Bytes,
}

/// Mapped pages count as ours: this many bytes of them may stay behind when nobody reads.
const KEPT: usize = 32 << 20;

impl Windows {
    /// The window and the length of the whole file.
    pub fn get(&self, id: &BlobId, index: u64) -> Option<(Bytes, u64)> {
        let mut all = self.0.lock();
        let at = all.iter().position(|e| e.id == *id && e.index == index)?;
        let entry = all.remove(at)?;
        let found = (entry.bytes.clone(), entry.file_len);
        all.push_front(entry);
        Some(found)
    }

    pub fn keep(&self, id: &BlobId, index: u64, file_len: u64, bytes: Bytes) {
        let mut all = self.0.lock();
        if all.iter().any(|e| e.id == *id && e.index == index) {
            return;
        }
        all.push_front(Entry { id: *id, index, file_len, bytes });
        let mut sum = 0;
        let fits = all.iter().take_while(|e| {
            sum += e.bytes.len();
            sum <= KEPT
        });
        let n = fits.count();
        let gone = all.split_off(n);
        drop(all);
        // Unmapping takes time: not under the lock.
        drop(gone);
    }

    pub fn forget(&self, id: &BlobId) {
        let mut gone = Vec::new();
        self.0.lock().retain_mut(|e| {
            let keep = e.id != *id;
            if !keep {
                gone.push(std::mem::take(&mut e.bytes));
            }
            keep
        });
    }
}
