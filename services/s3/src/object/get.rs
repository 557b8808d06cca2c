//! GetObject, and what HeadObject shares with it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fogbank_core::value::Members;
use fogbank_core::{ApiError, Body, Cx, Op, Reply, Result, Time, Value, ops};
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::Deserialize;

use crate::authz::{check, hide_missing};
use crate::checksum::ChecksumOutput;
use crate::condition::{ReadConditions, Verdict};
use crate::error::{invalid_request, precondition_failed};
use crate::lock::LockOutput;
use crate::object::{check_readable, quoted, version_header};
use crate::record::{BucketRecord, Checksum, ChecksumType, Data, ObjectRecord};
use crate::sse::{CustomerKeyInput, SseOutput, check_read};
use crate::tables::{MANIFESTS, seq_key};
use crate::{S3, data, lifecycle, range};

pub(crate) const OPS: &[Op<S3>] = ops![GetObject => get_object [check]];

/// The input of GetObject and HeadObject.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetObjectInput {
    pub bucket: String,
    pub key: String,
    pub version_id: Option<String>,
    pub range: Option<String>,
    pub part_number: Option<i64>,
    pub checksum_mode: Option<String>,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    pub if_modified_since: Option<Time>,
    pub if_unmodified_since: Option<Time>,
    pub response_cache_control: Option<String>,
    pub response_content_disposition: Option<String>,
    pub response_content_encoding: Option<String>,
    pub response_content_language: Option<String>,
    pub response_content_type: Option<String>,
    pub response_expires: Option<Time>,
    // By name, as flattened members cost more than the rest of a request's input.
    #[serde(rename = "SSECustomerAlgorithm")]
    customer_algorithm: Option<String>,
    #[serde(rename = "SSECustomerKey")]
    customer_key: Option<String>,
    #[serde(rename = "SSECustomerKeyMD5")]
    customer_key_md5: Option<String>,
}

/// The output of GetObject and HeadObject.
#[derive(Debug, Default)]
pub(crate) struct GetObjectOutput {
    accept_ranges: Option<&'static str>,
    last_modified: Option<Time>,
    content_length: Option<u64>,
    etag: Option<String>,
    version_id: Option<String>,
    cache_control: Option<String>,
    content_disposition: Option<String>,
    content_encoding: Option<String>,
    content_language: Option<String>,
    content_range: Option<String>,
    content_type: Option<String>,
    expires: Option<String>,
    expiration: Option<String>,
    website_redirect_location: Option<String>,
    storage_class: Option<String>,
    parts_count: Option<u32>,
    tag_count: Option<usize>,
    metadata: BTreeMap<String, String>,
    lock: LockOutput,
    checksum: ChecksumOutput,
    sse: SseOutput,
}

impl GetObjectOutput {
    /// The members that are there. Written out: serde would copy each text, and this is the reply
    /// that S3 gives most often.
    pub fn into_value(self) -> Value {
        let mut all = Members::default();
        all.put("AcceptRanges", self.accept_ranges);
        all.put("LastModified", self.last_modified.map(|t| t.0));
        all.put("ContentLength", self.content_length.map(|n| i64::try_from(n).unwrap_or(i64::MAX)));
        all.put("ETag", self.etag);
        all.put("VersionId", self.version_id);
        all.put("CacheControl", self.cache_control);
        all.put("ContentDisposition", self.content_disposition);
        all.put("ContentEncoding", self.content_encoding);
        all.put("ContentLanguage", self.content_language);
        all.put("ContentRange", self.content_range);
        all.put("ContentType", self.content_type);
        all.put("Expires", self.expires);
        all.put("Expiration", self.expiration);
        all.put("WebsiteRedirectLocation", self.website_redirect_location);
        all.put("StorageClass", self.storage_class);
        all.put("PartsCount", self.parts_count.map(i64::from));
        all.put("TagCount", self.tag_count.map(|n| i64::try_from(n).unwrap_or(i64::MAX)));
        if !self.metadata.is_empty() {
            let entries = self.metadata.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
            all.put("Metadata", Some(Value::Map(entries)));
        }
        self.lock.put(&mut all);
        self.checksum.put(&mut all);
        self.sse.put(&mut all);
        all.into()
    }
}

impl GetObjectInput {
    fn customer_key(&self) -> CustomerKeyInput {
        CustomerKeyInput {
            algorithm: self.customer_algorithm.clone(),
            key: self.customer_key.clone(),
            key_md5: self.customer_key_md5.clone(),
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
pub(crate) async fn get_object(s3: &S3, cx: &Cx, input: GetObjectInput) -> Result<Reply> {
    // A concurrent overwrite may delete the bytes between the record and them: read again.
    for _ in 0..16 {
        let found = open(s3, cx, &input).await?;
        let (answer, view) = match found {
            Opened::Unchanged(reply) => return Ok(*reply),
            Opened::View(view) => (view.output, (view.record, view.bytes, view.partial)),
        };
        let (record, bytes, partial) = view;
        check_readable(cx, &record)?;
        let body = data::read(s3, &input.bucket, &input.key, &record, bytes).await?;
        if let Some(body) = body {
            let (value, status) = (answer.into_value(), partial.then_some(206));
            return Ok(Reply { value, body: Some(body), status, ..Reply::default() });
        }
    }
    Err(ApiError::internal(format!("the bytes of {}/{} are missing", input.bucket, input.key)))
}

/// What a read finds, before any byte of it is read.
pub(crate) enum Opened {
    /// 304.
    Unchanged(Box<Reply>),
    View(Box<View>),
}

/// A version and the part of it that was asked for.
pub(crate) struct View {
    pub output: GetObjectOutput,
    pub record: ObjectRecord,
    pub bytes: std::ops::Range<u64>,
    pub partial: bool,
}

/// Finds the version, checks conditions and key, and works out the range and the headers.
pub(crate) async fn open(s3: &S3, cx: &Cx, input: &GetObjectInput) -> Result<Opened> {
    let overrides = [
        &input.response_cache_control,
        &input.response_content_disposition,
        &input.response_content_encoding,
        &input.response_content_language,
        &input.response_content_type,
    ];
    if cx.principal.is_anonymous()
        && (overrides.iter().any(|o| o.is_some()) || input.response_expires.is_some())
    {
        return Err(invalid_request(
            "Request specific response headers cannot be used for anonymous GET requests.",
        ));
    }
    if input.range.is_some() && input.part_number.is_some() {
        return Err(invalid_request(
            "Cannot specify both Range header and partNumber query parameter",
        ));
    }
    check_read(cx)?;
    let bucket = s3.bucket_of(cx, &input.bucket).await?;
    let record = s3.version(cx, &bucket, &input.key, input.version_id.as_deref()).await?;
    let conditions = ReadConditions {
        if_match: input.if_match.as_deref(),
        if_none_match: input.if_none_match.as_deref(),
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    match conditions.verdict(&record) {
        Verdict::Go => {}
        Verdict::Failed(name) => return Err(precondition_failed(name)),
        Verdict::NotModified => {
            let output = GetObjectOutput {
                etag: Some(quoted(&record.etag)),
                last_modified: time(record.modified),
                version_id: version_header(&bucket, &record),
                cache_control: record.meta.cache_control.clone(),
                expires: record.meta.expires.clone(),
                ..GetObjectOutput::default()
            };
            let value = output.into_value();
            let reply =
                Reply { value, body: Some(Body::Empty), status: Some(304), ..Reply::default() };
            return Ok(Opened::Unchanged(Box::new(reply)));
        }
    }
    input.customer_key().open(cx, &record.sse)?;

    let part = match input.part_number {
        Some(n) => Some(find_part(s3, input, &record, n).await?),
        None => None,
    };
    let asked = match (&part, &input.range) {
        (Some(p), _) => Some(p.bytes.clone()),
        (None, Some(header)) => range::parse(header, record.size)?,
        (None, None) => None,
    };
    let partial = asked.is_some();
    let bytes = asked.unwrap_or(0..record.size);
    let checksum = match (input.checksum_mode.as_deref(), &part) {
        (Some("ENABLED"), Some(p)) => ChecksumOutput::object(p.checksum.as_ref()),
        (Some("ENABLED"), None) if !partial => ChecksumOutput::object(record.checksum.as_ref()),
        _ => ChecksumOutput::default(),
    };
    let mut output = describe(&bucket, &record);
    output.expiration = lifecycle::expiration(s3, &bucket, &input.key, &record).await?;
    output.checksum = checksum;
    output.content_length = Some(bytes.end - bytes.start);
    if input.part_number.is_some() {
        output.parts_count = record.parts;
    }
    if partial && !bytes.is_empty() {
        let (first, last, size) = (bytes.start, bytes.end - 1, record.size);
        output.content_range = Some(format!("bytes {first}-{last}/{size}"));
    }
    replace(&mut output.cache_control, &input.response_cache_control);
    replace(&mut output.content_disposition, &input.response_content_disposition);
    replace(&mut output.content_encoding, &input.response_content_encoding);
    replace(&mut output.content_language, &input.response_content_language);
    replace(&mut output.content_type, &input.response_content_type);
    if let Some(t) = input.response_expires {
        output.expires = Some(http_date(t.0));
    }
    Ok(Opened::View(Box::new(View { output, record, bytes, partial })))
}

/// The headers of a version, as every read shows them.
fn describe(bucket: &BucketRecord, record: &ObjectRecord) -> GetObjectOutput {
    let meta = &record.meta;
    GetObjectOutput {
        accept_ranges: Some("bytes"),
        last_modified: time(record.modified),
        content_length: Some(record.size),
        etag: Some(quoted(&record.etag)),
        version_id: version_header(bucket, record),
        cache_control: meta.cache_control.clone(),
        content_disposition: meta.content_disposition.clone(),
        content_encoding: meta.content_encoding.clone(),
        content_language: meta.content_language.clone(),
        content_range: None,
        content_type: Some(
            meta.content_type.clone().unwrap_or_else(|| "binary/octet-stream".to_owned()),
        ),
        expires: meta.expires.clone(),
        expiration: None,
        website_redirect_location: meta.website_redirect.clone(),
        storage_class: record.storage_class.clone(),
        parts_count: None,
        tag_count: (!record.tags.is_empty()).then_some(record.tags.len()),
        metadata: meta.user.iter().map(|(k, v)| (k.clone(), in_ascii(v))).collect(),
        lock: LockOutput::from(record.lock.as_ref()),
        checksum: ChecksumOutput::default(),
        sse: SseOutput::from(&record.sse),
    }
}

/// User metadata as a header: text beyond ASCII is encoded as RFC 2047 has it.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
fn in_ascii(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { format!("=?UTF-8?B?{}?=", BASE64.encode(text)) }
}

/// A part of an object that may have been uploaded in one.
struct Part {
    bytes: std::ops::Range<u64>,
    checksum: Option<Checksum>,
}

async fn find_part(
    s3: &S3,
    input: &GetObjectInput,
    record: &ObjectRecord,
    number: i64,
) -> Result<Part> {
    if !(1..=10_000).contains(&number) {
        return Err(crate::error::invalid_argument(
            "partNumber",
            &number.to_string(),
            "Part number must be an integer between 1 and 10000, inclusive",
        ));
    }
    let not_there = |count: usize| {
        ApiError::new("InvalidPartNumber", "The requested partnumber is not satisfiable")
            .status(416)
            .field("PartNumberRequested", number.to_string())
            .field("ActualPartCount", count.to_string())
    };
    if record.data != Data::Parts {
        if number > 1 {
            return Err(not_there(1));
        }
        return Ok(Part { bytes: 0..record.size, checksum: record.checksum.clone() });
    }
    let row = seq_key(&input.bucket, &input.key, record.seq);
    let parts = s3.store.get(&MANIFESTS, &row).await?.map(|m| m.parts).unwrap_or_default();
    let mut at = 0;
    for (n, part) in (1..).zip(&parts) {
        if n == number {
            let checksum = record.checksum.as_ref().zip(part.checksum.clone());
            return Ok(Part {
                bytes: at..at + part.size,
                checksum: checksum.map(|(c, value)| Checksum {
                    algorithm: c.algorithm,
                    kind: if c.kind == ChecksumType::Composite {
                        c.kind
                    } else {
                        ChecksumType::FullObject
                    },
                    value,
                }),
            });
        }
        at += part.size;
    }
    Err(not_there(parts.len()))
}

impl S3 {
    /// The version of an object that a read is about; delete markers answer as S3 does.
    ///
    /// # Errors
    /// `NoSuchKey`, `NoSuchVersion`, `MethodNotAllowed` for a delete marker named by its id.
    pub(crate) async fn version(
        &self,
        cx: &Cx,
        bucket: &BucketRecord,
        key: &str,
        version: Option<&str>,
    ) -> Result<ObjectRecord> {
        let found = self.find_version(bucket, key, version).await?;
        match (found, version) {
            (Some(r), _) if !r.delete_marker => Ok(r),
            (None, Some(v)) => Err(crate::error::no_such_version(key, v)),
            (None, None) => Err(self.missing(cx, bucket, key).await),
            (Some(r), None) => Err(marker_headers(bucket, &r, self.missing(cx, bucket, key).await)),
            (Some(r), Some(_)) => {
                let error = ApiError::new(
                    "MethodNotAllowed",
                    "The specified method is not allowed against this resource.",
                )
                .status(405)
                .field("Method", cx.http.as_ref().map_or("GET", |h| h.method.as_str()))
                .field("ResourceType", "DeleteMarker")
                .header(http::header::ALLOW, HeaderValue::from_static("DELETE"));
                let error = match HeaderValue::try_from(http_date_s(r.modified)) {
                    Ok(v) => error.header(http::header::LAST_MODIFIED, v),
                    Err(_) => error,
                };
                Err(marker_headers(bucket, &r, error))
            }
        }
    }
}

impl S3 {
    /// The answer for a key that is not there, to this caller.
    async fn missing(&self, cx: &Cx, bucket: &BucketRecord, key: &str) -> ApiError {
        hide_missing(self, cx, bucket, crate::error::no_such_key(key)).await
    }
}

fn marker_headers(bucket: &BucketRecord, record: &ObjectRecord, error: ApiError) -> ApiError {
    let error = error
        .header(HeaderName::from_static("x-amz-delete-marker"), HeaderValue::from_static("true"));
    let id = version_header(bucket, record).and_then(|v| HeaderValue::try_from(v).ok());
    match id {
        Some(v) => error.header(HeaderName::from_static("x-amz-version-id"), v),
        None => error,
    }
}

fn replace(member: &mut Option<String>, with: &Option<String>) {
    if with.is_some() {
        member.clone_from(with);
    }
}

/// Seconds since 1970 as a member.
pub(crate) fn time(second: i64) -> Option<Time> {
    Timestamp::from_second(second).ok().map(Time)
}

fn http_date_s(second: i64) -> String {
    http_date(Timestamp::from_second(second).unwrap_or_default())
}

/// `Wed, 21 Oct 2015 07:28:00 GMT`.
fn http_date(t: Timestamp) -> String {
    t.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
