//! Bucket policies.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html>

use std::sync::Arc;

use bytes::Bytes;
use fogbank_core::{ApiError, Cx, Op, Reply, Result, ops};
use fogbank_policy::{Policy, error::Usage, is_public};
use serde::{Deserialize, Serialize};

use crate::S3;
use crate::authz::check;
use crate::config::BucketInput;
use crate::error::not_configured;
use crate::owner::account_of;
use crate::record::BucketRecord;

pub const OPS: &[Op<S3>] = ops![
    PutBucketPolicy => put_bucket_policy [check],
    GetBucketPolicy => get_bucket_policy [check],
    DeleteBucketPolicy => delete_bucket_policy [check],
    GetBucketPolicyStatus => get_bucket_policy_status [check],
];

/// The policy of a bucket, for the policy engine.
pub(crate) async fn text(s3: &S3, bucket: &str) -> Result<Option<Arc<str>>> {
    let Some(bytes) = s3.config(bucket, "policy").await? else { return Ok(None) };
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Some(text.into())),
        // Without its policy a bucket could be more open than its owner wants.
        Err(e) => Err(ApiError::internal(format!("policy of {bucket}: {e}"))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutBucketPolicyInput {
    bucket: String,
    policy: String,
    #[serde(default)]
    confirm_remove_self_bucket_access: bool,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>
async fn put_bucket_policy(s3: &S3, cx: &Cx, input: PutBucketPolicyInput) -> Result<Reply> {
    let PutBucketPolicyInput { bucket, policy, confirm_remove_self_bucket_access } = input;
    if confirm_remove_self_bucket_access {
        // Only a question of the console's; the root can always mend the policy.
        cx.ignore_member("ConfirmRemoveSelfBucketAccess");
    }
    let policy = validate(policy, &bucket)?;
    s3.set_config(&bucket, "policy", Some(Bytes::from(policy.text)), |b| {
        only_the_owner(cx, b)?;
        let block = b.public_access_block.as_ref();
        if policy.public && block.is_some_and(|p| p.block_public_policy) {
            return Err(crate::public_access::refused(cx, &b.name, "PutBucketPolicy"));
        }
        b.has.policy = true;
        b.has.public_policy = policy.public;
        Ok(())
    })
    .await?;
    Ok(Reply { status: Some(204), ..Reply::default() })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetBucketPolicyOutput {
    policy: String,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html>
async fn get_bucket_policy(s3: &S3, cx: &Cx, input: BucketInput) -> Result<GetBucketPolicyOutput> {
    only_the_owner(cx, &s3.bucket(&input.bucket).await?)?;
    match text(s3, &input.bucket).await? {
        Some(policy) => Ok(GetBucketPolicyOutput { policy: policy.to_string() }),
        None => Err(none(&input.bucket)),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html>
async fn delete_bucket_policy(s3: &S3, cx: &Cx, input: BucketInput) -> Result<()> {
    s3.set_config(&input.bucket, "policy", None, |b| {
        only_the_owner(cx, b)?;
        b.has.policy = false;
        b.has.public_policy = false;
        Ok(())
    })
    .await
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetBucketPolicyStatusOutput {
    policy_status: PolicyStatus,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyStatus {
    is_public: bool,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html>
async fn get_bucket_policy_status(
    s3: &S3,
    _: &Cx,
    input: BucketInput,
) -> Result<GetBucketPolicyStatusOutput> {
    let bucket = s3.bucket(&input.bucket).await?;
    if !bucket.has.policy {
        return Err(none(&input.bucket));
    }
    let is_public = bucket.has.public_policy;
    Ok(GetBucketPolicyStatusOutput { policy_status: PolicyStatus { is_public } })
}

/// Other accounts never see or set a bucket's policy, whatever that policy says.
fn only_the_owner(cx: &Cx, bucket: &BucketRecord) -> Result<()> {
    if cx.principal.account == bucket.owner {
        return Ok(());
    }
    let text = "The specified method is not allowed against this resource.";
    Err(ApiError::new("MethodNotAllowed", text).status(405))
}

fn none(bucket: &str) -> ApiError {
    not_configured("NoSuchBucketPolicy", "The bucket policy does not exist", bucket)
}

/// A policy that S3 takes.
struct Valid {
    text: String,
    public: bool,
}

/// Checks a policy for `bucket`, and turns canonical users into their accounts, as S3 does.
fn validate(text: String, bucket: &str) -> Result<Valid> {
    if text.len() > 20 * 1024 {
        let message = "Policy exceeds the maximum allowed document size.";
        return Err(ApiError::new("MalformedPolicy", message).status(400));
    }
    let usage = Usage::Bucket(bucket);
    let policy = Policy::parse(&text, usage).map_err(|e| e.api())?;
    let public = is_public(&policy);
    let text = match text.contains("CanonicalUser") {
        true => with_accounts(&text)?,
        false => text,
    };
    Ok(Valid { text, public })
}

fn with_accounts(text: &str) -> Result<String> {
    use serde_json::Value;
    let list = |v: Value| match v {
        Value::Array(list) => list,
        one => vec![one],
    };
    let mut policy: Value =
        serde_json::from_str(text).map_err(|e| ApiError::internal(e.to_string()))?;
    let statements = match policy.get_mut("Statement") {
        Some(Value::Array(list)) => list.iter_mut().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    for s in statements {
        for member in ["Principal", "NotPrincipal"] {
            let Some(Value::Object(kinds)) = s.get_mut(member) else { continue };
            let Some(ids) = kinds.remove("CanonicalUser") else { continue };
            let mut accounts = kinds.remove("AWS").map(list).unwrap_or_default();
            for id in list(ids) {
                let account = id.as_str().and_then(account_of).ok_or_else(|| {
                    ApiError::new("MalformedPolicy", "Invalid principal in policy")
                        .status(400)
                        .field("Detail", id.to_string())
                })?;
                accounts.push(format!("arn:aws:iam::{account}:root").into());
            }
            kinds.insert("AWS".into(), accounts.into());
        }
    }
    Ok(policy.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(principal: &str, resource: &str) -> Result<Valid> {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},
            "Action":"s3:GetObject","Resource":"{resource}"}}]}}"#
        );
        validate(text, "b")
    }

    #[test]
    fn policies_are_checked() {
        let keys = "arn:aws:s3:::b/*";
        assert!(check(r#""*""#, keys).unwrap().public);
        assert!(!check(r#"{"AWS":"111111111111"}"#, keys).unwrap().public);
        for (principal, resource, want) in [
            (r#""*""#, "arn:aws:s3:::other/*", "Policy has invalid resource"),
            (r#"{"AWS":"bob"}"#, keys, "Invalid principal in policy"),
            (r#"{"CanonicalUser":"bob"}"#, keys, "Invalid principal in policy"),
        ] {
            let error = check(principal, resource).err().unwrap();
            assert_eq!((error.code(), error.message()), ("MalformedPolicy", want));
        }
        let huge = "x".repeat(20 * 1024 + 1);
        assert!(validate(huge, "b").err().unwrap().message().contains("maximum allowed"));
    }

    #[test]
    fn canonical_users_become_their_accounts() {
        let id = crate::owner::canonical_id("111111111111");
        let valid = check(&format!(r#"{{"CanonicalUser":"{id}"}}"#), "arn:aws:s3:::b/*").unwrap();
        assert!(valid.text.contains("arn:aws:iam::111111111111:root"), "{}", valid.text);
    }
}
