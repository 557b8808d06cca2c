//! Authentication failures in the words of each family of services.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::ApiError;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::{Error, Mismatch, Place};
use crate::date::{Date, iso};

/// The families that word an authentication failure differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    S3,
    /// The query protocol, and REST services that answer in XML (IAM, STS, CloudFront).
    Query,
    Ec2,
    /// AWS JSON and RPC v2 CBOR: codes end in `Exception`, status 400.
    Json,
    /// REST services that answer in JSON: the same codes, status 403.
    RestJson,
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you \
     provided. Check your AWS Secret Access Key and signing method. Consult the service \
     documentation for details.";
const EXPECTED_CREDENTIAL: &str = "the Credential is mal-formed; expecting \
     \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";

impl Error {
    /// The error as `dialect`'s clients know it.
    #[must_use]
    pub fn api(&self, dialect: Dialect) -> ApiError {
        match self {
            Error::Version4a => {
                ApiError::not_implemented("Signature Version 4A (AWS4-ECDSA-P256-SHA256)")
            }
            _ if dialect == Dialect::S3 => s3(self),
            _ => other(self, dialect),
        }
    }
}

fn s3(e: &Error) -> ApiError {
    let denied = |m: &str| ApiError::new("AccessDenied", m).status(403);
    let invalid = |m: &str| ApiError::new("InvalidRequest", m).status(400);
    let argument = |name: &'static str, value: &str, m: &str| {
        ApiError::new("InvalidArgument", m)
            .status(400)
            .field("ArgumentName", name)
            .field("ArgumentValue", value.to_owned())
    };
    match e {
        Error::Missing => denied("Access Denied"),
        Error::Mixed { authorization } => argument(
            "Authorization",
            authorization,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature \
             query string parameter or the Authorization header should be specified",
        ),
        Error::Scheme { authorization } => {
            argument("Authorization", authorization, "Unsupported Authorization Type")
        }
        Error::Version2 | Error::Version4a => invalid(
            "The authorization mechanism you have provided is not supported. Please use \
             AWS4-HMAC-SHA256.",
        ),
        Error::Version2Query => denied(
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId \
             parameters",
        ),
        Error::Algorithm => s3_query(
            "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"",
        ),
        Error::Incomplete { authorization: Some(_), .. } => s3_header(
            "the authorization header requires three components: Credential, SignedHeaders, and \
             Signature.",
        ),
        Error::Incomplete { authorization: None, .. } => s3_query(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, \
             X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and \
             X-Amz-Expires parameters.",
        ),
        Error::Credential { place, .. } => s3_scope(*place, EXPECTED_CREDENTIAL),
        Error::Terminator { place, given } => s3_scope(
            *place,
            &format!("incorrect terminal \"{given}\". This endpoint uses \"aws4_request\"."),
        ),
        Error::ScopeDate { place, given } => s3_scope(
            *place,
            &format!(
                "incorrect date format \"{given}\". This date in the credential must be in the \
                 format \"yyyyMMdd\"."
            ),
        ),
        Error::ScopeDateDiffers { place, given, request } => {
            let day = request.day();
            let m = format!(
                "Invalid credential date \"{given}\". This date is not the same as X-Amz-Date: \
                 \"{day}\"."
            );
            if *place == Place::Header { s3_header(&m) } else { s3_query(&m) }
        }
        Error::Service { place, given, expected } => s3_scope(
            *place,
            &format!("incorrect service \"{given}\". This endpoint belongs to \"{expected}\"."),
        ),
        Error::Region { place, given, expected } => {
            s3_scope(*place, &format!("the region '{given}' is wrong; expecting '{expected}'"))
                .field("Region", expected.clone())
        }
        Error::NoDate { .. } => {
            denied("AWS authentication requires a valid Date or x-amz-date header")
        }
        Error::BadDate { place: Place::Header, .. } => {
            denied("AWS authentication requires a valid Date or x-amz-date header")
        }
        Error::BadDate { place: Place::Query, .. } => {
            s3_query("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        }
        Error::ExpiresNotNumber => s3_query("X-Amz-Expires should be a number"),
        Error::ExpiresNegative => s3_query("X-Amz-Expires must be non-negative"),
        Error::ExpiresTooLong => s3_query(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given \
             X-Amz-Expires must be less than 604800 seconds",
        ),
        Error::HostUnsigned => {
            denied("There were headers present in the request which were not signed")
                .field("HeadersNotSigned", "host")
        }
        Error::HeadersNotSigned(names) => {
            denied("There were headers present in the request which were not signed")
                .field("HeadersNotSigned", names.join(", "))
        }
        Error::Skewed { date, now } => ApiError::new(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        )
        .status(403)
        .field("RequestTime", date.text().to_owned())
        .field("ServerTime", iso(*now))
        .field("MaxAllowedSkewMilliseconds", "900000"),
        Error::Expired { date, expires, now } if *now < date.time => {
            denied("Request is not yet valid")
                .field("X-Amz-Date", date.text().to_owned())
                .field("X-Amz-Expires", expires.to_string())
                .field("ServerTime", iso(*now))
        }
        // A URL of version 2 says when it ends, not for how long it lives.
        Error::Expired { date, expires: 0, now } => denied("Request has expired")
            .field("Expires", iso(date.time))
            .field("ServerTime", iso(*now)),
        Error::Expired { date, expires, now } => denied("Request has expired")
            .field("X-Amz-Expires", expires.to_string())
            .field("Expires", iso(later(date.time, i64::from(*expires))))
            .field("ServerTime", iso(*now)),
        Error::UnknownKey { access_key } => ApiError::new(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        )
        .status(403)
        .field("AWSAccessKeyId", access_key.clone()),
        Error::Token { token } => {
            ApiError::new("InvalidToken", "The provided token is malformed or otherwise invalid.")
                .status(400)
                .field("Token-0", token.clone())
        }
        Error::TokenExpired { token } => {
            ApiError::new("ExpiredToken", "The provided token has expired.")
                .status(400)
                .field("Token-0", token.clone())
        }
        Error::Mismatch(m) => s3_mismatch(m),
        Error::NoContentHash => {
            invalid("Missing required header for this request: x-amz-content-sha256")
        }
        Error::ContentHash { given } => argument(
            "x-amz-content-sha256",
            given,
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
             STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, \
             STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, \
             STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
        ),
    }
}

fn s3_header(what: &str) -> ApiError {
    let m = format!("The authorization header is malformed; {what}");
    ApiError::new("AuthorizationHeaderMalformed", m).status(400)
}

fn s3_query(what: &str) -> ApiError {
    ApiError::new("AuthorizationQueryParametersError", what).status(400)
}

fn s3_scope(place: Place, what: &str) -> ApiError {
    match place {
        Place::Header => s3_header(what),
        Place::Query => s3_query(&format!("Error parsing the X-Amz-Credential parameter; {what}")),
    }
}

/// The signature that S3 calculated is not the one it was given: what it calculated over.
pub(crate) fn s3_mismatch(m: &Mismatch) -> ApiError {
    let bytes = |s: &str| s.bytes().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ");
    let e = ApiError::new(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check \
         your key and signing method.",
    )
    .status(403)
    .field("AWSAccessKeyId", m.access_key.clone())
    .field("StringToSign", m.string_to_sign.clone())
    .field("SignatureProvided", m.signature.clone())
    .field("StringToSignBytes", bytes(&m.string_to_sign));
    if m.canonical_request.is_empty() {
        return e;
    }
    e.field("CanonicalRequest", m.canonical_request.clone())
        .field("CanonicalRequestBytes", bytes(&m.canonical_request))
}

/// Codes of the services other than S3, by what they are about.
enum Code {
    Missing,
    Incomplete,
    Signature,
    UnknownKey,
    Expired,
    Invalid,
}

fn other(e: &Error, dialect: Dialect) -> ApiError {
    if dialect == Dialect::Ec2 && matches!(e, Error::Skewed { .. } | Error::Expired { .. }) {
        return ApiError::new("RequestExpired", "Request has expired.").status(400);
    }
    let (code, message) = match e {
        Error::Missing => (Code::Missing, "Request is missing Authentication Token".to_owned()),
        Error::Version2 | Error::Version2Query => {
            return ApiError::not_implemented("Signature Version 2");
        }
        Error::Mixed { authorization } | Error::Scheme { authorization } => (
            Code::Incomplete,
            in_header(&["Credential", "Signature", "SignedHeaders"], authorization),
        ),
        Error::Algorithm | Error::Version4a => (
            Code::Incomplete,
            "Unsupported AWS 'algorithm': only 'AWS4-HMAC-SHA256' is supported.".to_owned(),
        ),
        Error::Incomplete { authorization: Some(a), missing } => {
            (Code::Incomplete, in_header(missing, a))
        }
        Error::Incomplete { authorization: None, missing } => {
            let list: Vec<String> = missing
                .iter()
                .map(|n| format!("AWS query-string parameters must include '{n}'."))
                .collect();
            let m = format!("{} Re-examine the query-string parameters.", list.join(" "));
            (Code::Incomplete, m)
        }
        Error::Credential { given, .. } => (
            Code::Incomplete,
            format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got '{given}'"
            ),
        ),
        Error::Terminator { given, .. } => (
            Code::Signature,
            format!(
                "Credential should be scoped with a valid terminator: 'aws4_request', not \
                 '{given}'."
            ),
        ),
        Error::ScopeDate { given, .. } => (
            Code::Signature,
            format!("Date in Credential scope must be in YYYYMMDD format: '{given}'."),
        ),
        Error::ScopeDateDiffers { given, request, .. } => (
            Code::Signature,
            format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                 from HTTP: '{given}' != '{}', from '{}'.",
                request.day(),
                request.text()
            ),
        ),
        Error::Service { expected, .. } => (
            Code::Signature,
            format!("Credential should be scoped to correct service: '{expected}'. "),
        ),
        Error::Region { .. } => {
            (Code::Signature, "Credential should be scoped to a valid region. ".to_owned())
        }
        Error::NoDate { authorization } => (
            Code::Incomplete,
            format!(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                 header. {}",
                hashed(authorization)
            ),
        ),
        Error::BadDate { given, .. } => (
            Code::Incomplete,
            format!(
                "Date must be in ISO-8601 'basic format'. Got '{given}'. See \
                 http://en.wikipedia.org/wiki/ISO_8601"
            ),
        ),
        Error::ExpiresNotNumber | Error::ExpiresNegative => {
            (Code::Incomplete, "X-Amz-Expires must be a non-negative integer.".to_owned())
        }
        Error::ExpiresTooLong => (
            Code::Signature,
            "X-Amz-Expires must be less than a week (in seconds): 604800".to_owned(),
        ),
        Error::HostUnsigned => (
            Code::Signature,
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
        ),
        Error::HeadersNotSigned(names) => (
            Code::Signature,
            format!("'{}' must be a 'SignedHeader' in the AWS Authorization.", names.join("', '")),
        ),
        Error::Skewed { date, now } => (Code::Signature, skewed(date, *now, 900)),
        Error::Expired { date, expires, now } => {
            (Code::Signature, skewed(date, *now, i64::from(*expires)))
        }
        Error::UnknownKey { .. } | Error::Token { .. } => {
            (Code::UnknownKey, "The security token included in the request is invalid.".to_owned())
        }
        Error::TokenExpired { .. } => {
            (Code::Expired, "The security token included in the request is expired".to_owned())
        }
        Error::Mismatch(_) => (Code::Signature, MISMATCH.to_owned()),
        Error::NoContentHash | Error::ContentHash { .. } => {
            (Code::Invalid, "The value of x-amz-content-sha256 is not valid.".to_owned())
        }
    };
    coded(&code, message, dialect)
}

fn coded(code: &Code, message: String, dialect: Dialect) -> ApiError {
    let (name, status) = match (dialect, code) {
        (Dialect::Ec2, Code::UnknownKey | Code::Signature | Code::Missing) => {
            let m = "AWS was not able to validate the provided access credentials";
            return ApiError::new("AuthFailure", m).status(401).context(message);
        }
        (Dialect::Ec2, Code::Expired) => {
            return ApiError::new("RequestExpired", "Request has expired.").status(400);
        }
        (Dialect::Json | Dialect::RestJson, code) => {
            let status = if dialect == Dialect::Json { 400 } else { 403 };
            let name = match code {
                Code::Missing => "MissingAuthenticationTokenException",
                Code::Incomplete => "IncompleteSignatureException",
                Code::Signature => "InvalidSignatureException",
                Code::UnknownKey => "UnrecognizedClientException",
                Code::Expired => "ExpiredTokenException",
                Code::Invalid => return ApiError::new("ValidationException", message).status(400),
            };
            (name, status)
        }
        (_, Code::Missing) => ("MissingAuthenticationToken", 403),
        (_, Code::Incomplete) => ("IncompleteSignature", 400),
        (_, Code::Signature) => ("SignatureDoesNotMatch", 403),
        (_, Code::UnknownKey) => ("InvalidClientTokenId", 403),
        (_, Code::Expired) => ("ExpiredToken", 403),
        (_, Code::Invalid) => ("InvalidParameterValue", 400),
    };
    ApiError::new(name, message).status(status)
}

fn in_header(missing: &[&str], authorization: &str) -> String {
    let list: Vec<String> =
        missing.iter().map(|n| format!("Authorization header requires '{n}' parameter.")).collect();
    format!("{} {}", list.join(" "), hashed(authorization))
}

/// AWS shows the header only as a hash, since it may hold a secret.
fn hashed(authorization: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(authorization));
    format!("(Hashed with SHA-256 and encoded with Base64) Authorization={hash}")
}

fn skewed(date: &Date, now: Timestamp, allowed: i64) -> String {
    let at = Date::new(now);
    let minutes = allowed / 60;
    if now < date.time {
        let limit = Date::new(later(now, 900));
        return format!(
            "Signature not yet current: {} is still later than {} ({} + 15 min.)",
            date.text(),
            limit.text(),
            at.text()
        );
    }
    let limit = Date::new(later(now, -allowed));
    format!(
        "Signature expired: {} is now earlier than {} ({} - {minutes} min.)",
        date.text(),
        limit.text(),
        at.text()
    )
}

fn later(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
