//! Multipart uploads, part by part.

use bytes::Bytes;
use fogbank_core::{Body, Result, Value, map};

use crate::tables::{GARBAGE, PARTS, UPLOADS};
use crate::testing::{Bench, join};

const MIB5: usize = 5 * 1024 * 1024;

async fn begin(b: &Bench, more: Value) -> String {
    let input = join(map! { "Bucket" => "bkt", "Key" => "k" }, more);
    let out = b.ok("CreateMultipartUpload", input).await;
    out.str("UploadId").unwrap().to_owned()
}

async fn part(b: &Bench, upload: &str, n: i64, bytes: Bytes) -> Result<Value> {
    let input = map! { "Bucket" => "bkt", "Key" => "k", "UploadId" => upload, "PartNumber" => n };
    Ok(b.run("UploadPart", input, Body::Full(bytes)).await?.value)
}

fn complete(upload: &str, parts: &[(i64, &str)]) -> Value {
    let parts = parts
        .iter()
        .map(|(n, etag)| map! { "PartNumber" => *n, "ETag" => *etag })
        .collect::<Vec<_>>();
    map! {
        "Bucket" => "bkt", "Key" => "k", "UploadId" => upload,
        "MultipartUpload" => map! { "Parts" => parts },
    }
}

fn etag(v: &Value) -> String {
    v.str("ETag").unwrap().to_owned()
}

#[tokio::test]
async fn parts_become_one_object() {
    let b = Bench::with_bucket().await;
    let upload = begin(&b, map! { "ContentType" => "x/y" }).await;
    let (one, two) = (Bytes::from(vec![1; MIB5]), Bytes::from(vec![2; 10]));
    let a = etag(&part(&b, &upload, 1, one.clone()).await.unwrap());
    part(&b, &upload, 3, vec![9; 100].into()).await.unwrap();
    part(&b, &upload, 5, two.clone()).await.unwrap();
    let c = etag(&part(&b, &upload, 5, two.clone()).await.unwrap());
    assert_eq!(b.blobs().await, 3, "a part sent again replaces the first");
    let listed = b
        .ok("ListParts", map! { "Bucket" => "bkt", "Key" => "k", "UploadId" => upload.as_str() })
        .await;
    assert_eq!(listed.get("Parts").unwrap().items().len(), 3);
    let out = b.ok("CompleteMultipartUpload", complete(&upload, &[(1, &a), (5, &c)])).await;
    assert!(etag(&out).ends_with("-2\""));
    let again = b.ok("CompleteMultipartUpload", complete(&upload, &[(1, &a), (5, &c)])).await;
    assert_eq!(etag(&again), etag(&out));
    assert_eq!(out.str("ChecksumType"), Some("FULL_OBJECT"));
    assert_eq!((b.rows(&UPLOADS).await, b.rows(&PARTS).await, b.blobs().await), (0, 0, 2));
    let whole = [one, two].concat();
    assert_eq!(b.get("k").await.unwrap(), whole);

    let at = |name: &'static str, v: Value| map! { "Bucket" => "bkt", "Key" => "k", name => v };
    let across = at("Range", format!("bytes={}-{}", MIB5 - 2, MIB5 + 1).into());
    assert_eq!(b.read(across).await.unwrap(), [1, 1, 2, 2].as_slice());
    let second = b.run("GetObject", at("PartNumber", Value::Int(2)), Body::Empty).await.unwrap();
    assert_eq!((second.status, second.value.get("PartsCount")), (Some(206), Some(&Value::Int(2))));
    assert_eq!(second.body.unwrap().collect(100).await.unwrap(), [2; 10].as_slice());
    let e = b.err("GetObject", at("PartNumber", Value::Int(3))).await;
    assert_eq!((e.code(), e.status_override()), ("InvalidPartNumber", Some(416)));

    // The whole has the checksum that it would have if it had come in one piece.
    let sum = out.str("ChecksumCRC64NVME").unwrap().to_owned();
    assert_eq!(b.put("single", whole).await.str("ChecksumCRC64NVME"), Some(sum.as_str()));

    // A copy is one piece again.
    b.ok("CopyObject", map! { "Bucket" => "bkt", "Key" => "c", "CopySource" => "bkt/k" }).await;
    for key in ["k", "c", "single"] {
        b.ok("DeleteObject", map! { "Bucket" => "bkt", "Key" => key }).await;
    }
    assert_eq!((b.blobs().await, b.rows(&GARBAGE).await), (0, 0));
}

#[tokio::test]
async fn what_cannot_be_completed() {
    let b = Bench::with_bucket().await;
    let upload = begin(&b, map! {}).await;
    let a = etag(&part(&b, &upload, 1, vec![1; 100].into()).await.unwrap());
    let c = etag(&part(&b, &upload, 2, vec![2; 100].into()).await.unwrap());
    for (parts, code) in [
        (&[][..], "MalformedXML"),
        (&[(2, c.as_str()), (1, a.as_str())], "InvalidPartOrder"),
        (&[(1, a.as_str()), (1, a.as_str())], "InvalidPartOrder"),
        (&[(1, c.as_str())], "InvalidPart"),
        (&[(7, a.as_str())], "InvalidPart"),
        (&[(0, a.as_str())], "InvalidArgument"),
        (&[(1, a.as_str()), (2, c.as_str())], "EntityTooSmall"),
    ] {
        let e = b.err("CompleteMultipartUpload", complete(&upload, parts)).await;
        assert_eq!(e.code(), code);
    }
    for id in ["", "x", &"A".repeat(32)] {
        let e = b.err("CompleteMultipartUpload", complete(id, &[(1, &a)])).await;
        assert_eq!(e.code(), "NoSuchUpload", "{id}");
        assert_eq!(part(&b, id, 1, Bytes::new()).await.unwrap_err().code(), "NoSuchUpload");
    }
    for n in [0, -1, 10_001] {
        let e = part(&b, &upload, n, Bytes::new()).await.unwrap_err();
        assert_eq!(e.code(), "InvalidArgument", "{n}");
    }
    let abort = map! { "Bucket" => "bkt", "Key" => "k", "UploadId" => upload.as_str() };
    b.ok("AbortMultipartUpload", abort.clone()).await;
    assert_eq!(b.err("AbortMultipartUpload", abort).await.code(), "NoSuchUpload");
    assert_eq!((b.rows(&PARTS).await, b.blobs().await, b.rows(&GARBAGE).await), (0, 0, 0));
}

#[tokio::test]
async fn composite_checksums() {
    let b = Bench::with_bucket().await;
    let upload = begin(&b, map! { "ChecksumAlgorithm" => "SHA256" }).await;
    let e = part(&b, &upload, 1, "x".into()).await.unwrap_err();
    assert!(e.message().contains("expected checksum Type: sha256, actual checksum Type: null"));
    let sum = {
        use base64::Engine as _;
        use sha2::Digest as _;
        base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest("x"))
    };
    let input = map! {
        "Bucket" => "bkt", "Key" => "k", "UploadId" => upload.as_str(), "PartNumber" => 1,
        "ChecksumSHA256" => sum.as_str(),
    };
    let out = b.run("UploadPart", input, Body::Full("x".into())).await.unwrap().value;
    assert_eq!(out.str("ChecksumSHA256"), Some(sum.as_str()));
    let tag = etag(&out);
    let e = b.err("CompleteMultipartUpload", complete(&upload, &[(1, &tag)])).await;
    assert!(e.message().contains("It was missing for part 1"));
    let parts = vec![map! { "PartNumber" => 1, "ETag" => tag, "ChecksumSHA256" => sum }];
    let out = b
        .ok(
            "CompleteMultipartUpload",
            map! {
                "Bucket" => "bkt", "Key" => "k", "UploadId" => upload,
                "MultipartUpload" => map! { "Parts" => parts },
            },
        )
        .await;
    assert!(out.str("ChecksumSHA256").unwrap().ends_with("-1"));
    assert_eq!(out.str("ChecksumType"), Some("COMPOSITE"));
    let attributes = vec![Value::from("Checksum"), Value::from("ObjectParts"), Value::from("ETag")];
    let a = b
        .ok(
            "GetObjectAttributes",
            map! { "Bucket" => "bkt", "Key" => "k", "ObjectAttributes" => attributes },
        )
        .await;
    let parts = a.get("ObjectParts").unwrap();
    assert_eq!(parts.get("TotalPartsCount"), Some(&Value::Int(1)));
    assert_eq!(parts.get("Parts").unwrap().items().len(), 1);
}

#[tokio::test]
async fn uploads_are_listed_and_end_with_their_bucket() {
    let b = Bench::with_bucket().await;
    let one = begin(&b, map! {}).await;
    let two = begin(&b, map! {}).await;
    part(&b, &two, 1, "x".into()).await.unwrap();
    let l = b.ok("ListMultipartUploads", map! { "Bucket" => "bkt", "MaxUploads" => 1 }).await;
    let ids = |l: &Value| -> Vec<String> {
        let items = l.get("Uploads").map(Value::items).unwrap_or_default();
        items.iter().map(|u| u.str("UploadId").unwrap().to_owned()).collect()
    };
    assert_eq!((ids(&l), l.get("IsTruncated")), (vec![one.clone()], Some(&Value::Bool(true))));
    let next = map! { "Bucket" => "bkt", "KeyMarker" => "k", "UploadIdMarker" => one };
    assert_eq!(ids(&b.ok("ListMultipartUploads", next).await), [two]);
    b.ok("DeleteBucket", map! { "Bucket" => "bkt" }).await;
    assert_eq!((b.rows(&UPLOADS).await, b.rows(&PARTS).await, b.blobs().await), (0, 0, 0));
}

#[tokio::test]
async fn parts_are_copied_from_objects() {
    let b = Bench::with_bucket().await;
    b.put("src", "0123456789").await;
    let upload = begin(&b, map! {}).await;
    let input = map! {
        "Bucket" => "bkt", "Key" => "k", "UploadId" => upload.as_str(), "PartNumber" => 1,
        "CopySource" => "bkt/src", "CopySourceRange" => "bytes=2-4",
    };
    let out = b.ok("UploadPartCopy", input).await;
    let tag = etag(out.get("CopyPartResult").unwrap());
    b.ok("CompleteMultipartUpload", complete(&upload, &[(1, &tag)])).await;
    assert_eq!(b.get("k").await.unwrap(), "234");
}
