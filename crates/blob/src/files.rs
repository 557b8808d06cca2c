//! Blobs as files: `<two digits>/<id>`, written under `tmp/` and renamed when complete.

use std::fs::{self, File};
use std::io::{ErrorKind, IoSlice, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Buf, Bytes};
use fogbank_core::clock::real_now;
use fogbank_core::{ApiError, Body, BoxFuture, Ids};
use futures_util::FutureExt;

use crate::blobs::{Backend, Listed, Upload};
use crate::map::{self, WINDOW, Windows};
use crate::{BlobId, Error, Result};

/// How blobs are kept.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether a finished blob survives power loss, not just the death of the process.
    pub fsync: bool,
}

/// A directory of blobs.
pub(crate) struct Files(Arc<Inner>);

struct Inner {
    root: PathBuf,
    fsync: bool,
    windows: Windows,
    ids: Ids,
}

/// Small pieces are gathered to about this many bytes before they are written: fewer system calls,
/// no copy.
const GATHER: usize = 64 << 10;
const PIECES: usize = 64;

/// Reads up to this length are copied: cheaper than mapping.
const COPIED: u64 = 32 << 10;

impl Files {
    pub fn open(root: &Path, options: &Options) -> Result<Self> {
        let tmp = root.join("tmp");
        fs::create_dir_all(&tmp).map_err(Error::io("make", &tmp))?;
        for left in fs::read_dir(&tmp).map_err(Error::io("read", &tmp))? {
            let path = left.map_err(Error::io("read", &tmp))?.path();
            fs::remove_file(&path).map_err(Error::io("remove", path))?;
        }
        Ok(Files(Arc::new(Inner {
            root: root.to_owned(),
            fsync: options.fsync,
            windows: Windows::default(),
            ids: Ids::system(),
        })))
    }

    /// Begins a blob. Files are made, written and renamed inline: each call is a few microseconds
    /// of page cache, less than a thread's wake-up.
    pub fn writer(&self) -> Result<FileUpload> {
        let id = BlobId::random(&self.0.ids);
        let temp = self.0.root.join("tmp").join(id.to_string());
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(&temp)
            .map_err(Error::io("make", &temp))?;
        Ok(FileUpload {
            store: self.0.clone(),
            id,
            file,
            temp: Temp(Some(temp)),
            waiting: Vec::new(),
            size: 0,
        })
    }

    pub fn body(&self, id: &BlobId, range: Range<u64>) -> Result<Body> {
        let (start, window) = (range.start, range.start / WINDOW);
        if let Some((bytes, len)) = self.0.windows.get(id, window) {
            let end = range.end.min(len);
            if start >= end {
                return Ok(Body::Empty);
            }
            if end <= (window + 1) * WINDOW {
                return Ok(Body::Full(cut(&bytes, window, start..end)));
            }
        }
        let path = self.0.path(id);
        let file = File::open(&path).map_err(|e| missing(e, id, "open", &path))?;
        let len = file.metadata().map_err(Error::io("read", &path))?.len();
        let range = start..range.end.min(len);
        if range.is_empty() {
            return Ok(Body::Empty);
        }
        let mut reader = Reader { store: self.0.clone(), id: *id, file, len, range };
        let size = reader.range.end - reader.range.start;
        if size <= COPIED {
            return reader.copy().map(Body::Full);
        }
        if (reader.range.end - 1) / WINDOW == window {
            return reader.piece().map(Body::Full);
        }
        let pieces = std::iter::from_fn(move || {
            (!reader.range.is_empty()).then(|| reader.piece().map_err(ApiError::from))
        });
        Ok(Body::stream(Some(size), futures_util::stream::iter(pieces)))
    }
}

impl Backend for Files {
    fn create(&self) -> BoxFuture<'_, Result<Box<dyn Upload>>> {
        let w = self.writer();
        async { w.map(|w| Box::new(w) as Box<dyn Upload>) }.boxed()
    }

    fn read<'a>(&'a self, id: &'a BlobId, range: Range<u64>) -> BoxFuture<'a, Result<Body>> {
        async { self.body(id, range) }.boxed()
    }

    fn size<'a>(&'a self, id: &'a BlobId) -> BoxFuture<'a, Result<Option<u64>>> {
        async {
            let path = self.0.path(id);
            match fs::metadata(&path) {
                Ok(m) => Ok(Some(m.len())),
                Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
                Err(e) => Err(Error::io("read", path)(e)),
            }
        }
        .boxed()
    }

    fn delete<'a>(&'a self, id: &'a BlobId) -> BoxFuture<'a, Result<()>> {
        async {
            self.0.windows.forget(id);
            let path = self.0.path(id);
            match fs::remove_file(&path) {
                Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("remove", path)(e)),
                _ => Ok(()),
            }
        }
        .boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>>> {
        let store = self.0.clone();
        blocking(move || store.list()).boxed()
    }
}

impl Inner {
    fn path(&self, id: &BlobId) -> PathBuf {
        let name = id.to_string();
        self.root.join(&name[..2]).join(name)
    }

    fn list(&self) -> Result<Vec<Listed>> {
        let read = |p: &Path| fs::read_dir(p).map_err(Error::io("read", p));
        let now = SystemTime::from(real_now());
        let mut all = Vec::new();
        for dir in read(&self.root)? {
            let dir = dir.map_err(Error::io("read", &self.root))?.path();
            if dir.file_name().is_none_or(|n| n.len() != 2) {
                continue;
            }
            for entry in read(&dir)? {
                let entry = entry.map_err(Error::io("read", &dir))?;
                let Some(id) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
                    continue;
                };
                let meta = match entry.metadata() {
                    Ok(m) => m,
                    Err(e) if e.kind() == ErrorKind::NotFound => continue,
                    Err(e) => return Err(Error::io("read", entry.path())(e)),
                };
                let age = meta.modified().ok().and_then(|m| now.duration_since(m).ok());
                let age = age.unwrap_or(Duration::ZERO);
                all.push(Listed { id, size: meta.len(), age });
            }
        }
        Ok(all)
    }

    /// Gives the complete file its name.
    fn publish(&self, id: &BlobId, file: &File, temp: &Path) -> Result<()> {
        let path = self.path(id);
        let dir = path.parent().unwrap_or(&self.root);
        if self.fsync {
            file.sync_all().map_err(Error::io("write", temp))?;
        }
        let mut made = false;
        let mut renamed = fs::rename(temp, &path);
        if renamed.as_ref().is_err_and(|e| e.kind() == ErrorKind::NotFound) {
            // The first blob of its directory; somebody may be making it right now.
            fs::create_dir_all(dir).map_err(Error::io("make", dir))?;
            made = true;
            renamed = fs::rename(temp, &path);
        }
        renamed.map_err(Error::io("name", &path))?;
        if self.fsync {
            let flush = |p: &Path| File::open(p)?.sync_all();
            flush(dir).map_err(Error::io("write", dir))?;
            if made {
                flush(&self.root).map_err(Error::io("write", &self.root))?;
            }
        }
        Ok(())
    }
}

/// What is left to read of an open blob.
struct Reader {
    store: Arc<Inner>,
    id: BlobId,
    file: File,
    len: u64,
    range: Range<u64>,
}

impl Reader {
    /// The bytes up to the next window's edge.
    fn piece(&mut self) -> Result<Bytes> {
        let index = self.range.start / WINDOW;
        let edge = ((index + 1) * WINDOW).min(self.len);
        let part = self.range.start..self.range.end.min(edge);
        self.range.start = part.end;
        let cached = self.store.windows.get(&self.id, index);
        if let Some((bytes, _)) = cached {
            return Ok(cut(&bytes, index, part));
        }
        let offset = index * WINDOW;
        let bytes = map::window(&self.file, offset, (edge - offset) as usize)
            .map_err(|e| Error::io("read", self.store.path(&self.id))(e))?;
        self.store.windows.keep(&self.id, index, self.len, bytes.clone());
        Ok(cut(&bytes, index, part))
    }

    fn copy(&self) -> Result<Bytes> {
        let mut out = vec![0; (self.range.end - self.range.start) as usize];
        self.file
            .read_exact_at(&mut out, self.range.start)
            .map_err(|e| Error::io("read", self.store.path(&self.id))(e))?;
        Ok(out.into())
    }
}

fn cut(window: &Bytes, index: u64, range: Range<u64>) -> Bytes {
    let offset = index * WINDOW;
    window.slice((range.start - offset) as usize..(range.end - offset) as usize)
}

fn missing(e: std::io::Error, id: &BlobId, action: &'static str, path: &Path) -> Error {
    if e.kind() == ErrorKind::NotFound { Error::Missing(*id) } else { Error::io(action, path)(e) }
}

/// A file being written; removed when dropped before it has its name.
pub(crate) struct FileUpload {
    store: Arc<Inner>,
    id: BlobId,
    file: File,
    temp: Temp,
    waiting: Vec<Bytes>,
    size: usize,
}

struct Temp(Option<PathBuf>);

impl Temp {
    fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if let Some(p) = self.0.take()
            && let Err(e) = fs::remove_file(&p)
        {
            tracing::warn!("cannot remove {}: {e}", p.display());
        }
    }
}

impl FileUpload {
    fn push(&mut self, piece: Bytes) -> Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        self.size += piece.len();
        self.waiting.push(piece);
        if self.size >= GATHER || self.waiting.len() >= PIECES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let mut rest = std::mem::take(&mut self.waiting);
        self.size = 0;
        let mut done = 0;
        while done < rest.len() {
            let slices: Vec<IoSlice<'_>> = rest[done..].iter().map(|b| IoSlice::new(b)).collect();
            let mut n = match self.file.write_vectored(&slices) {
                Ok(0) => Err(std::io::Error::from(ErrorKind::WriteZero)),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                other => other,
            }
            .map_err(Error::io("write", self.temp.path()))?;
            while n > 0 {
                let step = n.min(rest[done].len());
                rest[done].advance(step);
                n -= step;
                done += usize::from(rest[done].is_empty());
            }
        }
        rest.clear();
        self.waiting = rest;
        Ok(())
    }

    fn publish(mut self) -> Result<BlobId> {
        self.flush()?;
        self.store.publish(&self.id, &self.file, self.temp.path())?;
        self.temp.0 = None;
        Ok(self.id)
    }
}

impl Upload for FileUpload {
    fn write(&mut self, piece: Bytes) -> BoxFuture<'_, Result<()>> {
        std::future::ready(self.push(piece)).boxed()
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<BlobId>> {
        if self.store.fsync {
            blocking(move || self.publish()).boxed()
        } else {
            std::future::ready(self.publish()).boxed()
        }
    }
}

/// For what takes milliseconds: a thread that may wait.
async fn blocking<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(f).await {
        Ok(r) => r,
        Err(e) => Err(Error::Backend { action: "run a file operation", detail: e.to_string() }),
    }
}
