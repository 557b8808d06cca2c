//! Envelopes: the documents in which messages arrive, as AWS writes them, and what is signed of them.
//!
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::Cloud;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value as Json, json};

use crate::address::Address;
use crate::message::{Attribute, Content, Message};
use crate::subscription::Subscription;

/// How a message is signed.
#[derive(Clone, Debug)]
pub struct Signed {
    /// `1`: SHA-1, `2`: SHA-256.
    pub version: &'static str,
    pub signature: String,
    pub certificate: String,
}

/// `2012-04-25T21:49:25.719Z`.
pub fn time(at: i64) -> String {
    let t = Timestamp::from_millisecond(at).unwrap_or_default();
    t.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// What is signed of a notification.
pub fn to_sign(topic: &Address, m: &Message, text: &str) -> String {
    let mut out = format!("Message\n{text}\nMessageId\n{}\n", m.id);
    if let Some(subject) = &m.subject {
        let _ = write!(out, "Subject\n{subject}\n");
    }
    let _ =
        write!(out, "Timestamp\n{}\nTopicArn\n{}\nType\nNotification\n", time(m.at), topic.arn());
    out
}

/// Where a subscription is ended without signing a request.
pub fn unsubscribe_url(cloud: &dyn Cloud, topic: &Address, s: &Subscription) -> String {
    format!("{}/?Action=Unsubscribe&SubscriptionArn={}", cloud.endpoint(), s.arn(topic))
}

/// The document for queues and HTTP endpoints.
pub fn notification(
    cloud: &dyn Cloud,
    topic: &Address,
    s: &Subscription,
    m: &Message,
    text: &str,
    signed: &Signed,
) -> String {
    let mut fields = vec![("Type", "Notification".to_owned()), ("MessageId", m.id.clone())];
    fields.extend(m.sequence.clone().map(|n| ("SequenceNumber", n)));
    fields.push(("TopicArn", topic.arn()));
    fields.extend(m.subject.clone().map(|s| ("Subject", s)));
    fields.extend([
        ("Message", text.to_owned()),
        ("Timestamp", time(m.at)),
        ("SignatureVersion", signed.version.to_owned()),
        ("Signature", signed.signature.clone()),
        ("SigningCertURL", signed.certificate.clone()),
        ("UnsubscribeURL", unsubscribe_url(cloud, topic, s)),
    ]);
    let mut out = document(&fields);
    if !m.attributes.is_empty() {
        out.truncate(out.len() - 2);
        out.push_str(",\n  \"MessageAttributes\" : {\n");
        for (i, a) in m.attributes.iter().enumerate() {
            let comma = if i == 0 { "" } else { ",\n" };
            let (name, kind, value) = (json!(a.name), json!(a.data_type), json!(value(a)));
            let _ = write!(out, "{comma}    {name} : {{\"Type\":{kind},\"Value\":{value}}}");
        }
        out.push_str("\n  }\n}");
    }
    out
}

/// A document with one member a line.
fn document(fields: &[(&str, String)]) -> String {
    let mut out = String::from("{");
    for (i, (name, value)) in fields.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        let _ = write!(out, "{comma}\n  \"{name}\" : {}", json!(value));
    }
    out.push_str("\n}");
    out
}

fn value(a: &Attribute) -> String {
    match &a.value {
        Content::Text(s) => s.clone(),
        Content::Bytes(b) => STANDARD.encode(&b[..]),
    }
}

/// The event that a function gets.
pub fn lambda_event(
    cloud: &dyn Cloud,
    topic: &Address,
    s: &Subscription,
    m: &Message,
    text: &str,
    signed: &Signed,
) -> String {
    let attributes: Map<String, Json> = m
        .attributes
        .iter()
        .map(|a| (a.name.clone(), json!({"Type": a.data_type, "Value": value(a)})))
        .collect();
    json!({"Records": [{
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": s.arn(topic),
        "Sns": {
            "Type": "Notification",
            "MessageId": m.id,
            "TopicArn": topic.arn(),
            "Subject": m.subject,
            "Message": text,
            "Timestamp": time(m.at),
            "SignatureVersion": signed.version,
            "Signature": signed.signature,
            "SigningCertUrl": signed.certificate,
            "UnsubscribeUrl": unsubscribe_url(cloud, topic, s),
            "MessageAttributes": attributes,
        },
    }]})
    .to_string()
}

/// A request for confirmation: its text, its link, and what is signed of it.
pub struct Confirmation {
    message: String,
    url: String,
    pub to_sign: String,
}

impl Confirmation {
    pub fn new(cloud: &dyn Cloud, topic: &Address, token: &str, id: &str, at: i64) -> Self {
        let arn = topic.arn();
        let encoded = utf8_percent_encode(&arn, NON_ALPHANUMERIC);
        let home = cloud.endpoint();
        let url = format!("{home}/?Action=ConfirmSubscription&TopicArn={encoded}&Token={token}");
        let message = format!(
            "You have chosen to subscribe to the topic {arn}.\nTo confirm the subscription, visit \
             the SubscribeURL included in this message."
        );
        let to_sign = format!(
            "Message\n{message}\nMessageId\n{id}\nSubscribeURL\n{url}\nTimestamp\n{}\nToken\n{token}\n\
             TopicArn\n{arn}\nType\nSubscriptionConfirmation\n",
            time(at)
        );
        Confirmation { message, url, to_sign }
    }

    pub fn document(
        &self,
        topic: &Address,
        token: &str,
        id: &str,
        at: i64,
        signed: &Signed,
    ) -> String {
        document(&[
            ("Type", "SubscriptionConfirmation".to_owned()),
            ("MessageId", id.to_owned()),
            ("Token", token.to_owned()),
            ("TopicArn", topic.arn()),
            ("Message", self.message.clone()),
            ("SubscribeURL", self.url.clone()),
            ("Timestamp", time(at)),
            ("SignatureVersion", signed.version.to_owned()),
            ("Signature", signed.signature.clone()),
            ("SigningCertURL", signed.certificate.clone()),
        ])
    }
}
