//! What must be allowed before each S3 operation: IAM actions, bucket policies and ACLs.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>
//!
//! **Invariant:** a bucket that does not exist is `NoSuchBucket` to everybody; after that, nobody
//! learns about keys what they may not read.

use std::borrow::Cow;

use std::sync::Arc;

use fogbank_core::{ApiError, Check, Cx, Kind, Result, Value};

use crate::S3;
use crate::acl::{Acl, Grantee, Permission};
use crate::bucket::check_region;
use crate::error::access_denied;
use crate::record::{BucketRecord, ObjectRecord, Ownership};

mod action;
mod context;

use action::{Action, On};

/// The checks of `cx.operation`; every operation of the table names this function.
///
/// For the owner's root, without a bucket policy, this costs the read of the bucket's record.
pub(crate) async fn check(s3: &S3, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let Some(name) = input.str("Bucket") else {
        return Ok(vec![Check::new(action::service(cx.operation), "arn:aws:s3:::*")]);
    };
    if cx.operation == "CreateBucket" {
        return Ok(create_bucket(cx, name, input));
    }
    let bucket = s3.shared_bucket(name).await?;
    cx.remember(Arc::clone(&bucket));
    if cx.operation != "GetBucketLocation" {
        check_region(cx, &bucket)?;
    }
    expect_owner(&bucket, input.str("ExpectedBucketOwner"))?;
    if cx.operation == "DeleteObjects" {
        return Ok(Vec::new()); // asked key by key, as each may have its own answer
    }
    let version = input.str("VersionId");
    let action = action::of(cx.operation, version.is_some());
    let mut wanted = Wanted { s3, cx, bucket: &bucket, input, checks: Vec::new() };
    let key = input.str("Key").filter(|_| action.on != On::Bucket);
    wanted.ask(&action, key, version).await?;
    wanted.also(key).await?;
    if let Some(source) = input.str("CopySource") {
        wanted.source(source, input.str("ExpectedSourceBucketOwner")).await?;
    }
    Ok(wanted.checks)
}

/// Whether the caller may delete a key of `DeleteObjects`.
///
/// # Errors
/// `AccessDenied`.
pub(crate) async fn delete(
    s3: &S3,
    cx: &Cx,
    bucket: &BucketRecord,
    key: &str,
    version: Option<&str>,
) -> Result<()> {
    let action = action::of("DeleteObject", version.is_some());
    if is_plain(cx, bucket) {
        return Ok(());
    }
    let mut wanted = Wanted { s3, cx, bucket, input: &Value::Null, checks: Vec::new() };
    wanted.ask(&action, Some(key), version).await?;
    wanted.settle().await
}

/// What to answer when a key does not exist: `missing`, or `AccessDenied` to those who may not
/// list the bucket and so must not learn it.
pub(crate) async fn hide_missing(
    s3: &S3,
    cx: &Cx,
    bucket: &BucketRecord,
    missing: ApiError,
) -> ApiError {
    if is_plain(cx, bucket) || cx.principal.kind == Kind::Service {
        return missing;
    }
    let mut wanted = Wanted { s3, cx, bucket, input: &Value::Null, checks: Vec::new() };
    let list = Action { name: "s3:ListBucket", on: On::Bucket, acl: Some(Permission::Read) };
    let asked = wanted.ask(&list, None, None).await;
    match (asked, wanted.settle().await) {
        (Ok(()), Ok(())) => missing,
        _ => access_denied(),
    }
}

/// Whether nothing but ownership decides: the root of the bucket's account, no bucket policy.
fn is_plain(cx: &Cx, bucket: &BucketRecord) -> bool {
    cx.principal.is_root()
        && cx.principal.account == bucket.owner
        && !bucket.has.policy
        && !may_have_foreign_objects(bucket)
}

/// Whether others may own objects in the bucket.
fn may_have_foreign_objects(bucket: &BucketRecord) -> bool {
    !matches!(bucket.ownership, Some(Ownership::BucketOwnerEnforced))
}

fn expect_owner(bucket: &BucketRecord, owner: Option<&str>) -> Result<()> {
    if owner.is_some_and(|o| o != bucket.owner) { Err(access_denied()) } else { Ok(()) }
}

fn create_bucket(cx: &Cx, name: &str, input: &Value) -> Vec<Check> {
    let arn = format!("arn:aws:s3:::{name}");
    let make = |action: &'static str| {
        let mut check = Check::new(action, arn.clone());
        check.resource_account = Some(cx.account.clone());
        check.context = context::of(cx, input);
        check
    };
    let mut checks = vec![make("s3:CreateBucket")];
    if context::has_acl(input) {
        checks.push(make("s3:PutBucketAcl"));
    }
    if input.str("ObjectOwnership").is_some_and(|o| o != "BucketOwnerEnforced") {
        checks.push(make("s3:PutBucketOwnershipControls"));
    }
    checks
}

/// The questions about one request, as they come together.
struct Wanted<'a> {
    s3: &'a S3,
    cx: &'a Cx,
    bucket: &'a BucketRecord,
    input: &'a Value,
    checks: Vec<Check>,
}

impl Wanted<'_> {
    /// Asks for one action on the bucket or a key in it.
    async fn ask(
        &mut self,
        action: &Action,
        key: Option<&str>,
        version: Option<&str>,
    ) -> Result<()> {
        let Wanted { s3, cx, bucket, input, .. } = *self;
        let resource = match key {
            Some(key) => format!("arn:aws:s3:::{}/{key}", bucket.name),
            None => format!("arn:aws:s3:::{}", bucket.name),
        };
        let mut check = Check::new(action.name, resource);
        check.resource_account = Some(bucket.owner.clone());
        if is_plain(cx, bucket) {
            self.checks.push(check);
            return Ok(());
        }
        self.pays()?;
        check.context = context::of(cx, input);
        let object = match key.filter(|_| action.on == On::Object) {
            Some(key) => s3.find_version(bucket, key, version).await?,
            None => None,
        };
        if let Some(object) = &object {
            context::existing_tags(&mut check.context, &object.tags);
        }
        let grant = self.grant(action, object.as_ref());
        let foreign = object.is_some_and(|o| o.owner != bucket.owner);
        if foreign && action.acl.is_some() && grant.is_none() {
            // The bucket's owner has no say over what others own in it.
            return Err(access_denied());
        }
        let public = bucket.public_access_block.as_ref();
        let outsider = cx.principal.account != bucket.owner && cx.principal.kind != Kind::Service;
        let restricted = public.is_some_and(|p| p.restrict_public_buckets);
        if restricted && bucket.has.public_policy && outsider && grant.is_none() {
            return Err(access_denied());
        }
        if bucket.has.policy {
            check.resource_policy = crate::bucket_policy::text(s3, &bucket.name).await?;
        }
        check.granted = match grant {
            // A grant to the bucket's own account leaves the choice to IAM.
            Some(Grantee::Account(_)) => outsider || cx.principal.is_root(),
            grant => grant.is_some(),
        };
        self.checks.push(check);
        Ok(())
    }

    /// What the request's headers ask for beyond its operation: an ACL, tags.
    async fn also(&mut self, key: Option<&str>) -> Result<()> {
        let Some(key) = key else { return Ok(()) };
        if !matches!(
            self.cx.operation,
            "PutObject" | "PostObject" | "CopyObject" | "CreateMultipartUpload"
        ) {
            if self.cx.operation == "GetObjectAttributes" {
                let name = match self.input.str("VersionId") {
                    Some(_) => "s3:GetObjectVersionAttributes",
                    None => "s3:GetObjectAttributes",
                };
                let action = Action { name, on: On::Object, acl: Some(Permission::Read) };
                self.ask(&action, Some(key), self.input.str("VersionId")).await?;
            }
            return Ok(());
        }
        if context::has_acl(self.input) {
            let acl = Some(Permission::Write);
            let action = Action { name: "s3:PutObjectAcl", on: On::NewObject, acl };
            self.ask(&action, Some(key), None).await?;
        }
        if self.input.str("Tagging").is_some_and(|t| !t.is_empty()) {
            let acl = Some(Permission::Write);
            let action = Action { name: "s3:PutObjectTagging", on: On::NewObject, acl };
            self.ask(&action, Some(key), None).await?;
        }
        Ok(())
    }

    /// The source of a copy: `bucket/key?versionId=…`, percent-encoded.
    async fn source(&mut self, source: &str, owner: Option<&str>) -> Result<()> {
        let (path, version) = match source.rsplit_once("?versionId=") {
            Some((path, version)) => (path, Some(version)),
            None => (source, None),
        };
        let path = percent_encoding::percent_decode_str(path.trim_start_matches('/'));
        let path = path.decode_utf8_lossy();
        let Some((name, key)) = path.split_once('/') else {
            return Ok(()); // the operation itself refuses it
        };
        let bucket = self.s3.bucket(name).await?;
        expect_owner(&bucket, owner)?;
        let action = action::of("GetObject", version.is_some());
        let mut from = Wanted { bucket: &bucket, checks: Vec::new(), ..*self };
        from.ask(&action, Some(key), version).await?;
        let checks = from.checks;
        self.checks.extend(checks);
        Ok(())
    }

    /// In a bucket whose requesters pay, outsiders must say that they will.
    fn pays(&self) -> Result<()> {
        let p = &self.cx.principal;
        let agreed = self.cx.header("x-amz-request-payer") == Some("requester");
        let outsider = p.account != self.bucket.owner && p.kind != Kind::Service;
        if self.bucket.has.requester_pays && outsider && (p.is_anonymous() || !agreed) {
            return Err(access_denied());
        }
        Ok(())
    }

    /// The grantee through whom an ACL allows the action: the object's list, or the bucket's.
    fn grant(&self, action: &Action, object: Option<&ObjectRecord>) -> Option<Grantee> {
        let permission = action.acl?;
        if !may_have_foreign_objects(self.bucket) {
            return None; // ACLs are disabled
        }
        let ignore_public =
            self.bucket.public_access_block.as_ref().is_some_and(|p| p.ignore_public_acls);
        let (owner, acl) = match object {
            Some(o) => (&o.owner, &o.acl),
            // Where there is no object, whoever may list the bucket may learn that.
            None if action.on == On::Object && permission != Permission::Read => return None,
            None => (&self.bucket.owner, &self.bucket.acl),
        };
        let p = &self.cx.principal;
        if owner != &self.bucket.owner && owner == &p.account {
            return Some(Grantee::Account(owner.clone())); // an owner has everything
        }
        let private = || Cow::Owned(Acl::private(owner));
        let acl = acl.as_ref().map_or_else(private, Cow::Borrowed);
        acl.allows(owner, p, permission, ignore_public).cloned()
    }

    async fn settle(self) -> Result<()> {
        for check in self.checks {
            self.cx.authorize(check).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
