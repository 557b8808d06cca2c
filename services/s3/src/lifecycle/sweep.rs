//! One pass over a bucket: what its rules say is done to its objects, versions and uploads.

use fogbank_core::{Cx, Result};
use fogbank_store::{Key, Range};

use super::{Day, Lifecycle, Subject};
use crate::S3;
use crate::event;
use crate::record::{BucketRecord, ObjectRecord};
use crate::tables::{OBJECTS, UPLOADS, VERSIONS, bucket_key, object_key};

/// Rows read at a time; requests run in between.
const PAGE: usize = 1000;

const REASON: &str = "Lifecycle Expiration";

/// A pass over one bucket.
pub(super) struct Sweep<'a> {
    pub s3: &'a S3,
    pub cx: &'a Cx,
    pub bucket: &'a BucketRecord,
    pub config: &'a Lifecycle,
    pub day: Day,
    /// Seconds since 1970, on the cloud's clock.
    pub now: i64,
}

impl Sweep<'_> {
    /// Does everything that is due.
    ///
    /// # Errors
    /// The store's. What was done until then stays done.
    pub(super) async fn run(&self) -> Result<()> {
        // Versions first: a version that expires now becomes noncurrent now.
        self.versions().await?;
        self.current().await?;
        self.uploads().await
    }

    async fn current(&self) -> Result<()> {
        let mut range = Range::prefix(&bucket_key(&self.bucket.name));
        loop {
            let page = self.s3.store.scan(&OBJECTS, range.clone(), PAGE).await?;
            for (row, object) in &page {
                let Some(key) = key_of(row) else { continue };
                let subject = Subject::new(&key, object);
                if self.config.expires(self.day, subject).is_some_and(|(at, _)| at <= self.now) {
                    let same = |o: &ObjectRecord| o.seq == object.seq;
                    self.s3.remove(self.cx, &self.bucket.name, &key, None, REASON, same).await?;
                    continue;
                }
                let class = object.storage_class.as_deref().unwrap_or("STANDARD");
                if let Some(to) = self.config.class(self.day, subject, class, self.now) {
                    self.transition(&key, object, to).await?;
                }
            }
            match page.last() {
                Some((last, _)) if page.len() == PAGE => range = range.after(last),
                _ => return Ok(()),
            }
        }
    }

    /// Noncurrent versions and delete markers, newest first within a key.
    async fn versions(&self) -> Result<()> {
        let mut range = Range::prefix(&bucket_key(&self.bucket.name));
        let mut group = Group::default();
        loop {
            let page = self.s3.store.scan(&VERSIONS, range.clone(), PAGE).await?;
            for (row, version) in &page {
                let Some(key) = key_of(row) else { continue };
                if key != group.key {
                    self.marker(&group).await?;
                    let has_current = self
                        .s3
                        .store
                        .get(&OBJECTS, &object_key(&self.bucket.name, &key))
                        .await?
                        .is_some();
                    group = Group { key, has_current, ..Group::default() };
                }
                self.version(&mut group, version).await?;
            }
            match page.last() {
                Some((last, _)) if page.len() == PAGE => range = range.after(last),
                _ => break,
            }
        }
        self.marker(&group).await
    }

    async fn version(&self, group: &mut Group, version: &ObjectRecord) -> Result<()> {
        group.seen += 1;
        if !group.has_current && group.seen == 1 && version.delete_marker {
            group.marker = Some(version.clone()); // the current version, as it is a marker
            group.left += 1;
            return Ok(());
        }
        let newer = group.noncurrent;
        group.noncurrent += 1;
        let since = version.noncurrent_since.unwrap_or(version.modified);
        let subject = Subject::new(&group.key, version);
        if self.config.noncurrent_expired(self.day, subject, newer, since, self.now) {
            let id = version.version.as_deref().unwrap_or("null");
            let same = |o: &ObjectRecord| o.seq == version.seq;
            let name = &self.bucket.name;
            self.s3.remove(self.cx, name, &group.key, Some(id), REASON, same).await?;
            return Ok(());
        }
        group.left += 1;
        let class = version.storage_class.as_deref().unwrap_or("STANDARD");
        let to = self.config.noncurrent_class(self.day, subject, class, newer, since, self.now);
        match to.filter(|_| !version.delete_marker) {
            Some(to) => self.transition(&group.key, version, to).await,
            None => Ok(()),
        }
    }

    /// Removes a delete marker that hides nothing any more.
    async fn marker(&self, group: &Group) -> Result<()> {
        let Some(marker) = group.marker.as_ref().filter(|_| group.left == 1) else {
            return Ok(());
        };
        if !self.config.marker_expired(self.day, Subject::new(&group.key, marker), self.now) {
            return Ok(());
        }
        let id = marker.version.as_deref().unwrap_or("null");
        let same = |o: &ObjectRecord| o.seq == marker.seq && o.delete_marker;
        self.s3.remove(self.cx, &self.bucket.name, &group.key, Some(id), REASON, same).await?;
        Ok(())
    }

    async fn transition(&self, key: &str, object: &ObjectRecord, class: &str) -> Result<()> {
        let id = object
            .version
            .as_deref()
            .or((self.bucket.versioning != crate::Versioning::Off).then_some("null"));
        let edit = |_: &BucketRecord, o: &mut ObjectRecord| {
            if o.seq == object.seq {
                o.storage_class = Some(class.to_owned());
            }
            Ok(())
        };
        match self.s3.edit_object(self.cx, &self.bucket.name, key, id, edit).await {
            Err(e) if e.code().starts_with("NoSuch") => Ok(()), // deleted in the meantime
            Err(e) => Err(e),
            Ok(now) => {
                let class = [("destination-storage-class", class)];
                let what = "Object Storage Class Changed";
                event::changed(self.cx, self.bucket, key, &now, what, &class);
                Ok(())
            }
        }
    }
}

impl Sweep<'_> {
    /// Uploads that were begun and never finished.
    async fn uploads(&self) -> Result<()> {
        let mut range = Range::prefix(&bucket_key(&self.bucket.name));
        loop {
            let page = self.s3.store.scan(&UPLOADS, range.clone(), PAGE).await?;
            for (row, upload) in &page {
                let Some(key) = key_of(row) else { continue };
                let due = self.config.abort(self.day, &key, upload.initiated);
                if due.is_none_or(|(at, _)| at.0.as_second() > self.now) {
                    continue;
                }
                match self.s3.abort_upload(&self.bucket.name, &key, &upload.id).await {
                    Err(e) if e.code() != "NoSuchUpload" => return Err(e),
                    _ => {}
                }
            }
            match page.last() {
                Some((last, _)) if page.len() == PAGE => range = range.after(last),
                _ => return Ok(()),
            }
        }
    }
}

/// The rows of one key, as they go by.
#[derive(Default)]
struct Group {
    key: String,
    has_current: bool,
    seen: usize,
    /// Noncurrent versions so far.
    noncurrent: i64,
    /// Rows that stay.
    left: usize,
    marker: Option<ObjectRecord>,
}

/// The object's key in a row's key.
fn key_of(row: &Key) -> Option<String> {
    let mut parts = row.parts();
    parts.text()?;
    parts.text().map(|k| k.into_owned())
}
