//! CopyObject.

use fogbank_core::{ApiError, Body, Cx, Op, Result, Time, ops};
use fogbank_store::Lock;
use serde::{Deserialize, Serialize};

use crate::acl::{self, AclInput};
use crate::authz::check;
use crate::checksum::{ChecksumOutput, Expected};
use crate::condition::{ReadConditions, WriteConditions};
use crate::copysource::CopySource;
use crate::data::{Arrived, Fresh};
use crate::error::{invalid_argument, invalid_request};
use crate::lock::LockInput;
use crate::object::get::time;
use crate::object::{MetaInput, check_key, check_readable, quoted, storage_class, version_header};
use crate::record::{Algorithm, BucketRecord, ChecksumType, Data, ObjectRecord};
use crate::sse::{self, CustomerKeyInput, SseInput, SseOutput};
use crate::tables::{BLOBREFS, OBJECTS, blob_key, object_key};
use crate::write::Write;
use crate::{S3, data, event, tagset};

pub(crate) const OPS: &[Op<S3>] = ops![CopyObject => copy_object [check]];

/// The members that choose and open the source, of CopyObject and UploadPartCopy.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct SourceInput {
    #[serde(rename = "CopySource")]
    source: String,
    #[serde(rename = "CopySourceIfMatch")]
    if_match: Option<String>,
    #[serde(rename = "CopySourceIfNoneMatch")]
    if_none_match: Option<String>,
    #[serde(rename = "CopySourceSSECustomerAlgorithm")]
    customer_algorithm: Option<String>,
    #[serde(rename = "CopySourceSSECustomerKey")]
    customer_key: Option<String>,
    #[serde(rename = "CopySourceSSECustomerKeyMD5")]
    customer_key_md5: Option<String>,
}

/// A source that may be read.
pub(crate) struct Source {
    pub at: CopySource,
    pub bucket: BucketRecord,
    pub record: ObjectRecord,
}

impl SourceInput {
    /// Finds the source and checks its conditions and its customer's key.
    pub async fn find(
        &self,
        s3: &S3,
        cx: &Cx,
        if_modified_since: Option<Time>,
        if_unmodified_since: Option<Time>,
    ) -> Result<Source> {
        let at = CopySource::parse(&self.source)?;
        let bucket = s3.bucket(&at.bucket).await?;
        let found = s3.find_version(&bucket, &at.key, at.version.as_deref()).await?;
        if at.version.is_some() && found.as_ref().is_some_and(|r| r.delete_marker) {
            return Err(invalid_request(
                "The source of a copy request may not specifically refer to a delete marker by \
                 version id.",
            ));
        }
        let record = s3.version(cx, &bucket, &at.key, at.version.as_deref()).await?;
        let conditions = ReadConditions {
            if_match: self.if_match.as_deref(),
            if_none_match: self.if_none_match.as_deref(),
            if_modified_since,
            if_unmodified_since,
        };
        conditions.check_copy_source(&record)?;
        let key = CustomerKeyInput {
            algorithm: self.customer_algorithm.clone(),
            key: self.customer_key.clone(),
            key_md5: self.customer_key_md5.clone(),
        };
        key.open(cx, &record.sse)?;
        check_readable(cx, &record)?;
        Ok(Source { at, bucket, record })
    }
}

impl Source {
    /// Whether the bytes may be shared: what they hash to is known already, in the right algorithm.
    fn hashed(&self, algorithm: Algorithm) -> bool {
        let r = &self.record;
        let known = r
            .checksum
            .as_ref()
            .is_some_and(|c| c.algorithm == algorithm && c.kind == ChecksumType::FullObject);
        r.data != Data::Parts && r.parts.is_none() && known
    }

    /// The bytes; `None` when they were deleted meanwhile.
    pub async fn read(&self, s3: &S3, bytes: std::ops::Range<u64>) -> Result<Option<Body>> {
        data::read(s3, &self.at.bucket, &self.at.key, &self.record, bytes).await
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CopyObjectInput {
    bucket: String,
    key: String,
    copy_source_if_modified_since: Option<Time>,
    copy_source_if_unmodified_since: Option<Time>,
    if_match: Option<String>,
    if_none_match: Option<String>,
    metadata_directive: Option<String>,
    tagging_directive: Option<String>,
    annotation_directive: Option<String>,
    tagging: Option<String>,
    storage_class: Option<String>,
    checksum_algorithm: Option<String>,
    #[serde(flatten)]
    source: SourceInput,
    #[serde(flatten)]
    meta: MetaInput,
    #[serde(flatten)]
    sse: SseInput,
    #[serde(flatten)]
    customer_key: CustomerKeyInput,
    #[serde(flatten)]
    acl: AclInput,
    #[serde(flatten)]
    lock: LockInput,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CopyObjectOutput {
    copy_object_result: CopyResult,
    copy_source_version_id: Option<String>,
    version_id: Option<String>,
    #[serde(flatten)]
    sse: SseOutput,
}

/// The result element of CopyObject and UploadPartCopy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CopyResult {
    #[serde(rename = "ETag")]
    pub etag: String,
    pub last_modified: Option<Time>,
    #[serde(flatten)]
    pub checksum: ChecksumOutput,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
async fn copy_object(s3: &S3, cx: &Cx, mut input: CopyObjectInput) -> Result<CopyObjectOutput> {
    check_key(&input.key)?;
    if input.annotation_directive.is_some() {
        return Err(cx.refuse_member("AnnotationDirective"));
    }
    let replace_meta = directive("x-amz-metadata-directive", input.metadata_directive.as_deref())?;
    let replace_tags = directive("x-amz-tagging-directive", input.tagging_directive.as_deref())?;
    let asked = input.checksum_algorithm.as_deref().map(|a| Algorithm::parse(cx, a)).transpose()?;
    let conditions =
        WriteConditions::read(input.if_match.as_deref(), input.if_none_match.as_deref())?;
    let class = storage_class(input.storage_class.as_deref())?;
    let tags = input.tagging.take().map(|t| tagset::from_header(&t)).transpose()?;
    let redirect = input.meta.website_redirect.clone();
    let meta = std::mem::take(&mut input.meta).into_meta()?;

    for _ in 0..16 {
        let times = (input.copy_source_if_modified_since, input.copy_source_if_unmodified_since);
        let source = input.source.find(s3, cx, times.0, times.1).await?;
        let from = &source.record;
        if from.size > data::PUT_MAX {
            return Err(invalid_request(format!(
                "The specified copy source is larger than the maximum allowable size for a copy \
                 source: {}",
                data::PUT_MAX
            )));
        }
        let onto_itself = source.at.bucket == input.bucket
            && source.at.key == input.key
            && source.at.version.is_none();
        if onto_itself && !replace_meta && redirect.is_none() && !changes(&input, from) {
            return Err(invalid_request(
                "This copy request is illegal because it is trying to copy an object to itself \
                 without changing the object's metadata, storage class, website redirect location \
                 or encryption attributes.",
            ));
        }
        let algorithm =
            asked.or(from.checksum.as_ref().map(|c| c.algorithm)).unwrap_or(Algorithm::Crc64Nvme);
        let Some((arrived, share)) = bring(s3, cx, &source, algorithm).await? else { continue };

        let mut locks = Vec::new();
        if !(source.at.bucket == input.bucket && source.at.key == input.key) {
            let row = object_key(&source.at.bucket, &source.at.key);
            locks.push(Lock::shared(&OBJECTS, &row));
        }
        let refs = share.as_ref().map(blob_key);
        locks.extend(refs.iter().map(|k| Lock::exclusive(&BLOBREFS, k)));
        let mut w = Write::begin(s3, cx, &input.bucket, &input.key, locks).await?;
        w.check(&conditions)?;
        if let Some(refs) = &refs {
            // The source must still name the blob that the copy is about to share.
            let now = s3.find_version(&source.bucket, &source.at.key, source.at.version.as_deref());
            if now.await?.is_none_or(|r| r.data != from.data) {
                continue;
            }
            let n = w.tx.get(&BLOBREFS, refs).await?.unwrap_or(0);
            w.tx.put(&BLOBREFS, refs, &(n + 1));
        }
        let (owner, acl) = acl::for_new_object(cx, &w.bucket, &input.acl)?;
        let mut new_meta = if replace_meta { meta.clone() } else { from.meta.clone() };
        new_meta.website_redirect.clone_from(&redirect);
        let record = ObjectRecord {
            etag: hex::encode(arrived.md5),
            size: arrived.size,
            checksum: arrived.checksums.into_iter().next(),
            storage_class: class.clone(),
            owner,
            data: if share.is_some() { from.data.clone() } else { Data::Empty },
            meta: new_meta,
            sse: sse::choose(cx, &w.bucket, &input.sse, &input.customer_key)?,
            tags: if replace_tags { tags.clone().unwrap_or_default() } else { from.tags.clone() },
            acl,
            lock: input.lock.resolve(cx, &w.bucket)?,
            ..ObjectRecord::empty()
        };
        let record = w.put(record, &arrived.fresh, None).await?;
        let bucket = w.bucket.clone();
        let how = "ObjectCreated:Copy";
        event::tell_created(s3, cx, &mut w.tx, &bucket, &input.key, &record, how).await?;
        w.commit().await?;
        arrived.fresh.keep();
        event::created(s3, cx, &bucket, &input.key, &record, "CopyObject").await;
        return Ok(CopyObjectOutput {
            copy_object_result: CopyResult {
                etag: quoted(&record.etag),
                last_modified: time(record.modified),
                checksum: ChecksumOutput::object(record.checksum.as_ref()),
            },
            copy_source_version_id: version_header(&source.bucket, from),
            version_id: record.version.clone(),
            sse: SseOutput::from(&record.sse),
        });
    }
    Err(ApiError::internal("the source of a copy changed too often"))
}

/// The bytes of the source: shared where that is possible (the blob's id comes along), else read
/// and hashed anew. `None`: they were deleted meanwhile.
async fn bring(
    s3: &S3,
    cx: &Cx,
    source: &Source,
    algorithm: Algorithm,
) -> Result<Option<(Arrived, Option<fogbank_blob::BlobId>)>> {
    let from = &source.record;
    if let (true, Data::Blob(id), Some(checksum)) =
        (source.hashed(algorithm), &from.data, &from.checksum)
        && let Some(md5) = hex::decode(&from.etag).ok().and_then(|b| b.try_into().ok())
    {
        let (fresh, checksums) = (Fresh::Empty, vec![checksum.clone()]);
        let arrived = Arrived { fresh, size: from.size, md5, checksums };
        return Ok(Some((arrived, Some(*id))));
    }
    let Some(body) = source.read(s3, 0..from.size).await? else { return Ok(None) };
    let expected = Expected { algorithm: Some(algorithm), ..Expected::default() };
    Ok(Some((data::receive(s3, cx, body, &expected, true).await?, None)))
}

/// Whether a copy onto itself changes anything but metadata.
fn changes(input: &CopyObjectInput, from: &ObjectRecord) -> bool {
    let class = input.storage_class.as_deref().filter(|c| *c != "STANDARD");
    (input.storage_class.is_some() && class != from.storage_class.as_deref())
        || input.sse != SseInput::default()
        || input.customer_key.algorithm.is_some()
        || input.checksum_algorithm.is_some()
}

/// Whether a directive says REPLACE.
fn directive(name: &str, value: Option<&str>) -> Result<bool> {
    match value {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(invalid_argument(name, other, "Unknown metadata directive.")),
    }
}
