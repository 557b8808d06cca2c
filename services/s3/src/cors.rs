//! Cross-origin rules: which web pages may call a bucket from a browser.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};

use crate::S3;
use crate::authz::check;
use crate::config::{self, BucketInput};
use crate::error::{invalid_request, malformed_xml, not_configured};

pub const OPS: &[Op<S3>] = ops![
    PutBucketCors => put_bucket_cors [check],
    GetBucketCors => get_bucket_cors [check],
    DeleteBucketCors => delete_bucket_cors [check],
];

/// The configuration, as clients send and get it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cors {
    #[serde(rename = "CORSRules", default)]
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Rule {
    #[serde(rename = "ID", skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_headers: Vec<String>,
    allowed_methods: Vec<String>,
    allowed_origins: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expose_headers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age_seconds: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutBucketCorsInput {
    bucket: String,
    #[serde(rename = "CORSConfiguration")]
    configuration: Cors,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>
async fn put_bucket_cors(s3: &S3, _: &Cx, input: PutBucketCorsInput) -> Result<()> {
    validate(&input.configuration)?;
    let value = config::encode(&input.configuration)?;
    s3.set_config(&input.bucket, "cors", Some(value), |b| {
        b.has.cors = true;
        Ok(())
    })
    .await
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketCors.html>
async fn get_bucket_cors(s3: &S3, _: &Cx, input: BucketInput) -> Result<Cors> {
    let text = "The CORS configuration does not exist";
    config::load(s3, &input.bucket, "cors")
        .await?
        .ok_or_else(|| not_configured("NoSuchCORSConfiguration", text, &input.bucket))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketCors.html>
async fn delete_bucket_cors(s3: &S3, _: &Cx, input: BucketInput) -> Result<()> {
    s3.set_config(&input.bucket, "cors", None, |b| {
        b.has.cors = false;
        Ok(())
    })
    .await
}

fn validate(cors: &Cors) -> Result<()> {
    if cors.rules.is_empty() || cors.rules.len() > 100 {
        return Err(malformed_xml());
    }
    for rule in &cors.rules {
        if rule.allowed_methods.is_empty()
            || rule.allowed_origins.is_empty()
            || rule.id.as_ref().is_some_and(|i| i.len() > 255)
        {
            return Err(malformed_xml());
        }
        for m in &rule.allowed_methods {
            if !matches!(m.as_str(), "GET" | "PUT" | "POST" | "DELETE" | "HEAD") {
                return Err(invalid_request(format!(
                    "Found unsupported HTTP method in CORS config. Unsupported method is {m}"
                )));
            }
        }
        let wild =
            |list: &[String], what: &str| match list.iter().find(|v| v.matches('*').count() > 1) {
                Some(v) => Err(invalid_request(format!(
                    "{what} \"{v}\" can not have more than one wildcard."
                ))),
                None => Ok(()),
            };
        wild(&rule.allowed_origins, "AllowedOrigin")?;
        wild(&rule.allowed_headers, "AllowedHeader")?;
        if let Some(h) = rule.expose_headers.iter().find(|h| h.contains('*')) {
            return Err(invalid_request(format!(
                "ExposeHeader \"{h}\" contains wildcard. We currently do not support wildcard for \
                 ExposeHeader."
            )));
        }
        // What cannot be a header value would be lost when answering.
        let values = rule.allowed_origins.iter().chain(&rule.expose_headers);
        if values.into_iter().any(|v| HeaderValue::from_str(v).is_err()) {
            return Err(malformed_xml());
        }
    }
    Ok(())
}

/// What a browser asks: an origin, the method it wants to use, the headers it wants to send.
struct Asked<'a> {
    origin: &'a str,
    method: &'a str,
    headers: Vec<&'a str>,
}

fn asked<'a>(method: &'a str, h: &'a HeaderMap) -> Option<Asked<'a>> {
    let text = |n: &HeaderName| h.get(n).and_then(|v| v.to_str().ok());
    let headers = text(&header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
    Some(Asked {
        origin: text(&header::ORIGIN)?,
        method: text(&header::ACCESS_CONTROL_REQUEST_METHOD).unwrap_or(method),
        headers: headers.split(',').map(str::trim).filter(|h| !h.is_empty()).collect(),
    })
}

impl Cors {
    /// The headers that answer a preflight with this request head, for a bucket whose `resource`
    /// (`BUCKET`, `OBJECT`) is asked about.
    ///
    /// # Errors
    /// `AccessForbidden` when no rule allows it, `BadRequest` when nothing is asked.
    pub(crate) fn preflight(
        cors: Option<&Cors>,
        request: &HeaderMap,
        resource: &'static str,
    ) -> Result<HeaderMap> {
        let bad = |text: String| ApiError::new("BadRequest", text).status(400);
        let asked = asked("", request)
            .ok_or_else(|| bad("Insufficient information. Origin request header needed.".into()))?;
        if !matches!(asked.method, "GET" | "PUT" | "POST" | "DELETE" | "HEAD") {
            let method = if asked.method.is_empty() { "null" } else { asked.method };
            return Err(bad(format!("Invalid Access-Control-Request-Method: {method}")));
        }
        let forbidden = |text: &str| {
            ApiError::new("AccessForbidden", format!("CORSResponse: {text}"))
                .status(403)
                .field("Method", asked.method)
                .field("ResourceType", resource)
        };
        let cors = cors.ok_or_else(|| forbidden("CORS is not enabled for this bucket."))?;
        cors.answer(&asked).ok_or_else(|| {
            forbidden(
                "This CORS request is not allowed. This is usually because the evalution of \
                 Origin, request method / Access-Control-Request-Method or \
                 Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
            )
        })
    }

    /// The headers for the answer to an actual request; empty when no rule matches.
    pub(crate) fn actual(&self, method: &str, request: &HeaderMap) -> HeaderMap {
        asked(method, request).and_then(|a| self.answer(&a)).unwrap_or_default()
    }

    fn answer(&self, asked: &Asked<'_>) -> Option<HeaderMap> {
        let (rule, pattern) = self.rules.iter().find_map(|r| Some((r, r.matches(asked)?)))?;
        let any = pattern == "*";
        let mut out = HeaderMap::new();
        let mut put = |name, value: &str| {
            if let Ok(v) = HeaderValue::from_str(value) {
                out.insert(name, v);
            }
        };
        put(header::ACCESS_CONTROL_ALLOW_ORIGIN, if any { "*" } else { asked.origin });
        put(header::ACCESS_CONTROL_ALLOW_METHODS, &rule.allowed_methods.join(", "));
        if !asked.headers.is_empty() {
            let headers = asked.headers.join(", ").to_ascii_lowercase();
            put(header::ACCESS_CONTROL_ALLOW_HEADERS, &headers);
        }
        if !rule.expose_headers.is_empty() {
            put(header::ACCESS_CONTROL_EXPOSE_HEADERS, &rule.expose_headers.join(", "));
        }
        if let Some(seconds) = rule.max_age_seconds {
            put(header::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
        if !any {
            put(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        put(header::VARY, "Origin, Access-Control-Request-Headers, Access-Control-Request-Method");
        Some(out)
    }
}

impl Rule {
    /// The origin pattern that lets the request through.
    fn matches(&self, asked: &Asked<'_>) -> Option<&str> {
        let pattern = self.allowed_origins.iter().find(|p| glob(p, asked.origin))?;
        let method = self.allowed_methods.iter().any(|m| m == asked.method);
        let headers = asked.headers.iter().all(|h| {
            let h = h.to_ascii_lowercase();
            self.allowed_headers.iter().any(|p| glob(&p.to_ascii_lowercase(), &h))
        });
        (method && headers).then_some(pattern)
    }
}

/// Whether `text` fits `pattern`, which has at most one `*`.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => {
            text.len() >= head.len() + tail.len() && text.starts_with(head) && text.ends_with(tail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors() -> Cors {
        let rule = |methods: &[&str], origins: &[&str], headers: &[&str]| Rule {
            allowed_methods: methods.iter().map(ToString::to_string).collect(),
            allowed_origins: origins.iter().map(ToString::to_string).collect(),
            allowed_headers: headers.iter().map(ToString::to_string).collect(),
            max_age_seconds: Some(5),
            ..Rule::default()
        };
        Cors {
            rules: vec![
                rule(&["GET"], &["*suffix", "start*end"], &[]),
                rule(&["PUT", "GET"], &["https://a.example"], &["X-Amz-*", "content-type"]),
            ],
        }
    }

    fn head(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_str(v).unwrap()))
            .collect()
    }

    #[test]
    fn preflights() {
        let (o, m, h) =
            ("origin", "access-control-request-method", "access-control-request-headers");
        for (request, want) in [
            (head(&[]), Err("BadRequest")),
            (head(&[(o, "foo.suffix")]), Err("BadRequest")),
            (head(&[(o, "foo.suffix"), (m, "PATCH")]), Err("BadRequest")),
            (head(&[(o, "foo.suffix"), (m, "GET")]), Ok("GET")),
            (head(&[(o, "foo.suffix"), (m, "PUT")]), Err("AccessForbidden")),
            (head(&[(o, "startend"), (m, "GET")]), Ok("GET")),
            (head(&[(o, "starend"), (m, "GET")]), Err("AccessForbidden")),
            (head(&[(o, "startend"), (m, "GET"), (h, "x-a")]), Err("AccessForbidden")),
            (
                head(&[(o, "https://a.example"), (m, "PUT"), (h, "Content-Type,x-amz-date")]),
                Ok("PUT, GET"),
            ),
        ] {
            let got = Cors::preflight(Some(&cors()), &request, "BUCKET");
            match (got, want) {
                (Ok(h), Ok(methods)) => assert_eq!(h["access-control-allow-methods"], methods),
                (Err(e), Err(code)) => assert_eq!(e.code(), code),
                (got, want) => panic!("{request:?}: {got:?}, not {want:?}"),
            }
        }
        assert_eq!(
            Cors::preflight(None, &head(&[(o, "a"), (m, "GET")]), "BUCKET").unwrap_err().message(),
            "CORSResponse: CORS is not enabled for this bucket."
        );
    }

    #[test]
    fn actual_requests() {
        let got = cors().actual("GET", &head(&[("origin", "x.suffix")]));
        assert_eq!(got["access-control-allow-origin"], "x.suffix");
        assert_eq!(got["access-control-allow-credentials"], "true");
        assert_eq!(got["access-control-max-age"], "5");
        assert!(cors().actual("DELETE", &head(&[("origin", "x.suffix")])).is_empty());
        assert!(cors().actual("GET", &head(&[])).is_empty());
    }

    #[test]
    fn bad_rules_are_refused() {
        let with = |edit: fn(&mut Rule)| {
            let mut c = cors();
            edit(&mut c.rules[0]);
            validate(&c)
        };
        assert!(with(|_| ()).is_ok());
        for (edit, code) in [
            ((|r| r.allowed_methods = vec!["PATCH".into()]) as fn(&mut Rule), "InvalidRequest"),
            (|r| r.allowed_origins = vec!["*a*".into()], "InvalidRequest"),
            (|r| r.expose_headers = vec!["x-*".into()], "InvalidRequest"),
            (|r| r.allowed_origins.clear(), "MalformedXML"),
            (|r| r.allowed_origins = vec!["a\nb".into()], "MalformedXML"),
            (|r| r.id = Some("x".repeat(256)), "MalformedXML"),
        ] {
            assert_eq!(with(edit).unwrap_err().code(), code);
        }
        assert_eq!(validate(&Cors::default()).unwrap_err().code(), "MalformedXML");
    }
}
