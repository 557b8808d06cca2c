//! Messages: their record, what they may hold, and how they are told.

use std::collections::BTreeMap;

use fogbank_core::{ApiError, Cx, Result};
use fogbank_store::Table;
use md5::{Digest, Md5};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::attribute::Settings;
use crate::error::{bad_value, invalid, missing};
use crate::flight::Taken;
use crate::handle::Handle;
use crate::message_attribute::{self as attribute, Attribute, Given};

/// `(generation, place)`.
pub static MESSAGES: Table<Message> = Table::new("sqs.message");

/// A message: what never changes about it.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Message {
    #[n(0)]
    pub id: String,
    #[n(1)]
    pub body: String,
    #[n(2)]
    pub attributes: Vec<Attribute>,
    /// `AWSTraceHeader`.
    #[n(3)]
    pub trace: Option<Attribute>,
    /// `SenderId`.
    #[n(4)]
    pub sender: String,
    /// Milliseconds since 1970.
    #[n(5)]
    pub sent: i64,
    #[n(6)]
    pub group: Option<String>,
    #[n(7)]
    pub deduplication: Option<String>,
    /// The ARN of the queue from which it came as a dead letter.
    #[n(8)]
    pub source: Option<String>,
}
fogbank_store::record!(Message, version = 1);

/// A message as a client gives it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Draft {
    pub message_body: String,
    pub delay_seconds: Option<i64>,
    #[serde(default)]
    pub message_attributes: BTreeMap<String, Given>,
    #[serde(default)]
    pub message_system_attributes: BTreeMap<String, Given>,
    pub message_deduplication_id: Option<String>,
    pub message_group_id: Option<String>,
}

/// A draft that has passed all checks.
#[derive(Debug)]
pub struct Checked {
    pub message: Message,
    /// In seconds.
    pub delay: u64,
    pub size: usize,
}

impl Draft {
    /// Checks it for a queue with these settings.
    ///
    /// # Errors
    /// AWS's sentence about the first thing that is wrong.
    pub fn check(self, cx: &Cx, settings: &Settings) -> Result<Checked> {
        if self.message_body.is_empty() {
            return Err(missing("MessageBody"));
        }
        check_text(&self.message_body)?;
        let attributes = attribute::read(self.message_attributes)?;
        let trace = trace(self.message_system_attributes)?;
        let size = self.message_body.len() + attributes.iter().map(Attribute::size).sum::<usize>();
        if size as u64 > settings.max_size {
            return Err(invalid(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {} bytes.",
                settings.max_size
            )));
        }
        let delay = match self.delay_seconds {
            None => settings.delay,
            Some(n) if settings.fifo && n != 0 => {
                let reason = "The request include parameter that is not valid for this queue type.";
                return Err(bad_value(n, "DelaySeconds", reason));
            }
            Some(_) if settings.fifo => settings.delay,
            Some(n @ 0..=900) => n as u64,
            Some(n) => {
                let reason = "DelaySeconds must be >= 0 and <= 900.";
                return Err(bad_value(n, "DelaySeconds", reason));
            }
        };
        let group = self.message_group_id;
        let mut deduplication = self.message_deduplication_id;
        for (name, id) in [("MessageGroupId", &group), ("MessageDeduplicationId", &deduplication)] {
            if let Some(id) = id.as_deref().filter(|id| !is_id(id)) {
                let reason = format!(
                    "{name} can only include alphanumeric and punctuation characters. 1 to 128 in \
                     length."
                );
                return Err(bad_value(id, name, &reason));
            }
        }
        if settings.fifo {
            if group.is_none() {
                return Err(missing("MessageGroupId"));
            }
            if deduplication.is_none() && settings.content_based {
                deduplication = Some(hex::encode(Sha256::digest(self.message_body.as_bytes())));
            }
            if deduplication.is_none() {
                return Err(invalid(
                    "The queue should either have ContentBasedDeduplication enabled or \
                     MessageDeduplicationId provided explicitly",
                ));
            }
        } else if let Some(id) = &deduplication {
            let reason = "The request includes a parameter that is not valid for this queue type.";
            return Err(bad_value(id, "MessageDeduplicationId", reason));
        }
        let message = Message {
            id: cx.ids().uuid(),
            body: self.message_body,
            attributes,
            trace,
            sender: cx.principal.id.clone(),
            sent: cx.now.as_millisecond(),
            group,
            deduplication,
            source: None,
        };
        Ok(Checked { message, delay, size })
    }
}

/// What a message's text may hold: what XML 1.0 may.
fn check_text(body: &str) -> Result<()> {
    let bad = |c: &char| match c {
        '\t' | '\n' | '\r' => false,
        '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => true,
        _ => false,
    };
    match body.chars().find(bad) {
        None => Ok(()),
        Some(c) => Err(ApiError::new(
            "InvalidMessageContents",
            format!(
                "Invalid binary character '#x{:X}' was found in the message body, the set of \
                 allowed characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | \
                 #x10000 to #x10FFFF",
                u32::from(c)
            ),
        )),
    }
}

/// The only system attribute that a client may send.
fn trace(given: BTreeMap<String, Given>) -> Result<Option<Attribute>> {
    if let Some(name) = given.keys().find(|n| *n != "AWSTraceHeader") {
        return Err(invalid(format!("Message system attribute name '{name}' is invalid.")));
    }

    let read = attribute::read(given)?.pop();
    match read {
        Some(a) if a.data_type != "String" => {
            Err(invalid("The message system attribute 'AWSTraceHeader' must be of type 'String'."))
        }
        read => Ok(read),
    }
}

/// Whether a text can identify a group, a duplicate or an attempt.
pub fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The MD5 of a text, in hexadecimal.
pub fn md5(text: &str) -> String {
    hex::encode(Md5::digest(text.as_bytes()))
}

/// A message as ReceiveMessage tells it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct View {
    message_id: String,
    receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: String,
    body: String,
    attributes: Option<BTreeMap<&'static str, String>>,
    #[serde(rename = "MD5OfMessageAttributes")]
    md5_of_attributes: Option<String>,
    message_attributes: Option<BTreeMap<String, Given>>,
}

/// The system attributes that a client may ask for.
pub const SYSTEM: [&str; 9] = [
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

impl View {
    /// `system` and `names`: the attributes that were asked for.
    pub fn new(
        taken: Taken,
        generation: u64,
        fifo: bool,
        system: &[&str],
        names: &[String],
    ) -> View {
        let Taken { place, due, receipt, message } = taken;
        let handle = Handle { generation, place, due, nonce: receipt.nonce };
        let mut attributes = BTreeMap::new();
        for name in system {
            let value = match *name {
                "SenderId" => Some(message.sender.clone()),
                "SentTimestamp" => Some(message.sent.to_string()),
                "ApproximateReceiveCount" => Some(receipt.receives.to_string()),
                "ApproximateFirstReceiveTimestamp" => Some(receipt.first.to_string()),
                "SequenceNumber" => fifo.then(|| place.sequence()),
                "MessageDeduplicationId" => message.deduplication.clone(),
                "MessageGroupId" => message.group.clone(),
                "AWSTraceHeader" => message.trace.as_ref().and_then(|t| match &t.value {
                    attribute::Content::Text(s) => Some(s.clone()),
                    attribute::Content::Bytes(_) => None,
                }),
                "DeadLetterQueueSourceArn" => message.source.clone(),
                _ => None,
            };
            if let (Some(value), Some(name)) = (value, SYSTEM.iter().find(|n| *n == name)) {
                attributes.insert(*name, value);
            }
        }
        let own: Vec<&Attribute> =
            message.attributes.iter().filter(|a| attribute::asked(names, &a.name)).collect();
        let shown: BTreeMap<String, Given> =
            own.iter().map(|a| (a.name.clone(), a.show())).collect();
        View {
            receipt_handle: handle.text(),
            md5_of_body: md5(&message.body),
            md5_of_attributes: attribute::digest(own),
            message_attributes: Some(shown).filter(|s| !s.is_empty()),
            attributes: Some(attributes).filter(|a| !a.is_empty()),
            message_id: message.id,
            body: message.body,
        }
    }
}
