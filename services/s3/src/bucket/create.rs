//! CreateBucket.

use fogbank_core::{ApiError, Cx, Op, Result, Value, ops};
use fogbank_store::{Key, Lock};
use serde::{Deserialize, Serialize};

use super::{invalid_name, valid_name};
use crate::acl::{self, AclInput};
use crate::authz::check;
use crate::error::invalid_argument;
use crate::record::{BucketRecord, Has, Ownership, Versioning};
use crate::tables::{BUCKETS, CONFIG, OWNERS, bucket_key, config_key};
use crate::{S3, config, public_access, seqid};

pub(crate) const OPS: &[Op<S3>] = ops![CreateBucket => create_bucket [check]];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateBucketInput {
    bucket: String,
    create_bucket_configuration: Option<Configuration>,
    object_lock_enabled_for_bucket: Option<bool>,
    object_ownership: Option<String>,
    bucket_namespace: Option<String>,
    #[serde(flatten)]
    acl: AclInput,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    location_constraint: Option<String>,
    /// Of directory buckets.
    location: Option<Value>,
    bucket: Option<Value>,
    #[serde(default)]
    tags: Vec<crate::tagset::Tag>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateBucketOutput {
    location: String,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
async fn create_bucket(s3: &S3, cx: &Cx, input: CreateBucketInput) -> Result<CreateBucketOutput> {
    let name = input.bucket;
    let wanted = input.create_bucket_configuration.unwrap_or_default();
    if wanted.location.is_some() || wanted.bucket.is_some() {
        return Err(cx.refuse_member("CreateBucketConfiguration.Bucket"));
    }
    if input.bucket_namespace.as_deref().is_some_and(|n| n != "global") {
        return Err(cx.refuse_member("BucketNamespace"));
    }
    let lock = input.object_lock_enabled_for_bucket == Some(true);
    if !valid_name(&name) {
        return Err(invalid_name(&name));
    }
    let region = place(&cx.region, wanted.location_constraint.as_deref())?;
    let ownership = match ownership(input.object_ownership.as_deref())? {
        Some(asked) => asked,
        None if s3.acls_by_default => Ownership::ObjectWriter,
        None => Ownership::BucketOwnerEnforced,
    };
    let tags = crate::tagset::check(wanted.tags)?;
    let acl = acl::for_new_bucket(&cx.account, ownership, &input.acl)?;

    let row = bucket_key(&name);
    let mut tx = s3.store.lock(&[Lock::exclusive(&BUCKETS, &row)]).await;
    if let Some(mut old) = tx.get(&BUCKETS, &row).await? {
        if old.owner != cx.account {
            return Err(taken(&name));
        }
        // In us-east-1, and only there, an owner may create a bucket again: its ACL starts afresh.
        if old.region != "us-east-1" || region != "us-east-1" {
            return Err(owned(&name));
        }
        if old.ownership != Some(Ownership::BucketOwnerEnforced) {
            old.acl = acl;
            tx.put(&BUCKETS, &row, &old);
            tx.commit().await?;
        }
    } else {
        let record = BucketRecord {
            name: name.clone(),
            owner: cx.account.clone(),
            region,
            created: cx.now.as_second(),
            versioning: if lock { Versioning::Enabled } else { Versioning::Off },
            ownership: Some(ownership),
            public_access_block: (!s3.acls_by_default).then_some(public_access::DEFAULT),
            has: Has { tags: !tags.is_empty(), ..Has::default() },
            acl,
            encryption: None,
            generation: seqid::next(cx.now, None),
            object_lock: lock.then_some(true),
            lock_rule: None,
        };
        if !tags.is_empty() {
            tx.put(&CONFIG, &config_key(&name, "tags"), &config::encode(&tags)?);
        }
        tx.put(&BUCKETS, &row, &record);
        tx.put(&OWNERS, &Key::new().str(&cx.account).str(&name), &());
        tx.commit().await?;
    }
    Ok(CreateBucketOutput { location: format!("/{name}") })
}

/// The region of a new bucket, from the one the request was sent to and the one it names.
fn place(here: &str, constraint: Option<&str>) -> Result<String> {
    let illegal = |message: String| {
        Err(ApiError::new("IllegalLocationConstraintException", message).status(400))
    };
    match constraint.filter(|c| !c.is_empty()) {
        None if here == "us-east-1" => Ok(here.to_owned()),
        None => illegal(
            "The unspecified location constraint is incompatible for the region specific endpoint \
             this request was sent to."
                .to_owned(),
        ),
        Some(c) if c == "us-east-1" || !is_region(c) => Err(ApiError::new(
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
        )
        .status(400)
        .field("LocationConstraint", c)),
        Some(c) if here != "us-east-1" && here != c => illegal(format!(
            "The {c} location constraint is incompatible for the region specific endpoint this \
             request was sent to."
        )),
        Some("EU") => Ok("eu-west-1".to_owned()),
        Some(c) => Ok(c.to_owned()),
    }
}

/// Whether it looks like a region: new ones come faster than lists of them are kept.
fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let word = |p: &&str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase());
    name == "EU"
        || ((3..=4).contains(&parts.len())
            && parts[0].len() == 2
            && parts[..parts.len() - 1].iter().all(word)
            && parts.last().is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit())))
}

fn ownership(name: Option<&str>) -> Result<Option<Ownership>> {
    match name {
        None => Ok(None),
        Some("BucketOwnerEnforced") => Ok(Some(Ownership::BucketOwnerEnforced)),
        Some("BucketOwnerPreferred") => Ok(Some(Ownership::BucketOwnerPreferred)),
        Some("ObjectWriter") => Ok(Some(Ownership::ObjectWriter)),
        Some(other) => Err(invalid_argument(
            "x-amz-object-ownership",
            other,
            "Invalid x-amz-object-ownership header: unknown value",
        )),
    }
}

fn taken(name: &str) -> ApiError {
    ApiError::new(
        "BucketAlreadyExists",
        "The requested bucket name is not available. The bucket namespace is shared by all users of \
         the system. Please select a different name and try again.",
    )
    .status(409)
    .field("BucketName", name)
}

fn owned(name: &str) -> ApiError {
    ApiError::new(
        "BucketAlreadyOwnedByYou",
        "Your previous request to create the named bucket succeeded and you already own it.",
    )
    .status(409)
    .field("BucketName", name)
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn places() {
        for (here, constraint, want) in [
            ("us-east-1", None, Ok("us-east-1")),
            ("us-east-1", Some(""), Ok("us-east-1")),
            ("us-east-1", Some("eu-central-1"), Ok("eu-central-1")),
            ("us-east-1", Some("EU"), Ok("eu-west-1")),
            ("us-east-1", Some("us-east-1"), Err("InvalidLocationConstraint")),
            ("us-east-1", Some("mars"), Err("InvalidLocationConstraint")),
            ("eu-central-1", Some("eu-central-1"), Ok("eu-central-1")),
            ("eu-central-1", None, Err("IllegalLocationConstraintException")),
            ("eu-central-1", Some("eu-west-1"), Err("IllegalLocationConstraintException")),
        ] {
            let got = place(here, constraint);
            let got = got.as_deref().map_err(|e| e.code());
            assert_eq!(got, want, "{here} {constraint:?}");
        }
    }
}
