//! S3's condition keys: what a request says about itself.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html>

use std::borrow::Cow;

use fogbank_core::{Cx, Str, Value};
use percent_encoding::percent_decode_str;

type Context = Vec<(Str, Vec<String>)>;

/// Members and the keys that carry their values.
const MEMBERS: [(&str, &str); 20] = [
    ("Prefix", "s3:prefix"),
    ("Delimiter", "s3:delimiter"),
    ("VersionId", "s3:VersionId"),
    ("ACL", "s3:x-amz-acl"),
    ("GrantFullControl", "s3:x-amz-grant-full-control"),
    ("GrantRead", "s3:x-amz-grant-read"),
    ("GrantReadACP", "s3:x-amz-grant-read-acp"),
    ("GrantWrite", "s3:x-amz-grant-write"),
    ("GrantWriteACP", "s3:x-amz-grant-write-acp"),
    ("CopySource", "s3:x-amz-copy-source"),
    ("MetadataDirective", "s3:x-amz-metadata-directive"),
    ("ServerSideEncryption", "s3:x-amz-server-side-encryption"),
    ("SSEKMSKeyId", "s3:x-amz-server-side-encryption-aws-kms-key-id"),
    ("SSECustomerAlgorithm", "s3:x-amz-server-side-encryption-customer-algorithm"),
    ("StorageClass", "s3:x-amz-storage-class"),
    ("WebsiteRedirectLocation", "s3:x-amz-website-redirect-location"),
    ("ObjectLockMode", "s3:object-lock-mode"),
    ("ObjectLockLegalHoldStatus", "s3:object-lock-legal-hold"),
    ("ObjectOwnership", "s3:x-amz-object-ownership"),
    ("IfNoneMatch", "s3:if-none-match"),
];

/// The keys of a request.
pub(super) fn of(cx: &Cx, input: &Value) -> Context {
    let mut out = Context::new();
    let mut put = |key: Str, value: String| out.push((key, vec![value]));
    for (member, key) in MEMBERS {
        if let Some(v) = input.str(member) {
            let v = if member == "CopySource" { v.trim_start_matches('/') } else { v };
            put(Cow::Borrowed(key), v.to_owned());
        }
    }
    if let Some(Value::Int(n)) = input.get("MaxKeys") {
        put("s3:max-keys".into(), n.to_string());
    }
    let region = input.get("CreateBucketConfiguration").and_then(|c| c.str("LocationConstraint"));
    if let Some(region) = region {
        put("s3:LocationConstraint".into(), region.to_owned());
    }
    signature(cx, &mut put);
    request_tags(&mut out, input);
    out
}

fn signature(cx: &Cx, put: &mut impl FnMut(Str, String)) {
    let Some(http) = cx.http.as_ref().filter(|_| cx.access_key.is_some()) else { return };
    put("s3:signatureversion".into(), "AWS4-HMAC-SHA256".into());
    let kind = if http.headers.contains_key(http::header::AUTHORIZATION) {
        "REST-HEADER"
    } else if http.uri.contains("X-Amz-Signature=") {
        "REST-QUERY-STRING"
    } else {
        "POST"
    };
    put("s3:authType".into(), kind.into());
    if let Some(sha) = cx.header("x-amz-content-sha256") {
        put("s3:x-amz-content-sha256".into(), sha.to_owned());
    }
}

/// The tags that a request sets, by header (`a=b&c=d`) or body.
fn request_tags(out: &mut Context, input: &Value) {
    let tags: Vec<(String, String)> = match input.get("Tagging") {
        Some(Value::Str(header)) => header
            .split('&')
            .filter(|p| !p.is_empty())
            .map(|p| p.split_once('=').unwrap_or((p, "")))
            .map(|(k, v)| (form_text(k), form_text(v)))
            .collect(),
        Some(body) => body
            .get("TagSet")
            .map(Value::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|t| Some((t.str("Key")?.to_owned(), t.str("Value")?.to_owned())))
            .collect(),
        None => return,
    };
    out.push(("s3:RequestObjectTagKeys".into(), tags.iter().map(|(k, _)| k.clone()).collect()));
    for (k, v) in tags {
        out.push((format!("s3:RequestObjectTag/{k}").into(), vec![v]));
    }
}

fn form_text(s: &str) -> String {
    percent_decode_str(&s.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Adds the tags of the object that is asked about.
pub(super) fn existing_tags(out: &mut Context, tags: &[(String, String)]) {
    for (k, v) in tags {
        out.push((format!("s3:ExistingObjectTag/{k}").into(), vec![v.clone()]));
    }
}

/// Whether the request brings an ACL.
pub(super) fn has_acl(input: &Value) -> bool {
    const ACL: [&str; 6] =
        ["ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP"];
    ACL.iter().any(|m| input.str(m).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fogbank_core::map;

    #[test]
    fn tags_come_from_headers_and_bodies() {
        for tagging in [
            Value::from("a=b&c%20d=e+f"),
            map! {"TagSet" => vec![
                map! {"Key" => "a", "Value" => "b"},
                map! {"Key" => "c d", "Value" => "e f"},
            ]},
        ] {
            let mut out = Context::new();
            request_tags(&mut out, &map! {"Tagging" => tagging});
            assert_eq!(out[0].1, ["a", "c d"]);
            assert_eq!(out[2], ("s3:RequestObjectTag/c d".into(), vec!["e f".to_owned()]));
        }
    }
}
