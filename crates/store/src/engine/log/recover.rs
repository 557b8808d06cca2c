//! Opening a log: the index is built from the segments, oldest first.

use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use super::index::{Index, Place};
use super::segment::{self, Broken, Frames};
use super::{frame, upkeep};
use crate::{Error, Result};

/// The segment that is written on.
pub struct End {
    pub id: u32,
    pub file: Arc<File>,
    pub size: u64,
}

pub fn recover(dir: &Path) -> Result<(Index, End)> {
    let make = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    make.map_err(Error::io("make", dir))?;
    let ids = segments(dir)?;
    let mut index = Index::default();
    let Some(last) = ids.last().copied() else {
        let file = Arc::new(segment::create(dir, 1)?);
        index.add_segment(1, file.clone(), segment::HEAD);
        return Ok((index, End { id: 1, file, size: segment::HEAD }));
    };
    for (id, expected) in ids.iter().zip(ids[0]..) {
        if *id != expected {
            return Err(corrupt(dir, expected, "it is missing".to_owned()));
        }
        if *id != last {
            sealed(dir, *id, &mut index)?;
        }
    }
    let end = newest(dir, last, &mut index)?;
    Ok((index, end))
}

/// The numbers of the segments, in order. What is no segment is not ours to judge.
fn segments(dir: &Path) -> Result<Vec<u32>> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("read", dir))? {
        let name = entry.map_err(Error::io("read", dir))?.file_name();
        let id = name.to_str().and_then(|n| n.strip_suffix(".log")?.parse::<u32>().ok());
        ids.extend(id);
    }
    ids.sort_unstable();
    Ok(ids)
}

fn open(dir: &Path, id: u32) -> Result<(Arc<File>, u64)> {
    let path = segment::log_path(dir, id);
    let open = || {
        let file = File::options().read(true).write(true).open(&path)?;
        let size = file.metadata()?.len();
        Ok((Arc::new(file), size))
    };
    open().map_err(Error::io("open", &path))
}

fn sealed(dir: &Path, id: u32, index: &mut Index) -> Result<()> {
    let (file, size) = open(dir, id)?;
    index.add_segment(id, file.clone(), size);
    let listed = upkeep::read_keys(dir, id, size, |key, place| index.apply(key, id, place));
    if listed {
        index.set_listed(id);
        return Ok(());
    }
    check_head(dir, id, &file)?;
    match replay(&file, size, id, index).1 {
        None => Ok(()),
        Some(broken) => Err(refusal(dir, id, broken)),
    }
}

/// The newest may end in the middle of a batch, or be just made.
fn newest(dir: &Path, id: u32, index: &mut Index) -> Result<End> {
    let (file, size) = open(dir, id)?;
    if size < segment::HEAD {
        let file = Arc::new(segment::create(dir, id)?);
        index.add_segment(id, file.clone(), segment::HEAD);
        return Ok(End { id, file, size: segment::HEAD });
    }
    check_head(dir, id, &file)?;
    index.add_segment(id, file.clone(), size);
    let (end, broken) = replay(&file, size, id, index);
    match broken {
        None => {}
        Some(Broken::Torn(at)) => {
            tracing::warn!(
                "the last {} bytes of {} were not completely written and never acknowledged; \
                 they are dropped",
                size - at,
                segment::log_path(dir, id).display()
            );
            file.set_len(at).map_err(Error::io("write", segment::log_path(dir, id)))?;
        }
        Some(broken) => return Err(refusal(dir, id, broken)),
    }
    index.grown(id, end);
    Ok(End { id, file, size: end })
}

/// Enters all batches up to the end or to what is broken, and says where that is.
fn replay(file: &File, size: u64, id: u32, index: &mut Index) -> (u64, Option<Broken>) {
    let mut frames = Frames::new(file, size);
    loop {
        match frames.next() {
            Ok(None) => return (frames.offset(), None),
            Err(broken) => return (frames.offset(), Some(broken)),
            Ok(Some((offset, bytes))) => {
                for entry in frame::entries(bytes) {
                    let Some(e) = entry else {
                        return (offset, Some(Broken::Damaged(offset)));
                    };
                    // Offsets fit: no segment reaches 4 GiB.
                    let at = (offset + e.at as u64) as u32;
                    let place = e.value.map(|v| Place { segment: id, at, len: v.len() as u32 });
                    index.apply(e.key, id, place);
                }
            }
        }
    }
}

fn check_head(dir: &Path, id: u32, file: &File) -> Result<()> {
    match segment::is_segment(file).map_err(Error::io("read", segment::log_path(dir, id)))? {
        Some(true) => Ok(()),
        _ => Err(corrupt(dir, id, "it does not begin as a segment of ours".to_owned())),
    }
}

fn refusal(dir: &Path, id: u32, broken: Broken) -> Error {
    match broken {
        Broken::Io(e) => Error::io("read", segment::log_path(dir, id))(e),
        Broken::Torn(at) | Broken::Damaged(at) => corrupt(
            dir,
            id,
            format!("what begins at byte {at} is not what was written, though more follows"),
        ),
    }
}

fn corrupt(dir: &Path, id: u32, detail: String) -> Error {
    Error::Corrupt { path: segment::log_path(dir, id), detail }
}
