//! The bytes of objects: received in one pass that also hashes them, and read back in ranges.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use fogbank_blob::{BlobId, Blobs};
use fogbank_core::{ApiError, Body, Cx, Result};
use futures_util::stream;
use md5::{Digest, Md5};
use tokio::sync::mpsc;

use crate::S3;
use crate::checksum::{Expected, Hasher};
use crate::record::{Algorithm, Checksum, Data, Manifest, ManifestPart, ObjectRecord};
use crate::tables::{INLINE, MANIFESTS, seq_key};

/// Bytes up to here live in the store, beside the record.
pub(crate) const INLINE_MAX: usize = 32 * 1024;
/// The largest object or part that one request may bring.
pub(crate) const PUT_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// From here on hashing happens on a thread of its own.
const HASH_THREAD_MIN: u64 = 1024 * 1024;

/// Bytes that no record names yet.
pub(crate) enum Fresh {
    Empty,
    Inline(Bytes),
    Blob(FreshBlob),
}

impl Fresh {
    /// A record names the bytes now, and is committed.
    pub fn keep(self) {
        if let Fresh::Blob(b) = self {
            b.keep();
        }
    }
}

/// A blob that is deleted unless a record comes to name it.
pub(crate) struct FreshBlob {
    id: Option<BlobId>,
    blobs: Blobs,
}

impl FreshBlob {
    /// The id; the caller's record is about to be committed.
    pub fn id(&self) -> Option<&BlobId> {
        self.id.as_ref()
    }

    /// A record names it now.
    pub fn keep(mut self) {
        self.id = None;
    }
}

impl Drop for FreshBlob {
    fn drop(&mut self) {
        let (Some(id), Ok(runtime)) = (self.id.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let blobs = self.blobs.clone();
        runtime.spawn(async move {
            if let Err(e) = blobs.delete(&id).await {
                tracing::warn!("cannot delete the blob of a failed upload: {e}");
            }
        });
    }
}

/// A body that has arrived whole and is what the client said it is.
pub(crate) struct Arrived {
    pub fresh: Fresh,
    pub size: u64,
    pub md5: [u8; 16],
    /// Of the expected algorithm (CRC64NVME by default), then of the additional one.
    pub checksums: Vec<Checksum>,
}

/// Receives `body`: stores it, hashes it, and compares it with what the client expects.
/// `inline`: small bodies may stay in memory for the store (not those of parts).
///
/// # Errors
/// `IncompleteBody`, `EntityTooLarge`, `BadDigest`; then nothing is left behind.
pub(crate) async fn receive(
    s3: &S3,
    cx: &Cx,
    mut body: Body,
    expected: &Expected,
    inline: bool,
) -> Result<Arrived> {
    let length = body.length();
    if let Some(n) = length.filter(|n| *n > PUT_MAX) {
        return Err(too_large(n));
    }
    let algorithm = expected.algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let limit = if inline { INLINE_MAX as u64 } else { 0 };
    let mut hashes = Hashes::new(algorithm, expected.also);
    let mut size = 0u64;

    // Whatever fits is held back; the first piece that does not fit opens a file.
    let mut held = Held::default();
    let mut overflow = None;
    if length.is_none_or(|n| n <= limit) {
        while let Some(piece) = body.next().await {
            let piece = piece?;
            size += piece.len() as u64;
            if size > limit {
                overflow = Some(piece);
                break;
            }
            held.push(piece);
        }
        if overflow.is_none() {
            check_length(length, size)?;
            let bytes = held.take();
            hashes.update(&bytes);
            let (md5, checksums) = hashes.finish();
            expected.verify(cx, &md5, &checksums)?;
            let fresh = if bytes.is_empty() { Fresh::Empty } else { Fresh::Inline(bytes) };
            return Ok(Arrived { fresh, size, md5, checksums });
        }
    }

    let mut writer = s3.blobs.writer().await?;
    let mut hashing = Hashing::begin(s3, hashes, length);
    for piece in [held.take()].into_iter().chain(overflow).filter(|b| !b.is_empty()) {
        hashing.update(&piece).await?;
        writer.write(piece).await?;
    }
    while let Some(piece) = body.next().await {
        let piece = piece?;
        size += piece.len() as u64;
        if size > PUT_MAX {
            return Err(too_large(size));
        }
        hashing.update(&piece).await?;
        writer.write(piece).await?;
    }
    check_length(length, size)?;
    let (md5, checksums) = hashing.finish().await?;
    expected.verify(cx, &md5, &checksums)?;
    let fresh = if size == 0 {
        Fresh::Empty
    } else {
        let id = Some(writer.finish().await?);
        Fresh::Blob(FreshBlob { id, blobs: s3.blobs.clone() })
    };
    Ok(Arrived { fresh, size, md5, checksums })
}

/// The bytes `range` of a version. `None`: they were deleted since the record was read, so the
/// caller reads the record again.
///
/// # Errors
/// The store's.
pub(crate) async fn read(
    s3: &S3,
    bucket: &str,
    key: &str,
    record: &ObjectRecord,
    range: Range<u64>,
) -> Result<Option<Body>> {
    if range.is_empty() {
        return Ok(Some(Body::Empty));
    }
    match &record.data {
        Data::Empty => Ok(Some(Body::Empty)),
        Data::Inline => {
            let row = s3.store.get(&INLINE, &seq_key(bucket, key, record.seq)).await?;
            Ok(row.map(|b| {
                let end = usize::try_from(range.end).map_or(b.len(), |e| e.min(b.len()));
                let start = usize::try_from(range.start).map_or(end, |s| s.min(end));
                Body::Full(b.slice(start..end))
            }))
        }
        Data::Blob(id) => open_blob(s3, id, range).await,
        Data::Parts => {
            let row = s3.store.get(&MANIFESTS, &seq_key(bucket, key, record.seq)).await?;
            match row {
                Some(manifest) => read_parts(s3, &manifest, range).await,
                None => Ok(None),
            }
        }
    }
}

/// All blobs are opened before the first byte goes out: what is open stays readable when the
/// object is overwritten meanwhile.
async fn read_parts(s3: &S3, manifest: &Manifest, range: Range<u64>) -> Result<Option<Body>> {
    let length = range.end - range.start;
    let mut pieces = Vec::new();
    let mut at = 0;
    for ManifestPart { size, blob, .. } in &manifest.parts {
        let (from, to) = (range.start.max(at), range.end.min(at + size));
        if from < to
            && let Some(id) = blob
        {
            match open_blob(s3, id, from - at..to - at).await? {
                Some(body) => pieces.push(body),
                None => return Ok(None),
            }
        }
        at += size;
    }
    pieces.reverse();
    let chunks = stream::unfold(pieces, |mut pieces| async move {
        loop {
            match pieces.last_mut()?.next().await {
                Some(piece) => return Some((piece, pieces)),
                None => drop(pieces.pop()),
            }
        }
    });
    Ok(Some(Body::stream(Some(length), chunks)))
}

async fn open_blob(s3: &S3, id: &BlobId, range: Range<u64>) -> Result<Option<Body>> {
    match s3.blobs.read(id, range).await {
        Ok(body) => Ok(Some(body)),
        Err(fogbank_blob::Error::Missing { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Small pieces, joined only when there are several.
#[derive(Default)]
struct Held {
    first: Bytes,
    rest: BytesMut,
}

impl Held {
    fn push(&mut self, piece: Bytes) {
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = piece;
        } else {
            if self.rest.is_empty() {
                self.rest.extend_from_slice(&std::mem::take(&mut self.first));
            }
            self.rest.extend_from_slice(&piece);
        }
    }

    fn take(&mut self) -> Bytes {
        if self.rest.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            std::mem::take(&mut self.rest).freeze()
        }
    }
}

/// MD5 (for the ETag) and the checksums.
struct Hashes {
    md5: Md5,
    sum: Hasher,
    also: Option<Hasher>,
}

/// What hashing gives.
type Digests = ([u8; 16], Vec<Checksum>);

impl Hashes {
    fn new(a: Algorithm, also: Option<Algorithm>) -> Self {
        let also = also.filter(|b| *b != a).map(Hasher::new);
        Hashes { md5: Md5::new(), sum: Hasher::new(a), also }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sum.update(bytes);
        if let Some(h) = &mut self.also {
            h.update(bytes);
        }
    }

    fn finish(self) -> Digests {
        let sums = std::iter::once(self.sum).chain(self.also).map(Hasher::checksum);
        (self.md5.finalize().into(), sums.collect())
    }
}

/// Hashing here, or beside us on a thread while we write the file.
enum Hashing {
    Here(Box<Hashes>),
    Beside { pieces: mpsc::Sender<Bytes>, done: tokio::task::JoinHandle<Digests> },
}

impl Hashing {
    fn begin(s3: &S3, mut hashes: Hashes, length: Option<u64>) -> Hashing {
        // A slow client must not keep a thread from others: when all permits are taken, hash here.
        let permit = match length {
            Some(n) if n >= HASH_THREAD_MIN => Arc::clone(&s3.hashers).try_acquire_owned().ok(),
            _ => None,
        };
        let Some(permit) = permit else { return Hashing::Here(Box::new(hashes)) };
        let (pieces, mut inbox) = mpsc::channel::<Bytes>(16);
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            while let Some(piece) = inbox.blocking_recv() {
                hashes.update(&piece);
            }
            hashes.finish()
        });
        Hashing::Beside { pieces, done }
    }

    async fn update(&mut self, piece: &Bytes) -> Result<()> {
        match self {
            Hashing::Here(h) => h.update(piece),
            Hashing::Beside { pieces, .. } => pieces
                .send(piece.clone())
                .await
                .map_err(|_| ApiError::internal("the hashing thread ended early"))?,
        }
        Ok(())
    }

    async fn finish(self) -> Result<Digests> {
        match self {
            Hashing::Here(h) => Ok(h.finish()),
            Hashing::Beside { pieces, done } => {
                drop(pieces);
                done.await.map_err(|e| ApiError::internal(format!("hashing failed: {e}")))
            }
        }
    }
}

fn check_length(length: Option<u64>, size: u64) -> Result<()> {
    if length.is_none_or(|n| n == size) {
        return Ok(());
    }
    Err(ApiError::new(
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
    .status(400))
}

fn too_large(size: u64) -> ApiError {
    ApiError::new("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        .status(400)
        .field("ProposedSize", size.to_string())
        .field("MaxSizeAllowed", PUT_MAX.to_string())
}
