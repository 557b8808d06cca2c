//! Server-side encryption as the API shows it: SSE-S3, SSE-KMS, SSE-C.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html>
//!
//! Bytes at rest are protected by whoever owns the data directory; what is kept here is what a
//! client sees: which encryption applies, and that an SSE-C object opens with its own key only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fogbank_core::value::Members;
use fogbank_core::{ApiError, Cx, Result};
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{invalid_argument, invalid_request};
use crate::record::{BucketRecord, Sse};

const HEADER: &str = "x-amz-server-side-encryption";

/// The members that choose the encryption of a new object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct SseInput {
    #[serde(rename = "ServerSideEncryption")]
    algorithm: Option<String>,
    #[serde(rename = "SSEKMSKeyId")]
    kms_key: Option<String>,
    #[serde(rename = "SSEKMSEncryptionContext")]
    kms_context: Option<String>,
    #[serde(rename = "BucketKeyEnabled")]
    bucket_key: Option<bool>,
}

/// The members that carry a customer's key.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct CustomerKeyInput {
    #[serde(rename = "SSECustomerAlgorithm")]
    pub algorithm: Option<String>,
    #[serde(rename = "SSECustomerKey")]
    pub key: Option<String>,
    #[serde(rename = "SSECustomerKeyMD5")]
    pub key_md5: Option<String>,
}

/// The encryption members of a reply.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct SseOutput {
    #[serde(rename = "ServerSideEncryption")]
    algorithm: Option<&'static str>,
    #[serde(rename = "SSECustomerAlgorithm")]
    customer_algorithm: Option<&'static str>,
    #[serde(rename = "SSECustomerKeyMD5")]
    customer_key_md5: Option<String>,
    #[serde(rename = "SSEKMSKeyId")]
    kms_key: Option<String>,
    #[serde(rename = "BucketKeyEnabled")]
    bucket_key: Option<bool>,
}

impl SseOutput {
    /// For the replies that say nothing of a customer's key.
    #[must_use]
    pub fn without_customer(self) -> Self {
        SseOutput { customer_algorithm: None, customer_key_md5: None, ..self }
    }

    /// Adds the members that are there.
    pub fn put(self, all: &mut Members) {
        all.put("ServerSideEncryption", self.algorithm);
        all.put("SSECustomerAlgorithm", self.customer_algorithm);
        all.put("SSECustomerKeyMD5", self.customer_key_md5);
        all.put("SSEKMSKeyId", self.kms_key);
        all.put("BucketKeyEnabled", self.bucket_key);
    }
}

impl From<&Sse> for SseOutput {
    fn from(sse: &Sse) -> Self {
        match sse {
            Sse::S3 => SseOutput { algorithm: Some("AES256"), ..SseOutput::default() },
            Sse::Kms { key, bucket_key, dsse, .. } => SseOutput {
                algorithm: Some(if *dsse { "aws:kms:dsse" } else { "aws:kms" }),
                kms_key: Some(key.clone()),
                bucket_key: bucket_key.then_some(true),
                ..SseOutput::default()
            },
            Sse::Customer { key_md5, .. } => SseOutput {
                customer_algorithm: Some("AES256"),
                customer_key_md5: Some(key_md5.clone()),
                ..SseOutput::default()
            },
        }
    }
}

/// The encryption of a new object: what the request asks for, else the bucket's default.
pub(crate) fn choose(
    cx: &Cx,
    bucket: &BucketRecord,
    input: &SseInput,
    customer: &CustomerKeyInput,
) -> Result<Sse> {
    if let Some(key) = customer.read(cx)? {
        if input.algorithm.is_some() || input.kms_key.is_some() {
            return Err(invalid_argument(
                HEADER,
                input.algorithm.as_deref().unwrap_or_default(),
                "Server Side Encryption with Customer provided key is incompatible with the \
                 encryption method specified",
            ));
        }
        let blocked = bucket.encryption.as_ref().and_then(|e| e.blocked.as_ref());
        if blocked.is_some_and(|b| b.iter().any(|t| t == "SSE-C")) {
            return Err(ApiError::new(
                "AccessDenied",
                "Server-side encryption with customer-provided keys (SSE-C) is blocked by the \
                 bucket's encryption configuration",
            )
            .status(403));
        }
        return Ok(key.seal(cx));
    }
    match input.algorithm.as_deref() {
        Some("AES256") if input.kms_key.is_none() => Ok(Sse::S3),
        Some(a @ ("aws:kms" | "aws:kms:dsse")) => {
            let default = bucket.encryption.as_ref().filter(|e| e.algorithm == *a);
            let key = input.kms_key.clone().or_else(|| default.and_then(|d| d.kms_key.clone()));
            Ok(Sse::Kms {
                key: key_arn(bucket, key.as_deref()),
                bucket_key: input.bucket_key.unwrap_or(default.is_some_and(|d| d.bucket_key)),
                dsse: a == "aws:kms:dsse",
                context: input.kms_context.clone(),
            })
        }
        None if input.kms_key.is_none() => Ok(default(bucket)),
        None | Some("AES256") => Err(invalid_argument(
            HEADER,
            input.algorithm.as_deref().unwrap_or_default(),
            "Server Side Encryption with AWS KMS managed key requires HTTP header \
             x-amz-server-side-encryption : aws:kms",
        )),
        Some("aws:fsx") => Err(cx.refuse_member("ServerSideEncryption=aws:fsx")),
        Some(other) => {
            Err(invalid_argument(HEADER, other, "The encryption method specified is not supported"))
        }
    }
}

/// What the bucket's configuration gives an object that asks for nothing.
fn default(bucket: &BucketRecord) -> Sse {
    match &bucket.encryption {
        Some(e) if e.algorithm != "AES256" => Sse::Kms {
            key: key_arn(bucket, e.kms_key.as_deref()),
            bucket_key: e.bucket_key,
            dsse: e.algorithm == "aws:kms:dsse",
            context: None,
        },
        _ => Sse::S3,
    }
}

/// The key as S3 reports it: as it was named, since only KMS could say more about it; without one,
/// the account's `aws/s3` key.
fn key_arn(bucket: &BucketRecord, key: Option<&str>) -> String {
    if let Some(key) = key {
        return key.to_owned();
    }
    let h = hex::encode(Sha256::digest(format!("aws/s3 {} {}", bucket.owner, bucket.region)));
    let id = [&h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..32]].join("-");
    format!("arn:aws:kms:{}:{}:key/{id}", bucket.region, bucket.owner)
}

/// Reads say nothing about encryption but a customer's key.
///
/// # Errors
/// `InvalidArgument` for the header of a write.
pub(crate) fn check_read(cx: &Cx) -> Result<()> {
    match cx.header(HEADER) {
        None => Ok(()),
        Some(value) => Err(invalid_argument(
            HEADER,
            value,
            "x-amz-server-side-encryption header is not supported for this operation.",
        )),
    }
}

/// A customer's key that has passed its own checks.
pub(crate) struct CustomerKey {
    key: Vec<u8>,
    key_md5: String,
}

impl CustomerKeyInput {
    /// `None` when the request brings no key.
    ///
    /// # Errors
    /// `InvalidArgument` and `InvalidRequest`, when it brings half of one or a wrong one.
    pub fn read(&self, cx: &Cx) -> Result<Option<CustomerKey>> {
        let wrong = |message: &str| {
            Err(invalid_argument(HEADER, self.algorithm.as_deref().unwrap_or("null"), message))
        };
        if self.algorithm.is_none() && self.key.is_none() && self.key_md5.is_none() {
            return Ok(None);
        }
        if !cx.secure && cx.http.is_some() {
            return Err(invalid_request(
                "Requests specifying Server Side Encryption with Customer provided keys must be \
                 made over a secure connection.",
            ));
        }
        let Some(algorithm) = &self.algorithm else {
            return wrong(
                "Requests specifying Server Side Encryption with Customer provided keys must \
                 provide a valid encryption algorithm.",
            );
        };
        if algorithm != "AES256" {
            return Err(ApiError::new(
                "InvalidEncryptionAlgorithmError",
                "The encryption request you specified is not valid. The valid value is AES256.",
            )
            .status(400));
        }
        let Some(key) = &self.key else {
            return wrong(
                "Requests specifying Server Side Encryption with Customer provided keys must \
                 provide an appropriate secret key.",
            );
        };
        let Some(key) = BASE64.decode(key).ok().filter(|k| k.len() == 32) else {
            return wrong("The secret key was invalid for the specified algorithm.");
        };
        let Some(md5) = &self.key_md5 else {
            return wrong(
                "Requests specifying Server Side Encryption with Customer provided keys must \
                 provide the client calculated MD5 of the secret key.",
            );
        };
        if *md5 != BASE64.encode(Md5::digest(&key)) {
            return wrong(
                "The calculated MD5 hash of the key did not match the hash that was provided.",
            );
        }
        Ok(Some(CustomerKey { key, key_md5: md5.clone() }))
    }

    /// Whether the request may read an object with this encryption.
    ///
    /// # Errors
    /// `InvalidRequest` when a key is missing or unwanted, `AccessDenied` when it is another one.
    pub fn open(&self, cx: &Cx, sse: &Sse) -> Result<()> {
        match (self.read(cx)?, sse) {
            (None, Sse::S3 | Sse::Kms { .. }) => Ok(()),
            (Some(_), Sse::S3 | Sse::Kms { .. }) => {
                Err(invalid_request("The encryption parameters are not applicable to this object."))
            }
            (None, Sse::Customer { .. }) => Err(invalid_request(
                "The object was stored using a form of Server Side Encryption. The correct \
                 parameters must be provided to retrieve the object.",
            )),
            (Some(key), Sse::Customer { salt, hash, .. }) => {
                if key.hash(salt) == *hash {
                    Ok(())
                } else {
                    Err(crate::error::access_denied())
                }
            }
        }
    }
}

impl CustomerKey {
    fn seal(&self, cx: &Cx) -> Sse {
        let salt = cx.ids().hex(32);
        let hash = self.hash(&salt);
        Sse::Customer { key_md5: self.key_md5.clone(), salt, hash }
    }

    fn hash(&self, salt: &str) -> String {
        hex::encode(Sha256::new().chain_update(salt).chain_update(&self.key).finalize())
    }
}

/// Whether a part belongs to its upload: the same customer's key, or none for both.
pub(crate) fn same_customer(cx: &Cx, input: &CustomerKeyInput, upload: &Sse) -> Result<()> {
    match (input.read(cx)?, upload) {
        (None, Sse::Customer { .. }) => Err(invalid_request(
            "The multipart upload initiate requested encryption. Subsequent part requests must \
             include the appropriate encryption parameters.",
        )),
        (Some(_), Sse::S3 | Sse::Kms { .. }) => Err(invalid_request(
            "The multipart upload initiate did not request encryption. Please resend the request \
             without sending encryption parameters.",
        )),
        (Some(key), Sse::Customer { salt, hash, .. }) if key.hash(salt) != *hash => {
            Err(invalid_request(
                "The provided encryption parameters did not match the ones used originally.",
            ))
        }
        _ => Ok(()),
    }
}
