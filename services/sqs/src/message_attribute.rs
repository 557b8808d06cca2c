//! Message attributes: their rules, and the digest that clients check.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>

use std::collections::BTreeMap;

use fogbank_core::Result;
use fogbank_core::value::Blob;
use md5::{Digest, Md5};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::error::invalid;

/// An attribute of a stored message.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Attribute {
    #[n(0)]
    pub name: String,
    /// `String`, `Number.int`, `Binary`.
    #[n(1)]
    pub data_type: String,
    #[n(2)]
    pub value: Content,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Content {
    #[n(0)]
    Text(#[n(0)] String),
    #[n(1)]
    Bytes(#[n(0)] ByteVec),
}

/// An attribute on the wire.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Given {
    data_type: String,
    string_value: Option<String>,
    binary_value: Option<Blob>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    string_list_values: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    binary_list_values: Vec<Blob>,
}

/// The most attributes of a message.
const MOST: usize = 10;

/// Reads the attributes of a message, in order of their names.
///
/// # Errors
/// AWS's sentence about the first that cannot be.
pub fn read(given: BTreeMap<String, Given>) -> Result<Vec<Attribute>> {
    if given.len() > MOST {
        return Err(invalid(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{MOST}].",
            given.len()
        )));
    }
    given.into_iter().map(|(name, given)| one(name, given)).collect()
}

fn one(name: String, given: Given) -> Result<Attribute> {
    check_name(&name)?;
    let Given { data_type, string_value, binary_value, string_list_values, binary_list_values } =
        given;
    if !string_list_values.is_empty() || !binary_list_values.is_empty() {
        return Err(invalid(
            "Message attribute list values in SendMessage operation are not supported.",
        ));
    }
    if data_type.is_empty() {
        return Err(invalid(format!(
            "The message attribute '{name}' must contain a non-empty message attribute type."
        )));
    }
    let kind = data_type.split('.').next().unwrap_or_default();
    if !matches!(kind, "String" | "Number" | "Binary") || data_type.len() > 256 {
        return Err(invalid(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of \
             supported type prefixes is Binary, Number, and String."
        )));
    }
    let text = string_value.filter(|s| !s.is_empty());
    let bytes = binary_value.filter(|b| !b.0.is_empty());
    let value = match (kind, text, bytes) {
        ("Binary", None, Some(b)) => Content::Bytes(b.0.to_vec().into()),
        ("Number", Some(s), None) if !is_number(&s) => {
            return Err(invalid(format!(
                "Can't cast the value of message (user) attribute '{name}' to a number."
            )));
        }
        ("String" | "Number", Some(s), None) => Content::Text(s),
        (_, None, None) => {
            let what = if kind == "Binary" { "binary" } else { "string" };
            return Err(invalid(format!(
                "The message attribute '{name}' must contain a non-empty message attribute value \
                 for message attribute type '{what}'."
            )));
        }
        _ => {
            return Err(invalid(format!(
                "The message attribute '{name}' has a value that does not go with its type \
                 '{data_type}'."
            )));
        }
    };
    Ok(Attribute { name, data_type, value })
}

fn check_name(name: &str) -> Result<()> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let lower = name.to_ascii_lowercase();
    let reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    if name.is_empty() || name.len() > 256 {
        return Err(invalid(
            "Length of message attribute name must be between 1 and 256 characters.",
        ));
    }
    if !name.bytes().all(fits) {
        return Err(invalid(format!(
            "Invalid non-alphanumeric character was found in the message attribute name '{name}'. \
             Can only include alphanumeric characters, hyphens, underscores, or dots."
        )));
    }
    if reserved || name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return Err(invalid(format!(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.' or containing \
             successive, leading or trailing dots: '{name}'."
        )));
    }
    Ok(())
}

fn is_number(text: &str) -> bool {
    text.len() <= 128 && text.parse::<f64>().is_ok_and(f64::is_finite)
}

impl Attribute {
    /// What it counts towards the size of its message.
    pub fn size(&self) -> usize {
        self.name.len() + self.data_type.len() + self.bytes().len()
    }

    fn bytes(&self) -> &[u8] {
        match &self.value {
            Content::Text(s) => s.as_bytes(),
            Content::Bytes(b) => b,
        }
    }

    pub fn show(&self) -> Given {
        let (string_value, binary_value) = match &self.value {
            Content::Text(s) => (Some(s.clone()), None),
            Content::Bytes(b) => (None, Some(Blob(b.to_vec().into()))),
        };
        let data_type = self.data_type.clone();
        Given { data_type, string_value, binary_value, ..Given::default() }
    }
}

/// The MD5 of attributes that are in order of name; `None` when there are none.
pub fn digest<'a>(attributes: impl IntoIterator<Item = &'a Attribute>) -> Option<String> {
    let mut md5 = Md5::new();
    let mut any = false;
    for a in attributes {
        any = true;
        for part in [a.name.as_bytes(), a.data_type.as_bytes()] {
            length(&mut md5, part);
            md5.update(part);
        }
        md5.update([match a.value {
            Content::Text(_) => 1,
            Content::Bytes(_) => 2,
        }]);
        length(&mut md5, a.bytes());
        md5.update(a.bytes());
    }
    any.then(|| hex::encode(md5.finalize()))
}

fn length(md5: &mut Md5, part: &[u8]) {
    md5.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
}

/// Whether a request's list of names asks for an attribute: `All`, `.*`, its name, or `prefix.*`.
pub fn asked(names: &[String], name: &str) -> bool {
    names.iter().any(|n| match n.as_str() {
        "All" | ".*" => true,
        n => n == name || n.strip_suffix(".*").is_some_and(|p| name.starts_with(p)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(data_type: &str, value: &str) -> Given {
        Given { data_type: data_type.into(), string_value: Some(value.into()), ..Given::default() }
    }

    #[test]
    fn attributes_that_cannot_be() {
        let bytes = Given {
            data_type: "Binary".into(),
            binary_value: Some(Blob(b"x".as_slice().into())),
            ..Given::default()
        };
        for (name, given, good) in [
            ("a", text("String", "x"), true),
            ("a.b-c_D9", text("Number.int", "-1.5e3"), true),
            ("b", bytes.clone(), true),
            ("", text("String", "x"), false),
            (".a", text("String", "x"), false),
            ("a..b", text("String", "x"), false),
            ("AWS.a", text("String", "x"), false),
            ("a b", text("String", "x"), false),
            ("a", text("String", ""), false),
            ("a", text("", "x"), false),
            ("a", text("Strin", "x"), false),
            ("a", text("Number", "one"), false),
            ("a", text("Binary", "x"), false),
            ("a", Given { data_type: "String".into(), ..bytes }, false),
        ] {
            let read = read([(name.to_owned(), given)].into());
            assert_eq!(read.is_ok(), good, "{name}: {read:?}");
        }
        let many = (0..11).map(|n| (format!("a{n}"), text("String", "x"))).collect();
        assert!(read(many).is_err());
    }

    #[test]
    fn names_that_ask() {
        let names = |all: &[&str]| all.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert!(asked(&names(&["All"]), "x") && asked(&names(&[".*"]), "x"));
        assert!(asked(&names(&["foo.*"]), "foo.bar") && asked(&names(&["x", "y"]), "y"));
        assert!(!asked(&names(&["foo.*"]), "bar") && !asked(&[], "x"));
    }
}
