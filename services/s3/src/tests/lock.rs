//! Object Lock: what it keeps, and from whom.

use fogbank_core::{Value, map};
use jiff::Timestamp;

use crate::testing::{Bench, join};

fn far() -> Value {
    Value::Time(Timestamp::from_second(4_000_000_000).unwrap())
}

async fn locked() -> Bench {
    let b = Bench::new();
    b.ok("CreateBucket", map! { "Bucket" => "bkt", "ObjectLockEnabledForBucket" => true }).await;
    b
}

#[tokio::test]
async fn retained_versions_stay() {
    let b = locked().await;
    for (mode, bypass_helps) in [("GOVERNANCE", true), ("COMPLIANCE", false)] {
        let lock = map! { "ObjectLockMode" => mode, "ObjectLockRetainUntilDate" => far() };
        let put = b.ok("PutObject", join(map! { "Bucket" => "bkt", "Key" => "k" }, lock)).await;
        let version = put.str("VersionId").unwrap();
        let at = map! { "Bucket" => "bkt", "Key" => "k", "VersionId" => version };
        let head = b.ok("HeadObject", at.clone()).await;
        assert_eq!(head.str("ObjectLockMode"), Some(mode));
        assert_eq!(b.err("DeleteObject", at.clone()).await.code(), "AccessDenied");
        let soon = Value::Time(Timestamp::from_second(3_999_999_999).unwrap());
        let shorter = map! { "Mode" => mode, "RetainUntilDate" => soon };
        let shorten = join(at.clone(), map! { "Retention" => shorter });
        assert_eq!(b.err("PutObjectRetention", shorten).await.code(), "AccessDenied");
        let bypass = join(at, map! { "BypassGovernanceRetention" => true });
        if bypass_helps {
            b.ok("DeleteObject", bypass).await;
        } else {
            assert_eq!(b.err("DeleteObject", bypass).await.code(), "AccessDenied");
        }
    }
    // A delete marker hides, it deletes nothing.
    b.ok("DeleteObject", map! { "Bucket" => "bkt", "Key" => "k" }).await;
}

#[tokio::test]
async fn a_legal_hold_has_no_bypass() {
    let b = locked().await;
    let version = b.put("k", "1").await.str("VersionId").unwrap().to_owned();
    let at = map! { "Bucket" => "bkt", "Key" => "k", "VersionId" => version };
    let e = b.err("GetObjectLegalHold", at.clone()).await;
    assert_eq!(e.code(), "NoSuchObjectLockConfiguration");
    let hold = |on: &str| join(at.clone(), map! { "LegalHold" => map! { "Status" => on } });
    b.ok("PutObjectLegalHold", hold("ON")).await;
    let bypass = join(at.clone(), map! { "BypassGovernanceRetention" => true });
    assert_eq!(b.err("DeleteObject", bypass).await.code(), "AccessDenied");
    b.ok("PutObjectLegalHold", hold("OFF")).await;
    b.ok("DeleteObject", at.clone()).await;
    assert_eq!(b.err("PutObjectLegalHold", hold("maybe")).await.code(), "MalformedXML");
}

#[tokio::test]
async fn buckets_without_object_lock_refuse_it() {
    let b = Bench::with_bucket().await;
    b.put("k", "1").await;
    let at = map! { "Bucket" => "bkt", "Key" => "k" };
    let lock = map! { "ObjectLockMode" => "GOVERNANCE", "ObjectLockRetainUntilDate" => far() };
    assert_eq!(b.err("PutObject", join(at.clone(), lock)).await.code(), "InvalidRequest");
    assert_eq!(b.err("GetObjectRetention", at.clone()).await.code(), "InvalidRequest");
    let bypass = join(at, map! { "BypassGovernanceRetention" => true });
    assert_eq!(b.err("DeleteObject", bypass).await.code(), "InvalidArgument");
    let c = map! { "ObjectLockEnabled" => "Enabled" };
    let put = map! { "Bucket" => "bkt", "ObjectLockConfiguration" => c };
    assert_eq!(b.err("PutObjectLockConfiguration", put).await.code(), "InvalidBucketState");
}

#[tokio::test]
async fn default_rules_are_checked_and_applied() {
    let b = locked().await;
    let put = |retention: Value| {
        let rule = map! { "DefaultRetention" => retention };
        let c = map! { "ObjectLockEnabled" => "Enabled", "Rule" => rule };
        map! { "Bucket" => "bkt", "ObjectLockConfiguration" => c }
    };
    for (retention, code) in [
        (map! { "Mode" => "GOVERNANCE", "Days" => 1, "Years" => 1 }, "MalformedXML"),
        (map! { "Mode" => "GOVERNANCE" }, "MalformedXML"),
        (map! { "Mode" => "abc", "Days" => 1 }, "MalformedXML"),
        (map! { "Mode" => "GOVERNANCE", "Days" => 0 }, "InvalidRetentionPeriod"),
        (map! { "Mode" => "GOVERNANCE", "Years" => -1 }, "InvalidRetentionPeriod"),
    ] {
        assert_eq!(b.err("PutObjectLockConfiguration", put(retention)).await.code(), code);
    }
    b.ok("PutObjectLockConfiguration", put(map! { "Mode" => "COMPLIANCE", "Days" => 1 })).await;
    let version = b.put("k", "1").await.str("VersionId").unwrap().to_owned();
    let at = map! { "Bucket" => "bkt", "Key" => "k", "VersionId" => version };
    assert_eq!(b.err("DeleteObject", at).await.code(), "AccessDenied");
    let c = map! { "Status" => "Suspended" };
    let suspend = map! { "Bucket" => "bkt", "VersioningConfiguration" => c };
    assert_eq!(b.err("PutBucketVersioning", suspend).await.code(), "InvalidBucketState");
}
