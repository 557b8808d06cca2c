//! Upkeep, on a thread that lives only while there is some: lists of keys beside full segments, so
//! that a start need not read them, and the removal of segments that are mostly dead.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use parking_lot::Mutex;

use super::index::Place;
use super::segment::{self, Frames};
use super::{Inner, frame};
use crate::engine::Batch;
use crate::{Error, Result};

/// Owns the thread.
#[derive(Default)]
pub struct Upkeep {
    state: Arc<State>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    running: AtomicBool,
    stop: AtomicBool,
}

impl Upkeep {
    pub fn start_if_needed(&self, log: &Arc<Inner>) {
        let mut thread = self.thread.lock();
        if !log.needs_upkeep() || self.state.running.swap(true, Ordering::AcqRel) {
            return;
        }
        let (log, state) = (log.clone(), self.state.clone());
        let run = move || {
            if let Err(e) = log.upkeep(&state.stop) {
                // Nothing is lost, only space and the next start's time; tried at the next segment.
                tracing::warn!("upkeep of the store stopped: {e}");
            }
            drop(log);
            state.running.store(false, Ordering::Release);
        };
        match std::thread::Builder::new().name("fogbank-upkeep".to_owned()).spawn(run) {
            Ok(t) => *thread = Some(t),
            Err(e) => {
                self.state.running.store(false, Ordering::Release);
                tracing::warn!("upkeep of the store could not start: {e}");
            }
        }
    }

    pub fn settle(&self) {
        if let Some(t) = self.thread.lock().take() {
            let _ = t.join();
        }
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Release);
        self.settle();
    }
}

impl Inner {
    /// Whether less than half of the log is live, beyond a segment's worth.
    fn is_wasteful(&self) -> bool {
        let index = self.index.read();
        let (size, live) = (index.size(), index.live());
        index.sealed().next().is_some() && size > 2 * live + self.segment_size
    }

    fn needs_upkeep(&self) -> bool {
        self.is_wasteful() || self.index.read().sealed().any(|(_, s)| !s.listed)
    }

    fn upkeep(&self, stop: &AtomicBool) -> Result<()> {
        let stopped = || stop.load(Ordering::Acquire);
        while self.is_wasteful() && !stopped() {
            let Some(oldest) = self.index.read().sealed().next().map(|(id, _)| id) else { break };
            self.retire(oldest, &stopped)?;
        }
        loop {
            let next = self.index.read().sealed().find(|(_, s)| !s.listed).map(|(id, _)| id);
            match next {
                Some(id) if !stopped() => self.list_keys(id)?,
                _ => return Ok(()),
            }
        }
    }

    fn sealed_file(&self, id: u32) -> Option<(Arc<File>, u64)> {
        let index = self.index.read();
        index.sealed().find(|(i, _)| *i == id).map(|(_, s)| (s.file.clone(), s.size))
    }

    /// Writes what is live of the oldest segment again at the end, then removes it. Deletions in
    /// it have nothing older left to delete.
    fn retire(&self, id: u32, stopped: &dyn Fn() -> bool) -> Result<()> {
        let Some((file, size)) = self.sealed_file(id) else { return Ok(()) };
        let mut frames = Frames::new(&file, size);
        let mut batch = Batch::new();
        let mut gathered = 0;
        loop {
            let next = frames.next().map_err(|_| self.damaged(id))?;
            let end = next.is_none();
            if let Some((offset, bytes)) = next {
                for e in frame::entries(bytes) {
                    let e = e.ok_or_else(|| self.damaged(id))?;
                    let at = (offset + e.at as u64) as u32;
                    if let Some(value) = e.value
                        && self.is_at(e.key, id, at)
                    {
                        batch.push((e.key.to_vec(), Some(Bytes::copy_from_slice(value))));
                        gathered += e.key.len() + value.len();
                    }
                }
            }
            if gathered > 64 << 10 || end {
                self.rewrite(id, std::mem::take(&mut batch))?;
                gathered = 0;
            }
            if stopped() {
                return Ok(());
            }
            if end {
                break;
            }
        }
        // The copies must be on the device before the originals go.
        self.sync()?;
        let path = segment::log_path(&self.dir, id);
        fs::remove_file(&path).map_err(Error::io("remove", path))?;
        let _ = fs::remove_file(segment::keys_path(&self.dir, id));
        self.index.write().remove_segment(id);
        Ok(())
    }

    fn is_at(&self, key: &[u8], segment: u32, at: u32) -> bool {
        self.index.read().place(key).is_some_and(|p| p.segment == segment && p.at == at)
    }

    /// Appends those of `batch` that nobody has written since: with the writer's lock held, nobody
    /// can.
    fn rewrite(&self, from: u32, mut batch: Batch) -> Result<()> {
        let mut writer = self.writer.lock();
        {
            let index = self.index.read();
            // A key that stands in the segment twice was gathered at most once: where it is live.
            batch.retain(|(key, _)| index.place(key).is_some_and(|p| p.segment == from));
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.append(&mut writer, &batch).map(drop)
    }

    fn list_keys(&self, id: u32) -> Result<()> {
        let Some((file, size)) = self.sealed_file(id) else { return Ok(()) };
        // Without it, power loss soon after could tear a segment that others already follow.
        file.sync_data().map_err(Error::io("flush", segment::log_path(&self.dir, id)))?;
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&size.to_le_bytes());
        let mut frames = Frames::new(&file, size);
        while let Some((offset, bytes)) = frames.next().map_err(|_| self.damaged(id))? {
            for e in frame::entries(bytes) {
                let e = e.ok_or_else(|| self.damaged(id))?;
                let at = (offset + e.at as u64) as u32;
                let len = e.value.map_or(DELETED, |v| v.len() as u32);
                out.extend_from_slice(&(e.key.len() as u16).to_le_bytes());
                out.extend_from_slice(&at.to_le_bytes());
                out.extend_from_slice(&len.to_le_bytes());
                out.extend_from_slice(e.key);
            }
        }
        out.extend_from_slice(&frame::checksum(&out).to_le_bytes());
        let path = segment::keys_path(&self.dir, id);
        let temp = path.with_extension("keys.new");
        // Not flushed: if it does not survive power loss, its checksum tells, and the segment is read.
        let write = || {
            File::create(&temp)?.write_all(&out)?;
            fs::rename(&temp, &path)
        };
        write().map_err(Error::io("write", path.clone()))?;
        self.index.write().set_listed(id);
        Ok(())
    }

    fn damaged(&self, id: u32) -> Error {
        Error::Corrupt {
            path: segment::log_path(&self.dir, id),
            detail: "its batches are not what was written".to_owned(),
        }
    }
}

const MAGIC: &[u8; 8] = b"fogkeys1";
const DELETED: u32 = u32::MAX;

/// Shows the keys of a full segment of `size` bytes, in the order of its batches. `false`, with
/// nothing shown, when there is no list or not a whole one.
pub fn read_keys(
    dir: &Path,
    id: u32,
    size: u64,
    mut put: impl FnMut(&[u8], Option<Place>),
) -> bool {
    let Ok(bytes) = fs::read(segment::keys_path(dir, id)) else { return false };
    let Some((body, crc)) = bytes.split_last_chunk::<4>() else { return false };
    let Some((head, entries)) = body.split_first_chunk::<16>() else { return false };
    let whole = *crc == frame::checksum(body).to_le_bytes()
        && head[..8] == *MAGIC
        && head[8..] == size.to_le_bytes();
    if !whole {
        return false;
    }
    let mut rest = entries;
    // The checksum was right: this ends at the end.
    while let Some((key, place, tail)) = listed(id, rest) {
        put(key, place);
        rest = tail;
    }
    true
}

fn listed(segment: u32, bytes: &[u8]) -> Option<(&[u8], Option<Place>, &[u8])> {
    let (key_len, rest) = bytes.split_first_chunk::<2>()?;
    let (at, rest) = rest.split_first_chunk::<4>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key_len)))?;
    let place = match u32::from_le_bytes(*len) {
        DELETED => None,
        len => Some(Place { segment, at: u32::from_le_bytes(*at), len }),
    };
    Some((key, place, rest))
}
