//! Signature Version 2 as S3 still takes it: boto3 presigns with it unless told otherwise.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::auth::Signed;
use crate::encode::decode_query;
use crate::error::{Error, Mismatch, Place};
use crate::head::Head;

/// Query parameters that belong to the resource, sorted.
const SUBRESOURCES: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// Checks `signed` over `head` with the secret.
pub(crate) fn verify(head: &Head<'_>, signed: &Signed<'_>, secret: &str) -> Result<(), Error> {
    // In a query's base64 a plus sign that was not escaped has become a blank.
    let given = signed.signature.replace(' ', "+");
    let plain = text(head, signed.place, None);
    let good = |text: &str| matches(secret, text, &given);
    let mut hosted = buckets_of_host(head).map(|b| text(head, signed.place, Some(b)));
    if good(&plain) || hosted.any(|t| good(&t)) {
        return Ok(());
    }
    Err(Error::Mismatch(Box::new(Mismatch {
        access_key: signed.scope.access_key().to_owned(),
        signature: given,
        string_to_sign: plain,
        canonical_request: String::new(),
    })))
}

/// HMAC-SHA1 in base64, compared in constant time.
pub(crate) fn matches(secret: &str, text: &str, signature: &str) -> bool {
    let Ok(given) = STANDARD.decode(signature) else { return false };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(text.as_bytes());
    mac.verify_slice(&given).is_ok()
}

/// The string to sign.
fn text(head: &Head<'_>, place: Place, bucket: Option<&str>) -> String {
    // What a presigned URL cannot send as a header it carries in its query.
    let amz = amz(head, place);
    let query = |name: &str| match place {
        Place::Query => parameter(head.query, name),
        Place::Header => None,
    };
    let header = |name: &str| head.header(name).map(str::to_owned).or_else(|| query(name));
    let date = match place {
        Place::Query => query("Expires").unwrap_or_default(),
        Place::Header if amz.iter().any(|(n, _)| n == "x-amz-date") => String::new(),
        Place::Header => header("date").unwrap_or_default(),
    };
    let mut out = format!(
        "{}\n{}\n{}\n{date}\n",
        head.method,
        header("content-md5").unwrap_or_default(),
        header("content-type").unwrap_or_default()
    );
    for (name, value) in &amz {
        out.extend([name, ":", value, "\n"]);
    }
    if let Some(b) = bucket {
        out.extend(["/", b]);
    }
    out.push_str(if head.path.is_empty() { "/" } else { head.path });
    let mut separator = '?';
    let mut parts: Vec<(&str, Option<&str>)> = head
        .query
        .split('&')
        .map(|p| p.split_once('=').map_or((p, None), |(n, v)| (n, Some(v))))
        .filter(|(n, _)| SUBRESOURCES.contains(n))
        .collect();
    parts.sort_unstable();
    for (name, value) in parts {
        out.push(separator);
        out.push_str(name);
        if let Some(v) = value {
            out.extend(["=", &*decode_query(v)]);
        }
        separator = '&';
    }
    out
}

/// The `x-amz-` headers in their order, several values as one.
fn amz(head: &Head<'_>, place: Place) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for name in head.headers.keys().map(http::HeaderName::as_str) {
        if name.starts_with("x-amz-") {
            let values = head.headers.get_all(name).iter();
            let values: Vec<&str> = values.map(|v| v.to_str().unwrap_or_default().trim()).collect();
            out.push((name.to_owned(), values.join(",")));
        }
    }
    if place == Place::Query {
        for (name, value) in head.query.split('&').filter_map(|p| p.split_once('=')) {
            if name.starts_with("x-amz-") && !out.iter().any(|(n, _)| n == name) {
                out.push((name.to_owned(), decode_query(value).into_owned()));
            }
        }
    }
    out.sort();
    out
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|p| p.split_once('='));
    pairs.find(|(n, _)| *n == name).map(|(_, v)| decode_query(v).into_owned())
}

/// What may be the bucket in a host such as `bucket.s3.amazonaws.com` or `bucket.localhost:4566`.
fn buckets_of_host<'a>(head: &Head<'a>) -> impl Iterator<Item = &'a str> {
    let host = head.header("host").or(head.authority).unwrap_or_default();
    let before = [".s3.", ".s3-"].iter().find_map(|s| host.find(s).map(|i| &host[..i]));
    before.into_iter().chain(host.split_once('.').map(|(b, _)| b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dialect, Keys, Payload, Terms, parse};
    use http::{HeaderMap, HeaderName, HeaderValue};
    use jiff::Timestamp;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn verify_at(
        request: (&str, &str, &str),
        headers: &[(&str, &str)],
        now: &str,
        dialect: Dialect,
    ) -> Result<(), Error> {
        let mut map = HeaderMap::new();
        for (n, v) in headers {
            let name: HeaderName = n.parse().unwrap();
            map.append(name, HeaderValue::from_str(v).unwrap());
        }
        let (method, path, query) = request;
        let head = Head { method, path, query, authority: None, headers: &map };
        let signed = parse(&head)?.ok_or(Error::Missing)?;
        assert_eq!(signed.scope.access_key(), "AKIAIOSFODNN7EXAMPLE");
        let payload = Payload::of(&head, Some(&signed))?;
        let now: Timestamp = now.parse().unwrap();
        let terms = Terms { dialect, secret: SECRET, payload: payload.text(), now };
        signed.verify(&head, &terms, &Keys::new(1)).map(drop)
    }

    /// The examples of AWS's documentation.
    #[test]
    fn the_documented_examples_verify() {
        let get = ("GET", "/photos/puppy.jpg", "");
        let host = ("host", "awsexamplebucket1.us-west-1.s3.amazonaws.com");
        let auth = ("authorization", "AWS AKIAIOSFODNN7EXAMPLE:qgk2+6Sv9/oM7G3qLEjTH1a1l1g=");
        let date = ("date", "Tue, 27 Mar 2007 19:36:42 +0000");
        let now = "2007-03-27T19:40:00Z";
        let bucket = [("host", "awsexamplebucket1.s3.us-west-1.amazonaws.com"), auth, date];
        assert_eq!(verify_at(get, &bucket, now, Dialect::S3), Ok(()));
        assert_eq!(verify_at(get, &[host, auth, date], now, Dialect::S3), Ok(()));
        let other = [("host", "other.s3.amazonaws.com"), auth, date];
        assert!(matches!(verify_at(get, &other, now, Dialect::S3), Err(Error::Mismatch(_))));
        let by_path = ("GET", "/awsexamplebucket1/photos/puppy.jpg", "");
        let plain = [("host", "localhost:4566"), auth, date];
        assert_eq!(verify_at(by_path, &plain, now, Dialect::S3), Ok(()));
        let late = verify_at(by_path, &plain, "2007-03-27T19:52:00Z", Dialect::S3);
        assert!(matches!(late, Err(Error::Skewed { .. })));
        assert_eq!(verify_at(by_path, &plain, now, Dialect::Query), Err(Error::Version2));
        let put = ("PUT", "/awsexamplebucket1/photos/puppy.jpg", "");
        let headers = [
            ("content-type", "image/jpeg"),
            ("content-length", "94328"),
            ("authorization", "AWS AKIAIOSFODNN7EXAMPLE:iqRzw+ileNPu1fhspnRs8nOjjIA="),
            ("date", "Tue, 27 Mar 2007 21:15:45 +0000"),
        ];
        assert_eq!(verify_at(put, &headers, "2007-03-27T21:15:45Z", Dialect::S3), Ok(()));
    }

    #[test]
    fn presigned_urls_end() {
        let url = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D\
                   &Expires=1175139620";
        let get = ("GET", "/photos/puppy.jpg", url);
        let host = [("host", "johnsmith.s3.amazonaws.com")];
        let e = verify_at(get, &host, "2007-03-29T03:40:21Z", Dialect::S3).unwrap_err();
        let e = e.api(Dialect::S3);
        assert_eq!((e.code(), e.message()), ("AccessDenied", "Request has expired"));
        assert_eq!(e.fields().len(), 2);
        let missing = ("GET", "/b/k", "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=x");
        let e = verify_at(missing, &host, "2007-03-29T03:40:21Z", Dialect::S3).unwrap_err();
        assert_eq!(
            e.api(Dialect::S3).message(),
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId \
             parameters"
        );
    }
}
