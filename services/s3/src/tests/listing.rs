//! Listings: order, pages, delimiters, encodings.

use fogbank_core::{Value, map};

use crate::testing::{Bench, names};

async fn bench(keys: &[&str]) -> Bench {
    let b = Bench::with_bucket().await;
    for k in keys {
        b.put(k, "").await;
    }
    b
}

fn input(pairs: &[(&'static str, &str)]) -> Value {
    let mut m = vec![("Bucket".into(), Value::from("bkt"))];
    m.extend(pairs.iter().map(|(k, v)| {
        let v = v.parse::<i64>().map_or_else(|_| Value::from(*v), Value::Int);
        ((*k).into(), v)
    }));
    Value::Map(m)
}

#[tokio::test]
async fn prefixes_delimiters_and_markers() {
    let b = bench(&["a", "b/1", "b/2", "b/c/3", "b0", "c/x", "é"]).await;
    for (query, want) in [
        (&[][..], "a b/1 b/2 b/c/3 b0 c/x é"),
        (&[("Delimiter", "/")], "a b0 é <b/> <c/>"),
        (&[("Delimiter", "/"), ("Prefix", "b/")], "b/1 b/2 <b/c/>"),
        (&[("Prefix", "b")], "b/1 b/2 b/c/3 b0"),
        (&[("StartAfter", "b/2")], "b/c/3 b0 c/x é"),
        (&[("StartAfter", "b/"), ("Delimiter", "/")], "b0 é <c/>"),
        (&[("StartAfter", "b/1"), ("Delimiter", "/")], "b0 é <b/> <c/>"),
        (&[("Prefix", "nothing")], ""),
        (&[("MaxKeys", "0")], ""),
        (&[("Delimiter", "")], "a b/1 b/2 b/c/3 b0 c/x é"),
        (&[("Delimiter", "c"), ("Prefix", "b")], "b/1 b/2 b0 <b/c>"),
        (&[("EncodingType", "url"), ("Prefix", "é")], "%C3%A9"),
    ] {
        let l = b.ok("ListObjectsV2", input(query)).await;
        assert_eq!(names(&l), want, "{query:?}");
        assert_eq!(l.get("IsTruncated"), Some(&Value::Bool(false)), "{query:?}");
    }
}

#[tokio::test]
async fn pages_join_up_whatever_their_size() {
    let keys: Vec<String> = (0..40).map(|n| format!("{}/{n}", n % 7)).collect();
    let refs: Vec<&str> = keys.iter().map(String::as_str).chain(["x", "y"]).collect();
    let b = bench(&refs).await;
    for delimiter in ["", "/"] {
        let whole = b.ok("ListObjectsV2", input(&[("Delimiter", delimiter)])).await;
        let count = |l: &Value| names(l).split_whitespace().count();
        for max in [1, 2, 3, 5, 8, 41, 42, 43] {
            let (mut v1, mut v2) = (Vec::new(), Vec::new());
            let (mut token, mut marker) = (None::<String>, String::new());
            loop {
                let max = max.to_string();
                let mut q = vec![("Delimiter", delimiter), ("MaxKeys", max.as_str())];
                if let Some(t) = &token {
                    q.push(("ContinuationToken", t));
                }
                let l = b.ok("ListObjectsV2", input(&q)).await;
                v2.extend(names(&l).split_whitespace().map(str::to_owned));
                token = l.str("NextContinuationToken").map(str::to_owned);
                if token.is_none() {
                    break;
                }
            }
            loop {
                let max = max.to_string();
                let q = [("Delimiter", delimiter), ("MaxKeys", &max), ("Marker", &marker)];
                let l = b.ok("ListObjects", input(&q)).await;
                let page: Vec<String> = names(&l).split_whitespace().map(str::to_owned).collect();
                if l.get("IsTruncated") == Some(&Value::Bool(false)) {
                    v1.extend(page);
                    break;
                }
                // Without a delimiter the marker is the last key.
                marker = match l.str("NextMarker") {
                    Some(m) => m.to_owned(),
                    None => page.last().unwrap().clone(),
                };
                v1.extend(page);
            }
            for all in [&mut v1, &mut v2] {
                assert_eq!(all.len(), count(&whole), "{max} {delimiter:?}");
                all.sort();
                all.dedup();
                assert_eq!(all.len(), count(&whole), "{max} {delimiter:?}");
            }
        }
    }
}

#[tokio::test]
async fn arguments_are_checked() {
    let b = bench(&[]).await;
    for q in [("MaxKeys", "-1"), ("ContinuationToken", "x"), ("EncodingType", "hex")] {
        assert_eq!(b.err("ListObjectsV2", input(&[q])).await.code(), "InvalidArgument", "{q:?}");
    }
    let e = b.err("ListObjectsV2", map! { "Bucket" => "none-such" }).await;
    assert_eq!(e.code(), "NoSuchBucket");
}

#[tokio::test]
async fn buckets_are_global_and_listed_by_owner() {
    let b = bench(&[]).await;
    b.ok("CreateBucket", map! { "Bucket" => "abc" }).await;
    b.ok("CreateBucket", map! { "Bucket" => "bkt" }).await;
    let l = b.ok("ListBuckets", map! {}).await;
    let of = |l: &Value| -> Vec<String> {
        l.get("Buckets").unwrap().items().iter().map(|b| b.str("Name").unwrap().into()).collect()
    };
    assert_eq!(of(&l), ["abc", "bkt"]);
    let l = b.ok("ListBuckets", map! { "MaxBuckets" => 1 }).await;
    assert_eq!(of(&l), ["abc"]);
    let token = l.str("ContinuationToken").unwrap().to_owned();
    let l = b.ok("ListBuckets", map! { "MaxBuckets" => 1, "ContinuationToken" => token }).await;
    assert_eq!((of(&l), l.get("ContinuationToken")), (vec!["bkt".to_owned()], None));
    let e = b.err("CreateBucket", map! { "Bucket" => "No_Good" }).await;
    assert_eq!(e.code(), "InvalidBucketName");
}
