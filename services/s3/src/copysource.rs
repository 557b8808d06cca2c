//! `x-amz-copy-source`: which object, and which version of it, a copy reads.

use fogbank_core::Result;
use percent_encoding::percent_decode_str;

use crate::error::invalid_argument;

/// A parsed source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopySource {
    pub bucket: String,
    pub key: String,
    pub version: Option<String>,
}

impl CopySource {
    /// Parses `[/]bucket/key[?versionId=…]`; bucket and key are percent-encoded.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn parse(text: &str) -> Result<CopySource> {
        let invalid = |message: &str| Err(invalid_argument("x-amz-copy-source", text, message));
        let (path, version) = match text.rsplit_once("?versionId=") {
            Some((p, v)) => (p, Some(v.split('&').next().unwrap_or(v).to_owned())),
            None => (text, None),
        };
        // A plus sign stands for a space here, as S3 has it.
        let Ok(path) = percent_decode_str(&path.replace('+', " ")).decode_utf8().map(String::from)
        else {
            return invalid("Invalid copy source encoding.");
        };
        let path = path.strip_prefix('/').unwrap_or(&path);
        match path.split_once('/') {
            Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => Ok(CopySource {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                version: version.filter(|v| !v.is_empty()),
            }),
            _ => invalid("Invalid copy source object key"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CopySource;

    #[test]
    fn sources() {
        for (text, bucket, key, version) in [
            ("b/k", "b", "k", None),
            ("/b/k/l", "b", "k/l", None),
            ("b/k?versionId=abc", "b", "k", Some("abc")),
            ("b/a%3Fb%20c+d", "b", "a?b c d", None),
            ("b/a?b", "b", "a?b", None),
            ("b%2Fk", "b", "k", None),
            ("/b//k", "b", "/k", None),
        ] {
            let want = CopySource {
                bucket: bucket.into(),
                key: key.into(),
                version: version.map(str::to_owned),
            };
            assert_eq!(CopySource::parse(text).unwrap(), want, "{text}");
        }
        for text in ["", "/", "b", "b/", "/b/", "b/%ff"] {
            assert!(CopySource::parse(text).is_err(), "{text}");
        }
    }
}
