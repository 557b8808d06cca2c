//! Lifecycle rules as they are set and as they act.

use fogbank_core::{Principal, Value, map};
use jiff::SignedDuration;

use super::Day;
use super::worker::pass;
use crate::policed::{ME, World, bucket, object};

async fn rule(w: &World, rule: Vec<(fogbank_core::Str, Value)>) {
    let mut all = vec![
        ("ID".into(), "r".into()),
        ("Status".into(), "Enabled".into()),
        ("Filter".into(), map! {"Prefix" => ""}),
    ];
    all.extend(rule);
    let input = map! {
        "Bucket" => "bkt",
        "LifecycleConfiguration" => map! {"Rules" => vec![Value::Map(all)]},
    };
    w.call(&Principal::root(ME), "PutBucketLifecycleConfiguration", input).await.unwrap();
}

/// Moves the clock to so many days from now, and lets the rules act.
async fn after(w: &World, days: i64) {
    w.cloud.clock.set_offset(SignedDuration::from_hours(24 * days));
    pass(&w.s3, &w.dyn_cloud(), Day::REAL).await.unwrap();
}

async fn versions(w: &World) -> (usize, usize) {
    let me = Principal::root(ME);
    let v = w.call(&me, "ListObjectVersions", bucket()).await.unwrap().value;
    let count = |name: &str| v.get(name).map_or(0, |l| l.items().len());
    (count("Versions"), count("DeleteMarkers"))
}

async fn versioned(w: &World) {
    let on = map! {"Bucket" => "bkt", "VersioningConfiguration" => map! {"Status" => "Enabled"}};
    w.call(&Principal::root(ME), "PutBucketVersioning", on).await.unwrap();
}

#[tokio::test]
async fn objects_expire_at_midnight_and_say_so() {
    let w = World::new();
    w.open_bucket().await;
    rule(&w, vec![("Expiration".into(), map! {"Days" => 2_i64})]).await;
    let me = Principal::root(ME);
    let head = w.call(&me, "HeadObject", object("k")).await.unwrap().value;
    assert!(head.str("Expiration").unwrap().contains("rule-id=\"r\""));
    after(&w, 1).await;
    assert!(w.call(&me, "HeadObject", object("k")).await.is_ok());
    after(&w, 3).await;
    assert_eq!(w.call(&me, "HeadObject", object("k")).await.unwrap_err().code(), "NoSuchKey");
}

#[tokio::test]
async fn versions_age_apart_from_the_current_one() {
    let w = World::new();
    w.open_bucket().await;
    versioned(&w).await;
    for text in ["a", "b", "c"] {
        w.put("k", text).await; // with the one before versioning: four versions
    }
    let keep = map! {"NoncurrentDays" => 1_i64, "NewerNoncurrentVersions" => 1_i64};
    rule(&w, vec![("NoncurrentVersionExpiration".into(), keep)]).await;
    assert_eq!(versions(&w).await, (4, 0));
    after(&w, 3).await;
    assert_eq!(versions(&w).await, (2, 0), "the current one and the newest noncurrent one");
}

#[tokio::test]
async fn delete_markers_go_when_they_hide_nothing() {
    let w = World::new();
    w.open_bucket().await;
    versioned(&w).await;
    rule(
        &w,
        vec![
            ("Expiration".into(), map! {"Days" => 1_i64}),
            ("NoncurrentVersionExpiration".into(), map! {"NoncurrentDays" => 1_i64}),
        ],
    )
    .await;
    after(&w, 2).await;
    assert_eq!(versions(&w).await, (1, 1), "expired under a delete marker");
    after(&w, 4).await;
    assert_eq!(versions(&w).await.0, 0);
    after(&w, 6).await;
    assert_eq!(versions(&w).await, (0, 0));
}

#[tokio::test]
async fn uploads_are_aborted_and_classes_change() {
    let w = World::new();
    w.open_bucket().await;
    w.put("big", &"x".repeat(200_000)).await;
    let me = Principal::root(ME);
    w.call(&me, "CreateMultipartUpload", object("up")).await.unwrap();
    rule(
        &w,
        vec![
            ("AbortIncompleteMultipartUpload".into(), map! {"DaysAfterInitiation" => 1_i64}),
            (
                "Transitions".into(),
                vec![map! {"Days" => 1_i64, "StorageClass" => "GLACIER_IR"}].into(),
            ),
        ],
    )
    .await;
    after(&w, 2).await;
    let uploads = w.call(&me, "ListMultipartUploads", bucket()).await.unwrap().value;
    assert_eq!(uploads.get("Uploads").map_or(0, |l| l.items().len()), 0);
    let class = |v: Value| v.str("StorageClass").map(str::to_owned);
    let big = w.call(&me, "HeadObject", object("big")).await.unwrap().value;
    assert_eq!(class(big).as_deref(), Some("GLACIER_IR"));
    let small = w.call(&me, "HeadObject", object("k")).await.unwrap().value;
    assert_eq!(class(small), None, "small objects stay");
}
