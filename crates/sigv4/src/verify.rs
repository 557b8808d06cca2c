//! Verifying a parsed signature: time, covered headers, and the signature itself.

use jiff::Timestamp;

use crate::auth::{Signed, Version};
use crate::canonical::{self, Form, PathStyle};
use crate::error::{Dialect, Error, Mismatch, Place};
use crate::head::Head;
use crate::key::{Keys, SigningKey};
use crate::v2;

/// A request's date may be this many seconds from now.
const MAX_SKEW: i64 = 900;

/// What a signature is verified against.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    pub dialect: Dialect,
    /// The secret behind the access key.
    pub secret: &'a str,
    /// The payload's text in the canonical request: [`crate::Payload::text`] for S3,
    /// [`crate::payload::of_body`] for the others.
    pub payload: &'a str,
    /// Real time: clients sign with theirs.
    pub now: Timestamp,
}

impl Signed<'_> {
    /// Verifies the signature. The key that comes back is what signs the chunks of the body.
    ///
    /// # Errors
    /// `Skewed`, `Expired`, `HostUnsigned`, `HeadersNotSigned` or `Mismatch`.
    pub fn verify(
        &self,
        head: &Head<'_>,
        terms: &Terms<'_>,
        keys: &Keys,
    ) -> Result<SigningKey, Error> {
        if self.version == Version::V2 && terms.dialect != Dialect::S3 {
            return Err(Error::Version2);
        }
        self.check_time(terms.dialect, terms.now)?;
        let style =
            if terms.dialect == Dialect::S3 { PathStyle::S3 } else { PathStyle::Normalized };
        let scope = &self.scope;
        let key = keys.get(terms.secret, scope.date(), scope.region(), scope.service());
        if self.version == Version::V2 {
            return v2::verify(head, self, terms.secret).map(|()| key);
        }
        self.check_headers(head, terms.dialect)?;
        self.matches(head, terms, style, &key).map(|()| key)
    }

    /// Compares the session token with the credential's own. `ended` says that the session is over.
    ///
    /// # Errors
    /// `Token` or `TokenExpired`.
    pub fn verify_token(&self, expected: Option<&str>, ended: bool) -> Result<(), Error> {
        let given = self.token.as_deref();
        let same = match (given, expected) {
            (None, None) => true,
            (Some(a), Some(b)) => same_secret(a.as_bytes(), b.as_bytes()),
            _ => false,
        };
        let token = || given.unwrap_or_default().to_owned();
        match (same, ended) {
            (false, _) => Err(Error::Token { token: token() }),
            (true, true) => Err(Error::TokenExpired { token: token() }),
            (true, false) => Ok(()),
        }
    }

    /// Whether the date is near enough to `now`, and a presigned URL still lives.
    ///
    /// # Errors
    /// `Skewed` or `Expired`.
    pub fn check_time(&self, dialect: Dialect, now: Timestamp) -> Result<(), Error> {
        let age = now.as_second() - self.date.time.as_second();
        let (date, expires) = (self.date, self.expires);
        if self.place == Place::Header {
            return if age.abs() > MAX_SKEW { Err(Error::Skewed { date, now }) } else { Ok(()) };
        }
        if self.version == Version::V2 {
            return if age > 0 { Err(Error::Expired { date, expires, now }) } else { Ok(()) };
        }
        // Other services give a URL 15 minutes even when it asks for less: the tokens that kubectl
        // sends to EKS ask for one minute and are used for fourteen.
        let lives = if dialect == Dialect::S3 { expires } else { expires.max(900) };
        if age > i64::from(lives) || age < -MAX_SKEW {
            return Err(Error::Expired { date, expires: lives, now });
        }
        Ok(())
    }

    fn check_headers(&self, head: &Head<'_>, dialect: Dialect) -> Result<(), Error> {
        let signed = |name: &str| self.signed_headers.split(';').any(|h| h == name);
        if !signed("host") {
            return Err(Error::HostUnsigned);
        }
        if dialect != Dialect::S3 {
            return Ok(());
        }
        let mut loose: Vec<String> = head
            .headers
            .keys()
            .map(http::HeaderName::as_str)
            .filter(|n| n.starts_with("x-amz-") && !signed(n))
            // It is in the canonical request anyhow.
            .filter(|n| *n != "x-amz-content-sha256")
            .map(str::to_owned)
            .collect();
        if loose.is_empty() {
            return Ok(());
        }
        loose.sort();
        Err(Error::HeadersNotSigned(loose))
    }

    /// Whether the signature is right under `style`, or under what signers in the field do
    /// differently: S3 signers that take the path as it stands, and services whose clients add the
    /// session token to a URL only after signing it.
    fn matches(
        &self,
        head: &Head<'_>,
        terms: &Terms<'_>,
        style: PathStyle,
        key: &SigningKey,
    ) -> Result<(), Error> {
        let build = |path, skip_query: &[&str]| {
            let form = Form {
                path,
                signed_headers: &self.signed_headers,
                payload: terms.payload,
                skip_query,
            };
            let canonical = canonical::request(head, &form);
            let text = canonical::string_to_sign(self.date.text(), self.scope.text(), &canonical);
            (key.check(&text, &self.signature), text, canonical)
        };
        const SKIP: &[&str] = &["X-Amz-Signature"];
        const SKIP_TOKEN: &[&str] = &["X-Amz-Signature", "X-Amz-Security-Token"];
        let skip = if self.place == Place::Query { SKIP } else { &[] };
        let (ok, text, canonical) = build(style, skip);
        let also = || match style {
            PathStyle::S3 => build(PathStyle::Verbatim, skip).0,
            _ if self.place == Place::Query && self.token.is_some() => build(style, SKIP_TOKEN).0,
            _ => build(PathStyle::Unnormalized, skip).0,
        };
        if ok || also() {
            return Ok(());
        }
        let lossy = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        Err(Error::Mismatch(Box::new(Mismatch {
            access_key: self.scope.access_key().to_owned(),
            signature: self.signature.clone().into_owned(),
            string_to_sign: lossy(&text),
            canonical_request: lossy(&canonical),
        })))
    }
}

/// Equality that takes as long for a near miss as for a far one (the length may show).
fn same_secret(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |d, (x, y)| d | (x ^ y)) == 0
}
