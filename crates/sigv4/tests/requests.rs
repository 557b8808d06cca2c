//! Whole requests: signed and verified, and refused in the words of each family of services.

use fogbank_core::ApiError;
use fogbank_sigv4::{Dialect, Error, Head, Keys, Payload, Signer, Terms, parse, payload};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// A request that can be changed after it was signed.
struct Sent {
    method: &'static str,
    path: String,
    query: String,
    headers: HeaderMap,
    body: &'static [u8],
}

impl Sent {
    fn head(&self) -> Head<'_> {
        Head {
            method: self.method,
            path: &self.path,
            query: &self.query,
            authority: None,
            headers: &self.headers,
        }
    }

    fn set(&mut self, name: &str, value: &str) -> &mut Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
        self
    }

    /// Replaces text in the Authorization header.
    fn edit(&mut self, from: &str, to: &str) -> &mut Self {
        let old = self.headers["authorization"].to_str().unwrap().to_owned();
        assert!(old.contains(from), "{old} has no {from}");
        self.set("authorization", &old.replace(from, to))
    }

    fn verify_at(
        &self,
        dialect: Dialect,
        now: Timestamp,
        token: Option<&str>,
    ) -> Result<(), Error> {
        let head = self.head();
        let signed = parse(&head)?.ok_or(Error::Missing)?;
        if signed.scope.access_key() != KEY {
            let access_key = signed.scope.access_key().to_owned();
            return Err(Error::UnknownKey { access_key });
        }
        let payload = if dialect == Dialect::S3 {
            Payload::of(&head, Some(&signed))?.text().to_owned()
        } else {
            payload::of_body(&head, self.body).into_owned()
        };
        let terms = Terms { dialect, secret: SECRET, payload: &payload, now };
        signed.verify(&head, &terms, &Keys::new(4))?;
        signed.verify_token(token, false)
    }

    fn verify(&self, dialect: Dialect) -> Result<(), ApiError> {
        self.verify_at(dialect, now(), None).map_err(|e| e.api(dialect))
    }
}

fn now() -> Timestamp {
    "2015-08-30T12:36:00Z".parse().unwrap()
}

fn unsigned(path: &str, query: &str) -> Sent {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("localhost:4566"));
    let (path, query) = (path.to_owned(), query.to_owned());
    Sent { method: "GET", path, query, headers, body: b"" }
}

fn signer(service: &str) -> Signer<'_> {
    Signer::new(KEY, SECRET, "us-east-1", service, now())
}

fn signed(service: &str, path: &str, query: &str) -> Sent {
    let mut r = unsigned(path, query);
    let payload = if service == "s3" {
        "UNSIGNED-PAYLOAD".to_owned()
    } else {
        payload::of_body(&r.head(), r.body).into_owned()
    };
    let added = signer(service).sign(&r.head(), &payload).headers;
    r.headers.extend(added);
    r
}

fn presigned(service: &str, query: &str, expires: u32) -> Sent {
    let mut r = unsigned("/b/k", query);
    let payload = if service == "s3" {
        "UNSIGNED-PAYLOAD".to_owned()
    } else {
        payload::of_body(&r.head(), r.body).into_owned()
    };
    r.query = signer(service).presign(&r.head(), &payload, expires).query;
    r
}

fn code(result: Result<(), ApiError>) -> (String, u16) {
    result.map_or_else(
        |e| (e.code().to_owned(), e.status_override().unwrap_or_default()),
        |()| ("fine".to_owned(), 200),
    )
}

#[test]
fn odd_paths_and_queries_verify() {
    for path in ["/", "", "/b//k", "/b/../k", "/b/a%20b", "/b/ሴ", "/b/a+b", "/b/a%2Fb", "/b/%zz"]
    {
        for query in [
            "",
            "acl",
            "acl=",
            "a=2&a=1",
            "a=1&a=1",
            "b&a",
            "&&a=b&",
            "=x",
            "a=b=c",
            "k=a%20b",
            "k=a+b",
            "k=%E1%88%B4",
            "k=ሴ",
            "k=%zz",
            "X-Amz-Meta=1",
            "a-b=1&a=2",
        ] {
            for (service, dialect) in [("s3", Dialect::S3), ("iam", Dialect::Query)] {
                let r = signed(service, path, query);
                assert_eq!(r.verify(dialect), Ok(()), "{service} {path}?{query}");
                let mut other = signed(service, path, query);
                other.query.push_str("&more=1");
                assert_eq!(code(other.verify(dialect)).0, "SignatureDoesNotMatch");
            }
        }
    }
}

#[test]
fn a_path_signed_as_it_stands_verifies_for_s3() {
    let r = unsigned("/b/a%2Fb%7e", "");
    let mut verbatim = signer("s3");
    verbatim.path = fogbank_sigv4::canonical::PathStyle::Verbatim;
    let mut r = Sent { ..r };
    let added = verbatim.sign(&r.head(), "UNSIGNED-PAYLOAD").headers;
    r.headers.extend(added);
    assert_eq!(r.verify(Dialect::S3), Ok(()));
}

#[test]
fn presigned_urls_verify_and_expire() {
    for (service, dialect) in [("s3", Dialect::S3), ("sts", Dialect::Query)] {
        let r = presigned(service, "a=b+c", 60);
        assert_eq!(r.verify(dialect), Ok(()));
        let at = |s| r.verify_at(dialect, now() + SignedDuration::from_secs(s), None);
        assert_eq!(at(60), Ok(()));
        let late = at(901).unwrap_err().api(dialect);
        if dialect == Dialect::S3 {
            let e = at(61).unwrap_err().api(dialect);
            assert_eq!((e.code(), e.message()), ("AccessDenied", "Request has expired"));
            assert_eq!(e.fields().len(), 3);
        } else {
            assert_eq!(at(300), Ok(()), "at least a quarter of an hour outside S3");
            assert_eq!(
                late.message(),
                "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z \
                 (20150830T125101Z - 15 min.)"
            );
        }
        let early = r.verify_at(dialect, now() - SignedDuration::from_secs(901), None);
        assert!(early.unwrap_err().api(dialect).message().contains("not yet"));
        let mut r = presigned(service, "", 60);
        r.method = "PUT";
        assert_eq!(code(r.verify(dialect)).0, "SignatureDoesNotMatch");
    }
}

#[test]
fn query_parameters_are_checked() {
    let wrong = |from: &str, to: &str| {
        let mut r = presigned("s3", "", 60);
        assert!(r.query.contains(from), "{}", r.query);
        r.query = r.query.replace(from, to);
        let e = r.verify(Dialect::S3).unwrap_err();
        assert_eq!(e.code(), "AuthorizationQueryParametersError", "{from} to {to}");
        e.message().to_owned()
    };
    for name in ["Algorithm", "Credential", "Date", "SignedHeaders", "Expires", "Signature"] {
        assert!(wrong(&format!("X-Amz-{name}="), "y=").starts_with("Query-string auth"), "{name}");
    }
    assert!(wrong("=AWS4-HMAC", "=AWS5-HMAC").starts_with("X-Amz-Algorithm only"));
    assert!(wrong("Expires=60", "Expires=604801").contains("604800"));
    assert!(wrong("Expires=60", "Expires=-1").contains("non-negative"));
    assert!(wrong("Expires=60", "Expires=1h").contains("number"));
    assert!(wrong("Date=20150830T", "Date=2015-08-30T").contains("ISO8601"));
    assert!(wrong("Date=20150830T", "Date=20150831T").contains("Invalid credential date"));
    assert!(wrong("%2Fs3%2F", "%2F").contains("mal-formed"));
    assert!(wrong("aws4_request", "aws5_request").contains("incorrect terminal"));
    assert!(wrong("%2F20150830%2F", "%2F2015%2F").contains("incorrect date format"));
    let mut url = presigned("sts", "", 60);
    url.query = url.query.replace("X-Amz-Expires=60", "");
    let e = url.verify(Dialect::Query).unwrap_err();
    assert_eq!(e.code(), "SignatureDoesNotMatch", "only S3 insists on an expiry");
    url.query = url.query.replace("X-Amz-Date=", "x=");
    let e = url.verify(Dialect::Query).unwrap_err();
    assert_eq!(
        e.message(),
        "AWS query-string parameters must include 'X-Amz-Date'. AWS query-string parameters must \
         include 'X-Amz-Expires'. Re-examine the query-string parameters."
    );
}

/// What is done to a request, and the code and status of each dialect.
type Case = (&'static str, fn(&mut Sent), [(&'static str, u16); 5]);

#[test]
fn each_family_has_its_own_codes() {
    let cases: &[Case] = &[
        ("nothing", |_| {}, [("fine", 200); 5]),
        (
            "no authorization",
            |r| drop(r.headers.remove("authorization")),
            [
                ("AccessDenied", 403),
                ("MissingAuthenticationToken", 403),
                ("AuthFailure", 401),
                ("MissingAuthenticationTokenException", 400),
                ("MissingAuthenticationTokenException", 403),
            ],
        ),
        (
            "another secret",
            |r| {
                r.edit("Signature=", "Signature=0");
            },
            [
                ("SignatureDoesNotMatch", 403),
                ("SignatureDoesNotMatch", 403),
                ("AuthFailure", 401),
                ("InvalidSignatureException", 400),
                ("InvalidSignatureException", 403),
            ],
        ),
        (
            "unknown key",
            |r| {
                r.edit(KEY, "AKIDUNKNOWN");
            },
            [
                ("InvalidAccessKeyId", 403),
                ("InvalidClientTokenId", 403),
                ("AuthFailure", 401),
                ("UnrecognizedClientException", 400),
                ("UnrecognizedClientException", 403),
            ],
        ),
        (
            "no signed headers",
            |r| {
                r.edit("SignedHeaders=", "Signed=");
            },
            [
                ("AuthorizationHeaderMalformed", 400),
                ("IncompleteSignature", 400),
                ("IncompleteSignature", 400),
                ("IncompleteSignatureException", 400),
                ("IncompleteSignatureException", 403),
            ],
        ),
        (
            "short credential",
            |r| {
                r.edit("/us-east-1", "");
            },
            [
                ("AuthorizationHeaderMalformed", 400),
                ("IncompleteSignature", 400),
                ("IncompleteSignature", 400),
                ("IncompleteSignatureException", 400),
                ("IncompleteSignatureException", 403),
            ],
        ),
        (
            "another day",
            |r| {
                r.edit("20150830", "20150829");
            },
            [
                ("AuthorizationHeaderMalformed", 400),
                ("SignatureDoesNotMatch", 403),
                ("AuthFailure", 401),
                ("InvalidSignatureException", 400),
                ("InvalidSignatureException", 403),
            ],
        ),
        (
            "no date",
            |r| drop(r.headers.remove("x-amz-date")),
            [
                ("AccessDenied", 403),
                ("IncompleteSignature", 400),
                ("IncompleteSignature", 400),
                ("IncompleteSignatureException", 400),
                ("IncompleteSignatureException", 403),
            ],
        ),
        (
            "a token where none belongs",
            |r| {
                let mut s = signer("s3");
                s.token = Some("token");
                *r = unsigned("/b/k", "");
                let added = s.sign(&r.head(), "UNSIGNED-PAYLOAD").headers;
                r.headers.extend(added);
            },
            [
                ("InvalidToken", 400),
                ("InvalidClientTokenId", 403),
                ("AuthFailure", 401),
                ("UnrecognizedClientException", 400),
                ("UnrecognizedClientException", 403),
            ],
        ),
        (
            "an older signature",
            |r| {
                r.set("authorization", "AWS AKIDEXAMPLE:c2ln");
            },
            [
                ("SignatureDoesNotMatch", 403),
                ("NotImplemented", 400),
                ("NotImplemented", 400),
                ("NotImplemented", 400),
                ("NotImplemented", 400),
            ],
        ),
        (
            "an asymmetric signature",
            |r| {
                r.edit("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256");
            },
            [("NotImplemented", 400); 5],
        ),
        (
            "another scheme",
            |r| {
                r.set("authorization", "Bearer abc");
            },
            [
                ("InvalidArgument", 400),
                ("IncompleteSignature", 400),
                ("IncompleteSignature", 400),
                ("IncompleteSignatureException", 400),
                ("IncompleteSignatureException", 403),
            ],
        ),
        (
            "both kinds",
            |r| r.query = "X-Amz-Algorithm=AWS4-HMAC-SHA256".into(),
            [
                ("InvalidArgument", 400),
                ("IncompleteSignature", 400),
                ("IncompleteSignature", 400),
                ("IncompleteSignatureException", 400),
                ("IncompleteSignatureException", 403),
            ],
        ),
    ];
    let dialects = [Dialect::S3, Dialect::Query, Dialect::Ec2, Dialect::Json, Dialect::RestJson];
    for (name, change, expected) in cases {
        for (dialect, (wanted, status)) in dialects.iter().zip(expected) {
            // Signed as S3 does for all, since the words for the payload are valid everywhere.
            let mut r = signed("s3", "/b/k", "");
            change(&mut r);
            assert_eq!(
                code(r.verify(*dialect)),
                ((*wanted).to_owned(), *status),
                "{name} {dialect:?}"
            );
        }
    }
}

#[test]
fn what_s3_says_about_a_mismatch() {
    let mut r = signed("s3", "/b/k", "x=y");
    r.edit("Signature=", "Signature=0");
    let e = r.verify(Dialect::S3).unwrap_err();
    let names: Vec<&str> = e.fields().iter().map(|(n, _)| &**n).collect();
    assert_eq!(
        names,
        [
            "AWSAccessKeyId",
            "StringToSign",
            "SignatureProvided",
            "StringToSignBytes",
            "CanonicalRequest",
            "CanonicalRequestBytes"
        ]
    );
    let canonical = format!("{:?}", e.fields()[4].1);
    assert!(canonical.contains("GET\\n/b/k\\nx=y\\nhost:localhost:4566\\n"), "{canonical}");
}

#[test]
fn dates_far_from_now_are_refused() {
    let r = signed("s3", "/b/k", "");
    let at = |s: i64, d| r.verify_at(d, now() + SignedDuration::from_secs(s), None);
    assert_eq!(at(900, Dialect::S3), Ok(()));
    assert_eq!(at(-900, Dialect::S3), Ok(()));
    let e = at(901, Dialect::S3).unwrap_err().api(Dialect::S3);
    assert_eq!((e.code(), e.status_override()), ("RequestTimeTooSkewed", Some(403)));
    let e = at(901, Dialect::Ec2).unwrap_err().api(Dialect::Ec2);
    assert_eq!((e.code(), e.status_override()), ("RequestExpired", Some(400)));
    let e = at(-1000, Dialect::Json).unwrap_err().api(Dialect::Json);
    assert_eq!(
        e.message(),
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123420Z \
         (20150830T121920Z + 15 min.)"
    );
}

#[test]
fn the_date_header_will_do() {
    let mut r = unsigned("/b/k", "");
    r.set("date", "Sun, 30 Aug 2015 12:36:00 GMT");
    let mut other = unsigned("/b/k", "");
    let added = signer("iam").sign(&other.head(), &payload::of_body(&r.head(), b"")).headers;
    other.headers.extend(added);
    let auth = other.headers["authorization"].to_str().unwrap();
    let head = "AWS4-HMAC-SHA256 Credential=";
    assert!(auth.starts_with(head));
    r.set("authorization", &format!("  {}  ", auth.replace(", ", " ,  ")));
    let head = r.head();
    let signed = parse(&head).unwrap().unwrap();
    assert_eq!(signed.date.text(), "20150830T123600Z");
    assert_eq!(signed.signed_headers, "host;x-amz-date");
}

#[test]
fn s3_wants_its_headers_signed() {
    let mut r = signed("s3", "/b/k", "");
    r.set("x-amz-acl", "public-read").set("x-amz-meta-a", "1");
    let e = r.verify(Dialect::S3).unwrap_err();
    assert_eq!(e.code(), "AccessDenied");
    assert_eq!(
        format!("{:?}", e.fields()),
        r#"[("HeadersNotSigned", Str("x-amz-acl, x-amz-meta-a"))]"#
    );
    let mut r = signed("iam", "/", "");
    r.edit("SignedHeaders=host;", "SignedHeaders=");
    assert!(r.verify(Dialect::Json).unwrap_err().message().starts_with("'Host' or ':authority'"));
    let mut r = signed("s3", "/b/k", "");
    r.headers.remove("x-amz-content-sha256");
    assert_eq!(code(r.verify(Dialect::S3)), ("InvalidRequest".into(), 400));
}

#[test]
fn sessions_need_their_token() {
    let mut s = signer("s3");
    s.token = Some("secret-token");
    let mut r = unsigned("/b/k", "");
    let added = s.sign(&r.head(), "UNSIGNED-PAYLOAD").headers;
    r.headers.extend(added);
    let with = |t| r.verify_at(Dialect::S3, now(), t);
    assert_eq!(with(Some("secret-token")), Ok(()));
    assert_eq!(with(Some("other-token!")), Err(Error::Token { token: "secret-token".into() }));
    let head = r.head();
    let signed = parse(&head).unwrap().unwrap();
    let over = signed.verify_token(Some("secret-token"), true).unwrap_err();
    assert_eq!(over.api(Dialect::S3).code(), "ExpiredToken");
    assert_eq!(over.api(Dialect::Json).code(), "ExpiredTokenException");
    let mut url = unsigned("/b/k", "");
    url.query = s.presign(&url.head(), "UNSIGNED-PAYLOAD", 60).query;
    assert_eq!(url.verify_at(Dialect::S3, now(), Some("secret-token")), Ok(()));
}

#[test]
fn scopes_are_for_one_service_and_region() {
    let r = signed("s3", "/b/k", "");
    let head = r.head();
    let s = parse(&head).unwrap().unwrap();
    assert_eq!(
        (s.scope.service(), s.scope.region(), s.scope.date()),
        ("s3", "us-east-1", "20150830")
    );
    assert_eq!(s.expect_service("s3"), Ok(()));
    let e = s.expect_service("sts").unwrap_err();
    assert_eq!(
        e.api(Dialect::Query).message(),
        "Credential should be scoped to correct service: 'sts'. "
    );
    let e = s.expect_region("eu-west-1").unwrap_err().api(Dialect::S3);
    assert_eq!(
        e.message(),
        "The authorization header is malformed; the region 'us-east-1' is wrong; expecting \
         'eu-west-1'"
    );
}

#[test]
fn a_tampered_body_does_not_verify() {
    let mut r = unsigned("/", "");
    r.method = "POST";
    r.body = b"Action=GetCallerIdentity";
    let added = signer("sts").sign(&r.head(), &payload::of_body(&r.head(), r.body)).headers;
    r.headers.extend(added);
    assert_eq!(r.verify(Dialect::Query), Ok(()));
    r.body = b"Action=GetCallerIdentitx";
    assert_eq!(code(r.verify(Dialect::Query)), ("SignatureDoesNotMatch".into(), 403));
}

#[test]
fn authority_stands_in_for_host() {
    let r = unsigned("/", "");
    let bare = HeaderMap::new();
    let head = Head { headers: &bare, authority: Some("localhost:4566"), ..r.head() };
    let mut headers = HeaderMap::new();
    headers.extend(signer("iam").sign(&head, &payload::of_body(&head, b"")).headers);
    let head = Head { headers: &headers, ..head };
    let s = parse(&head).unwrap().unwrap();
    let payload = payload::of_body(&head, b"");
    let terms = Terms { dialect: Dialect::Json, secret: SECRET, payload: &payload, now: now() };
    assert!(s.verify(&head, &terms, &Keys::default()).is_ok());
}
