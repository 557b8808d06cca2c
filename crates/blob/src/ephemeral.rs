//! Blobs that go with the process: small ones in memory, large ones in a temporary directory.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use fogbank_core::{Body, BoxFuture, Ids};
use futures_util::FutureExt;
use parking_lot::{Mutex, RwLock};

use crate::blobs::{Backend, Listed, Upload};
use crate::files::{FileUpload, Files, Options};
use crate::{BlobId, Error, Result};

/// The longest blob that stays in memory.
const SMALL: usize = 256 << 10;

#[derive(Clone)]
pub(crate) struct Ephemeral(Arc<Inner>);

struct Inner {
    ids: Ids,
    small: RwLock<HashMap<BlobId, (Bytes, Instant)>>,
    /// Made when the first large blob is written.
    large: Mutex<Option<Arc<Large>>>,
}

struct Large {
    files: Files,
    _dir: TempDir,
}

impl Default for Ephemeral {
    fn default() -> Self {
        Ephemeral(Arc::new(Inner {
            ids: Ids::system(),
            small: RwLock::default(),
            large: Mutex::default(),
        }))
    }
}

impl Ephemeral {
    fn existing(&self) -> Option<Arc<Large>> {
        self.0.large.lock().clone()
    }

    fn large(&self) -> Result<Arc<Large>> {
        let mut slot = self.0.large.lock();
        if let Some(l) = &*slot {
            return Ok(l.clone());
        }
        let dir = TempDir::new(&self.0.ids)?;
        let files = Files::open(&dir.0, &Options::default())?;
        let large = Arc::new(Large { files, _dir: dir });
        *slot = Some(large.clone());
        Ok(large)
    }

    fn slice(&self, id: &BlobId, range: &Range<u64>) -> Option<Body> {
        let bytes = self.0.small.read().get(id)?.0.clone();
        let end = range.end.min(bytes.len() as u64) as usize;
        let start = range.start.min(end as u64) as usize;
        Some(if start == end { Body::Empty } else { Body::Full(bytes.slice(start..end)) })
    }
}

impl Backend for Ephemeral {
    fn create(&self) -> BoxFuture<'_, Result<Box<dyn Upload>>> {
        let w = MemoryUpload { store: self.clone(), pieces: Vec::new(), size: 0, spilled: None };
        std::future::ready(Ok(Box::new(w) as Box<dyn Upload>)).boxed()
    }

    fn read<'a>(&'a self, id: &'a BlobId, range: Range<u64>) -> BoxFuture<'a, Result<Body>> {
        let body = self
            .slice(id, &range)
            .map_or_else(|| self.existing().ok_or(Error::Missing(*id))?.files.body(id, range), Ok);
        std::future::ready(body).boxed()
    }

    fn size<'a>(&'a self, id: &'a BlobId) -> BoxFuture<'a, Result<Option<u64>>> {
        let small = self.0.small.read().get(id).map(|(b, _)| b.len() as u64);
        async move {
            match (small, self.existing()) {
                (None, Some(l)) => l.files.size(id).await,
                (small, _) => Ok(small),
            }
        }
        .boxed()
    }

    fn delete<'a>(&'a self, id: &'a BlobId) -> BoxFuture<'a, Result<()>> {
        let small = self.0.small.write().remove(id);
        async move {
            match (small, self.existing()) {
                (None, Some(l)) => l.files.delete(id).await,
                _ => Ok(()),
            }
        }
        .boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>>> {
        let mut all: Vec<Listed> = self
            .0
            .small
            .read()
            .iter()
            .map(|(id, (b, since))| Listed { id: *id, size: b.len() as u64, age: since.elapsed() })
            .collect();
        async move {
            if let Some(l) = self.existing() {
                all.extend(l.files.list().await?);
            }
            Ok(all)
        }
        .boxed()
    }
}

/// Gathers in memory, and goes on in a file when it grows.
struct MemoryUpload {
    store: Ephemeral,
    pieces: Vec<Bytes>,
    size: usize,
    spilled: Option<Box<FileUpload>>,
}

impl Upload for MemoryUpload {
    fn write(&mut self, piece: Bytes) -> BoxFuture<'_, Result<()>> {
        async move {
            if let Some(file) = &mut self.spilled {
                return file.write(piece).await;
            }
            self.size += piece.len();
            self.pieces.push(piece);
            if self.size > SMALL {
                let mut file = Box::new(self.store.large()?.files.writer()?);
                for p in self.pieces.drain(..) {
                    file.write(p).await?;
                }
                self.spilled = Some(file);
            }
            Ok(())
        }
        .boxed()
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<BlobId>> {
        async move {
            if let Some(file) = self.spilled {
                return file.finish().await;
            }
            // Copied together: a piece may pin a larger buffer that it was cut from.
            let mut all = BytesMut::with_capacity(self.size);
            self.pieces.iter().for_each(|p| all.extend_from_slice(p));
            let id = BlobId::random(&self.store.0.ids);
            let entry = (all.freeze(), Instant::now());
            self.store.0.small.write().insert(id, entry);
            Ok(id)
        }
        .boxed()
    }
}

/// A directory of our own, removed with us. Its name carries our process id, so that the next
/// ephemeral run can remove what a killed one left.
struct TempDir(PathBuf);

const PREFIX: &str = "fogbank-ephemeral-";

impl TempDir {
    fn new(ids: &Ids) -> Result<Self> {
        let parent = std::env::temp_dir();
        remove_abandoned(&parent);
        let name = format!("{PREFIX}{}-{}", std::process::id(), BlobId::random(ids));
        let path = parent.join(name);
        std::fs::create_dir(&path).map_err(Error::io("make", &path))?;
        Ok(TempDir(path))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Best effort: what belongs to somebody else stays.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|n| n.strip_prefix(PREFIX)?.split('-').next());
        let dead = pid.is_some_and(|p| {
            p.parse::<u32>().is_ok() && Path::new("/proc/self").exists() && {
                !Path::new("/proc").join(p).exists()
            }
        });
        if dead {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
