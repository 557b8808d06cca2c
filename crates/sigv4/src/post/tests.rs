//! Forms and their policies: AWS's documented example, and what S3 answers to wrong ones.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

fn now() -> Timestamp {
    "2015-12-29T00:00:00Z".parse().unwrap()
}

#[test]
fn the_documented_example_verifies() {
    // The policy of AWS's example, CRLF and all.
    let policy = [
        r#"{ "expiration": "2015-12-30T12:00:00.000Z","#,
        r#"  "conditions": ["#,
        r#"    {"bucket": "sigv4examplebucket"},"#,
        r#"    ["starts-with", "$key", "user/user1/"],"#,
        r#"    {"acl": "public-read"},"#,
        r#"    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},"#,
        r#"    ["starts-with", "$Content-Type", "image/"],"#,
        r#"    {"x-amz-meta-uuid": "14365123651274"},"#,
        r#"    {"x-amz-server-side-encryption": "AES256"},"#,
        r#"    ["starts-with", "$x-amz-meta-tag", ""],"#,
        "",
        r#"    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},"#,
        r#"    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},"#,
        r#"    {"x-amz-date": "20151229T000000Z" }"#,
        "  ]",
        "}",
    ]
    .join("\r\n");
    let form = sign(&policy, "AKIAIOSFODNN7EXAMPLE", SECRET, "us-east-1", now());
    let signature = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e";
    assert_eq!(field(&form, "X-Amz-Signature"), Some(signature));
    let auth = PostAuth::parse(&form).unwrap().unwrap();
    assert_eq!(auth.access_key(), "AKIAIOSFODNN7EXAMPLE");
    auth.verify(SECRET, &Keys::new(1)).unwrap();
    let e = auth.verify("other", &Keys::new(1)).unwrap_err();
    assert_eq!(e.code(), "SignatureDoesNotMatch");
    let mut all = form.clone();
    all.extend(fields(&[
        ("key", "user/user1/a.png"),
        ("acl", "public-read"),
        (
            "success_action_redirect",
            "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html",
        ),
        ("Content-Type", "image/png"),
        ("x-amz-meta-uuid", "14365123651274"),
        ("x-amz-server-side-encryption", "AES256"),
        ("file", "…"),
        ("x-ignore-me", "x"),
    ]));
    let policy = PostPolicy::parse(auth.policy()).unwrap();
    policy.check(&all, "sigv4examplebucket", now()).unwrap();
    let e = policy.check(&all, "another", now()).unwrap_err();
    assert_eq!(
        e.message(),
        "Invalid according to Policy: Policy Condition failed: \
         [\"eq\",\"$bucket\",\"sigv4examplebucket\"]"
    );
}

#[test]
fn the_older_signature_verifies() {
    let policy = STANDARD.encode("{}");
    let mut mac = Hmac::<Sha1>::new_from_slice(b"secret").unwrap();
    mac.update(policy.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let form = fields(&[("AWSAccessKeyId", "AK"), ("policy", &policy), ("signature", &signature)]);
    let auth = PostAuth::parse(&form).unwrap().unwrap();
    assert_eq!(auth.access_key(), "AK");
    assert!(auth.verify("secret", &Keys::new(1)).is_ok());
    assert!(auth.verify("wrong", &Keys::new(1)).is_err());
}

#[test]
fn an_incomplete_signature_names_what_is_missing() {
    assert_eq!(PostAuth::parse(&fields(&[("key", "x")])), Ok(None));
    let message = |pairs: &[(&str, &str)]| {
        let form = fields(pairs);
        let e = PostAuth::parse(&form).unwrap_err();
        assert_eq!(e.code(), "InvalidArgument");
        e.message().to_owned()
    };
    assert!(message(&[("AWSAccessKeyId", "AK"), ("policy", "x")]).contains("'signature'"));
    assert!(message(&[("AWSAccessKeyId", "AK")]).contains("'policy'"));
    assert!(message(&[("x-amz-signature", "x")]).contains("'policy'"));
    assert!(message(&[("policy", "x")]).contains("'X-Amz-Algorithm'"));
    let full = [
        ("policy", "x"),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", "AK/20151229/us-east-1/s3/aws4_request"),
        ("X-Amz-Date", "20151229T000000Z"),
        ("X-Amz-Signature", "00"),
    ];
    for n in 1..full.len() {
        assert!(message(&full[..n]).contains(&format!("'{}'", full[n].0)), "{n}");
    }
    let mut bad = full;
    bad[2].1 = "AK/2015/us-east-1";
    assert!(message(&bad).contains("mal-formed"));
}

fn parse(policy: &str) -> Result<PostPolicy, ApiError> {
    PostPolicy::parse(&STANDARD.encode(policy))
}

#[test]
fn bad_documents_are_refused() {
    for bad in [
        "",
        "[]",
        "{",
        r#"{"conditions":[]}"#,
        r#"{"EXPIRATION":"2016-01-01T00:00:00Z","conditions":[]}"#,
        r#"{"expiration":"2016-01-01T00:00:00Z"}"#,
        r#"{"expiration":"2016-01-01T00:00:00Z","CONDITIONS":[]}"#,
        r#"{"expiration":"2016-01-01 00:00:00","conditions":[]}"#,
        r#"{"expiration":5,"conditions":[]}"#,
        r#"{"expiration":"2016-01-01T00:00:00Z","conditions":{}}"#,
        r#"{"expiration":"2016-01-01T00:00:00Z","conditions":[{}]}"#,
        r#"{"expiration":"2016-01-01T00:00:00Z","conditions":["x"]}"#,
        r#"{"expiration":"2016-01-01T00:00:00Z","conditions":[["eq","key","x"]]}"#,
        r#"{"expiration":"2016-01-01T00:00:00Z","conditions":[["gt","$key","x"]]}"#,
        r#"{"expiration":"2016-01-01T00:00:00Z","conditions":[["content-length-range",0]]}"#,
        r#"{"expiration":"2016-01-01T00:00:00Z","conditions":[["content-length-range",-1,0]]}"#,
    ] {
        assert_eq!(parse(bad).unwrap_err().code(), "InvalidPolicyDocument", "{bad}");
    }
    assert_eq!(PostPolicy::parse("§").unwrap_err().code(), "InvalidPolicyDocument");
    let deep = "[".repeat(100_000);
    assert_eq!(parse(&deep).unwrap_err().code(), "InvalidPolicyDocument");
}

#[test]
fn conditions_are_held_against_the_form() {
    let check = |conditions: &str, pairs: &[(&str, &str)]| {
        let text =
            format!(r#"{{"expiration":"2016-01-01T00:00:00Z","conditions":[{conditions}]}}"#);
        let result = parse(&text).unwrap().check(&fields(pairs), "b", now());
        result.err().map(|e| e.message().replacen("Invalid according to Policy: ", "", 1))
    };
    let ok = None::<String>;
    let bucket = r#"{"bucket":"b"},"#;
    let with = |c: &str| format!("{bucket}{c}");
    assert_eq!(check(r#"{"bucket":"b"}"#, &[]), ok);
    assert_eq!(check("", &[]), Some("Extra input fields: bucket".into()));
    // A field cannot carry a policy over to another bucket.
    assert!(check(r#"{"bucket":"other"}"#, &[("bucket", "other")]).is_some());
    assert_eq!(check(r#"{"bucket":"b"}"#, &[("bucket", "other")]), ok);
    assert_eq!(
        check(r#"{"bucket":"b"}"#, &[("key", "k"), ("ACL", "private")]),
        Some("Extra input fields: key,acl".into())
    );
    let key = with(r#"["StArTs-WiTh","$KeY","foo"]"#);
    assert_eq!(check(&key, &[("Key", "foo.txt")]), ok);
    assert_eq!(
        check(&key, &[("Key", "bar.txt")]),
        Some(r#"Policy Condition failed: ["StArTs-WiTh","$KeY","foo"]"#.into())
    );
    assert!(check(&key, &[]).is_some(), "a missing field meets nothing");
    assert_eq!(check(&with(r#"["starts-with","$x-amz-meta-a",""]"#), &[]), ok);
    let types = with(r#"["starts-with","$Content-Type","image/"]"#);
    assert_eq!(check(&types, &[("content-type", "image/png, image/gif")]), ok);
    assert!(check(&types, &[("content-type", "image/png,text/html")]).is_some());
    let dollar = with(r#"["eq","$key","\\$foo"]"#);
    assert_eq!(check(&dollar, &[("key", "\\$foo")]), ok);
    assert_eq!(check(&dollar, &[("key", "$foo")]), ok);
    assert_eq!(
        check(&with(r#"["eq","$acl","a"]"#), &[("acl", "a"), ("acl", "b")]),
        Some(r#"Policy Condition failed: ["eq","$acl","a"]"#.into())
    );
}

#[test]
fn a_policy_ends_and_bounds_the_size() {
    let p = parse(
        r#"{"expiration":"2015-12-29T00:00:01.500Z",
            "conditions":[{"bucket":"b"},["content-length-range",5,"10"]]}"#,
    )
    .unwrap();
    assert!(p.check(&[], "b", now()).is_ok());
    let e = p.check(&[], "b", "2015-12-29T00:00:02Z".parse().unwrap()).unwrap_err();
    assert_eq!(e.message(), "Invalid according to Policy: Policy expired.");
    let code = |n| p.check_length(n).map_or_else(|e| e.code().to_owned(), |()| "fine".into());
    assert_eq!([4, 5, 10, 11].map(code), ["EntityTooSmall", "fine", "fine", "EntityTooLarge"]);
}
