//! The default encryption of a bucket.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption.html>

use fogbank_core::{Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use super::{BucketInput, Empty};
use crate::S3;
use crate::authz::check;
use crate::error::{invalid_argument, malformed_xml};
use crate::record::Encryption;

pub(crate) const OPS: &[Op<S3>] = ops![
    DeleteBucketEncryption => delete_bucket_encryption [check],
    GetBucketEncryption => get_bucket_encryption [check],
    PutBucketEncryption => put_bucket_encryption [check],
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutBucketEncryptionInput {
    bucket: String,
    server_side_encryption_configuration: Configuration,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    apply_server_side_encryption_by_default: Option<ByDefault>,
    bucket_key_enabled: Option<bool>,
    blocked_encryption_types: Option<Blocked>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ByDefault {
    #[serde(rename = "SSEAlgorithm")]
    algorithm: String,
    #[serde(rename = "KMSMasterKeyID")]
    kms_key: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Blocked {
    #[serde(default)]
    encryption_type: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetBucketEncryptionOutput {
    server_side_encryption_configuration: Configuration,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketEncryption.html>
async fn get_bucket_encryption(
    s3: &S3,
    _: &Cx,
    input: BucketInput,
) -> Result<GetBucketEncryptionOutput> {
    // Every bucket encrypts: SSE-S3 unless set otherwise.
    let e = s3.bucket(&input.bucket).await?.encryption.unwrap_or_else(default);
    let rule = Rule {
        apply_server_side_encryption_by_default: Some(ByDefault {
            algorithm: e.algorithm,
            kms_key: e.kms_key,
        }),
        bucket_key_enabled: Some(e.bucket_key),
        blocked_encryption_types: e.blocked.map(|encryption_type| Blocked { encryption_type }),
    };
    let server_side_encryption_configuration = Configuration { rules: vec![rule] };
    Ok(GetBucketEncryptionOutput { server_side_encryption_configuration })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html>
async fn put_bucket_encryption(s3: &S3, _: &Cx, input: PutBucketEncryptionInput) -> Result<Empty> {
    let mut rules = input.server_side_encryption_configuration.rules;
    let (Some(rule), true) = (rules.pop(), rules.is_empty()) else { return Err(malformed_xml()) };
    let by_default = rule.apply_server_side_encryption_by_default;
    if by_default.is_none() && rule.blocked_encryption_types.is_none() {
        return Err(malformed_xml());
    }
    let by_default =
        by_default.unwrap_or(ByDefault { algorithm: "AES256".to_owned(), kms_key: None });
    match by_default.algorithm.as_str() {
        "AES256" if by_default.kms_key.is_some() => {
            return Err(invalid_argument(
                "ApplyServerSideEncryptionByDefault",
                "AES256",
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or \
                 aws:kms:dsse",
            ));
        }
        "AES256" | "aws:kms" | "aws:kms:dsse" => {}
        _ => return Err(malformed_xml()),
    }
    let blocked = rule.blocked_encryption_types.map(|b| b.encryption_type);
    if blocked.iter().flatten().any(|t| t != "NONE" && t != "SSE-C") {
        return Err(malformed_xml());
    }
    let encryption = Encryption {
        algorithm: by_default.algorithm,
        kms_key: by_default.kms_key,
        bucket_key: rule.bucket_key_enabled.unwrap_or(false),
        blocked,
    };
    s3.edit_bucket(&input.bucket, |b| {
        b.encryption = Some(encryption);
        Ok(())
    })
    .await?;
    Ok(Empty {})
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketEncryption.html>
async fn delete_bucket_encryption(s3: &S3, _: &Cx, input: BucketInput) -> Result<Empty> {
    s3.edit_bucket(&input.bucket, |b| {
        b.encryption = None;
        Ok(())
    })
    .await?;
    Ok(Empty {})
}

fn default() -> Encryption {
    Encryption { algorithm: "AES256".to_owned(), kms_key: None, bucket_key: false, blocked: None }
}
