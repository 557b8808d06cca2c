//! Segment files: `00000001.log` with batches, and `00000001.keys` with the keys of a full one.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};

use super::frame;
use super::index::Place;
use crate::{Error, Result};

/// What a segment begins with: the format's name.
const MAGIC: &[u8; 8] = b"fogblog1";
pub const HEAD: u64 = MAGIC.len() as u64;

pub fn log_path(dir: &Path, id: u32) -> PathBuf {
    dir.join(format!("{id:08}.log"))
}

pub fn keys_path(dir: &Path, id: u32) -> PathBuf {
    dir.join(format!("{id:08}.keys"))
}

pub fn create(dir: &Path, id: u32) -> Result<File> {
    let path = log_path(dir, id);
    let make = || {
        // What a failed attempt may have left holds no batch.
        let file =
            File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        file.write_all_at(MAGIC, 0)?;
        Ok(file)
    };
    make().map_err(|e| {
        let _ = fs::remove_file(&path);
        Error::io("make", path)(e)
    })
}

/// Whether the file begins as a segment does; `None` when it is too short to tell.
pub fn is_segment(file: &File) -> io::Result<Option<bool>> {
    let mut head = [0; HEAD as usize];
    match file.read_exact_at(&mut head, 0) {
        Ok(()) => Ok(Some(head == *MAGIC)),
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(e) => Err(e),
    }
}

pub fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// A value that cannot be had.
#[derive(Debug)]
pub enum ReadError {
    Io(io::Error),
    /// At this byte.
    Damaged(u64),
}

pub fn read_value(file: &File, place: Place) -> Result<Bytes, ReadError> {
    if place.len == 0 {
        return Ok(Bytes::new());
    }
    let mut stored = vec![0; place.len as usize + 4];
    file.read_exact_at(&mut stored, u64::from(place.at)).map_err(ReadError::Io)?;
    checked(&stored, place.at)?;
    let mut value = Bytes::from(stored);
    value.advance(4);
    Ok(value)
}

pub fn read_at(file: &File, buffer: &mut Vec<u8>, lo: u64, hi: u64) -> Result<(), ReadError> {
    buffer.resize((hi - lo) as usize, 0);
    file.read_exact_at(buffer, lo).map_err(ReadError::Io)
}

/// The value behind its checksum.
pub fn checked(stored: &[u8], at: u32) -> Result<&[u8], ReadError> {
    match stored.split_first_chunk::<4>() {
        Some((crc, value)) if *crc == frame::checksum(value).to_le_bytes() => Ok(value),
        _ => Err(ReadError::Damaged(u64::from(at))),
    }
}

/// Reads the batches of a segment from the first on, through a buffer of bounded size.
pub struct Frames<'a> {
    file: &'a File,
    size: u64,
    offset: u64,
    buffer: Vec<u8>,
    /// Where in the file the buffer begins.
    buffered: u64,
}

/// What stands where a batch should.
#[derive(Debug)]
pub enum Broken {
    Io(io::Error),
    /// The last batch, incomplete or not all written: at this byte.
    Torn(u64),
    /// Something else, with more behind it.
    Damaged(u64),
}

const READ: u64 = 1 << 20;

impl<'a> Frames<'a> {
    pub fn new(file: &'a File, size: u64) -> Self {
        Frames { file, size, offset: HEAD, buffer: Vec::new(), buffered: 0 }
    }

    /// Where the next batch begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next batch's offset and frame; `None` at the end.
    pub fn next(&mut self) -> Result<Option<(u64, &[u8])>, Broken> {
        let at = self.offset;
        if at >= self.size {
            return Ok(None);
        }
        let head = frame::HEAD as u64;
        if at + head > self.size {
            return Err(Broken::Torn(at));
        }
        let length = frame::length(self.fill(at, head).map_err(Broken::Io)?);
        let Some(length) = length else {
            return Err(self.zeros_or_damage(at));
        };
        let end = at + head + length;
        if end > self.size {
            return Err(Broken::Torn(at));
        }
        let whole = frame::is_whole(self.fill(at, end - at).map_err(Broken::Io)?);
        if !whole {
            return Err(if end == self.size { Broken::Torn(at) } else { Broken::Damaged(at) });
        }
        self.offset = end;
        let start = (at - self.buffered) as usize;
        Ok(Some((at, &self.buffer[start..start + (end - at) as usize])))
    }

    /// After power loss a file may end in zeros where data had not arrived.
    fn zeros_or_damage(&mut self, at: u64) -> Broken {
        let mut from = at;
        while from < self.size {
            let n = READ.min(self.size - from);
            match self.fill(from, n) {
                Ok(bytes) if bytes.iter().all(|b| *b == 0) => from += n,
                Ok(_) => return Broken::Damaged(at),
                Err(e) => return Broken::Io(e),
            }
        }
        Broken::Torn(at)
    }

    /// The bytes at `at`, `len` of them, which the file has.
    fn fill(&mut self, at: u64, len: u64) -> io::Result<&[u8]> {
        let have = self.buffered..self.buffered + self.buffer.len() as u64;
        if at < have.start || at + len > have.end {
            let n = len.max(READ).min(self.size - at);
            self.buffer.resize(n as usize, 0);
            self.buffered = at;
            self.file.read_exact_at(&mut self.buffer, at)?;
        }
        let start = (at - self.buffered) as usize;
        Ok(&self.buffer[start..start + len as usize])
    }
}
