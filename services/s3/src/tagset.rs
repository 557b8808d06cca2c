//! Tag sets: their rules, and the form they have in a header.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>

use fogbank_core::{ApiError, Result};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::error::invalid_argument;

/// A tag as the API has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tag {
    pub key: String,
    pub value: String,
}

/// The tags of an object, checked.
///
/// # Errors
/// `BadRequest` for more than ten, `InvalidTag` for what a tag cannot be.
pub(crate) fn for_object(tags: Vec<Tag>) -> Result<Vec<(String, String)>> {
    if tags.len() > 10 {
        return Err(
            ApiError::new("BadRequest", "Object tags cannot be greater than 10").status(400)
        );
    }
    check(tags)
}

/// The rules that hold for every tag set.
///
/// # Errors
/// `InvalidTag`.
pub(crate) fn check(tags: Vec<Tag>) -> Result<Vec<(String, String)>> {
    let mut out: Vec<(String, String)> = Vec::with_capacity(tags.len());
    for Tag { key, value } in tags {
        if key.is_empty() || key.chars().count() > 128 || !key.chars().all(allowed) {
            return Err(invalid_tag("The TagKey you have provided is invalid", &key));
        }
        if value.chars().count() > 256 || !value.chars().all(allowed) {
            return Err(invalid_tag("The TagValue you have provided is invalid", &key));
        }
        if key.starts_with("aws:") {
            let message = "System tags cannot be added/updated by requester";
            return Err(invalid_tag(message, &key));
        }
        if out.iter().any(|(k, _)| *k == key) {
            let message = "Cannot provide multiple Tags with the same key";
            return Err(invalid_tag(message, &key));
        }
        out.push((key, value));
    }
    Ok(out)
}

/// The tags of the header `x-amz-tagging`: `k=v&k2=v2`, percent-encoded.
///
/// # Errors
/// As [`for_object`]; `InvalidArgument` when it is not such a list.
pub(crate) fn from_header(text: &str) -> Result<Vec<(String, String)>> {
    let malformed = || {
        invalid_argument(
            "x-amz-tagging",
            text,
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query \
             parameters without tag name duplicates.",
        )
    };
    let decode = |s: &str| {
        let s = s.replace('+', " ");
        percent_decode_str(&s).decode_utf8().map(|s| s.into_owned()).map_err(|_| malformed())
    };
    let mut tags: Vec<Tag> = Vec::new();
    for pair in text.split('&').filter(|p| !p.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let tag = Tag { key: decode(key)?, value: decode(value)? };
        if tag.key.is_empty() || tags.iter().any(|t| t.key == tag.key) {
            return Err(malformed());
        }
        tags.push(tag);
    }
    // In a header they have no order.
    tags.sort_by(|a, b| a.key.cmp(&b.key));
    for_object(tags)
}

/// For a reply.
pub(crate) fn to_output(tags: &[(String, String)]) -> Vec<Tag> {
    tags.iter().map(|(k, v)| Tag { key: k.clone(), value: v.clone() }).collect()
}

fn allowed(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() && !c.is_control() || "+-=._:/@".contains(c)
}

fn invalid_tag(message: &str, key: &str) -> ApiError {
    ApiError::new("InvalidTag", message).status(400).field("TagKey", key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let ok = from_header("a=1&b=%C3%A9+x&c").unwrap();
        let want = [("a", "1"), ("b", "é x"), ("c", "")];
        assert_eq!(ok, want.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(from_header("").unwrap(), []);
        for (text, code) in [
            ("a=1&a=2", "InvalidArgument"),
            ("=1", "InvalidArgument"),
            ("a=%ff", "InvalidArgument"),
            ("aws:x=1", "InvalidTag"),
            ("a=%01", "InvalidTag"),
            ("0=&1=&2=&3=&4=&5=&6=&7=&8=&9=&10=", "BadRequest"),
        ] {
            assert_eq!(from_header(text).unwrap_err().code(), code, "{text}");
        }
    }

    #[test]
    fn lengths_are_in_characters() {
        let tag = |k: usize, v: usize| vec![Tag { key: "é".repeat(k), value: "é".repeat(v) }];
        assert!(check(tag(128, 256)).is_ok());
        assert!(check(tag(129, 0)).is_err());
        assert!(check(tag(1, 257)).is_err());
        assert!(check(tag(0, 0)).is_err());
    }
}
