//! Objects: put, read, copied, deleted.

use bytes::Bytes;
use fogbank_core::{Body, Value, map};
use jiff::Timestamp;

use crate::tables::{BLOBREFS, GARBAGE, INLINE, OBJECTS};
use crate::testing::{Bench, join};

fn big(n: usize) -> Bytes {
    (0..n).map(|i| (i / 7 % 251) as u8).collect::<Vec<_>>().into()
}

#[tokio::test]
async fn what_was_put_is_read_whatever_its_size() {
    let b = Bench::with_bucket().await;
    for n in [0, 1, 1024, 32 * 1024, 32 * 1024 + 1, 3_000_000] {
        let out = b.put("k", big(n)).await;
        assert_eq!(out.str("ServerSideEncryption"), Some("AES256"));
        assert_eq!(out.str("ChecksumType"), Some("FULL_OBJECT"));
        assert!(out.str("ChecksumCRC64NVME").is_some());
        assert_eq!(b.get("k").await.unwrap(), big(n), "{n}");
    }
    assert_eq!((b.blobs().await, b.rows(&GARBAGE).await), (1, 0), "overwritten blobs are deleted");
    b.ok("DeleteObject", map! { "Bucket" => "bkt", "Key" => "k" }).await;
    assert_eq!((b.blobs().await, b.rows(&INLINE).await, b.rows(&OBJECTS).await), (0, 0, 0));
    assert_eq!(b.get("k").await.unwrap_err().code(), "NoSuchKey");
}

#[tokio::test]
async fn keys_are_data() {
    let b = Bench::with_bucket().await;
    let keys = ["../../etc/passwd", "/", "//", ".", "..", "a\0b", "é\u{10FFFF}", "a/../b", "\u{1}"];
    for k in keys {
        b.put(k, k.to_owned()).await;
    }
    for k in keys {
        assert_eq!(b.get(k).await.unwrap(), k.as_bytes());
    }
    let listing = b.ok("ListObjectsV2", map! { "Bucket" => "bkt" }).await;
    assert_eq!(listing.get("Contents").unwrap().items().len(), keys.len());
    let e = b.err("PutObject", map! { "Bucket" => "bkt", "Key" => "k".repeat(1025) }).await;
    assert_eq!(e.code(), "KeyTooLongError");
}

#[tokio::test]
async fn a_read_answers_with_the_defaults_of_s3() {
    let b = Bench::with_bucket().await;
    b.put("k", "hello").await;
    let at = map! { "Bucket" => "bkt", "Key" => "k", "ChecksumMode" => "ENABLED" };
    let head = b.ok("HeadObject", at).await;
    assert_eq!(head.str("ContentType"), Some("binary/octet-stream"));
    assert_eq!(head.str("ETag"), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    assert_eq!(head.str("AcceptRanges"), Some("bytes"));
    assert_eq!(head.get("ContentLength"), Some(&Value::Int(5)));
    assert_eq!(head.str("ServerSideEncryption"), Some("AES256"));
    assert_eq!(head.str("ChecksumType"), Some("FULL_OBJECT"));
    assert!(head.get("StorageClass").is_none() && head.get("VersionId").is_none());
}

#[tokio::test]
async fn ranges() {
    let b = Bench::with_bucket().await;
    b.put("k", "0123456789").await;
    b.put("big", big(100_000)).await;
    let read = |key: &str, range: &str| {
        b.run("GetObject", map! { "Bucket" => "bkt", "Key" => key, "Range" => range }, Body::Empty)
    };
    let r = read("k", "bytes=2-4").await.unwrap();
    assert_eq!(r.status, Some(206));
    assert_eq!(r.value.str("ContentRange"), Some("bytes 2-4/10"));
    assert_eq!(r.body.unwrap().collect(100).await.unwrap(), "234");
    let r = read("big", "bytes=-10").await.unwrap();
    assert_eq!(r.body.unwrap().collect(100).await.unwrap(), big(100_000)[99_990..]);
    let e = read("k", "bytes=10-").await.unwrap_err();
    assert_eq!((e.code(), e.status_override()), ("InvalidRange", Some(416)));
}

#[tokio::test]
async fn conditions() {
    let b = Bench::with_bucket().await;
    b.put("k", "hello").await;
    let tag = "\"5d41402abc4b2a76b9719d911017c592\"";
    let with = |name: &'static str, value: &str| {
        map! { "Bucket" => "bkt", "Key" => "k", name => value }
    };
    let r = b.run("GetObject", with("IfNoneMatch", tag), Body::Empty).await.unwrap();
    assert_eq!((r.status, r.value.str("ETag")), (Some(304), Some(tag)));
    let e = b.err("GetObject", with("IfMatch", "\"x\"")).await;
    assert_eq!((e.code(), e.status_override()), ("PreconditionFailed", Some(412)));
    assert_eq!(b.err("PutObject", with("IfNoneMatch", "*")).await.code(), "PreconditionFailed");
    assert_eq!(b.err("PutObject", with("IfMatch", "x")).await.code(), "PreconditionFailed");
    b.ok("PutObject", with("IfMatch", tag)).await;
    assert_eq!(b.err("DeleteObject", with("IfMatch", tag)).await.code(), "PreconditionFailed");
    let old = Value::Time(Timestamp::from_second(1).unwrap());
    let since = map! { "Bucket" => "bkt", "Key" => "k", "IfUnmodifiedSince" => old.clone() };
    assert_eq!(b.err("GetObject", since).await.code(), "PreconditionFailed");
}

#[tokio::test]
async fn a_wrong_digest_leaves_nothing() {
    let b = Bench::with_bucket().await;
    for (name, value, code) in [
        ("ContentMD5", "AAAAAAAAAAAAAAAAAAAAAA==", "BadDigest"),
        ("ContentMD5", "AAA", "InvalidDigest"),
        ("ChecksumCRC32", "AAAAAA==", "BadDigest"),
        ("ChecksumCRC32", "AAAA", "InvalidRequest"),
        ("ChecksumXXHASH64", "AAAAAAAAAAA=", "NotImplemented"),
    ] {
        for n in [10, 100_000] {
            let input = map! { "Bucket" => "bkt", "Key" => "k", name => value };
            let e = b.run("PutObject", input, Body::Full(big(n))).await.unwrap_err();
            assert_eq!(e.code(), code, "{name} {n}");
        }
    }
    let ok = map! { "Bucket" => "bkt", "Key" => "k", "ChecksumCRC32" => "y/Q5Jg==" };
    b.run("PutObject", ok, Body::Full("123456789".into())).await.unwrap();
    assert_eq!((b.rows(&OBJECTS).await, b.blobs().await), (1, 0));
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing() {
    let b = Bench::with_bucket().await;
    for n in [10u64, 100_000] {
        let short = futures_util::stream::iter([Ok(big(5)), Ok(big(1))]);
        let input = map! { "Bucket" => "bkt", "Key" => "k" };
        let e = b.run("PutObject", input, Body::stream(Some(n), short)).await.unwrap_err();
        assert_eq!((e.code(), e.status_override()), ("IncompleteBody", Some(400)));
    }
    let huge = Body::stream(Some(6 << 30), futures_util::stream::pending());
    let e = b.run("PutObject", map! { "Bucket" => "bkt", "Key" => "k" }, huge).await.unwrap_err();
    assert_eq!(e.code(), "EntityTooLarge");
    assert_eq!((b.rows(&OBJECTS).await, b.blobs().await), (0, 0));
}

#[tokio::test]
async fn copies_share_a_blob_until_the_last_one_goes() {
    let b = Bench::with_bucket().await;
    b.put("a", big(100_000)).await;
    let copy = |to: &str| map! { "Bucket" => "bkt", "Key" => to, "CopySource" => "bkt/a" };
    for to in ["b", "c"] {
        let out = b.ok("CopyObject", copy(to)).await;
        assert!(out.get("CopyObjectResult").unwrap().str("ETag").is_some());
    }
    assert_eq!(b.blobs().await, 1);
    for key in ["a", "c"] {
        b.ok("DeleteObject", map! { "Bucket" => "bkt", "Key" => key }).await;
    }
    assert_eq!(b.get("b").await.unwrap(), big(100_000));
    b.ok("DeleteObject", map! { "Bucket" => "bkt", "Key" => "b" }).await;
    assert_eq!((b.blobs().await, b.rows(&BLOBREFS).await, b.rows(&GARBAGE).await), (0, 0, 0));
}

#[tokio::test]
async fn copies_keep_or_replace_what_describes_the_source() {
    let b = Bench::with_bucket().await;
    let meta = map! { "color" => "red" };
    b.ok(
        "PutObject",
        map! { "Bucket" => "bkt", "Key" => "a", "Metadata" => meta, "Tagging" => "t=1", "ContentType" => "x/y" },
    )
    .await;
    let copy = |key: &str, more: Value| {
        join(map! { "Bucket" => "bkt", "Key" => key, "CopySource" => "/bkt/a" }, more)
    };
    b.ok("CopyObject", copy("same", map! {})).await;
    let head = b.ok("HeadObject", map! { "Bucket" => "bkt", "Key" => "same" }).await;
    assert_eq!(head.get("Metadata").unwrap().str("color"), Some("red"));
    assert_eq!(
        (head.str("ContentType"), head.get("TagCount")),
        (Some("x/y"), Some(&Value::Int(1)))
    );
    let replace = map! { "MetadataDirective" => "REPLACE", "TaggingDirective" => "REPLACE" };
    b.ok("CopyObject", copy("new", replace.clone())).await;
    let head = b.ok("HeadObject", map! { "Bucket" => "bkt", "Key" => "new" }).await;
    assert!(head.get("Metadata").is_none() && head.get("TagCount").is_none());
    assert_eq!(b.err("CopyObject", copy("a", map! {})).await.code(), "InvalidRequest");
    b.ok("CopyObject", copy("a", replace)).await;
    let gone = map! { "Bucket" => "bkt", "Key" => "x", "CopySource" => "bkt/none" };
    assert_eq!(b.err("CopyObject", gone).await.code(), "NoSuchKey");
}

#[tokio::test]
async fn batch_deletes_answer_key_by_key() {
    let b = Bench::with_bucket().await;
    b.put("a", "1").await;
    let delete = |keys: &[&str], quiet: bool| {
        let objects = keys.iter().map(|k| map! { "Key" => *k }).collect::<Vec<_>>();
        map! { "Bucket" => "bkt", "Delete" => map! { "Objects" => objects, "Quiet" => quiet } }
    };
    let long = "k".repeat(1025);
    let out = b.ok("DeleteObjects", delete(&["a", "none", &long], false)).await;
    assert_eq!(out.get("Deleted").unwrap().items().len(), 2);
    assert_eq!(out.get("Errors").unwrap().items()[0].str("Code"), Some("KeyTooLongError"));
    let out = b.ok("DeleteObjects", delete(&["a"], true)).await;
    assert!(out.get("Deleted").is_none_or(|d| d.items().is_empty()));
    let many = vec!["k"; 1001];
    assert_eq!(b.err("DeleteObjects", delete(&many, false)).await.code(), "MalformedXML");
}

#[tokio::test]
async fn a_customers_key_opens_its_object_only() {
    let b = Bench::with_bucket().await;
    let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let md5 = {
        use base64::Engine as _;
        use md5::Digest as _;
        let raw = base64::engine::general_purpose::STANDARD.decode(key).unwrap();
        base64::engine::general_purpose::STANDARD.encode(md5::Md5::digest(raw))
    };
    let with = || {
        map! {
            "Bucket" => "bkt", "Key" => "k", "SSECustomerAlgorithm" => "AES256",
            "SSECustomerKey" => key, "SSECustomerKeyMD5" => md5.as_str(),
        }
    };
    b.run("PutObject", with(), Body::Full("secret".into())).await.unwrap();
    assert_eq!(b.read(with()).await.unwrap(), "secret");
    assert_eq!(b.get("k").await.unwrap_err().code(), "InvalidRequest");
    b.put("plain", "x").await;
}

#[tokio::test]
async fn events_are_sent_when_asked_for() {
    let b = Bench::with_bucket().await;
    b.put("k", "1").await;
    let on = map! { "EventBridgeConfiguration" => map! {} };
    b.ok(
        "PutBucketNotificationConfiguration",
        map! { "Bucket" => "bkt", "NotificationConfiguration" => on },
    )
    .await;
    b.put("k", "2").await;
    b.ok("DeleteObject", map! { "Bucket" => "bkt", "Key" => "k" }).await;
    b.ok("DeleteObject", map! { "Bucket" => "bkt", "Key" => "none" }).await;
    assert_eq!(b.events(), ["Object Created", "Object Deleted"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_never_see_a_torn_object() {
    let b = std::sync::Arc::new(Bench::with_bucket().await);
    b.put("k", vec![0; 40_000]).await;
    let writer = {
        let b = b.clone();
        tokio::spawn(async move {
            for n in 1..60u8 {
                // Inline and blob in turn.
                let size = if n % 2 == 0 { 40_000 } else { 1000 };
                b.put("k", vec![n; size]).await;
            }
        })
    };
    for _ in 0..200 {
        let bytes = b.get("k").await.unwrap();
        assert!(bytes.iter().all(|x| *x == bytes[0]));
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}

#[tokio::test]
async fn what_a_killed_process_left_to_delete_is_deleted_at_the_next_start() {
    let b = Bench::with_bucket().await;
    b.put("kept", big(100_000)).await;
    let lost = b.s3.blobs.put(big(10)).await.unwrap();
    let row = crate::tables::blob_key(&lost).u64(1);
    b.s3.store.put(&GARBAGE, &row, &()).await.unwrap();
    b.s3.sweep().await.unwrap();
    assert_eq!((b.blobs().await, b.rows(&GARBAGE).await), (1, 0));
    assert_eq!(b.get("kept").await.unwrap(), big(100_000));
}
