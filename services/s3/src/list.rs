//! Listings: keys, versions and uploads, in pages that cost what they return.
//!
//! With a delimiter, everything below a common prefix is skipped by one seek. Keys come in the
//! binary order of their UTF-8.

use fogbank_core::{ApiError, Cx, Op, Result, Str, Value};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::S3;
use crate::error::invalid_argument;
use crate::owner::Owner;
use crate::record::Listed;

mod cursor;
mod objects;
mod uploads;
mod versions;

/// The operations that list what is in a bucket.
pub(crate) const TABLES: [&[Op<S3>]; 3] = [objects::OPS, uploads::OPS, versions::OPS];

/// What S3 leaves alone under `encoding-type=url`.
const ENCODE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/').remove(b'~').remove(b'*');

/// How a listing writes keys: as they are, or percent-encoded when asked to, since XML cannot
/// carry every character.
#[derive(Clone, Copy)]
pub(crate) struct Encoding(bool);

impl Encoding {
    pub fn read(encoding_type: Option<&str>) -> Result<Encoding> {
        match encoding_type {
            None | Some("") => Ok(Encoding(false)),
            Some("url") => Ok(Encoding(true)),
            Some(other) => Err(invalid_argument(
                "encoding-type",
                other,
                "Invalid Encoding Method specified in Request",
            )),
        }
    }

    pub fn name(self) -> Option<&'static str> {
        self.0.then_some("url")
    }

    pub fn text(self, s: &str) -> String {
        if self.0 { utf8_percent_encode(s, ENCODE).to_string() } else { s.to_owned() }
    }

    pub fn opt(self, s: Option<&str>) -> Option<String> {
        s.map(|s| self.text(s))
    }
}

/// A key as the path of a URL.
pub(crate) fn url_path(key: &str) -> String {
    utf8_percent_encode(key, ENCODE).to_string()
}

/// The size of a page: what was asked for, at most 1000.
pub(crate) fn page_size(name: &str, asked: Option<i64>) -> Result<usize> {
    match asked {
        None => Ok(1000),
        Some(n @ 0..=2_147_483_647) => Ok(usize::try_from(n).unwrap_or(1000).min(1000)),
        Some(n) => Err(invalid_argument(
            name,
            &n.to_string(),
            &format!("Argument {} must be an integer between 0 and 2147483647", camel(name)),
        )),
    }
}

/// The common prefix of `key`: up to and with the first delimiter behind the prefix.
pub(crate) fn common_prefix<'k>(key: &'k str, prefix: &str, delimiter: &str) -> Option<&'k str> {
    let rest = key.strip_prefix(prefix)?;
    let at = rest.find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

/// `CommonPrefixes`.
pub(crate) fn prefixes(prefixes: &[String], encoding: Encoding) -> Option<Vec<Value>> {
    (!prefixes.is_empty()).then(|| {
        prefixes
            .iter()
            .map(|p| Value::Map(vec![(Str::from("Prefix"), Value::from(encoding.text(p)))]))
            .collect()
    })
}

/// The members that `Contents` and `Versions` share.
fn entry(key: String, row: &Listed<'_>, owner: Option<&Value>) -> Vec<(Str, Value)> {
    let mut m = Vec::with_capacity(10);
    m.push(("Key".into(), Value::from(key)));
    m.push(("LastModified".into(), Value::Time(seconds(row.modified))));
    m.push(("ETag".into(), Value::from(format!("\"{}\"", row.etag))));
    if let Some((algorithm, kind)) = row.checksum {
        m.push((
            "ChecksumAlgorithm".into(),
            Value::List(vec![Value::Str(algorithm.name().into())]),
        ));
        m.push(("ChecksumType".into(), Value::Str(kind.name().into())));
    }
    m.push(("Size".into(), Value::Int(i64::try_from(row.size).unwrap_or(i64::MAX))));
    let class = row.storage_class.map_or(Str::from("STANDARD"), |c| Str::from(c.to_owned()));
    m.push(("StorageClass".into(), Value::Str(class)));
    if let Some(owner) = owner {
        m.push(("Owner".into(), owner.clone()));
    }
    m
}

/// Owners as values, made once per account and page.
#[derive(Default)]
struct Owners(Vec<(String, Value)>);

impl Owners {
    fn get(&mut self, account: &str) -> &Value {
        let at = match self.0.iter().position(|(a, _)| a == account) {
            Some(at) => at,
            None => {
                let value = fogbank_core::value::to_value(&Owner::of(account)).unwrap_or_default();
                self.0.push((account.to_owned(), value));
                self.0.len() - 1
            }
        };
        &self.0[at].1
    }
}

fn seconds(n: i64) -> Timestamp {
    Timestamp::from_second(n).unwrap_or_default()
}

/// `OptionalObjectAttributes` asks for restore states, which only archived objects have.
fn check_optional_attributes(cx: &Cx, asked: &[String]) -> Result<()> {
    if asked.iter().any(|a| a != "RestoreStatus") {
        return Err(cx.refuse_member("OptionalObjectAttributes"));
    }
    Ok(())
}

/// A row that cannot be read.
fn damaged(e: &impl std::fmt::Display) -> ApiError {
    ApiError::internal(format!("a row of a listing cannot be read: {e}"))
}

fn camel(name: &str) -> String {
    let mut parts = name.split('-');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut s, p| {
        s.push_str(&p[..1].to_ascii_uppercase());
        s.push_str(&p[1..]);
        s
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_prefixes() {
        for (key, prefix, delimiter, want) in [
            ("a/b/c", "", "/", Some("a/")),
            ("a/b/c", "a/", "/", Some("a/b/")),
            ("a/b/c", "a/b/", "/", None),
            ("a/b/c", "x", "/", None),
            ("a--b", "a", "--", Some("a--")),
            ("a-b", "", "é", None),
            ("aébé", "", "é", Some("aé")),
        ] {
            assert_eq!(common_prefix(key, prefix, delimiter), want, "{key} {prefix}");
        }
    }

    #[test]
    fn page_sizes() {
        assert_eq!(page_size("max-keys", None).unwrap(), 1000);
        assert_eq!(page_size("max-keys", Some(0)).unwrap(), 0);
        assert_eq!(page_size("max-keys", Some(5000)).unwrap(), 1000);
        let e = page_size("max-keys", Some(-1)).unwrap_err();
        assert_eq!(e.message(), "Argument maxKeys must be an integer between 0 and 2147483647");
    }

    #[test]
    fn encoding() {
        let url = Encoding::read(Some("url")).unwrap();
        assert_eq!(url.text("a +/é*~"), "a%20%2B/%C3%A9*~");
        assert_eq!(Encoding::read(None).unwrap().text("a +"), "a +");
        assert!(Encoding::read(Some("hex")).is_err());
    }
}
