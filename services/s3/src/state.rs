//! The state of S3, and how operations reach buckets and their configurations.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use fogbank_blob::Blobs;
use fogbank_bus::Worker;
use fogbank_core::{Cloud, Cx, Result};
use fogbank_store::{Decoded, Lock, Store};
use tokio::sync::Semaphore;

use crate::error::no_such_bucket;
use crate::record::BucketRecord;
use crate::tables::{BUCKETS, CONFIG, bucket_key, config_key};

/// The state of the service. Everything it knows is in the store and the blobs.
pub struct S3 {
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    /// Threads that may hash large bodies beside the ones that receive them.
    pub(crate) hashers: Arc<Semaphore>,
    /// New buckets start as they did before April 2023.
    pub(crate) acls_by_default: bool,
    /// Nearly every request reads its bucket.
    buckets: Decoded<BucketRecord>,
    /// Sends notices, once there is a cloud to send them in.
    notices: OnceLock<Worker>,
}

/// Buckets that are kept decoded.
const KNOWN: usize = 256;

impl S3 {
    #[must_use]
    pub fn new(store: Store, blobs: Blobs) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        S3 {
            store,
            blobs,
            hashers: Arc::new(Semaphore::new(threads)),
            acls_by_default: false,
            buckets: Decoded::with_room_for(KNOWN),
            notices: OnceLock::new(),
        }
    }

    /// New buckets have ACLs enabled (`ObjectWriter`) and no public access block, as on S3 before
    /// April 2023, unless their request says otherwise: for tools and tests of that time.
    #[must_use]
    pub fn with_acls_by_default(mut self, on: bool) -> Self {
        self.acls_by_default = on;
        self
    }

    /// Sets going the notices to queues, topics and functions.
    pub fn start_notices(&self, cloud: &Arc<dyn Cloud>) {
        let worker = crate::notice::start(self, cloud.clock().clone(), cloud);
        let _ = self.notices.set(worker);
    }

    /// After a commit that may have added notices.
    pub(crate) fn wake_notices(&self, bucket: &BucketRecord) {
        if let Some(worker) = self.notices.get().filter(|_| bucket.has.notices) {
            worker.wake();
        }
    }

    /// The record of a bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub async fn bucket(&self, name: &str) -> Result<BucketRecord> {
        self.store.get(&BUCKETS, &bucket_key(name)).await?.ok_or_else(|| no_such_bucket(name))
    }

    /// The record of a bucket, shared with other requests.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub(crate) async fn shared_bucket(&self, name: &str) -> Result<Arc<BucketRecord>> {
        let found = self.store.get_decoded(&BUCKETS, &bucket_key(name), &self.buckets).await?;
        found.ok_or_else(|| no_such_bucket(name))
    }

    /// The record of a bucket as the request's checks have seen it: for operations that only read.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub(crate) async fn bucket_of(&self, cx: &Cx, name: &str) -> Result<Arc<BucketRecord>> {
        match cx.recall::<BucketRecord>().filter(|b| b.name == name) {
            Some(bucket) => Ok(bucket),
            None => self.shared_bucket(name).await,
        }
    }

    /// A configuration of a bucket in its own encoding; `None` when it is not set.
    ///
    /// # Errors
    /// The store's.
    pub async fn config(&self, bucket: &str, kind: &str) -> Result<Option<Bytes>> {
        Ok(self.store.get(&CONFIG, &config_key(bucket, kind)).await?)
    }

    /// Sets (`Some`) or removes (`None`) a configuration, and edits the bucket's record with it.
    ///
    /// # Errors
    /// `NoSuchBucket`; what `edit` answers, and then nothing has changed.
    pub async fn set_config(
        &self,
        bucket: &str,
        kind: &str,
        value: Option<Bytes>,
        edit: impl FnOnce(&mut BucketRecord) -> Result<()>,
    ) -> Result<()> {
        let row = config_key(bucket, kind);
        let key = bucket_key(bucket);
        let mut tx = self.store.lock(&[Lock::exclusive(&BUCKETS, &key)]).await;
        let mut record = tx.get(&BUCKETS, &key).await?.ok_or_else(|| no_such_bucket(bucket))?;
        edit(&mut record)?;
        tx.put(&BUCKETS, &key, &record);
        match value {
            Some(v) => tx.put(&CONFIG, &row, &v),
            None => tx.delete(&CONFIG, &row),
        }
        Ok(tx.commit().await?)
    }

    /// Edits the record of a bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`; what `edit` answers, and then nothing has changed.
    pub async fn edit_bucket(
        &self,
        bucket: &str,
        edit: impl FnOnce(&mut BucketRecord) -> Result<()>,
    ) -> Result<()> {
        let key = bucket_key(bucket);
        let mut tx = self.store.lock(&[Lock::exclusive(&BUCKETS, &key)]).await;
        let mut record = tx.get(&BUCKETS, &key).await?.ok_or_else(|| no_such_bucket(bucket))?;
        edit(&mut record)?;
        tx.put(&BUCKETS, &key, &record);
        Ok(tx.commit().await?)
    }
}
