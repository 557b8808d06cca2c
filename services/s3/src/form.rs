//! Uploads from a browser's form.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>

use fogbank_core::value::from_value;
use fogbank_core::{Body, Cx, Form, Result, Str, Value};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use quick_xml::escape::escape;

use crate::S3;
use crate::authz;
use crate::error::{invalid_argument, malformed_xml};
use crate::object::put::{PutObjectInput, put_object};

/// Fields and the members of PutObject that they are.
const MEMBERS: [(&str, &str); 20] = [
    ("acl", "ACL"),
    ("cache-control", "CacheControl"),
    ("content-type", "ContentType"),
    ("content-disposition", "ContentDisposition"),
    ("content-encoding", "ContentEncoding"),
    ("content-language", "ContentLanguage"),
    ("content-md5", "ContentMD5"),
    ("expires", "Expires"),
    ("x-amz-storage-class", "StorageClass"),
    ("x-amz-website-redirect-location", "WebsiteRedirectLocation"),
    ("x-amz-server-side-encryption", "ServerSideEncryption"),
    ("x-amz-server-side-encryption-aws-kms-key-id", "SSEKMSKeyId"),
    ("x-amz-server-side-encryption-context", "SSEKMSEncryptionContext"),
    ("x-amz-server-side-encryption-customer-algorithm", "SSECustomerAlgorithm"),
    ("x-amz-server-side-encryption-customer-key", "SSECustomerKey"),
    ("x-amz-server-side-encryption-customer-key-md5", "SSECustomerKeyMD5"),
    ("x-amz-checksum-crc32", "ChecksumCRC32"),
    ("x-amz-checksum-crc32c", "ChecksumCRC32C"),
    ("x-amz-checksum-sha1", "ChecksumSHA1"),
    ("x-amz-checksum-sha256", "ChecksumSHA256"),
];

/// Stores the file of a verified form; the file is `cx`'s body. `cx.operation` is `PostObject`.
///
/// # Errors
/// Those of PutObject; `InvalidArgument` for a form without key.
pub(crate) async fn post(s3: &S3, cx: &Cx, bucket: &str, form: Form) -> Result<Response<Body>> {
    let input = Value::Map(input(bucket, &form)?);
    for check in authz::check(s3, cx, &input).await? {
        cx.authorize(check).await?;
    }
    let key = form.field("key").unwrap_or_default();
    let input: PutObjectInput = from_value(input)?;
    let output = put_object(s3, cx, input).await?;
    let mut response = answer(cx, bucket, key, &output.etag, &form);
    let headers = response.headers_mut();
    for (name, value) in
        [("etag", Some(&output.etag)), ("x-amz-version-id", output.version_id.as_ref())]
    {
        if let Some(v) = value.and_then(|v| HeaderValue::from_str(v).ok()) {
            headers.insert(HeaderName::from_static(name), v);
        }
    }
    Ok(response)
}

fn input(bucket: &str, form: &Form) -> Result<Vec<(Str, Value)>> {
    let key = form.field("key").ok_or_else(|| {
        invalid_argument(
            "key",
            "",
            "Bucket POST must contain a field named 'key'.  If it is specified, please check the \
             order of the fields.",
        )
    })?;
    if key.is_empty() {
        let text = "User key must have a length greater than 0.";
        return Err(invalid_argument("key", "", text));
    }
    let mut input = vec![("Bucket".into(), bucket.into()), ("Key".into(), key.into())];
    let mut metadata: Vec<(Str, Value)> = Vec::new();
    for (name, value) in &form.fields {
        if let Some(name) = name.strip_prefix("x-amz-meta-") {
            match metadata.iter_mut().find(|(n, _)| n == name) {
                Some((_, Value::Str(v))) => *v = format!("{v},{value}").into(),
                _ => metadata.push((name.to_owned().into(), value.as_str().into())),
            }
        }
    }
    for (field, member) in MEMBERS {
        if let Some(value) = form.field(field) {
            input.push((member.into(), value.into()));
        }
    }
    if let Some(xml) = form.field("tagging") {
        input.push(("Tagging".into(), tags(xml)?.into()));
    }
    input.push(("Metadata".into(), Value::Map(metadata)));
    Ok(input)
}

/// The tags of a `<Tagging>` document, in the form of the `x-amz-tagging` header.
fn tags(xml: &str) -> Result<String> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut path: Vec<String> = Vec::new();
    let (mut key, mut value) = (String::new(), String::new());
    let mut out = Vec::new();
    loop {
        match reader.read_event().map_err(|_| malformed_xml())? {
            Event::Start(e) => {
                let depth = ["Tagging", "TagSet", "Tag"].get(path.len());
                let name = e.local_name().as_ref().to_owned();
                let known = match depth {
                    Some(want) => name == *want,
                    None => path.len() == 3 && (name == "Key" || name == "Value"),
                };
                if !known {
                    return Err(malformed_xml());
                }
                path.push(name);
            }
            Event::Text(t) => {
                let text: &str = &t;
                match path.get(3).map(String::as_str) {
                    Some("Key") => key.push_str(text),
                    Some(_) => value.push_str(text),
                    None => {}
                }
            }
            Event::GeneralRef(r) => {
                let text = quick_xml::escape::unescape(&format!("&{};", &*r))
                    .map_err(|_| malformed_xml())?
                    .into_owned();
                let to =
                    if path.get(3).is_some_and(|p| p == "Key") { &mut key } else { &mut value };
                to.push_str(&text);
            }
            Event::End(_) => {
                if path.len() == 3 {
                    let pair = [std::mem::take(&mut key), std::mem::take(&mut value)];
                    out.push(pair.map(|s| encode(&s)).join("="));
                }
                path.pop();
            }
            Event::Eof => break,
            Event::DocType(_) => return Err(malformed_xml()),
            _ => {}
        }
    }
    if path.is_empty() { Ok(out.join("&")) } else { Err(malformed_xml()) }
}

/// What the form asked to get back: a redirect, or a status.
fn answer(cx: &Cx, bucket: &str, key: &str, etag: &str, form: &Form) -> Response<Body> {
    let location = location(cx, bucket, key);
    let redirect = form.field("success_action_redirect").or(form.field("redirect"));
    if let Some(url) = redirect.filter(|u| u.starts_with("http://") || u.starts_with("https://")) {
        let join = if url.contains('?') { '&' } else { '?' };
        let (bucket, key, etag) = (encode(bucket), encode(key), encode(etag));
        let url = format!("{url}{join}bucket={bucket}&key={key}&etag={etag}");
        if let Ok(url) = HeaderValue::from_str(&url) {
            return response(StatusCode::SEE_OTHER, url, String::new());
        }
    }
    let url = HeaderValue::from_str(&location).unwrap_or(HeaderValue::from_static("/"));
    match form.field("success_action_status") {
        Some("200") => response(StatusCode::OK, url, String::new()),
        Some("201") => {
            let xml = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse><Location>{}</Location>\
                 <Bucket>{}</Bucket><Key>{}</Key><ETag>{}</ETag></PostResponse>",
                escape(location),
                escape(bucket),
                escape(key),
                escape(etag)
            );
            let mut r = response(StatusCode::CREATED, url, xml);
            let xml = HeaderValue::from_static("application/xml");
            r.headers_mut().insert(header::CONTENT_TYPE, xml);
            r
        }
        _ => response(StatusCode::NO_CONTENT, url, String::new()),
    }
}

fn response(status: StatusCode, location: HeaderValue, body: String) -> Response<Body> {
    let mut r = Response::new(if body.is_empty() { Body::Empty } else { body.into() });
    *r.status_mut() = status;
    r.headers_mut().insert(header::LOCATION, location);
    r
}

/// Where the object is, as the client reached the bucket.
fn location(cx: &Cx, bucket: &str, key: &str) -> String {
    let Some(http) = &cx.http else { return format!("/{bucket}/{key}") };
    let scheme = if http.tls { "https" } else { "http" };
    let key = utf8_percent_encode(key, KEY);
    let in_host = http.host.strip_prefix(bucket).is_some_and(|rest| rest.starts_with('.'));
    if in_host {
        format!("{scheme}://{}/{key}", http.host)
    } else {
        format!("{scheme}://{}/{bucket}/{key}", http.host)
    }
}

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const KEY: &AsciiSet = &UNRESERVED.remove(b'/');

fn encode(s: &str) -> String {
    utf8_percent_encode(s, UNRESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        let fields = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Form { fields, ..Form::default() }
    }

    #[test]
    fn fields_become_members() {
        let f = form(&[
            ("key", "k"),
            ("x-amz-meta-a", "1"),
            ("x-amz-meta-a", "2"),
            ("content-type", "text/plain"),
            ("x-ignore-me", "x"),
        ]);
        let v = Value::Map(input("b", &f).unwrap());
        assert_eq!(v.str("ContentType"), Some("text/plain"));
        assert_eq!(v.get("Metadata").and_then(|m| m.str("a")), Some("1,2"));
        assert_eq!(input("b", &form(&[])).unwrap_err().code(), "InvalidArgument");
        assert_eq!(input("b", &form(&[("key", "")])).unwrap_err().code(), "InvalidArgument");
    }

    #[test]
    fn tag_documents() {
        for (xml, want) in [
            (
                "<Tagging><TagSet><Tag><Key>a&amp;</Key><Value>b c</Value></Tag>\
                 <Tag><Key>d</Key><Value/></Tag></TagSet></Tagging>",
                Some("a%26=b%20c&d="),
            ),
            ("<Tagging><TagSet></TagSet></Tagging>", Some("")),
            ("<Tagging><TagSet>", None),
            ("<Other/><Tag>", None),
            ("<!DOCTYPE x [<!ENTITY y 'z'>]><Tagging/>", None),
            ("<Tagging><TagSet><Tag><Key>&x;</Key></Tag></TagSet></Tagging>", None),
        ] {
            assert_eq!(tags(xml).ok().as_deref(), want, "{xml}");
        }
    }
}
