//! Finding and parsing the signature of a request: header, presigned query, or none.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html>

use std::borrow::Cow;

use http::HeaderValue;
use jiff::Timestamp;

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
    pub version: Version,
}

/// Which signature it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HMAC-SHA1, which S3 alone still takes. It has no scope: day, region and service are filled
    /// in, the region with the empty text. In a presigned URL the date is when it ends.
    V2,
    V4,
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

    /// What stands for the scope of a signature that has none.
    fn version2(access_key: &str, date: Date) -> Scope<'static> {
        let text = format!("{access_key}/{}//s3/aws4_request", date.day());
        let a = access_key.len();
        Scope { text: Cow::Owned(text), slashes: [a, a + 9, a + 10, a + 13] }
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
        "AWS" => return version2(head, rest),
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
        version: Version::V4,
    })
}

/// `AWS KEY:SIGNATURE`
fn version2<'a>(head: &Head<'a>, rest: &'a str) -> Result<Signed<'a>, Error> {
    let Some((key, signature)) = rest.trim_ascii().split_once(':') else {
        return Err(Error::Scheme { authorization: format!("AWS {rest}") });
    };
    let given = head.header("x-amz-date").or_else(|| head.header("date"));
    let Some(given) = given else {
        return Err(Error::NoDate { authorization: format!("AWS {rest}") });
    };
    let place = Place::Header;
    let date =
        Date::parse_http(given).ok_or_else(|| Error::BadDate { place, given: given.to_owned() })?;
    Ok(Signed {
        scope: Scope::version2(key, date),
        signed_headers: Cow::Borrowed(""),
        signature: Cow::Borrowed(signature),
        date,
        token: head.header("x-amz-security-token").map(Cow::Borrowed),
        place,
        expires: 0,
        version: Version::V2,
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
    old: OldQuery<'a>,
}

/// The parameters of Signature Version 2.
#[derive(Default)]
struct OldQuery<'a> {
    access_key: Option<&'a str>,
    signature: Option<&'a str>,
    expires: Option<&'a str>,
    token: Option<&'a str>,
}

impl<'a> QueryAuth<'a> {
    /// `None` when the query has nothing of authentication in it.
    fn find(query: &'a str) -> Option<Self> {
        if query.len() < "Signature=".len() {
            return None;
        }
        let mut q = QueryAuth::default();
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
                "AWSAccessKeyId" => q.old.access_key = Some(value),
                "Signature" => q.old.signature = Some(value),
                "Expires" => q.old.expires = Some(value),
                "x-amz-security-token" => q.old.token = Some(value),
                _ => {}
            }
        }
        let new = q.algorithm.is_some() || q.credential.is_some() || q.signature.is_some();
        (new || q.old.access_key.is_some()).then_some(q)
    }

    fn parse(self) -> Result<Signed<'a>, Error> {
        let place = Place::Query;
        match self.algorithm {
            None if self.old.access_key.is_some() => return self.old.parse(),
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
            version: Version::V4,
        })
    }
}

impl<'a> OldQuery<'a> {
    fn parse(self) -> Result<Signed<'a>, Error> {
        let OldQuery { access_key: Some(key), signature: Some(signature), .. } = self else {
            return Err(Error::Version2Query);
        };
        let ends = self.expires.ok_or(Error::Version2Query)?.parse().ok();
        let ends = ends.and_then(|s| Timestamp::from_second(s).ok()).ok_or(Error::Version2Query)?;
        let date = Date::new(ends);
        Ok(Signed {
            scope: Scope::version2(&decode_query(key), date),
            signed_headers: Cow::Borrowed(""),
            signature: decode_query(signature),
            date,
            token: self.token.map(decode_query),
            place: Place::Query,
            expires: 0,
            version: Version::V2,
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
