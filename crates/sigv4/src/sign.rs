//! Making signatures: for fogbank's own calls and for tests.

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use crate::auth::ALGORITHM;
use crate::canonical::{self, Form, PathStyle};
use crate::date::Date;
use crate::encode::{ascii, encode};
use crate::head::Head;
use crate::key::SigningKey;

/// Headers that proxies may change, so that nobody signs them.
const UNSIGNABLE: &[&str] =
    &["authorization", "connection", "expect", "upgrade", "user-agent", "x-amzn-trace-id"];

/// Who signs, when, and for which service.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    pub access_key: &'a str,
    pub secret: &'a str,
    /// The token of a temporary key.
    pub token: Option<&'a str>,
    /// The token is sent but not signed, as a few services want it.
    pub token_unsigned: bool,
    pub region: &'a str,
    pub service: &'a str,
    pub time: Timestamp,
    pub path: PathStyle,
}

/// A signature and what it was made from.
#[derive(Clone, Debug)]
pub struct Signature {
    pub canonical_request: Vec<u8>,
    pub string_to_sign: String,
    /// Lower-case hex.
    pub signature: String,
    /// Headers to add to the request; empty after [`Signer::presign`].
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The whole query of a presigned URL; the request's own after [`Signer::sign`].
    pub query: String,
}

impl<'a> Signer<'a> {
    /// A signer with a lasting key; the path is written as `service` wants it.
    #[must_use]
    pub fn new(
        access_key: &'a str,
        secret: &'a str,
        region: &'a str,
        service: &'a str,
        time: Timestamp,
    ) -> Self {
        let path = if service == "s3" { PathStyle::S3 } else { PathStyle::Normalized };
        Signer {
            access_key,
            secret,
            token: None,
            token_unsigned: false,
            region,
            service,
            time,
            path,
        }
    }

    /// Signs with an `Authorization` header. `payload` is the body's hash in hex or the word that
    /// stands for it; S3's `x-amz-content-sha256` is added when the request has none.
    #[must_use]
    pub fn sign(&self, head: &Head<'_>, payload: &str) -> Signature {
        let date = Date::new(self.time);
        let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
        let mut add = |name: &'static str, value: &str| {
            if let Ok(v) = HeaderValue::from_str(value) {
                headers.push((HeaderName::from_static(name), v));
            }
        };
        add("x-amz-date", date.text());
        if self.service == "s3" && !head.headers.contains_key("x-amz-content-sha256") {
            add("x-amz-content-sha256", payload);
        }
        if let Some(t) = self.token.filter(|_| !self.token_unsigned) {
            add("x-amz-security-token", t);
        }
        let mut all = head.headers.clone();
        all.extend(headers.iter().cloned());
        let signed_headers = signable(&all, head.authority);
        let head = Head { headers: &all, ..*head };
        let mut out = self.finish(&head, &signed_headers, payload, date);
        let authorization = format!(
            "{ALGORITHM} Credential={}/{}, SignedHeaders={signed_headers}, Signature={}",
            self.access_key,
            self.scope(date),
            out.signature
        );
        if let Some(t) = self.token.filter(|_| self.token_unsigned)
            && let Ok(v) = HeaderValue::from_str(t)
        {
            headers.push((HeaderName::from_static("x-amz-security-token"), v));
        }
        if let Ok(v) = HeaderValue::from_str(&authorization) {
            headers.push((http::header::AUTHORIZATION, v));
        }
        out.headers = headers;
        out.query = head.query.to_owned();
        out
    }

    /// Signs with query parameters, for `expires` seconds.
    #[must_use]
    pub fn presign(&self, head: &Head<'_>, payload: &str, expires: u32) -> Signature {
        let date = Date::new(self.time);
        let signed_headers = signable(head.headers, head.authority);
        let mut query = String::from(head.query);
        let mut add = |name: &str, value: &str| {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            query.push_str(&encode(value));
        };
        add("X-Amz-Algorithm", ALGORITHM);
        add("X-Amz-Credential", &format!("{}/{}", self.access_key, self.scope(date)));
        add("X-Amz-Date", date.text());
        add("X-Amz-Expires", &expires.to_string());
        add("X-Amz-SignedHeaders", &signed_headers);
        if let Some(t) = self.token.filter(|_| !self.token_unsigned) {
            add("X-Amz-Security-Token", t);
        }
        let mut out = self.finish(&Head { query: &query, ..*head }, &signed_headers, payload, date);
        if let Some(t) = self.token.filter(|_| self.token_unsigned) {
            query.push_str("&X-Amz-Security-Token=");
            query.push_str(&encode(t));
        }
        query.push_str("&X-Amz-Signature=");
        query.push_str(&out.signature);
        out.query = query;
        out
    }

    fn scope(&self, date: Date) -> String {
        format!("{}/{}/{}/aws4_request", date.day(), self.region, self.service)
    }

    fn finish(
        &self,
        head: &Head<'_>,
        signed_headers: &str,
        payload: &str,
        date: Date,
    ) -> Signature {
        let form = Form { path: self.path, signed_headers, payload, skip_query: &[] };
        let canonical_request = canonical::request(head, &form);
        let text = canonical::string_to_sign(date.text(), &self.scope(date), &canonical_request);
        let key = SigningKey::derive(self.secret, date.day(), self.region, self.service);
        Signature {
            canonical_request,
            signature: key.sign(&text),
            string_to_sign: ascii(text),
            headers: Vec::new(),
            query: String::new(),
        }
    }
}

fn signable(headers: &HeaderMap, authority: Option<&str>) -> String {
    let mut names: Vec<&str> =
        headers.keys().map(HeaderName::as_str).filter(|n| !UNSIGNABLE.contains(n)).collect();
    if authority.is_some() && !headers.contains_key(http::header::HOST) {
        names.push("host");
    }
    names.sort_unstable();
    names.join(";")
}
