//! Input that no client sends: a clear error in the right protocol, no panic, no partial state.

use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use fogbank_testkit::Cloud;
use fogbank_testkit::http::{Answer, Connection, Request};

/// A cloud with the bucket `bad`.
fn cloud() -> Result<Cloud> {
    let cloud = Cloud::start()?;
    let made = cloud.connect()?.send(&Request::s3("PUT", "/bad", b""))?;
    ensure!(made.status == 200, "{}", made.text());
    Ok(cloud)
}

/// It still answers, and its log tells of no panic.
fn healthy(cloud: &mut Cloud) -> Result<()> {
    let answer = cloud.connect()?.send(&Request::s3("GET", "/", b""))?;
    ensure!(answer.status == 200, "afterwards: {}", answer.text());
    ensure!(!cloud.log().contains("panicked"), "{}", cloud.log());
    Ok(())
}

/// A 4xx with this code in its body.
fn refused(answer: &Answer, status: u16, code: &str) -> Result<()> {
    ensure!(
        answer.status == status && answer.text().contains(code),
        "expected {status} {code}, got {} {:.300}",
        answer.status,
        answer.text()
    );
    Ok(())
}

fn send(cloud: &Cloud, request: &Request<'_>) -> Result<Answer> {
    cloud.connect()?.send(request)
}

#[test]
fn malformed_xml() -> Result<()> {
    let mut cloud = cloud()?;
    let deep = "<a>".repeat(100_000);
    let wide = format!("<Delete>{}</Delete>", "<Object><Key>k</Key></Object>".repeat(200_000));
    let bomb = "<!DOCTYPE d [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><Delete>&b;</Delete>";
    for body in [
        "",
        "<",
        "<Delete>",
        "<Delete></Nope>",
        "<Wrong/>",
        "\0",
        bomb,
        &deep,
        &wide,
        "\u{feff}<D/>",
    ] {
        let answer = send(
            &cloud,
            &Request {
                headers: &[("content-md5", &md5ish(body))],
                ..Request::s3("POST", "/bad?delete", body.as_bytes())
            },
        )?;
        ensure!(answer.status / 100 == 4, "{:.40}: {} {:.200}", body, answer.status, answer.text());
        ensure!(answer.text().contains("<Code>"), "{:.40}: {:.200}", body, answer.text());
    }
    let invalid = send(&cloud, &Request::s3("PUT", "/bad?website", b"<a>\xff\xfe</a>"))?;
    ensure!(invalid.status / 100 == 4, "{}", invalid.text());
    healthy(&mut cloud)
}

/// Some header value; whether it is the body's digest is not what these tests are about.
fn md5ish(body: &str) -> String {
    format!("{:x<22}==", body.len() % 10)
}

#[test]
fn malformed_query_and_json() -> Result<()> {
    let mut cloud = cloud()?;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let nested =
        format!("Action=CreateRole&Version=2010-05-08&Tags.member.{}=x", "1.".repeat(5000));
    for body in [
        "",
        "Action=",
        "Action=NoSuchAction&Version=2010-05-08",
        "Action=CreateUser&Version=2010-05-08",
        "Action=CreateUser&Version=2010-05-08&UserName=%ff%fe",
        "Action=CreateUser&Version=2010-05-08&UserName=%zz",
        "Action=CreateUser&Version=2010-05-08&UserName=a&Tags.member.99999999999999999999.Key=x",
        "Action=CreateUser&Version=2010-05-08&UserName=a&Tags.member.4000000000.Key=x",
        "&&&&=&=&=",
        &nested,
    ] {
        let answer = send(
            &cloud,
            &Request {
                headers: &form,
                service: "iam",
                ..Request::s3("POST", "/", body.as_bytes())
            },
        )?;
        ensure!(answer.status / 100 == 4, "{:.60}: {} {:.200}", body, answer.status, answer.text());
    }
    let deep = "[".repeat(200_000);
    let object = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    for target in ["DynamoDB_20120810.GetItem", "DynamoDB_20120810.Nope", "Nope.Nope", ""] {
        for body in ["", "{", "[]", "null", "{\"a\":1e999999}", "\"\\ud800\"", &deep, &object] {
            let headers =
                [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", target)];
            let answer = send(
                &cloud,
                &Request {
                    headers: &headers,
                    service: "dynamodb",
                    ..Request::s3("POST", "/", body.as_bytes())
                },
            )?;
            ensure!(answer.status / 100 == 4, "{target} {:.40}: {}", body, answer.status);
        }
    }
    for body in [&b"\xff\xff\xff"[..], &[0x9f; 100_000], &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff], b""]
    {
        let answer = send(
            &cloud,
            &Request {
                headers: &[
                    ("content-type", "application/cbor"),
                    ("smithy-protocol", "rpc-v2-cbor"),
                ],
                service: "cloudwatch",
                ..Request::s3(
                    "POST",
                    "/service/GraniteServiceVersion20100801/operation/GetMetricData",
                    body,
                )
            },
        )?;
        ensure!(answer.status / 100 == 4, "cbor: {} {:.100}", answer.status, answer.text());
    }
    healthy(&mut cloud)
}

#[test]
fn heads_that_are_too_much() -> Result<()> {
    let mut cloud = cloud()?;
    let long = "x".repeat(1 << 20);
    let many: String = (0..5000).map(|i| format!("x-h{i}: y\r\n")).collect();
    for head in [
        format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: h\r\nx-long: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: h\r\n{many}\r\n"),
        "GET / HTTP/9.9\r\n\r\n".into(),
        "GET\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nHost: h\r\nbad header\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: nine\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n".into(),
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".into(),
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n".into(),
        "\r\n\r\n\0\0\0\0".into(),
    ] {
        let mut connection = cloud.connect()?;
        // It may answer and close while we still write: that is its right.
        let _ = connection.raw(head.as_bytes());
        if let Ok(answer) = connection.answer(false) {
            ensure!(answer.status / 100 == 4, "{:.60}: {}", head, answer.status);
        }
    }
    healthy(&mut cloud)
}

#[test]
fn bodies_that_do_not_come_as_announced() -> Result<()> {
    let mut cloud = cloud()?;
    // Cut off in the middle of an upload: nothing of it may be seen.
    let whole = Request::s3("PUT", "/bad/cut", &[7; 100_000]).bytes(&cloud.address().to_string());
    for keep in [whole.len() - 1, whole.len() - 50_000, whole.len() - 100_000] {
        let mut connection = cloud.connect()?;
        connection.raw(&whole[..keep])?;
        connection.end()?;
        if let Ok(answer) = connection.answer(false) {
            ensure!(answer.status / 100 == 4, "{}", answer.text());
        }
        drop(connection);
    }
    let gone = send(&cloud, &Request::s3("GET", "/bad/cut", b""))?;
    refused(&gone, 404, "NoSuchKey")?;

    let chunked = [
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "5"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    for frames in [
        "zz\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5;chunk-signature=abc\r\nhello\r\n0\r\n",
        "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "6\r\nhello!\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
        "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
        "5\r\nhello\r\n0\r\nno colon\r\n\r\n",
        "5\r\nhel",
        "",
    ] {
        let answer = send(
            &cloud,
            &Request { headers: &chunked, ..Request::s3("PUT", "/bad/chunked", frames.as_bytes()) },
        )?;
        ensure!(answer.status / 100 == 4, "{frames:?}: {} {}", answer.status, answer.text());
    }
    refused(&send(&cloud, &Request::s3("GET", "/bad/chunked", b""))?, 404, "NoSuchKey")?;
    healthy(&mut cloud)
}

#[test]
fn keys_that_would_leave_the_bucket() -> Result<()> {
    let mut cloud = cloud()?;
    let outside = "../../../../../../tmp/fogbank-was-here";
    let encoded = outside.replace("..", "%2e%2e").replace('/', "%2F");
    for key in [outside, &encoded, "a%00b", "%ff%fe", "..", ".", "a/../../b", "%5c%5c..%5c"] {
        let target = format!("/bad/{key}");
        let put = send(&cloud, &Request::s3("PUT", &target, b"content"))?;
        // A key is bytes to S3, not a path: it is kept as it is, or refused as a whole.
        if put.status == 200 {
            let got = send(&cloud, &Request::s3("GET", &target, b""))?;
            ensure!(got.body == b"content", "{key}: {}", got.text());
        } else {
            ensure!(put.status / 100 == 4, "{key}: {} {}", put.status, put.text());
        }
    }
    ensure!(!std::path::Path::new("/tmp/fogbank-was-here").exists(), "it left the bucket");
    for bucket in ["..", "%2e%2e", "A", "a", "x..y", "bad%00", "-b-"] {
        let made = send(&cloud, &Request::s3("PUT", &format!("/{bucket}"), b""))?;
        ensure!(made.status / 100 == 4, "bucket {bucket}: {}", made.status);
    }
    healthy(&mut cloud)
}

#[test]
fn signatures_that_are_not() -> Result<()> {
    let mut cloud = cloud()?;
    static LONG: OnceLock<String> = OnceLock::new();
    let long = LONG.get_or_init(|| "A".repeat(20_000));
    for authorization in [
        "",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e/f/g, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=test/99999999/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 ,,,===,,,",
        "AWS4-ECDSA-P256-SHA256 Credential=test/20260101/s3/aws4_request, SignedHeaders=host, Signature=0",
        "Basic dGVzdDp0ZXN0",
        long,
    ] {
        let mut connection = cloud.connect()?;
        let text =
            format!("GET /bad HTTP/1.1\r\nHost: h\r\nAuthorization: {authorization}\r\n\r\n");
        connection.raw(text.as_bytes())?;
        let answer = connection.answer(false)?;
        ensure!(answer.status / 100 == 4, "{authorization:.60}: {}", answer.status);
        ensure!(answer.text().contains("<Code>"), "{authorization:.60}: {:.100}", answer.text());
    }
    // A body other than the one that was signed leaves nothing behind.
    let mut altered =
        Request::s3("PUT", "/bad/altered", b"what was signed").bytes(&cloud.address().to_string());
    let end = altered.len();
    altered[end - 1] = b'!';
    let mut connection = cloud.connect()?;
    connection.raw(&altered)?;
    refused(&connection.answer(false)?, 400, "XAmzContentSHA256Mismatch")?;
    refused(&send(&cloud, &Request::s3("GET", "/bad/altered", b""))?, 404, "NoSuchKey")?;
    healthy(&mut cloud)
}

/// Many connections that say nothing, or half a request, do not keep others from being served.
#[test]
fn slow_clients_do_not_block_others() -> Result<()> {
    let mut cloud = cloud()?;
    let mut idle: Vec<Connection> = Vec::new();
    for i in 0..200 {
        let mut connection = cloud.connect().with_context(|| format!("connection {i}"))?;
        match i % 3 {
            0 => {}
            1 => connection.raw(b"GET / HTT")?,
            _ => connection
                .raw(b"PUT /bad/slow HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nx")?,
        }
        idle.push(connection);
    }
    for _ in 0..20 {
        let answer = send(&cloud, &Request::s3("GET", "/bad", b""))?;
        ensure!(answer.status == 200, "{}", answer.text());
    }
    drop(idle);
    healthy(&mut cloud)
}
