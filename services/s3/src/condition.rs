//! Conditional requests: `If-Match` and its kin, on reads, writes and the source of a copy.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>

use fogbank_core::{ApiError, Result, Time};

use crate::error::{no_such_key, precondition_failed};
use crate::record::ObjectRecord;

/// The conditions of a read.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadConditions<'a> {
    pub if_match: Option<&'a str>,
    pub if_none_match: Option<&'a str>,
    pub if_modified_since: Option<Time>,
    pub if_unmodified_since: Option<Time>,
}

/// What the conditions of a read say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Go,
    NotModified,
    /// With the name of the header.
    Failed(&'static str),
}

impl ReadConditions<'_> {
    /// As RFC 9110 orders them: an ETag condition that is given decides over its date.
    pub fn verdict(&self, record: &ObjectRecord) -> Verdict {
        let modified = record.modified;
        match (self.if_match, self.if_unmodified_since) {
            (Some(tag), _) if !matches(tag, &record.etag) => return Verdict::Failed("If-Match"),
            (None, Some(t)) if modified > t.0.as_second() => {
                return Verdict::Failed("If-Unmodified-Since");
            }
            _ => {}
        }
        match (self.if_none_match, self.if_modified_since) {
            (Some(tag), _) if matches(tag, &record.etag) => Verdict::NotModified,
            (None, Some(t)) if modified <= t.0.as_second() => Verdict::NotModified,
            _ => Verdict::Go,
        }
    }

    /// The same for the source of a copy, which never answers "not modified".
    pub fn check_copy_source(&self, record: &ObjectRecord) -> Result<()> {
        let failed = match self.verdict(record) {
            Verdict::Go => return Ok(()),
            Verdict::Failed("If-Match") => "x-amz-copy-source-If-Match",
            Verdict::Failed(_) => "x-amz-copy-source-If-Unmodified-Since",
            Verdict::NotModified if self.if_none_match.is_some() => {
                "x-amz-copy-source-If-None-Match"
            }
            Verdict::NotModified => "x-amz-copy-source-If-Modified-Since",
        };
        Err(precondition_failed(failed))
    }
}

/// The conditions of a write or a delete.
#[derive(Clone, Debug, Default)]
pub(crate) struct WriteConditions {
    if_match: Option<String>,
    if_none_match: bool,
}

impl WriteConditions {
    /// Reads `If-Match` and `If-None-Match`, of which S3 knows `*` only.
    ///
    /// # Errors
    /// `NotImplemented`, as S3 itself answers another `If-None-Match`.
    pub fn read(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<WriteConditions> {
        if if_none_match.is_some_and(|v| v.trim() != "*") {
            return Err(not_implied("If-None-Match"));
        }
        Ok(WriteConditions {
            if_match: if_match.map(str::to_owned),
            if_none_match: if_none_match.is_some(),
        })
    }

    /// Against the current version, `None` when there is none or it is a delete marker.
    pub fn check(&self, key: &str, current: Option<&ObjectRecord>) -> Result<()> {
        if self.if_none_match && current.is_some() {
            return Err(precondition_failed("If-None-Match"));
        }
        let Some(tag) = &self.if_match else { return Ok(()) };
        match current {
            None => Err(no_such_key(key)),
            Some(c) if matches(tag, &c.etag) => Ok(()),
            Some(_) => Err(precondition_failed("If-Match")),
        }
    }
}

/// Whether an ETag list (`"a", "b"`, quotes optional, or `*`) names `etag`.
pub(crate) fn matches(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|t| t == "*" || unquote(t) == etag)
}

/// An ETag without quotes and weakness.
pub(crate) fn unquote(tag: &str) -> &str {
    let tag = tag.trim().strip_prefix("W/").unwrap_or(tag.trim());
    tag.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(tag)
}

/// S3's own refusal of a header's meaning.
fn not_implied(header: &str) -> ApiError {
    ApiError::new(
        "NotImplemented",
        "A header you provided implies functionality that is not implemented",
    )
    .status(501)
    .field("Header", header)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn at(second: i64) -> Option<Time> {
        Some(Time(Timestamp::from_second(second).unwrap()))
    }

    #[test]
    fn reads() {
        let record = ObjectRecord { etag: "abc".into(), modified: 100, ..ObjectRecord::empty() };
        let none = ReadConditions::default();
        let failed = Verdict::Failed;
        for (c, want) in [
            (none.clone(), Verdict::Go),
            (ReadConditions { if_match: Some("\"abc\""), ..none }, Verdict::Go),
            (ReadConditions { if_match: Some("x"), ..none }, failed("If-Match")),
            (
                ReadConditions { if_none_match: Some("\"x\", \"abc\""), ..none },
                Verdict::NotModified,
            ),
            (ReadConditions { if_none_match: Some("*"), ..none }, Verdict::NotModified),
            (ReadConditions { if_modified_since: at(100), ..none }, Verdict::NotModified),
            (ReadConditions { if_modified_since: at(99), ..none }, Verdict::Go),
            (ReadConditions { if_unmodified_since: at(99), ..none }, failed("If-Unmodified-Since")),
            (ReadConditions { if_unmodified_since: at(100), ..none }, Verdict::Go),
            // An ETag that matches outweighs the date.
            (
                ReadConditions { if_match: Some("abc"), if_unmodified_since: at(1), ..none },
                Verdict::Go,
            ),
            (
                ReadConditions { if_none_match: Some("x"), if_modified_since: at(100), ..none },
                Verdict::Go,
            ),
        ] {
            assert_eq!(c.verdict(&record), want, "{c:?}");
        }
    }

    #[test]
    fn writes() {
        let record = ObjectRecord { etag: "abc".into(), ..ObjectRecord::empty() };
        for (if_match, if_none_match, current, want) in [
            (None, None, None, None),
            (None, Some("*"), None, None),
            (None, Some("*"), Some(&record), Some("PreconditionFailed")),
            (Some("\"abc\""), None, Some(&record), None),
            (Some("abd"), None, Some(&record), Some("PreconditionFailed")),
            (Some("abc"), None, None, Some("NoSuchKey")),
        ] {
            let c = WriteConditions::read(if_match, if_none_match).unwrap();
            let got = c.check("k", current).err().map(|e| e.code().to_owned());
            assert_eq!(got.as_deref(), want);
        }
        assert_eq!(
            WriteConditions::read(None, Some("\"x\"")).unwrap_err().code(),
            "NotImplemented"
        );
    }
}
