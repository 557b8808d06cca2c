//! One request and one reply per protocol, and what must be refused.

use bytes::Bytes;
use fogbank_core::{ApiError, Body, Reply, Value, map};
use fogbank_model::service;
use http::HeaderMap;

use super::*;

mod mutations;
mod parsers;
mod properties;

struct R(&'static str, &'static str, &'static str, HeaderMap, Bytes);

fn request(
    method: &'static str,
    target: &'static str,
    headers: &[(&'static str, &str)],
    body: &str,
) -> R {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers =
        headers.iter().map(|(k, v)| ((*k).try_into().unwrap(), v.parse().unwrap())).collect();
    R(method, path, query, headers, Bytes::copy_from_slice(body.as_bytes()))
}

impl R {
    fn borrow(&self) -> Request<'_> {
        Request { method: self.0, path: self.1, query: self.2, headers: &self.3, body: &self.4 }
    }
}

fn decode(id: &str, r: &R) -> Result<(String, Value)> {
    let call = route(service(id).unwrap(), &r.borrow())?;
    Ok((call.operation.name.to_owned(), call.decode(&r.borrow())?))
}

fn encode(id: &str, op: &str, v: Value) -> String {
    let service = service(id).unwrap();
    let call =
        Call { service, operation: service.operation(op).unwrap(), protocol: service.protocols[0] };
    body(call.encode(Reply { value: v, ..Reply::default() }, "ID").into_body())
}

fn body(b: Body) -> String {
    match b {
        Body::Full(b) => String::from_utf8(b.to_vec()).unwrap(),
        _ => String::new(),
    }
}

#[test]
fn s3_requests() {
    let r = request(
        "PUT",
        "/b/a%20b%2Fc+d?partNumber=2&uploadId=x%2By",
        &[("x-amz-checksum-crc32", "AAAA"), ("content-length", "3")],
        "",
    );
    let (op, v) = decode("s3", &r).unwrap();
    assert_eq!(op, "UploadPart");
    assert_eq!(v.str("Key"), Some("a b/c+d"));
    assert_eq!(v.str("UploadId"), Some("x+y"));
    assert_eq!(v.get("PartNumber"), Some(&Value::Int(2)));
    assert_eq!(v.get("ContentLength"), Some(&Value::Int(3)));

    let r = request("PUT", "/b/k", &[("x-amz-meta-one", "1"), ("x-amz-meta-two", "zwei")], "");
    let (_, v) = decode("s3", &r).unwrap();
    assert_eq!(v.get("Metadata"), Some(&map! {"one" => "1", "two" => "zwei"}));

    let xml = "<Delete xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><Quiet>true</Quiet><Object><Key>a&amp;&#xe9;</Key></Object><Object><Key>b</Key></Object></Delete>";
    let (_, v) = decode("s3", &request("POST", "/b?delete", &[], xml)).unwrap();
    let objects = v.get("Delete").unwrap().get("Objects").unwrap().items();
    assert_eq!(objects[0].str("Key"), Some("a&é"));
    assert_eq!(objects.len(), 2);
}

#[test]
fn s3_refuses_documents_that_are_not() {
    let deep = "<Delete>".repeat(1000);
    for xml in [
        "<Delete>",
        "x",
        "<Delete></Dleete>",
        "<Delete><Nope/></Delete>",
        "<Delete/>",
        "<!DOCTYPE a []><Delete/>",
        &deep,
    ] {
        let e = decode("s3", &request("POST", "/b?delete", &[], xml)).unwrap_err();
        assert_eq!(e.code(), "MalformedXML", "{xml}");
    }
    let e = decode("s3", &request("POST", "/b?delete", &[], "")).unwrap_err();
    assert_eq!(e.code(), "MissingRequestBodyError");
    let e = decode("s3", &request("GET", "/b/%ff", &[], "")).unwrap_err();
    assert_eq!(e.code(), "InvalidURI");
}

#[test]
fn s3_replies() {
    let v = map! {"Name" => "b", "IsTruncated" => false, "Contents" => vec![map! {"Key" => "a<b", "Size" => 3,
    "LastModified" => Value::Time("2026-01-01T00:00:00Z".parse().unwrap())}]};
    assert_eq!(
        encode("s3", "ListObjectsV2", v),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>\
         <IsTruncated>false</IsTruncated><Contents><Key>a&lt;b</Key><Size>3</Size>\
         <LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>"
    );
    assert!(
        encode("s3", "GetBucketLocation", map! {}).ends_with("2006-03-01/\"></LocationConstraint>")
    );
    let e = ApiError::new("NoSuchBucket", "The specified bucket does not exist")
        .field("BucketName", "b");
    let r = encode_error(service("s3").unwrap(), None, Protocol::RestXml, &e, "ID");
    assert_eq!(r.status(), 404);
    assert!(body(r.into_body()).contains("<BucketName>b</BucketName><RequestId>ID</RequestId>"));
}

#[test]
fn query_requests_and_replies() {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let text = "Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument=%7B+%7D&Tags.member.1.Key=a&Tags.member.1.Value=b";
    let (op, v) = decode("iam", &request("POST", "/", &form, text)).unwrap();
    assert_eq!(op, "CreateRole");
    assert_eq!(v.str("AssumeRolePolicyDocument"), Some("{ }"));
    assert_eq!(v.get("Tags").unwrap().items()[0], map! {"Key" => "a", "Value" => "b"});

    let e = decode("iam", &request("POST", "/", &form, "Action=CreateRole&RoleName=a%20b"))
        .unwrap_err();
    assert_eq!(e.code(), "ValidationError");
    assert!(e.message().starts_with("2 validation errors detected: Value null at 'assumeRolePolicyDocument' failed to satisfy constraint: Member must not be null; Value 'a b' at 'roleName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+"), "{e}");
    let e = decode("iam", &request("POST", "/", &form, "Action=Nope")).unwrap_err();
    assert_eq!(e.code(), "InvalidAction");

    let out = encode("sts", "GetCallerIdentity", map! {"Account" => "1"});
    assert!(out.contains("<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>ID</RequestId>"), "{out}");
    let out = encode("ec2", "DescribeVpcs", map! {"Vpcs" => vec![map! {"VpcId" => "vpc-1"}]});
    assert!(
        out.contains("<requestId>ID</requestId><vpcSet><item><vpcId>vpc-1</vpcId></item></vpcSet>"),
        "{out}"
    );
    let r = "Action=DescribeVpcs&Filter.1.Name=a&Filter.1.Value.1=b&VpcId.1=vpc-1";
    let (_, v) = decode("ec2", &request("POST", "/", &form, r)).unwrap();
    assert_eq!(
        v.get("Filters").unwrap().items()[0].get("Values").unwrap().items()[0].as_str(),
        Some("b")
    );
    assert_eq!(v.get("VpcIds").unwrap().items().len(), 1);
}

#[test]
fn json_requests_and_replies() {
    let target = [("x-amz-target", "DynamoDB_20120810.GetItem")];
    let (op, v) = decode(
        "dynamodb",
        &request("POST", "/", &target, r#"{"TableName":"t","Key":{"k":{"S":"v"}},"Unknown":[1]}"#),
    )
    .unwrap();
    assert_eq!(op, "GetItem");
    assert_eq!(v.get("Key"), Some(&map! {"k" => map! {"S" => "v"}}));
    let cases = [
        (
            r#"{"TableName":1}"#,
            "SerializationException",
            "NUMBER_VALUE can not be converted to a String",
        ),
        (r#"{"TableName""#, "SerializationException", ""),
        (
            r#"{"TableName":"t"}"#,
            "ValidationException",
            "1 validation error detected: Value null at 'key' failed",
        ),
    ];
    for (text, code, message) in cases {
        let e = decode("dynamodb", &request("POST", "/", &target, text)).unwrap_err();
        assert_eq!(e.code(), code, "{text}");
        assert!(e.message().starts_with(message), "{e}");
    }
    let deep = format!("{{\"TableName\":\"t\",\"Key\":{}", "{\"M\":".repeat(10_000));
    assert_eq!(
        decode("dynamodb", &request("POST", "/", &target, &deep)).unwrap_err().code(),
        "SerializationException"
    );
    let e = ApiError::new("ResourceNotFoundException", "no").status(400);
    let r = encode_error(service("dynamodb").unwrap(), None, Protocol::Json, &e, "ID");
    assert_eq!(body(r.into_body()), r#"{"__type":"ResourceNotFoundException","message":"no"}"#);
    let r = request("GET", "/2015-03-31/functions/f?Qualifier=1", &[], "");
    let (op, v) = decode("lambda", &r).unwrap();
    assert_eq!(
        (op.as_str(), v.str("FunctionName"), v.str("Qualifier")),
        ("GetFunction", Some("f"), Some("1"))
    );
}

#[test]
fn cbor_round_trip() {
    let s = service("cloudwatch").unwrap();
    let shape = s.shape_named("PutMetricDataInput").unwrap();
    let v = map! {"Namespace" => "n", "MetricData" => vec![map! {"MetricName" => "m", "Value" => Value::Float(1.0),
    "Timestamp" => Value::Time("2026-01-01T00:00:00Z".parse().unwrap())}]};
    let bytes = cbor::encode(s, Some(shape), &v);
    assert_eq!(cbor::decode(s, shape, &bytes).unwrap(), v);
    for n in 0..bytes.len() {
        let _ = cbor::decode(s, shape, &bytes[..n]);
    }
    assert!(cbor::decode(s, shape, &[0x9f; 100_000]).is_err());
}

#[test]
fn compressed_requests() {
    use std::io::Write;
    let text = br#"{"Namespace":"n","MetricData":[{"MetricName":"m","Value":1}]}"#;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text).unwrap();
    let packed = Bytes::from(gzip.finish().unwrap());
    let headers = [
        ("x-amz-target", "GraniteServiceVersion20100801.PutMetricData"),
        ("content-encoding", "gzip"),
    ];
    let mut r = request("POST", "/", &headers, "");
    r.4 = packed.clone();
    let (op, v) = decode("cloudwatch", &r).unwrap();
    assert_eq!((op.as_str(), v.str("Namespace")), ("PutMetricData", Some("n")));
    r.4 = packed.slice(..packed.len() / 2);
    assert_eq!(decode("cloudwatch", &r).unwrap_err().code(), "SerializationException");
    // A bomb stops at the limit.
    let e = gunzip(Protocol::Json, &packed, 10).unwrap_err();
    assert!(e.message().contains("too large"));
}
