//! Objects: what their operations share.

use fogbank_core::{ApiError, Cx, Op, Result};
use serde::Deserialize;

use crate::S3;
use crate::record::{BucketRecord, Meta, ObjectRecord};

pub(crate) mod attributes;
pub(crate) mod copy;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod head;
pub(crate) mod put;
pub(crate) mod tagging;

/// The operations on objects.
pub(crate) const TABLES: [&[Op<S3>]; 7] =
    [attributes::OPS, copy::OPS, delete::OPS, get::OPS, head::OPS, put::OPS, tagging::OPS];

/// The members that describe a new object.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct MetaInput {
    #[serde(rename = "CacheControl")]
    cache_control: Option<String>,
    #[serde(rename = "ContentDisposition")]
    content_disposition: Option<String>,
    #[serde(rename = "ContentEncoding")]
    content_encoding: Option<String>,
    #[serde(rename = "ContentLanguage")]
    content_language: Option<String>,
    #[serde(rename = "ContentType")]
    content_type: Option<String>,
    #[serde(rename = "Expires")]
    expires: Option<String>,
    #[serde(rename = "WebsiteRedirectLocation")]
    pub website_redirect: Option<String>,
    #[serde(rename = "Metadata", default)]
    metadata: Vec2,
}

/// A map of strings, in order of appearance.
#[derive(Clone, Debug, Default)]
struct Vec2(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Vec2 {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let map = std::collections::BTreeMap::<String, String>::deserialize(d)?;
        Ok(Vec2(map.into_iter().collect()))
    }
}

impl MetaInput {
    /// Checks and stores.
    ///
    /// # Errors
    /// `MetadataTooLarge`, `InvalidRedirectLocation`.
    pub fn into_meta(self) -> Result<Meta> {
        let user: Vec<(String, String)> =
            self.metadata.0.into_iter().map(|(k, v)| (k.to_ascii_lowercase(), v)).collect();
        let size: usize = user.iter().map(|(k, v)| k.len() + v.len()).sum();
        if size > 2048 {
            return Err(ApiError::new(
                "MetadataTooLarge",
                "Your metadata headers exceed the maximum allowed metadata size",
            )
            .status(400)
            .field("Size", size.to_string())
            .field("MaxSizeAllowed", "2048"));
        }
        if let Some(to) = &self.website_redirect
            && !["/", "http://", "https://"].iter().any(|p| to.starts_with(p))
        {
            return Err(ApiError::new(
                "InvalidRedirectLocation",
                "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
            )
            .status(400));
        }
        Ok(Meta {
            content_type: self.content_type,
            cache_control: self.cache_control,
            content_disposition: self.content_disposition,
            content_encoding: self.content_encoding.and_then(|e| without_chunked(&e)),
            content_language: self.content_language,
            expires: self.expires,
            website_redirect: self.website_redirect,
            user,
        })
    }
}

/// `aws-chunked` says how the body travelled, not what the object is.
fn without_chunked(encoding: &str) -> Option<String> {
    let kept: Vec<&str> = encoding
        .split(',')
        .map(str::trim)
        .filter(|e| !e.is_empty() && *e != "aws-chunked")
        .collect();
    (!kept.is_empty()).then(|| kept.join(", "))
}

/// What a key may not be.
///
/// # Errors
/// `KeyTooLongError`.
pub(crate) fn check_key(key: &str) -> Result<()> {
    if key.len() <= 1024 {
        return Ok(());
    }
    Err(ApiError::new("KeyTooLongError", "Your key is too long")
        .status(400)
        .field("Size", key.len().to_string())
        .field("MaxSizeAllowed", "1024"))
}

/// A storage class as records have it: `None` for STANDARD.
///
/// # Errors
/// `InvalidStorageClass`.
pub(crate) fn storage_class(class: Option<&str>) -> Result<Option<String>> {
    match class {
        None | Some("STANDARD") => Ok(None),
        Some(
            c @ ("REDUCED_REDUNDANCY"
            | "STANDARD_IA"
            | "ONEZONE_IA"
            | "INTELLIGENT_TIERING"
            | "GLACIER"
            | "DEEP_ARCHIVE"
            | "GLACIER_IR"),
        ) => Ok(Some(c.to_owned())),
        Some(_) => Err(ApiError::new(
            "InvalidStorageClass",
            "The storage class you specified is not valid",
        )
        .status(400)),
    }
}

/// What `x-amz-version-id` says of this version: nothing while the bucket was never versioned.
pub(crate) fn version_header(bucket: &BucketRecord, record: &ObjectRecord) -> Option<String> {
    match &record.version {
        Some(v) => Some(v.clone()),
        None if bucket.versioning == crate::Versioning::Off => None,
        None => Some("null".to_owned()),
    }
}

/// Only for the formatter of replies: S3 puts ETags in quotes.
pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// An archived object cannot be read before it is restored.
///
/// # Errors
/// `InvalidObjectState`.
pub(crate) fn check_readable(_cx: &Cx, record: &ObjectRecord) -> Result<()> {
    match record.storage_class.as_deref() {
        Some(class @ ("GLACIER" | "DEEP_ARCHIVE")) => Err(ApiError::new(
            "InvalidObjectState",
            "The operation is not valid for the object's storage class",
        )
        .status(403)
        .field("StorageClass", class)),
        _ => Ok(()),
    }
}
