//! Versions and delete markers.

use fogbank_core::{Body, Value, map};

use crate::tables::{INLINE, NULLS, OBJECTS, VERSIONS};
use crate::testing::{Bench, join};

async fn versioned(status: &str) -> Bench {
    let b = Bench::with_bucket().await;
    set(&b, status).await;
    b
}

async fn set(b: &Bench, status: &str) {
    let c = map! { "Status" => status };
    b.ok("PutBucketVersioning", map! { "Bucket" => "bkt", "VersioningConfiguration" => c }).await;
}

fn id(v: &Value) -> String {
    v.str("VersionId").unwrap_or_default().to_owned()
}

/// `key:version-number` newest first, `!` a delete marker, `*` the latest.
async fn history(b: &Bench) -> String {
    let l = b.ok("ListObjectVersions", map! { "Bucket" => "bkt" }).await;
    let show = |v: &Value, mark: &str| {
        let latest = if v.get("IsLatest") == Some(&Value::Bool(true)) { "*" } else { "" };
        let null = if v.str("VersionId") == Some("null") { "0" } else { "" };
        format!("{}{mark}{null}{latest}", v.str("Key").unwrap())
    };
    let of = |name: &str, mark: &str| -> Vec<String> {
        let items = l.get(name).map(Value::items).unwrap_or_default();
        items.iter().map(|v| show(v, mark)).collect()
    };
    [of("Versions", ""), of("DeleteMarkers", "!")].concat().join(" ")
}

#[tokio::test]
async fn versions_stay_until_they_are_named() {
    let b = versioned("Enabled").await;
    let (one, two) = (id(&b.put("k", "1").await), id(&b.put("k", "2").await));
    assert_ne!(one, two);
    assert_eq!(b.get("k").await.unwrap(), "2");
    let at = |v: &str| map! { "Bucket" => "bkt", "Key" => "k", "VersionId" => v };
    assert_eq!(b.read(at(&one)).await.unwrap(), "1");
    let gone = b.ok("DeleteObject", map! { "Bucket" => "bkt", "Key" => "k" }).await;
    assert_eq!(gone.get("DeleteMarker"), Some(&Value::Bool(true)));
    let e = b.get("k").await.unwrap_err();
    assert_eq!(e.code(), "NoSuchKey");
    assert!(e.headers().iter().any(|(n, _)| n == "x-amz-delete-marker"));
    let e = b.err("GetObject", at(&id(&gone))).await;
    assert_eq!((e.code(), e.status_override()), ("MethodNotAllowed", Some(405)));
    assert_eq!(history(&b).await, "k k k!*");
    // Without the marker the object is back.
    b.ok("DeleteObject", at(&id(&gone))).await;
    assert_eq!(b.get("k").await.unwrap(), "2");
    b.ok("DeleteObject", at(&two)).await;
    assert_eq!(b.get("k").await.unwrap(), "1");
    assert_eq!(b.err("DeleteBucket", map! { "Bucket" => "bkt" }).await.code(), "BucketNotEmpty");
    b.ok("DeleteObject", at(&one)).await;
    assert_eq!((b.rows(&OBJECTS).await, b.rows(&VERSIONS).await, b.rows(&INLINE).await), (0, 0, 0));
    b.ok("DeleteBucket", map! { "Bucket" => "bkt" }).await;
}

#[tokio::test]
async fn suspended_buckets_have_one_null_version() {
    let b = Bench::with_bucket().await;
    b.put("k", "null 1").await;
    set(&b, "Enabled").await;
    b.put("k", "named").await;
    assert_eq!(b.rows(&NULLS).await, 1);
    set(&b, "Suspended").await;
    b.put("k", "null 2").await;
    assert_eq!(history(&b).await, "k0* k");
    assert_eq!(b.rows(&NULLS).await, 0);
    let null = map! { "Bucket" => "bkt", "Key" => "k", "VersionId" => "null" };
    assert_eq!(b.read(null.clone()).await.unwrap(), "null 2");
    let gone = b.ok("DeleteObject", map! { "Bucket" => "bkt", "Key" => "k" }).await;
    assert_eq!(gone.str("VersionId"), Some("null"));
    assert_eq!(history(&b).await, "k k!0*");
    b.ok("DeleteObject", null).await;
    assert_eq!(b.get("k").await.unwrap(), "named");
    assert_eq!(b.rows(&NULLS).await, 0);
}

#[tokio::test]
async fn version_ids_are_checked() {
    let b = versioned("Enabled").await;
    b.put("k", "1").await;
    let at = |v: &str| map! { "Bucket" => "bkt", "Key" => "k", "VersionId" => v };
    assert_eq!(b.err("GetObject", at("nonsense")).await.code(), "InvalidArgument");
    let foreign = id(&b.put("other", "1").await);
    assert_eq!(b.err("GetObject", at(&foreign)).await.code(), "NoSuchVersion");
    assert_eq!(b.err("GetObject", at("null")).await.code(), "NoSuchVersion");
    b.ok("DeleteObject", at(&foreign)).await;
    assert_eq!(b.get("other").await.unwrap(), "1");
}

#[tokio::test]
async fn listings_resume_inside_a_key() {
    let b = versioned("Enabled").await;
    for n in 0..5 {
        b.put("a", n.to_string()).await;
        b.put("b", n.to_string()).await;
    }
    b.ok("DeleteObject", map! { "Bucket" => "bkt", "Key" => "a" }).await;
    for max in 1..13 {
        let mut seen = Vec::new();
        let mut latest = 0;
        let mut marker = (None::<String>, None::<String>);
        loop {
            let l = b
                .ok(
                    "ListObjectVersions",
                    map! {
                        "Bucket" => "bkt", "MaxKeys" => max,
                        "KeyMarker" => marker.0.clone(), "VersionIdMarker" => marker.1.clone(),
                    },
                )
                .await;
            for list in ["Versions", "DeleteMarkers"] {
                for v in l.get(list).map(Value::items).unwrap_or_default() {
                    latest += usize::from(v.get("IsLatest") == Some(&Value::Bool(true)));
                    seen.push((v.str("Key").unwrap().to_owned(), id(v)));
                }
            }
            if l.get("IsTruncated") == Some(&Value::Bool(false)) {
                break;
            }
            marker = (
                l.str("NextKeyMarker").map(str::to_owned),
                l.str("NextVersionIdMarker").map(str::to_owned),
            );
        }
        assert_eq!((seen.len(), latest), (11, 2), "{max}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 11);
    }
}

#[tokio::test]
async fn an_old_version_comes_back_by_a_copy_onto_itself() {
    let b = versioned("Enabled").await;
    let one = id(&b.put("k", "1").await);
    b.put("k", "2").await;
    let source = format!("bkt/k?versionId={one}");
    let out =
        b.ok("CopyObject", map! { "Bucket" => "bkt", "Key" => "k", "CopySource" => source }).await;
    assert_eq!(out.str("CopySourceVersionId"), Some(one.as_str()));
    assert_eq!(b.get("k").await.unwrap(), "1");
}

#[tokio::test]
async fn tags_belong_to_a_version() {
    let b = versioned("Enabled").await;
    let one = id(&b.put("k", "1").await);
    b.put("k", "2").await;
    let tags = map! { "TagSet" => vec![map! { "Key" => "a", "Value" => "b" }] };
    let at = |v: &str| map! { "Bucket" => "bkt", "Key" => "k", "VersionId" => v };
    b.ok("PutObjectTagging", join(at(&one), map! { "Tagging" => tags })).await;
    let n = |v: Value| v.get("TagSet").map_or(0, |t| t.items().len());
    assert_eq!(n(b.ok("GetObjectTagging", at(&one)).await), 1);
    assert_eq!(n(b.ok("GetObjectTagging", map! { "Bucket" => "bkt", "Key" => "k" }).await), 0);
    let r = b.run("GetObject", at(&one), Body::Empty).await.unwrap();
    assert_eq!(r.value.get("TagCount"), Some(&Value::Int(1)));
}
