//! What S3 keeps: one struct per kind of row.

use fogbank_blob::BlobId;
use minicbor::{Decode, Encode};

use crate::acl::Acl;

/// A bucket: what almost every request needs to know about it. Larger configurations lie in
/// [`crate::tables::CONFIG`].
#[derive(Clone, Debug, Encode, Decode)]
pub struct BucketRecord {
    #[n(0)]
    pub name: String,
    /// The account that owns it.
    #[n(1)]
    pub owner: String,
    #[n(2)]
    pub region: String,
    /// Seconds since 1970.
    #[n(3)]
    pub created: i64,
    #[n(4)]
    pub versioning: Versioning,
    #[n(5)]
    pub ownership: Option<Ownership>,
    /// `None`: deleted, so nothing is blocked.
    #[n(6)]
    pub public_access_block: Option<PublicAccessBlock>,
    /// Whether there is a bucket policy, CORS rules, …: saves the look-up where there is none.
    #[n(7)]
    pub has: Has,
    /// `None`: private to the owner.
    #[n(8)]
    pub acl: Option<Acl>,
    #[n(9)]
    pub encryption: Option<Encryption>,
    /// Sequence of creation: tells a bucket from an earlier one of the same name.
    #[n(10)]
    pub generation: u64,
    #[n(11)]
    pub object_lock: Option<bool>,
    /// What new versions get when they ask for nothing.
    #[n(12)]
    pub lock_rule: Option<LockRule>,
}
fogbank_store::record!(BucketRecord, version = 1);

/// Which configurations exist.
#[derive(Clone, Copy, Debug, Default, Encode, Decode)]
pub struct Has {
    #[n(0)]
    pub policy: bool,
    #[n(1)]
    pub cors: bool,
    #[n(2)]
    pub website: bool,
    #[n(3)]
    pub lifecycle: bool,
    #[n(4)]
    pub notification: bool,
    #[n(5)]
    pub tags: bool,
    /// The policy gives something to everybody.
    #[n(6)]
    #[cbor(default)]
    pub public_policy: bool,
    #[n(7)]
    #[cbor(default)]
    pub requester_pays: bool,
    /// Queues, topics or functions are told of its objects.
    #[n(8)]
    #[cbor(default)]
    pub notices: bool,
}

/// Versioning of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum Versioning {
    /// Never enabled: an overwrite replaces.
    #[default]
    #[n(0)]
    Off,
    #[n(1)]
    Enabled,
    /// Was enabled: older versions stay, new ones are null versions.
    #[n(2)]
    Suspended,
}

/// Who owns the objects that others write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Ownership {
    /// The default since April 2023: ACLs are disabled.
    #[n(0)]
    BucketOwnerEnforced,
    #[n(1)]
    BucketOwnerPreferred,
    #[n(2)]
    ObjectWriter,
}

/// The four settings of a public access block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PublicAccessBlock {
    #[n(0)]
    pub block_public_acls: bool,
    #[n(1)]
    pub ignore_public_acls: bool,
    #[n(2)]
    pub block_public_policy: bool,
    #[n(3)]
    pub restrict_public_buckets: bool,
}

/// The default encryption of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Encryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    #[n(0)]
    pub algorithm: String,
    #[n(1)]
    pub kms_key: Option<String>,
    #[n(2)]
    pub bucket_key: bool,
    /// `BlockedEncryptionTypes`: `NONE` or `SSE-C`.
    #[n(3)]
    pub blocked: Option<Vec<String>>,
}

/// A version of an object, or a delete marker. The fields that a listing needs come first: it
/// decodes only those ([`Listed`]).
#[derive(Clone, Debug, Encode, Decode)]
pub struct ObjectRecord {
    /// Without quotes.
    #[n(0)]
    pub etag: String,
    #[n(1)]
    pub size: u64,
    /// Seconds since 1970.
    #[n(2)]
    pub modified: i64,
    #[n(3)]
    pub checksum: Option<Checksum>,
    /// `None`: STANDARD.
    #[n(4)]
    pub storage_class: Option<String>,
    /// The account that owns it.
    #[n(5)]
    pub owner: String,
    /// `None`: the null version.
    #[n(6)]
    pub version: Option<String>,
    #[n(7)]
    pub delete_marker: bool,
    /// Orders the versions of a key, and names its rows in other tables.
    #[n(8)]
    pub seq: u64,
    #[n(9)]
    pub data: Data,
    #[n(10)]
    pub meta: Meta,
    #[n(11)]
    pub sse: Sse,
    /// In the order they were given.
    #[n(12)]
    pub tags: Vec<(String, String)>,
    /// `None`: private to the owner.
    #[n(13)]
    pub acl: Option<Acl>,
    /// How many parts a multipart upload had.
    #[n(14)]
    pub parts: Option<u32>,
    /// When a noncurrent version stopped being the current one: seconds since 1970.
    #[n(15)]
    pub noncurrent_since: Option<i64>,
    #[n(16)]
    pub lock: Option<Hold>,
    /// The multipart upload that made it: completing that again gives the same answer.
    #[n(17)]
    pub upload: Option<String>,
}
fogbank_store::record!(ObjectRecord, version = 1);

impl ObjectRecord {
    /// Nothing at all, for the fields that a caller does not set.
    #[must_use]
    pub fn empty() -> Self {
        ObjectRecord {
            etag: String::new(),
            size: 0,
            modified: 0,
            checksum: None,
            storage_class: None,
            owner: String::new(),
            version: None,
            delete_marker: false,
            seq: 0,
            data: Data::Empty,
            meta: Meta::default(),
            sse: Sse::default(),
            tags: Vec::new(),
            acl: None,
            parts: None,
            noncurrent_since: None,
            lock: None,
            upload: None,
        }
    }
}

/// The part of an [`ObjectRecord`] that listings show, borrowed from the row.
#[derive(Debug)]
pub struct Listed<'b> {
    pub etag: &'b str,
    pub size: u64,
    pub modified: i64,
    pub checksum: Option<(Algorithm, ChecksumType)>,
    pub storage_class: Option<&'b str>,
    pub owner: &'b str,
    pub version: Option<&'b str>,
    pub delete_marker: bool,
    pub seq: u64,
}

impl<'b> Listed<'b> {
    /// Reads the first fields of a stored [`ObjectRecord`] and stops there: a page of a thousand
    /// keys must not pay for metadata that it does not show.
    ///
    /// # Errors
    /// When the row is not what this version writes.
    pub fn read(row: &'b [u8]) -> Result<Self, minicbor::decode::Error> {
        let mut d = minicbor::Decoder::new(row.get(1..).unwrap_or_default());
        d.array()?;
        Ok(Listed {
            etag: d.str()?,
            size: d.u64()?,
            modified: d.i64()?,
            checksum: d.decode::<Option<ChecksumHead>>()?.map(|c| (c.algorithm, c.kind)),
            storage_class: d.decode()?,
            owner: d.str()?,
            version: d.decode()?,
            delete_marker: d.bool()?,
            seq: d.u64()?,
        })
    }
}

/// A checksum and how it came about.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Checksum {
    #[n(0)]
    pub algorithm: Algorithm,
    #[n(1)]
    pub kind: ChecksumType,
    /// Base64, with `-N` behind a composite one.
    #[n(2)]
    pub value: String,
}

/// A [`Checksum`] without its value.
#[derive(Decode)]
struct ChecksumHead {
    #[n(0)]
    algorithm: Algorithm,
    #[n(1)]
    kind: ChecksumType,
}

/// The checksum algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Algorithm {
    #[n(0)]
    Crc32,
    #[n(1)]
    Crc32C,
    #[n(2)]
    Crc64Nvme,
    #[n(3)]
    Sha1,
    #[n(4)]
    Sha256,
    #[n(5)]
    Sha512,
    #[n(6)]
    Md5,
}

/// What a checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ChecksumType {
    #[n(0)]
    FullObject,
    /// The checksum of the parts' checksums.
    #[n(1)]
    Composite,
}

/// Where an object's bytes are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum Data {
    #[default]
    #[n(0)]
    Empty,
    /// In `s3.inline`, under the version's sequence.
    #[n(1)]
    Inline,
    #[n(2)]
    Blob(#[n(0)] BlobId),
    /// In several blobs, listed in `s3.manifest` under the version's sequence.
    #[n(3)]
    Parts,
}

/// The default retention of a bucket with Object Lock.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LockRule {
    #[n(0)]
    pub mode: LockMode,
    /// Either days or years.
    #[n(1)]
    pub days: Option<u32>,
    #[n(2)]
    pub years: Option<u32>,
}

/// What keeps a version from being deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Hold {
    #[n(0)]
    pub mode: Option<LockMode>,
    /// The end of the retention: milliseconds since 1970.
    #[n(1)]
    pub until: i64,
    /// A legal hold, if one was ever set.
    #[n(2)]
    pub legal: Option<bool>,
}

/// Who may end a retention early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum LockMode {
    /// Those who may `s3:BypassGovernanceRetention`.
    #[n(0)]
    Governance,
    /// Nobody.
    #[n(1)]
    Compliance,
}

/// The headers that come back with the object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Meta {
    #[n(0)]
    pub content_type: Option<String>,
    #[n(1)]
    pub cache_control: Option<String>,
    #[n(2)]
    pub content_disposition: Option<String>,
    #[n(3)]
    pub content_encoding: Option<String>,
    #[n(4)]
    pub content_language: Option<String>,
    /// As the client wrote it.
    #[n(5)]
    pub expires: Option<String>,
    #[n(6)]
    pub website_redirect: Option<String>,
    /// `x-amz-meta-…`, names in lower case, without the prefix.
    #[n(7)]
    pub user: Vec<(String, String)>,
}

/// How an object is encrypted on the server, as S3 reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum Sse {
    /// SSE-S3.
    #[default]
    #[n(0)]
    S3,
    /// SSE-KMS (or its dual-layer form).
    #[n(1)]
    Kms {
        #[n(0)]
        key: String,
        #[n(1)]
        bucket_key: bool,
        #[n(2)]
        dsse: bool,
        #[n(3)]
        context: Option<String>,
    },
    /// SSE-C: the key itself is never kept, only its MD5 to report and a salted hash to verify.
    #[n(2)]
    Customer {
        #[n(0)]
        key_md5: String,
        #[n(1)]
        salt: String,
        #[n(2)]
        hash: String,
    },
}

/// The parts of a multipart object, in order.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Manifest {
    #[n(0)]
    pub parts: Vec<ManifestPart>,
}
fogbank_store::record!(Manifest, version = 1);

/// One of them.
#[derive(Clone, Debug, Encode, Decode)]
pub struct ManifestPart {
    /// The client's part number.
    #[n(0)]
    pub number: u32,
    #[n(1)]
    pub size: u64,
    #[n(2)]
    pub blob: Option<BlobId>,
    /// The part's checksum, base64, of the object's algorithm.
    #[n(3)]
    pub checksum: Option<String>,
}

/// A multipart upload in progress.
#[derive(Clone, Debug, Encode, Decode)]
pub struct UploadRecord {
    #[n(0)]
    pub id: String,
    /// Seconds since 1970.
    #[n(1)]
    pub initiated: i64,
    /// The account that will own the object.
    #[n(2)]
    pub owner: String,
    /// The ARN of the principal that began it.
    #[n(3)]
    pub initiator: String,
    #[n(4)]
    pub storage_class: Option<String>,
    /// `None`: none was asked for.
    #[n(5)]
    pub algorithm: Option<Algorithm>,
    #[n(6)]
    pub checksum_type: Option<ChecksumType>,
    #[n(7)]
    pub meta: Meta,
    #[n(8)]
    pub sse: Sse,
    #[n(9)]
    pub tags: Vec<(String, String)>,
    #[n(10)]
    pub acl: Option<Acl>,
    #[n(11)]
    pub seq: u64,
    #[n(12)]
    pub lock: Option<Hold>,
}
fogbank_store::record!(UploadRecord, version = 1);

/// A part of a multipart upload.
#[derive(Clone, Debug, Encode, Decode)]
pub struct PartRecord {
    #[n(0)]
    pub etag: String,
    #[n(1)]
    pub size: u64,
    /// Seconds since 1970.
    #[n(2)]
    pub modified: i64,
    /// `None` for an empty part.
    #[n(3)]
    pub blob: Option<BlobId>,
    #[n(4)]
    pub checksums: Vec<Checksum>,
}
fogbank_store::record!(PartRecord, version = 1);
