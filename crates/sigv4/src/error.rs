//! What can be wrong with a request's authentication, before it is said in a service's own words.

use jiff::Timestamp;

use crate::date::Date;

mod render;

pub use render::Dialect;

/// Where the signature stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The `Authorization` header.
    Header,
    /// The query string of a presigned URL.
    Query,
}

/// An authentication failure. [`Error::api`] gives it the code, wording and status that the
/// service's protocol has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No authentication where some is needed.
    Missing,
    /// Both an `Authorization` header and query authentication.
    Mixed { authorization: String },
    /// An `Authorization` header of some other scheme.
    Scheme { authorization: String },
    /// Signature Version 2 outside S3, where AWS no longer takes it.
    Version2,
    /// A URL presigned with Signature Version 2 that lacks a parameter.
    Version2Query,
    /// Signature Version 4A, which fogbank does not implement.
    Version4a,
    /// The query names some algorithm we have never heard of.
    Algorithm,
    /// Parts are missing: their names as AWS spells them. `authorization` is the whole header.
    Incomplete { authorization: Option<String>, missing: Vec<&'static str> },
    /// The credential has not five parts.
    Credential { place: Place, given: String },
    /// The scope does not end in `aws4_request`.
    Terminator { place: Place, given: String },
    /// The scope's date is not `YYYYMMDD`.
    ScopeDate { place: Place, given: String },
    /// The scope's date is not that of the request.
    ScopeDateDiffers { place: Place, given: String, request: Date },
    /// The scope names some other service than the one addressed.
    Service { place: Place, given: String, expected: String },
    /// The scope names some other region than the endpoint's.
    Region { place: Place, given: String, expected: String },
    /// A header signature without `X-Amz-Date` or `Date`.
    NoDate { authorization: String },
    /// A date that does not parse.
    BadDate { place: Place, given: String },
    /// `X-Amz-Expires` is no number.
    ExpiresNotNumber,
    /// `X-Amz-Expires` is negative.
    ExpiresNegative,
    /// `X-Amz-Expires` is more than a week.
    ExpiresTooLong,
    /// `host` is not among the signed headers.
    HostUnsigned,
    /// `x-amz-*` headers that the signature does not cover.
    HeadersNotSigned(Vec<String>),
    /// The request's date is too far from now, in either direction.
    Skewed { date: Date, now: Timestamp },
    /// A presigned URL past its time.
    Expired { date: Date, expires: u32, now: Timestamp },
    /// Nobody has this access key.
    UnknownKey { access_key: String },
    /// A session token that is missing, superfluous or wrong.
    Token { token: String },
    /// A session that has ended.
    TokenExpired { token: String },
    /// The signature is not ours.
    Mismatch(Box<Mismatch>),
    /// S3 wants `x-amz-content-sha256` beside a header signature.
    NoContentHash,
    /// `x-amz-content-sha256` is neither a hash nor one of the known words.
    ContentHash { given: String },
}

/// What S3 tells about a signature that does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub access_key: String,
    pub signature: String,
    pub string_to_sign: String,
    pub canonical_request: String,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.api(Dialect::Query).fmt(f)
    }
}

impl std::error::Error for Error {}
