//! Finding and parsing the signature of a request: header, presigned query, or none.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html>

use std::borrow::Cow;

use http::HeaderValue;

use crate::date::Date;
use crate::encode::decode_query;
use crate::error::{Error, Place};
use crate::head::Head;

/// The one algorithm.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// A presigned URL lives a week at most: this many seconds.
pub const MAX_EXPIRES: u32 = 604_800;

/// A signature with everything it says of itself; not verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<'a> {
    pub scope: Scope<'a>,
    /// Lower-case names separated by `;`, as given.
    pub signed_headers: Cow<'a, str>,
    pub signature: Cow<'a, str>,
    pub date: Date,
    /// The session token that comes with a temporary key.
    pub token: Option<Cow<'a, str>>,
    pub place: Place,
    /// Seconds for which a presigned URL lives; 0 in a header.
    pub expires: u32,
}

/// `KEY/20150830/us-east-1/s3/aws4_request`, split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    text: Cow<'a, str>,
    /// Where the four slashes are.
    slashes: [usize; 4],
}

impl Scope<'_> {
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.text[..self.slashes[0]]
    }
    /// `YYYYMMDD`.
    #[must_use]
    pub fn date(&self) -> &str {
        self.part(0)
    }
    #[must_use]
    pub fn region(&self) -> &str {
        self.part(1)
    }
    #[must_use]
    pub fn service(&self) -> &str {
        self.part(2)
    }
    /// `20150830/us-east-1/s3/aws4_request`, as the string to sign has it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text[self.slashes[0] + 1..]
    }

    fn part(&self, n: usize) -> &str {
        &self.text[self.slashes[n] + 1..self.slashes[n + 1]]
    }

    /// Splits a credential into its five parts and checks the scope's form.
    ///
    /// # Errors
    /// `Credential`, `ScopeDate` or `Terminator`.
    pub fn parse(text: Cow<'_, str>, place: Place) -> Result<Scope<'_>, Error> {
        let mut at = text.bytes().enumerate().filter(|(_, b)| *b == b'/').map(|(i, _)| i);
        let found = (at.next(), at.next(), at.next(), at.next(), at.next());
        let (Some(a), Some(b), Some(c), Some(d), None) = found else {
            return Err(Error::Credential { place, given: text.into_owned() });
        };
        let scope = Scope { text, slashes: [a, b, c, d] };
        if a == 0 || scope.region().is_empty() || scope.service().is_empty() {
            return Err(Error::Credential { place, given: scope.text.into_owned() });
        }
        let date = scope.date();
        if date.len() != 8 || !date.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Error::ScopeDate { place, given: date.to_owned() });
        }
        let terminator = &scope.text[d + 1..];
        if terminator != "aws4_request" {
            return Err(Error::Terminator { place, given: terminator.to_owned() });
        }
        Ok(scope)
    }
}

impl Signed<'_> {
    /// Refuses a scope made for another service.
    ///
    /// # Errors
    /// `Service`.
    pub fn expect_service(&self, expected: &str) -> Result<(), Error> {
        if self.scope.service() == expected {
            return Ok(());
        }
        let given = self.scope.service().to_owned();
        Err(Error::Service { place: self.place, given, expected: expected.to_owned() })
    }

    /// Refuses a scope made for another region.
    ///
    /// # Errors
    /// `Region`.
    pub fn expect_region(&self, expected: &str) -> Result<(), Error> {
        if self.scope.region() == expected {
            return Ok(());
        }
        let given = self.scope.region().to_owned();
        Err(Error::Region { place: self.place, given, expected: expected.to_owned() })
    }
}

/// The signature of a request; `None` when it carries no authentication at all.
///
/// # Errors
/// What is malformed about it.
pub fn parse<'a>(head: &Head<'a>) -> Result<Option<Signed<'a>>, Error> {
    let query = QueryAuth::find(head.query);
    let header = head.headers.get(http::header::AUTHORIZATION);
    match (header, query) {
        (None, None) => Ok(None),
        (Some(h), None) => from_header(head, h).map(Some),
        (None, Some(q)) => q.parse().map(Some),
        (Some(h), Some(_)) => {
            Err(Error::Mixed { authorization: String::from_utf8_lossy(h.as_bytes()).into_owned() })
        }
    }
}

fn from_header<'a>(head: &Head<'a>, header: &'a HeaderValue) -> Result<Signed<'a>, Error> {
    let Ok(header) = std::str::from_utf8(header.as_bytes()) else {
        let authorization = String::from_utf8_lossy(header.as_bytes()).into_owned();
        return Err(Error::Scheme { authorization });
    };
    let header = header.trim_ascii();
    let whole = || header.to_owned();
    let (scheme, rest) =
        header.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((header, ""));
    match scheme {
        ALGORITHM => {}
        "AWS" => return Err(Error::Version2),
        "AWS4-ECDSA-P256-SHA256" => return Err(Error::Version4a),
        _ => return Err(Error::Scheme { authorization: whole() }),
    }
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for part in rest.split(',') {
        let Some((name, value)) = part.split_once('=') else { continue };
        let slot = match name.trim_ascii() {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => continue,
        };
        *slot = Some(value.trim_ascii()).filter(|v| !v.is_empty());
    }
    let (Some(credential), Some(signed_headers), Some(signature)) =
        (credential, signed_headers, signature)
    else {
        let found = [
            ("Credential", credential),
            ("Signature", signature),
            ("SignedHeaders", signed_headers),
        ];
        let missing = found.iter().filter(|f| f.1.is_none()).map(|f| f.0).collect();
        return Err(Error::Incomplete { authorization: Some(whole()), missing });
    };
    let place = Place::Header;
    let scope = Scope::parse(Cow::Borrowed(credential), place)?;
    let bad = |given: &str| Error::BadDate { place, given: given.to_owned() };
    let date = if let Some(d) = head.header("x-amz-date") {
        Date::parse_http(d).ok_or_else(|| bad(d))?
    } else if let Some(d) = head.header("date") {
        Date::parse_http(d).ok_or_else(|| bad(d))?
    } else {
        return Err(Error::NoDate { authorization: whole() });
    };
    same_day(&scope, date, place)?;
    Ok(Signed {
        scope,
        signed_headers: Cow::Borrowed(signed_headers),
        signature: Cow::Borrowed(signature),
        date,
        token: head.header("x-amz-security-token").map(Cow::Borrowed),
        place,
        expires: 0,
    })
}

/// The parameters of query authentication, as they stand.
#[derive(Default)]
struct QueryAuth<'a> {
    algorithm: Option<&'a str>,
    credential: Option<&'a str>,
    date: Option<&'a str>,
    expires: Option<&'a str>,
    signed_headers: Option<&'a str>,
    signature: Option<&'a str>,
    token: Option<&'a str>,
    version2: bool,
}

impl<'a> QueryAuth<'a> {
    /// `None` when the query has nothing of authentication in it.
    fn find(query: &'a str) -> Option<Self> {
        if query.len() < "Signature=".len() {
            return None;
        }
        let mut q = QueryAuth::default();
        let (mut key, mut old) = (false, false);
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "X-Amz-Algorithm" => q.algorithm = Some(value),
                "X-Amz-Credential" => q.credential = Some(value),
                "X-Amz-Date" => q.date = Some(value),
                "X-Amz-Expires" => q.expires = Some(value),
                "X-Amz-SignedHeaders" => q.signed_headers = Some(value),
                "X-Amz-Signature" => q.signature = Some(value),
                "X-Amz-Security-Token" => q.token = Some(value),
                "AWSAccessKeyId" => key = true,
                "Signature" => old = true,
                _ => {}
            }
        }
        q.version2 = key && old;
        let any = q.algorithm.is_some() || q.credential.is_some() || q.signature.is_some();
        (any || q.version2).then_some(q)
    }

    fn parse(self) -> Result<Signed<'a>, Error> {
        let place = Place::Query;
        match self.algorithm {
            None if self.version2 => return Err(Error::Version2),
            Some("AWS4-ECDSA-P256-SHA256") => return Err(Error::Version4a),
            Some(ALGORITHM) | None => {}
            Some(_) => return Err(Error::Algorithm),
        }
        let found = [
            ("X-Amz-Algorithm", self.algorithm),
            ("X-Amz-Credential", self.credential),
            ("X-Amz-Signature", self.signature),
            ("X-Amz-Date", self.date),
            ("X-Amz-SignedHeaders", self.signed_headers),
            ("X-Amz-Expires", self.expires),
        ];
        let missing: Vec<&str> =
            found.iter().filter(|f| f.1.is_none_or(str::is_empty)).map(|f| f.0).collect();
        // Only S3 insists on an expiry; elsewhere a URL without one lives for 15 minutes.
        let (Some(credential), Some(date), Some(headers), Some(signature), Some(_)) =
            (self.credential, self.date, self.signed_headers, self.signature, self.algorithm)
        else {
            return Err(Error::Incomplete { authorization: None, missing });
        };
        let scope = Scope::parse(decode_query(credential), place)?;
        if missing.iter().any(|m| *m != "X-Amz-Expires" || scope.service() == "s3") {
            return Err(Error::Incomplete { authorization: None, missing });
        }
        let date = Date::parse(date)
            .ok_or_else(|| Error::BadDate { place, given: decode_query(date).into_owned() })?;
        let expires = match self.expires.map(str::parse::<i64>) {
            None => 900,
            Some(Err(_)) => return Err(Error::ExpiresNotNumber),
            Some(Ok(n)) if n < 0 => return Err(Error::ExpiresNegative),
            Some(Ok(n)) => {
                u32::try_from(n).ok().filter(|n| *n <= MAX_EXPIRES).ok_or(Error::ExpiresTooLong)?
            }
        };
        same_day(&scope, date, place)?;
        Ok(Signed {
            scope,
            signed_headers: decode_query(headers),
            signature: decode_query(signature),
            date,
            token: self.token.map(decode_query),
            place,
            expires,
        })
    }
}

fn same_day(scope: &Scope<'_>, date: Date, place: Place) -> Result<(), Error> {
    if scope.date() == date.day() {
        return Ok(());
    }
    let given = scope.date().to_owned();
    Err(Error::ScopeDateDiffers { place, given, request: date })
}
