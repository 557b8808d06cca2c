//! What the protocols cost: nanoseconds per request and per reply.
//!
//! `cargo bench -p fogbank-wire [-- WORD]`, the latter for the lines that hold the word. Prints, judges nothing: a timing is never a test.

#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fogbank_core::{ApiError, Reply, Value, map};
use fogbank_model::service;
use fogbank_wire::{Call, Request, encode_error, route};
use http::HeaderMap;

fn main() {
    loads();
    let put = headers(&[
        ("host", "127.0.0.1:4566"),
        ("content-length", "1024"),
        ("content-type", "application/octet-stream"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ("x-amz-date", "20261123T000000Z"),
        ("x-amz-sdk-checksum-algorithm", "CRC32"),
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-meta-colour", "green"),
        ("user-agent", "Boto3/1.44.5 md/Botocore#1.44.5"),
        ("authorization", "AWS4-HMAC-SHA256 Credential=test/20261123/us-east-1/s3/aws4_request"),
    ]);
    request("s3 PutObject", "s3", "PUT", "/bucket/some/key%20with.txt?x-id=PutObject", &put, b"");
    request("s3 GetObject", "s3", "GET", "/bucket/some/key.txt", &headers(&[]), b"");
    let list = "/bucket?list-type=2&prefix=a%2Fb&delimiter=%2F&encoding-type=url&max-keys=1000";
    request("s3 ListObjectsV2", "s3", "GET", list, &headers(&[]), b"");
    let delete = format!(
        "<Delete>{}</Delete>",
        "<Object><Key>some/longer/key.txt</Key></Object>".repeat(1000)
    );
    request(
        "s3 DeleteObjects, 1,000 keys",
        "s3",
        "POST",
        "/b?delete",
        &headers(&[]),
        delete.as_bytes(),
    );
    let form = headers(&[("content-type", "application/x-www-form-urlencoded")]);
    let role = b"Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument=%7B%7D&Tags.member.1.Key=a&Tags.member.1.Value=b";
    request("iam CreateRole", "iam", "POST", "/", &form, role);
    let target = headers(&[("x-amz-target", "DynamoDB_20120810.PutItem")]);
    let item = br#"{"TableName":"table","Item":{"pk":{"S":"a"},"sk":{"N":"12"},"data":{"M":{"x":{"L":[{"S":"1"},{"BOOL":true}]}}}}}"#;
    request("dynamodb PutItem", "dynamodb", "POST", "/", &target, item);

    let time = || Value::Time("2026-11-23T08:00:00Z".parse().expect("a time"));
    let put = map! {"ETag" => "\"d41d8cd98f00b204e9800998ecf8427e\"", "ChecksumCRC32" => "AAAAAA==",
    "ChecksumType" => "FULL_OBJECT", "ServerSideEncryption" => "AES256"};
    reply("s3 PutObject", "s3", "PutObject", &put);
    let get = map! {"ETag" => "\"d41d8cd98f00b204e9800998ecf8427e\"", "ContentLength" => 1024,
    "ContentType" => "binary/octet-stream", "AcceptRanges" => "bytes", "LastModified" => time(),
    "ServerSideEncryption" => "AES256", "Metadata" => map! {"colour" => "green"}};
    reply("s3 GetObject", "s3", "GetObject", &get);
    let content = |i: i64| {
        map! {"Key" => format!("some/longer/key-{i:06}.txt"), "LastModified" => time(), "Size" => i,
        "ETag" => "\"d41d8cd98f00b204e9800998ecf8427e\"", "StorageClass" => "STANDARD",
        "ChecksumAlgorithm" => vec![Value::from("CRC64NVME")], "ChecksumType" => "FULL_OBJECT"}
    };
    let all: Vec<Value> = (0..1000).map(content).collect();
    let list = map! {"Name" => "bucket", "Prefix" => "", "MaxKeys" => 1000, "KeyCount" => 1000,
    "IsTruncated" => false, "Contents" => all};
    reply("s3 ListObjectsV2, 1,000 keys", "s3", "ListObjectsV2", &list);
    let identity = map! {"Account" => "000000000000", "Arn" => "arn:aws:iam::000000000000:root", "UserId" => "0"};
    reply("sts GetCallerIdentity", "sts", "GetCallerIdentity", &identity);

    let s3 = service("s3").expect("s3");
    let e = ApiError::new("NoSuchKey", "The specified key does not exist.").field("Key", "k");
    let get = s3.operation("GetObject");
    let protocol = s3.protocols[0];
    time_it("reply  s3 NoSuchKey", || {
        black_box(encode_error(s3, get, protocol, &e, "0123456789ABCDEF"));
    });
}

/// How long the first use of a service takes.
fn loads() {
    for id in ["s3", "iam", "sts", "dynamodb", "ec2"] {
        let start = Instant::now();
        black_box(service(id));
        println!("load   {id:<36} {:>9.0} us", start.elapsed().as_secs_f64() * 1e6);
    }
}

fn request(name: &str, id: &str, method: &str, target: &str, headers: &HeaderMap, body: &[u8]) {
    let service = service(id).expect("a service");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let body = Bytes::copy_from_slice(body);
    let r = Request { method, path, query, headers, body: &body };
    time_it(&format!("route  {name}"), || {
        black_box(route(service, &r).expect("an operation"));
    });
    time_it(&format!("decode {name}"), || {
        let call = route(service, &r).expect("an operation");
        black_box(call.decode(&r).expect("valid"));
    });
}

fn reply(name: &str, id: &str, operation: &str, value: &Value) {
    let name = format!("encode {name}");
    if !wanted(&name) {
        return;
    }
    let service = service(id).expect("a service");
    let operation = service.operation(operation).expect("an operation");
    let call = Call { service, operation, protocol: service.protocols[0] };
    // Values are taken apart by the reply, so each round has its own, made beforehand.
    let rounds = (0..40).map(|_| {
        let replies: Vec<Reply> =
            (0..20).map(|_| Reply { value: value.clone(), ..Reply::default() }).collect();
        let start = Instant::now();
        for reply in replies {
            black_box(call.encode(reply, "0123456789ABCDEF"));
        }
        start.elapsed().as_nanos() as f64 / 20.0
    });
    print(&name, rounds.fold(f64::MAX, f64::min));
}

fn time_it(name: &str, f: impl FnMut()) {
    if wanted(name) {
        print(name, cost(f));
    }
}

fn print(name: &str, nanos: f64) {
    println!("{name:<43} {nanos:>9.0} ns");
}

/// Whether the line was asked for.
fn wanted(name: &str) -> bool {
    let word = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    word.is_none_or(|w| name.contains(&w))
}

/// The least cost of a call over short rounds: what it takes when nothing else runs.
fn cost(mut f: impl FnMut()) -> f64 {
    let start = Instant::now();
    f();
    let once = start.elapsed().max(Duration::from_nanos(50));
    let calls = (2_000_000 / once.as_nanos()).clamp(1, 100_000) as u32;
    let rounds = (0..40).map(|_| {
        let start = Instant::now();
        (0..calls).for_each(|_| f());
        start.elapsed().as_nanos() as f64 / f64::from(calls)
    });
    rounds.fold(f64::MAX, f64::min)
}

fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
    all.iter()
        .map(|(k, v)| (http::HeaderName::from_static(k), http::HeaderValue::from_static(v)))
        .collect()
}
