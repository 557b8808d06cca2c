//! The handle that services hold, and the trait that a blob store elsewhere implements.

use std::ops::{Bound, Range, RangeBounds};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fogbank_core::{Body, BoxFuture};

use crate::ephemeral::Ephemeral;
use crate::files::{Files, Options};
use crate::{BlobId, Result};

/// A store of blobs. Cheap to clone; all clones are one store.
#[derive(Clone)]
pub struct Blobs(Arc<dyn Backend>);

/// Where blobs are kept: files here, or an S3-compatible store that several nodes share.
pub trait Backend: Send + Sync + 'static {
    /// Begins a blob.
    fn create(&self) -> BoxFuture<'_, Result<Box<dyn Upload>>>;

    /// The bytes of `range`, cut to what there is. `end` may be `u64::MAX`.
    fn read<'a>(&'a self, id: &'a BlobId, range: Range<u64>) -> BoxFuture<'a, Result<Body>>;

    /// The length in bytes; `None` when there is no such blob.
    fn size<'a>(&'a self, id: &'a BlobId) -> BoxFuture<'a, Result<Option<u64>>>;

    /// Removes a blob, if it is there. Bodies already being read stay whole.
    fn delete<'a>(&'a self, id: &'a BlobId) -> BoxFuture<'a, Result<()>>;

    /// All finished blobs, in no order.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>>>;
}

/// A blob being written. Dropped before [`Upload::finish`], it never was.
pub trait Upload: Send {
    fn write(&mut self, piece: Bytes) -> BoxFuture<'_, Result<()>>;
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<BlobId>>;
}

/// A blob as [`Backend::list`] sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: BlobId,
    pub size: u64,
    /// Since it was finished.
    pub age: Duration,
}

impl Blobs {
    /// Blobs as files below `path`, which is made if it is not there. What unfinished writers left
    /// behind is removed: only one process may have `path` open.
    ///
    /// # Errors
    /// When the directory cannot be made, read or written.
    pub fn open(path: &Path, options: &Options) -> Result<Self> {
        Ok(Blobs::on(Files::open(path, options)?))
    }

    /// Blobs that go with the process: small ones in memory, large ones in a temporary directory.
    #[must_use]
    pub fn ephemeral() -> Self {
        Blobs::on(Ephemeral::default())
    }

    /// Blobs elsewhere.
    pub fn on(backend: impl Backend) -> Self {
        Blobs(Arc::new(backend))
    }

    /// Begins a blob.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn writer(&self) -> Result<Writer> {
        Ok(Writer { upload: self.0.create().await?, written: 0 })
    }

    /// Writes a blob in one go.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn put(&self, bytes: Bytes) -> Result<BlobId> {
        let mut w = self.writer().await?;
        w.write(bytes).await?;
        w.finish().await
    }

    /// The bytes of `range` (`..` for all), cut to what there is: a range that begins past the end
    /// is empty. The body stays whole if the blob is deleted meanwhile.
    ///
    /// # Errors
    /// [`crate::Error::Missing`] when there is no such blob; when the backend fails.
    pub async fn read(&self, id: &BlobId, range: impl RangeBounds<u64>) -> Result<Body> {
        self.0.read(id, half_open(&range)).await
    }

    /// The length of a blob in bytes; `None` when there is none.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn size(&self, id: &BlobId) -> Result<Option<u64>> {
        self.0.size(id).await
    }

    /// Removes a blob, if it is there.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn delete(&self, id: &BlobId) -> Result<()> {
        self.0.delete(id).await
    }

    /// All finished blobs, in no order.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        self.0.list().await
    }

    /// Removes the blobs that `is_live` disowns and returns how many. Those finished less than
    /// `older_than` ago are left alone: their record may not be written yet.
    ///
    /// # Errors
    /// When the backend fails; what was removed so far stays removed.
    pub async fn sweep<F, L>(&self, mut is_live: F, older_than: Duration) -> Result<u64>
    where
        F: FnMut(BlobId) -> L,
        L: Future<Output = bool>,
    {
        let mut removed = 0;
        for blob in self.list().await? {
            if blob.age >= older_than && !is_live(blob.id).await {
                self.delete(&blob.id).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Blobs")
    }
}

/// A blob being written. Dropped before [`Writer::finish`], it never was.
pub struct Writer {
    upload: Box<dyn Upload>,
    written: u64,
}

impl Writer {
    /// Appends `piece`.
    ///
    /// # Errors
    /// When the backend fails (a full disk); the blob cannot be finished then.
    pub async fn write(&mut self, piece: Bytes) -> Result<()> {
        self.written += piece.len() as u64;
        self.upload.write(piece).await
    }

    /// Bytes written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Makes the blob visible, as durably as the store was opened.
    ///
    /// # Errors
    /// When the backend fails; then there is no blob.
    pub async fn finish(self) -> Result<BlobId> {
        self.upload.finish().await
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Writer({} bytes)", self.written)
    }
}

fn half_open(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(n) => *n,
        Bound::Excluded(n) => n.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(n) => n.saturating_add(1),
        Bound::Excluded(n) => *n,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}
