//! Finding versions, and the internal API on them that other parts of S3 use.

use fogbank_core::{Cx, Result};
use fogbank_store::Range;

use crate::error::{invalid_argument, no_such_key, no_such_version};
use crate::lock::check_delete;
use crate::record::{BucketRecord, ObjectRecord, Versioning};
use crate::tables::{NULLS, OBJECTS, VERSIONS, object_key, version_key};
use crate::write::{Deleted, Write};
use crate::{S3, event, seqid};

impl S3 {
    /// The record of a version (`null` included), or the newest one; it may be a delete marker.
    ///
    /// # Errors
    /// `InvalidArgument` when the id cannot be one.
    pub async fn find_version(
        &self,
        bucket: &BucketRecord,
        key: &str,
        version: Option<&str>,
    ) -> Result<Option<ObjectRecord>> {
        let row = object_key(&bucket.name, key);
        let current = self.store.get(&OBJECTS, &row).await?;
        let Some(version) = version else {
            if current.is_some() || bucket.versioning == Versioning::Off {
                return Ok(current);
            }
            let mut newest = self.store.scan(&VERSIONS, Range::prefix(&row), 1).await?;
            return Ok(newest.pop().map(|(_, v)| v).filter(|v| v.delete_marker));
        };
        check_version_id(version)?;
        let null = version == "null";
        if let Some(c) = current
            && (c.version.as_deref() == Some(version) || (null && c.version.is_none()))
        {
            return Ok(Some(c));
        }
        let seq = if null { self.store.get(&NULLS, &row).await? } else { seqid::seq(version) };
        let Some(seq) = seq else { return Ok(None) };
        let found = self.store.get(&VERSIONS, &version_key(&bucket.name, key, seq)).await?;
        Ok(found.filter(|v| null || v.version.as_deref() == Some(version)))
    }

    /// Edits the record of a version in place: its tags or its ACL, not its bytes.
    ///
    /// # Errors
    /// `NoSuchKey`, `NoSuchVersion`, and what `edit` answers.
    pub async fn edit_object(
        &self,
        cx: &Cx,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        edit: impl FnOnce(&BucketRecord, &mut ObjectRecord) -> Result<()>,
    ) -> Result<ObjectRecord> {
        if let Some(v) = version {
            check_version_id(v)?;
        }
        let mut w = Write::begin(self, cx, bucket, key, Vec::new()).await?;
        let found = match version {
            None => match w.current.clone() {
                Some(c) => c,
                // Answers for delete markers.
                None => {
                    let bucket = w.bucket.clone();
                    drop(w);
                    return self.version(cx, &bucket, key, None).await;
                }
            },
            Some(v) => w.find(v).await?.ok_or_else(|| no_such_version(key, v))?,
        };
        if found.delete_marker {
            let bucket = w.bucket.clone();
            drop(w);
            self.version(cx, &bucket, key, version).await?;
            return Err(no_such_key(key));
        }
        let mut record = found;
        edit(&w.bucket, &mut record)?;
        w.rewrite(&record);
        let bucket = w.bucket.clone();
        if let Some(how) = event::of_edit(cx.operation) {
            event::tell_created(self, cx, &mut w.tx, &bucket, key, &record, how).await?;
        }
        w.commit().await?;
        self.wake_notices(&bucket);
        Ok(record)
    }

    /// Deletes an object as DeleteObject does, with `reason` in the event. `only` tells, with the
    /// key locked, whether it is still the version that should go.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub async fn remove(
        &self,
        cx: &Cx,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        reason: &'static str,
        only: impl FnOnce(&ObjectRecord) -> bool,
    ) -> Result<bool> {
        let mut w = Write::begin(self, cx, bucket, key, Vec::new()).await?;
        let target = match version {
            Some(v) => w.find(v).await?,
            None => w.current.clone(),
        };
        if !target.as_ref().is_some_and(only) {
            return Ok(false);
        }
        if target.as_ref().is_some_and(|t| version.is_some() && check_delete(cx, t, false).is_err())
        {
            return Ok(false);
        }
        let done = delete(&mut w, version, false).await?;
        let bucket = w.bucket.clone();
        let named = version.is_some();
        let family = "LifecycleExpiration";
        event::tell_deleted(self, cx, &mut w.tx, &bucket, key, &done, named, family).await?;
        w.commit().await?;
        event::deleted(self, cx, &bucket, key, &done, version.is_some(), reason).await;
        Ok(done.changed)
    }
}

/// The two ways to delete.
pub(crate) async fn delete(
    w: &mut Write<'_>,
    version: Option<&str>,
    bypass: bool,
) -> Result<Deleted> {
    match version {
        Some(v) => w.delete_version(v, bypass).await,
        None => w.delete().await,
    }
}

/// Whether it can be a version id at all.
///
/// # Errors
/// `InvalidArgument`.
pub(crate) fn check_version_id(version: &str) -> Result<()> {
    if version == "null" || seqid::seq(version).is_some() {
        return Ok(());
    }
    let message = if version.is_empty() {
        "Version id cannot be the empty string"
    } else {
        "Invalid version id specified"
    };
    Err(invalid_argument("versionId", version, message))
}
