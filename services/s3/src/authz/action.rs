//! The IAM action behind each operation, what it is asked on, and the ACL permission beside it.

use std::borrow::Cow;

use fogbank_core::Str;

use crate::acl::Permission;

/// An action as policies and ACLs know it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Action {
    pub name: &'static str,
    pub on: On,
    /// The ACL permission that allows it too, of the object for [`On::Object`], else of the bucket.
    pub acl: Option<Permission>,
}

/// What an action is asked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Bucket,
    /// A key whose object decides.
    Object,
    /// A key that is about to be written: the bucket's ACL decides.
    NewObject,
}

/// The action of an operation that names no bucket.
pub(super) fn service(operation: &str) -> Str {
    match operation {
        "ListBuckets" => Cow::Borrowed("s3:ListAllMyBuckets"),
        other => Cow::Owned(format!("s3:{other}")),
    }
}

/// The action of an operation on a bucket or object; `versioned`: it names a version.
pub(super) fn of(operation: &str, versioned: bool) -> Action {
    use On::{Bucket, NewObject, Object};
    use Permission::{Read, ReadAcp, Write, WriteAcp};
    let pick = |plain, version| if versioned { version } else { plain };
    let (name, on, acl) = match operation {
        "GetObject" | "HeadObject" | "GetObjectAttributes" => {
            (pick("s3:GetObject", "s3:GetObjectVersion"), Object, Some(Read))
        }
        "SelectObjectContent" => ("s3:GetObject", Object, Some(Read)),
        "GetObjectTorrent" => {
            (pick("s3:GetObjectTorrent", "s3:GetObjectVersionTorrent"), Object, None)
        }
        "GetObjectAcl" => {
            (pick("s3:GetObjectAcl", "s3:GetObjectVersionAcl"), Object, Some(ReadAcp))
        }
        "PutObjectAcl" => {
            (pick("s3:PutObjectAcl", "s3:PutObjectVersionAcl"), Object, Some(WriteAcp))
        }
        "GetObjectTagging" => {
            (pick("s3:GetObjectTagging", "s3:GetObjectVersionTagging"), Object, None)
        }
        "PutObjectTagging" => {
            (pick("s3:PutObjectTagging", "s3:PutObjectVersionTagging"), Object, None)
        }
        "DeleteObjectTagging" => {
            (pick("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"), Object, None)
        }
        "GetObjectRetention" => ("s3:GetObjectRetention", Object, None),
        "PutObjectRetention" => ("s3:PutObjectRetention", Object, None),
        "GetObjectLegalHold" => ("s3:GetObjectLegalHold", Object, None),
        "PutObjectLegalHold" => ("s3:PutObjectLegalHold", Object, None),
        "RestoreObject" => ("s3:RestoreObject", Object, None),
        "PutObject"
        | "PostObject"
        | "CopyObject"
        | "CreateMultipartUpload"
        | "UploadPart"
        | "UploadPartCopy"
        | "CompleteMultipartUpload" => ("s3:PutObject", NewObject, Some(Write)),
        "DeleteObject" => {
            (pick("s3:DeleteObject", "s3:DeleteObjectVersion"), NewObject, Some(Write))
        }
        "AbortMultipartUpload" => ("s3:AbortMultipartUpload", NewObject, Some(Write)),
        "ListParts" => ("s3:ListMultipartUploadParts", NewObject, Some(Write)),
        "ListObjects" | "ListObjectsV2" | "HeadBucket" => ("s3:ListBucket", Bucket, Some(Read)),
        "ListObjectVersions" => ("s3:ListBucketVersions", Bucket, Some(Read)),
        "ListMultipartUploads" => ("s3:ListBucketMultipartUploads", Bucket, Some(Read)),
        "GetBucketAcl" => ("s3:GetBucketAcl", Bucket, Some(ReadAcp)),
        "PutBucketAcl" => ("s3:PutBucketAcl", Bucket, Some(WriteAcp)),
        other => (bucket_setting(other), Bucket, None),
    };
    Action { name, on, acl }
}

/// Configurations: their actions are named by habit, not by rule, and deleting one is putting it.
fn bucket_setting(operation: &str) -> &'static str {
    match operation {
        "DeleteBucket" => "s3:DeleteBucket",
        "GetBucketLocation" => "s3:GetBucketLocation",
        "GetBucketVersioning" => "s3:GetBucketVersioning",
        "PutBucketVersioning" => "s3:PutBucketVersioning",
        "GetBucketPolicy" => "s3:GetBucketPolicy",
        "PutBucketPolicy" => "s3:PutBucketPolicy",
        "DeleteBucketPolicy" => "s3:DeleteBucketPolicy",
        "GetBucketPolicyStatus" => "s3:GetBucketPolicyStatus",
        "GetBucketCors" => "s3:GetBucketCORS",
        "PutBucketCors" | "DeleteBucketCors" => "s3:PutBucketCORS",
        "GetBucketWebsite" => "s3:GetBucketWebsite",
        "PutBucketWebsite" => "s3:PutBucketWebsite",
        "DeleteBucketWebsite" => "s3:DeleteBucketWebsite",
        "GetBucketTagging" => "s3:GetBucketTagging",
        "PutBucketTagging" | "DeleteBucketTagging" => "s3:PutBucketTagging",
        "GetBucketLifecycle" | "GetBucketLifecycleConfiguration" => "s3:GetLifecycleConfiguration",
        "PutBucketLifecycle" | "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => {
            "s3:PutLifecycleConfiguration"
        }
        "GetBucketEncryption" => "s3:GetEncryptionConfiguration",
        "PutBucketEncryption" | "DeleteBucketEncryption" => "s3:PutEncryptionConfiguration",
        "GetBucketNotification" | "GetBucketNotificationConfiguration" => {
            "s3:GetBucketNotification"
        }
        "PutBucketNotification" | "PutBucketNotificationConfiguration" => {
            "s3:PutBucketNotification"
        }
        "GetPublicAccessBlock" => "s3:GetBucketPublicAccessBlock",
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => "s3:PutBucketPublicAccessBlock",
        "GetBucketOwnershipControls" => "s3:GetBucketOwnershipControls",
        "PutBucketOwnershipControls" | "DeleteBucketOwnershipControls" => {
            "s3:PutBucketOwnershipControls"
        }
        "GetBucketAccelerateConfiguration" => "s3:GetAccelerateConfiguration",
        "PutBucketAccelerateConfiguration" => "s3:PutAccelerateConfiguration",
        "GetBucketRequestPayment" => "s3:GetBucketRequestPayment",
        "PutBucketRequestPayment" => "s3:PutBucketRequestPayment",
        "GetBucketLogging" => "s3:GetBucketLogging",
        "PutBucketLogging" => "s3:PutBucketLogging",
        "GetBucketReplication" => "s3:GetReplicationConfiguration",
        "PutBucketReplication" | "DeleteBucketReplication" => "s3:PutReplicationConfiguration",
        "GetObjectLockConfiguration" => "s3:GetBucketObjectLockConfiguration",
        "PutObjectLockConfiguration" => "s3:PutBucketObjectLockConfiguration",
        "GetBucketAnalyticsConfiguration" | "ListBucketAnalyticsConfigurations" => {
            "s3:GetAnalyticsConfiguration"
        }
        "GetBucketInventoryConfiguration" | "ListBucketInventoryConfigurations" => {
            "s3:GetInventoryConfiguration"
        }
        "GetBucketMetricsConfiguration" | "ListBucketMetricsConfigurations" => {
            "s3:GetMetricsConfiguration"
        }
        "GetBucketIntelligentTieringConfiguration"
        | "ListBucketIntelligentTieringConfigurations" => "s3:GetIntelligentTieringConfiguration",
        // An operation that nobody has listed here is nobody's but the root's.
        _ => "s3:UnlistedOperation",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_as_iam_spells_them() {
        for (operation, versioned, want) in [
            ("HeadObject", false, "s3:GetObject"),
            ("HeadObject", true, "s3:GetObjectVersion"),
            ("ListObjectsV2", false, "s3:ListBucket"),
            ("ListObjectVersions", false, "s3:ListBucketVersions"),
            ("UploadPart", false, "s3:PutObject"),
            ("ListParts", false, "s3:ListMultipartUploadParts"),
            ("DeleteObject", true, "s3:DeleteObjectVersion"),
            ("PostObject", false, "s3:PutObject"),
            ("GetBucketLifecycleConfiguration", false, "s3:GetLifecycleConfiguration"),
            ("DeleteBucketCors", false, "s3:PutBucketCORS"),
            ("DeletePublicAccessBlock", false, "s3:PutBucketPublicAccessBlock"),
        ] {
            assert_eq!(of(operation, versioned).name, want, "{operation}");
        }
        assert_eq!(service("ListBuckets"), "s3:ListAllMyBuckets");
    }

    /// Every operation that names a bucket must have its own action.
    #[test]
    fn no_operation_is_unlisted() {
        for table in crate::tables() {
            for op in table
                .iter()
                .filter(|op| !matches!(op.name, "ListBuckets" | "CreateBucket" | "DeleteObjects"))
            {
                assert_ne!(of(op.name, false).name, "s3:UnlistedOperation", "{}", op.name);
            }
        }
    }
}
