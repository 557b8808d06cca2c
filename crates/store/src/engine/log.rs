//! The default engine on disk: an append-only log of batches, and an index of keys in memory.
//!
//! A commit is one `write` to the end of the newest segment, so it survives the death of the
//! process; nothing is written in place. A value is read from where its batch put it. The index
//! holds keys and places only (about 130 bytes for each key): memory grows with the number of
//! records, not with their size.
//!
//! **Invariant:** segments are numbered in the order of their batches, without gaps, and only the
//! oldest is ever removed, after its live records were written again at the end. So replaying them
//! in order gives the newest state, and a deletion may be forgotten with the oldest segment.

mod frame;
mod index;
mod recent;
mod recover;
mod segment;
mod upkeep;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use super::{Batch, Embedded, Span, Visitor};
use crate::{Error, Result};
use index::Index;
use recent::Recent;
use upkeep::Upkeep;

/// Where a new segment is begun. What a start has to read and check at most, apart from keys.
pub const SEGMENT: u64 = 32 << 20;

/// The most that one batch may take.
const LARGEST_BATCH: u64 = 1 << 30;

/// A log in a directory.
pub struct Log {
    inner: Arc<Inner>,
    upkeep: Upkeep,
}

struct Inner {
    dir: PathBuf,
    segment_size: u64,
    /// Taken before `index` by whoever needs both.
    writer: Mutex<Writer>,
    index: RwLock<Index>,
    recent: Recent,
    /// Held while flushing: nobody may believe a flush done that another still does.
    flushing: Mutex<()>,
}

/// The end of the log.
struct Writer {
    id: u32,
    file: Arc<File>,
    offset: u64,
    /// Segments that were left since the last flush.
    unflushed: Vec<Arc<File>>,
    /// Whether the directory has entries that were not flushed.
    new_files: bool,
    /// Why nothing more can be written.
    broken: Option<String>,
    buffer: Vec<u8>,
}

impl Log {
    /// Opens the log in `dir`, and makes it if it is not there. A torn end, as a killed process
    /// leaves it, is cut off: it was never acknowledged.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the files are not what was written, [`Error::Io`].
    pub fn open(dir: &Path) -> Result<Self> {
        Log::open_with(dir, SEGMENT)
    }

    /// As [`Log::open`], with segments of another size, for tests.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_with(dir: &Path, segment_size: u64) -> Result<Self> {
        let (index, end) = recover::recover(dir)?;
        let writer = Writer {
            id: end.id,
            file: end.file,
            offset: end.size,
            unflushed: Vec::new(),
            new_files: true,
            broken: None,
            buffer: Vec::new(),
        };
        let log = Log {
            inner: Arc::new(Inner {
                dir: dir.to_owned(),
                segment_size,
                writer: Mutex::new(writer),
                index: RwLock::new(index),
                recent: Recent::default(),
                flushing: Mutex::default(),
            }),
            upkeep: Upkeep::default(),
        };
        log.upkeep.start_if_needed(&log.inner);
        Ok(log)
    }

    /// Waits until the segments are in order: for tests.
    pub fn settle(&self) {
        self.upkeep.settle();
    }
}

impl Embedded for Log {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let Some((file, place)) = self.inner.index.read().find(key) else { return Ok(None) };
        let read = || {
            let read = segment::read_value(&file, place);
            read.map_err(|e| self.inner.read_error(place.segment, e))
        };
        self.inner.recent.get_or_read(place, read).map(Some)
    }

    fn range(&self, span: &Span, visit: Visitor<'_>) -> Result<()> {
        let mut rest = span.clone();
        let mut limit = 32;
        while !rest.is_empty() {
            // The lock is not held while reading and visiting: commits go on meanwhile.
            let page = self.inner.index.read().page(&rest, limit);
            let last = page.len() < limit;
            let end = page.for_each(visit).map_err(|(s, e)| self.inner.read_error(s, e))?;
            match end {
                Some(key) if !last => rest.continue_after(&key),
                _ => return Ok(()),
            }
            limit = 256;
        }
        Ok(())
    }

    fn commit(&self, batch: Batch) -> Result<()> {
        let mut writer = self.inner.writer.lock();
        let rotated = self.inner.append(&mut writer, &batch)?;
        drop(writer);
        if rotated {
            self.upkeep.start_if_needed(&self.inner);
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.inner.sync()
    }

    fn size(&self) -> u64 {
        self.inner.index.read().size()
    }
}

impl Inner {
    /// Writes `batch` at the end and then shows it to readers. Tells whether a segment was begun.
    fn append(&self, w: &mut Writer, batch: &Batch) -> Result<bool> {
        if let Some(why) = &w.broken {
            return Err(Error::Engine { action: "write", detail: why.clone() });
        }
        let size = frame::size(batch);
        if size > LARGEST_BATCH {
            let detail = format!("one commit of {size} bytes; the largest has {LARGEST_BATCH}");
            return Err(Error::Engine { action: "write", detail });
        }
        let rotate = w.offset > segment::HEAD && w.offset + size > self.segment_size;
        if rotate {
            self.rotate(w)?;
        }
        frame::encode(batch, &mut w.buffer);
        if let Err(e) = segment::write_at(&w.file, &w.buffer, w.offset) {
            // Part of it may be there. If it cannot be cut off, what follows could not be read.
            if let Err(e) = w.file.set_len(w.offset) {
                w.broken = Some(format!(
                    "an earlier write failed and could not be undone ({e}), so nothing more is \
                     written; mend the cause and restart"
                ));
            }
            return Err(Error::io("write", segment::log_path(&self.dir, w.id))(e));
        }
        let mut index = self.index.write();
        frame::places(batch, w.id, w.offset, |key, place| index.apply(key, w.id, place));
        w.offset += w.buffer.len() as u64;
        index.grown(w.id, w.offset);
        drop(index);
        if w.buffer.capacity() > 1 << 20 {
            w.buffer = Vec::new();
        }
        Ok(rotate)
    }

    fn rotate(&self, w: &mut Writer) -> Result<()> {
        let id = w.id.checked_add(1).ok_or_else(|| Error::Engine {
            action: "write",
            detail: "the log has used up its segment numbers".to_owned(),
        })?;
        let file = Arc::new(segment::create(&self.dir, id)?);
        let old = std::mem::replace(&mut w.file, file.clone());
        self.index.write().add_segment(id, file, segment::HEAD);
        w.unflushed.push(old);
        w.new_files = true;
        w.id = id;
        w.offset = segment::HEAD;
        Ok(())
    }

    /// Flushes all that has been written. After a failure nobody knows what is on the device, so
    /// nothing more is acknowledged.
    fn sync(&self) -> Result<()> {
        let _one = self.flushing.lock();
        let mut w = self.writer.lock();
        if let Some(why) = &w.broken {
            return Err(Error::Engine { action: "flush", detail: why.clone() });
        }
        let mut files = std::mem::take(&mut w.unflushed);
        files.push(w.file.clone());
        let new_files = std::mem::take(&mut w.new_files);
        // Commits go on while the device works.
        drop(w);
        let flush = || {
            files.iter().try_for_each(|f| f.sync_data())?;
            if new_files {
                File::open(&self.dir)?.sync_all()?;
                File::open(self.dir.parent().unwrap_or(&self.dir))?.sync_all()?;
            }
            Ok(())
        };
        flush().map_err(|e| {
            self.writer.lock().broken = Some(format!(
                "an earlier flush failed ({e}), so nothing more is written; mend the cause and \
                 restart"
            ));
            Error::io("flush", &self.dir)(e)
        })
    }

    fn read_error(&self, segment: u32, e: segment::ReadError) -> Error {
        let path = segment::log_path(&self.dir, segment);
        match e {
            segment::ReadError::Io(e) => Error::io("read", path)(e),
            segment::ReadError::Damaged(at) => Error::Corrupt {
                path,
                detail: format!("the value at byte {at} is not what was written"),
            },
        }
    }
}
