//! Changing what is under one key: the versions of an object as one transaction.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html>
//!
//! **Invariant:** the row in `s3.object` is the newest version of its key and no delete marker; when
//! the newest one is a delete marker there is no such row.

use fogbank_blob::BlobId;
use fogbank_core::{ApiError, Cx, Result};
use fogbank_store::{Key, Lock, Range, Tx};

use crate::condition::WriteConditions;
use crate::data::Fresh;
use crate::error::no_such_bucket;
use crate::lock::check_delete;
use crate::record::{BucketRecord, Data, Manifest, ObjectRecord, Versioning};
use crate::tables::{
    BLOBREFS, BUCKETS, GARBAGE, INLINE, MANIFESTS, NULLS, OBJECTS, VERSIONS, blob_key, bucket_key,
    object_key, seq_key, version_key,
};
use crate::{S3, seqid};

/// A change under one key, with the bucket held and the key locked.
pub(crate) struct Write<'a> {
    s3: &'a S3,
    cx: &'a Cx,
    pub tx: Tx,
    pub bucket: BucketRecord,
    pub key: &'a str,
    row: Key,
    /// The newest version, unless it is a delete marker.
    pub current: Option<ObjectRecord>,
    /// Blobs that lose their record here, with the sequence of the row that named them.
    garbage: Vec<(BlobId, u64)>,
}

/// What a delete did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Deleted {
    /// The version that is gone, or the delete marker that was made.
    pub version: Option<String>,
    /// It was, or is, a delete marker.
    pub marker: bool,
    /// Whether anything changed.
    pub changed: bool,
}

impl<'a> Write<'a> {
    /// Locks the key (and `more`) and reads what is there.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub async fn begin(
        s3: &'a S3,
        cx: &'a Cx,
        bucket: &str,
        key: &'a str,
        more: Vec<Lock>,
    ) -> Result<Write<'a>> {
        let (bucket_row, row) = (bucket_key(bucket), object_key(bucket, key));
        let mut locks = more;
        locks.push(Lock::shared(&BUCKETS, &bucket_row));
        locks.push(Lock::exclusive(&OBJECTS, &row));
        let mut tx = s3.store.lock(&locks).await;
        let bucket = tx.get(&BUCKETS, &bucket_row).await?.ok_or_else(|| no_such_bucket(bucket))?;
        let current = tx.get(&OBJECTS, &row).await?;
        Ok(Write { s3, cx, tx, bucket, key, row, current, garbage: Vec::new() })
    }

    /// Checks the conditions of a write against what is there.
    ///
    /// # Errors
    /// `PreconditionFailed`; `NoSuchKey` for a condition on what does not exist.
    pub fn check(&self, conditions: &WriteConditions) -> Result<()> {
        conditions.check(self.key, self.current.as_ref())
    }

    /// Makes `record` the current version. Its sequence, version and time are set here.
    pub async fn put(
        &mut self,
        mut record: ObjectRecord,
        fresh: &Fresh,
        manifest: Option<&Manifest>,
    ) -> Result<ObjectRecord> {
        let seq = self.next_seq().await?;
        record.seq = seq;
        record.modified = self.cx.now.as_second();
        record.version = match self.bucket.versioning {
            Versioning::Enabled => Some(seqid::make(self.cx.ids(), seq)),
            Versioning::Off | Versioning::Suspended => None,
        };
        self.make_room().await?;
        let bytes_row = seq_key(&self.bucket.name, self.key, seq);
        match (fresh, manifest) {
            (_, Some(m)) => {
                record.data = Data::Parts;
                self.tx.put(&MANIFESTS, &bytes_row, m);
            }
            (Fresh::Inline(bytes), _) => {
                record.data = Data::Inline;
                self.tx.put(&INLINE, &bytes_row, bytes);
            }
            (Fresh::Blob(b), _) => {
                let id = b.id().ok_or_else(|| ApiError::internal("a blob without an id"))?;
                record.data = Data::Blob(*id);
            }
            // `record.data` may name a blob that it shares with the source of a copy.
            (Fresh::Empty, _) => {}
        }
        self.tx.put(&OBJECTS, &self.row, &record);
        self.current = Some(record.clone());
        Ok(record)
    }

    /// Deletes without naming a version: removes the object, or hides it behind a delete marker.
    pub async fn delete(&mut self) -> Result<Deleted> {
        if self.bucket.versioning == Versioning::Off {
            let changed = self.current.is_some();
            self.make_room().await?;
            return Ok(Deleted { changed, ..Deleted::default() });
        }
        let seq = self.next_seq().await?;
        let version = match self.bucket.versioning {
            Versioning::Enabled => Some(seqid::make(self.cx.ids(), seq)),
            _ => None,
        };
        self.make_room().await?;
        let marker = marker(self.cx, &self.bucket, version.clone(), seq);
        let row = version_key(&self.bucket.name, self.key, seq);
        self.tx.put(&VERSIONS, &row, &marker);
        if version.is_none() {
            self.tx.put(&NULLS, &self.row, &seq);
        }
        let version = Some(version.unwrap_or_else(|| "null".to_owned()));
        Ok(Deleted { version, marker: true, changed: true })
    }

    /// Deletes one version (`null` included) for good; the next older one comes forward.
    /// `bypass`: although it is locked in governance mode.
    pub async fn delete_version(&mut self, version: &str, bypass: bool) -> Result<Deleted> {
        let mut done = Deleted { version: Some(version.to_owned()), ..Deleted::default() };
        let Some(found) = self.find(version).await? else { return Ok(done) };
        check_delete(self.cx, &found, bypass)?;
        done.marker = found.delete_marker;
        done.changed = true;
        let newest = match &self.current {
            Some(c) => c.seq == found.seq,
            None => self.newest_stored().await?.is_some_and(|v| v.seq == found.seq),
        };
        self.free(&found).await?;
        if self.current.as_ref().is_some_and(|c| c.seq == found.seq) {
            self.tx.delete(&OBJECTS, &self.row);
            self.current = None;
        } else {
            self.tx.delete(&VERSIONS, &version_key(&self.bucket.name, self.key, found.seq));
            if found.version.is_none() {
                self.tx.delete(&NULLS, &self.row);
            }
        }
        if newest && self.bucket.versioning != Versioning::Off {
            self.promote().await?;
        }
        Ok(done)
    }

    /// A version by its id, `null` included.
    pub async fn find(&mut self, version: &str) -> Result<Option<ObjectRecord>> {
        let null = version == "null";
        if let Some(c) = &self.current
            && (c.version.as_deref() == Some(version) || (null && c.version.is_none()))
        {
            return Ok(Some(c.clone()));
        }
        let seq = if null { self.tx.get(&NULLS, &self.row).await? } else { seqid::seq(version) };
        let Some(seq) = seq else { return Ok(None) };
        let row = version_key(&self.bucket.name, self.key, seq);
        let found = self.tx.get(&VERSIONS, &row).await?;
        Ok(found.filter(|v| null || v.version.as_deref() == Some(version)))
    }

    /// Writes back a version found before, after an edit that leaves its bytes alone.
    pub fn rewrite(&mut self, record: &ObjectRecord) {
        if self.current.as_ref().is_some_and(|c| c.seq == record.seq) {
            self.tx.put(&OBJECTS, &self.row, record);
            self.current = Some(record.clone());
        } else {
            let row = version_key(&self.bucket.name, self.key, record.seq);
            self.tx.put(&VERSIONS, &row, record);
        }
    }

    /// A blob that no row names any more once this commits.
    pub fn discard(&mut self, blob: BlobId, seq: u64) {
        self.garbage.push((blob, seq));
    }

    /// Commits, then deletes the bytes that nobody names any more.
    pub async fn commit(mut self) -> Result<()> {
        let garbage = std::mem::take(&mut self.garbage);
        commit(self.s3, self.tx, garbage).await
    }

    /// Greater than the sequence of every version there is.
    async fn next_seq(&mut self) -> Result<u64> {
        let before = match &self.current {
            Some(c) => Some(c.seq),
            None if self.bucket.versioning == Versioning::Off => None,
            None => self.newest_stored().await?.map(|v| v.seq),
        };
        Ok(seqid::next(self.cx.now, before))
    }

    /// The newest row of `s3.version` for this key.
    async fn newest_stored(&mut self) -> Result<Option<ObjectRecord>> {
        let range = Range::prefix(&self.row);
        Ok(self.tx.scan(&VERSIONS, range, 1).await?.pop().map(|(_, v)| v))
    }

    /// Takes the current version away: into the history where there is one, else for good.
    async fn make_room(&mut self) -> Result<()> {
        let keep_null = self.bucket.versioning == Versioning::Enabled;
        if !keep_null
            && self.bucket.versioning == Versioning::Suspended
            && let Some(seq) = self.tx.get(&NULLS, &self.row).await?
        {
            let row = version_key(&self.bucket.name, self.key, seq);
            if let Some(old) = self.tx.get(&VERSIONS, &row).await? {
                self.free(&old).await?;
            }
            self.tx.delete(&VERSIONS, &row);
            self.tx.delete(&NULLS, &self.row);
        }
        let Some(mut old) = self.current.take() else { return Ok(()) };
        self.tx.delete(&OBJECTS, &self.row);
        if old.version.is_none() && !keep_null {
            return self.free(&old).await;
        }
        old.noncurrent_since = Some(self.cx.now.as_second());
        if old.version.is_none() {
            self.tx.put(&NULLS, &self.row, &old.seq);
        }
        self.tx.put(&VERSIONS, &version_key(&self.bucket.name, self.key, old.seq), &old);
        Ok(())
    }

    /// The newest of the history becomes current, unless it is a delete marker.
    async fn promote(&mut self) -> Result<()> {
        let Some(mut next) = self.newest_stored().await? else { return Ok(()) };
        if next.delete_marker {
            return Ok(());
        }
        self.tx.delete(&VERSIONS, &version_key(&self.bucket.name, self.key, next.seq));
        if next.version.is_none() {
            self.tx.delete(&NULLS, &self.row);
        }
        next.noncurrent_since = None;
        self.tx.put(&OBJECTS, &self.row, &next);
        self.current = Some(next);
        Ok(())
    }

    /// Lets the bytes of a version go.
    async fn free(&mut self, old: &ObjectRecord) -> Result<()> {
        let row = seq_key(&self.bucket.name, self.key, old.seq);
        match &old.data {
            Data::Empty => {}
            Data::Inline => self.tx.delete(&INLINE, &row),
            Data::Blob(id) => self.garbage.push((*id, old.seq)),
            Data::Parts => {
                if let Some(m) = self.tx.get(&MANIFESTS, &row).await? {
                    let blobs = m.parts.into_iter().filter_map(|p| p.blob);
                    self.garbage.extend(blobs.map(|b| (b, old.seq)));
                }
                self.tx.delete(&MANIFESTS, &row);
            }
        }
        Ok(())
    }
}

/// Commits, then deletes the blobs that lost their record (and its sequence) by it.
pub(crate) async fn commit(s3: &S3, mut tx: Tx, garbage: Vec<(BlobId, u64)>) -> Result<()> {
    for (blob, seq) in &garbage {
        tx.put(&GARBAGE, &garbage_key(blob, *seq), &());
    }
    tx.commit().await?;
    for (blob, seq) in garbage {
        s3.reap(&blob, seq).await;
    }
    Ok(())
}

impl S3 {
    /// Drops one reference to a blob, and the blob with the last one. What fails is tried again at
    /// the next start.
    pub(crate) async fn reap(&self, blob: &BlobId, seq: u64) {
        if let Err(e) = self.try_reap(blob, seq).await {
            tracing::warn!("cannot delete a blob that is no longer used: {e}");
        }
    }

    /// Deletes the blobs that an earlier run left behind.
    ///
    /// # Errors
    /// The store's.
    pub async fn sweep(&self) -> Result<()> {
        for (key, ()) in self.store.scan(&GARBAGE, Range::all(), usize::MAX).await? {
            let mut parts = key.parts();
            let (Some(blob), Some(seq)) = (parts.text(), parts.number()) else { continue };
            if let Ok(blob) = blob.parse::<BlobId>() {
                self.reap(&blob, seq).await;
            }
        }
        Ok(())
    }

    async fn try_reap(&self, blob: &BlobId, seq: u64) -> Result<()> {
        let row = blob_key(blob);
        let garbage = garbage_key(blob, seq);
        let mut tx = self.store.lock(&[Lock::exclusive(&BLOBREFS, &row)]).await;
        if tx.get(&GARBAGE, &garbage).await?.is_none() {
            return Ok(());
        }
        match tx.get(&BLOBREFS, &row).await?.unwrap_or(0) {
            0 => self.blobs.delete(blob).await?,
            1 => tx.delete(&BLOBREFS, &row),
            n => tx.put(&BLOBREFS, &row, &(n - 1)),
        }
        tx.delete(&GARBAGE, &garbage);
        Ok(tx.commit().await?)
    }
}

/// One per reference: the same blob may be dropped by two versions at once.
fn garbage_key(blob: &BlobId, seq: u64) -> Key {
    blob_key(blob).u64(seq)
}

fn marker(cx: &Cx, bucket: &BucketRecord, version: Option<String>, seq: u64) -> ObjectRecord {
    ObjectRecord {
        modified: cx.now.as_second(),
        owner: if cx.account.is_empty() { bucket.owner.clone() } else { cx.account.clone() },
        version,
        delete_marker: true,
        seq,
        ..ObjectRecord::empty()
    }
}
