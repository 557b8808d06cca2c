//! Messages: what is published, and what each protocol gets of it.

use std::collections::BTreeMap;

use fogbank_core::value::Blob;
use fogbank_core::{Cx, Result};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use serde::Deserialize;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::error::{invalid, invalid_value};
use crate::topic::Found;

/// A message that was published.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Message {
    #[n(0)]
    pub id: String,
    /// What is sent where [`Message::by_protocol`] says nothing else.
    #[n(1)]
    pub text: String,
    #[n(2)]
    pub by_protocol: BTreeMap<String, String>,
    #[n(3)]
    pub subject: Option<String>,
    #[n(4)]
    pub attributes: Vec<Attribute>,
    /// Milliseconds since 1970.
    #[n(5)]
    pub at: i64,
    #[n(6)]
    pub group: Option<String>,
    #[n(7)]
    pub deduplication: Option<String>,
    #[n(8)]
    pub sequence: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Attribute {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub data_type: String,
    #[n(2)]
    pub value: Content,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Content {
    #[n(0)]
    Text(#[n(0)] String),
    #[n(1)]
    Bytes(#[n(0)] ByteVec),
}

/// A message as a client gives it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Draft {
    pub message: String,
    pub message_structure: Option<String>,
    pub subject: Option<String>,
    #[serde(default)]
    pub message_attributes: BTreeMap<String, Given>,
    pub message_group_id: Option<String>,
    pub message_deduplication_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Given {
    data_type: String,
    string_value: Option<String>,
    binary_value: Option<Blob>,
}

/// The largest message with its attributes, in bytes.
pub const LARGEST: usize = 256 << 10;

impl Draft {
    /// Checks it for a topic.
    ///
    /// # Errors
    /// AWS's sentence about the first thing that is wrong.
    pub fn check(self, cx: &Cx, found: &Found) -> Result<Message> {
        if self.message.is_empty() {
            return Err(invalid("Empty message"));
        }
        if let Some(s) = &self.subject
            && !is_subject(s)
        {
            return Err(invalid("Subject"));
        }
        let attributes = attributes(self.message_attributes)?;
        let size = self.message.len() + attributes.iter().map(Attribute::size).sum::<usize>();
        if size > LARGEST {
            return Err(invalid("Message too long"));
        }
        let (text, by_protocol) = match self.message_structure.as_deref() {
            None => (self.message, BTreeMap::new()),
            Some("json") => structure(&self.message)?,
            Some(_) => return Err(invalid("MessageStructure")),
        };
        let mut deduplication = self.message_deduplication_id;
        let group = self.message_group_id;
        for (name, id) in [("MessageGroupId", &group), ("MessageDeduplicationId", &deduplication)] {
            if let Some(id) = id
                && !(1..=128).contains(&id.len()) | !id.bytes().all(|b| b.is_ascii_graphic())
            {
                return Err(invalid(format!(
                    "{name} Reason: {name} can only include alphanumeric and punctuation \
                     characters. 1 to 128 in length."
                )));
            }
        }
        if found.at.is_fifo() {
            if group.is_none() {
                return Err(invalid("The MessageGroupId parameter is required for FIFO topics"));
            }
            if deduplication.is_none() && found.topic.settings.content_based {
                deduplication = Some(hex::encode(Sha256::digest(text.as_bytes())));
            }
            if deduplication.is_none() {
                return Err(invalid(
                    "The topic should either have ContentBasedDeduplication enabled or \
                     MessageDeduplicationId provided explicitly",
                ));
            }
        } else if deduplication.is_some() {
            return Err(invalid(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId \
                 parameter that is not valid for this topic type",
            ));
        }
        Ok(Message {
            id: cx.ids().uuid(),
            text,
            by_protocol,
            subject: self.subject,
            attributes,
            at: cx.now.as_millisecond(),
            group,
            deduplication,
            sequence: None,
        })
    }
}

fn is_subject(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_graphic());
    first && text.len() <= 100 && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

/// A message that says by protocol what to send.
fn structure(text: &str) -> Result<(String, BTreeMap<String, String>)> {
    let failed = || invalid("Message Structure - JSON message body failed to parse");
    let json: Json = serde_json::from_str(text).map_err(|_| failed())?;
    let map = json.as_object().ok_or_else(failed)?;
    let texts: BTreeMap<String, String> =
        map.iter().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect();
    let Some(default) = texts.get("default").cloned() else {
        return Err(invalid("Message Structure - No default entry in JSON message body"));
    };
    Ok((default, texts))
}

/// Reads the attributes of a message, in order of their names.
fn attributes(given: BTreeMap<String, Given>) -> Result<Vec<Attribute>> {
    given.into_iter().map(|(name, given)| attribute(name, given)).collect()
}

fn attribute(name: String, given: Given) -> Result<Attribute> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    if name.is_empty() || name.len() > 256 || !name.bytes().all(fits) || dots {
        return Err(invalid_value(format!(
            "The message attribute name '{name}' is invalid: it can only include alphanumeric \
             characters, hyphens, underscores and single dots, 1 to 256 in length."
        )));
    }
    let Given { data_type, string_value, binary_value } = given;
    let kind = data_type.split('.').next().unwrap_or_default();
    if !matches!(kind, "String" | "Number" | "Binary") {
        return Err(invalid_value(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of \
             supported type prefixes is Binary, Number, and String."
        )));
    }
    let text = string_value.filter(|s| !s.is_empty());
    let bytes = binary_value.filter(|b| !b.0.is_empty());
    let value = match (kind, text, bytes) {
        ("Binary", _, Some(b)) => Content::Bytes(b.0.to_vec().into()),
        ("Number", Some(s), _) if s.parse::<f64>().is_err() => {
            return Err(invalid_value(format!(
                "Could not cast message attribute '{name}' value to number."
            )));
        }
        ("String", Some(s), _) if data_type == "String.Array" && !is_array(&s) => {
            return Err(invalid_value(format!(
                "The message attribute '{name}' of type String.Array must be a JSON array of \
                 strings, numbers, booleans or null."
            )));
        }
        ("String" | "Number", Some(s), _) => Content::Text(s),
        _ => {
            return Err(invalid_value(format!(
                "The message attribute '{name}' must contain non-empty message attribute value for \
                 message attribute type '{data_type}'."
            )));
        }
    };
    Ok(Attribute { name, data_type, value })
}

fn is_array(text: &str) -> bool {
    let json: Option<Vec<Json>> = serde_json::from_str(text).ok();
    json.is_some_and(|all| all.iter().all(|v| !v.is_array() && !v.is_object()))
}

impl Attribute {
    fn size(&self) -> usize {
        let value = match &self.value {
            Content::Text(s) => s.len(),
            Content::Bytes(b) => b.len(),
        };
        self.name.len() + self.data_type.len() + value
    }
}

impl Message {
    /// The text for a protocol.
    pub fn for_protocol(&self, protocol: &str) -> &str {
        self.by_protocol.get(protocol).map_or(&self.text, String::as_str)
    }
}
