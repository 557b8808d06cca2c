//! The fields of an event that queries can name: AWS's own, those of JSON, those of Lambda.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html>

use std::cell::OnceCell;

use fogbank_logsinsights::{Event as Fields, Value};
use serde_json::Value as Json;

use crate::event::Event;

/// An event as a query sees it.
pub struct Record<'a> {
    pub event: &'a Event,
    pub stream: &'a str,
    /// `account:group`.
    pub log: &'a str,
    json: OnceCell<Option<Json>>,
}

impl<'a> Record<'a> {
    pub fn new(event: &'a Event, stream: &'a str, log: &'a str) -> Self {
        Record { event, stream, log, json: OnceCell::new() }
    }

    fn json(&self) -> Option<&Json> {
        let read = || {
            let text = self.event.message.trim_start();
            if text.starts_with('{') { serde_json::from_str(text).ok() } else { None }
        };
        self.json.get_or_init(read).as_ref()
    }
}

impl Fields for Record<'_> {
    fn field(&self, name: &str) -> Value {
        let message = &self.event.message;
        match name {
            "@timestamp" => Value::Time(self.event.pos.ts),
            "@ingestionTime" => Value::Time(self.event.ingested),
            "@message" => Value::Text(message.clone()),
            "@logStream" => Value::Text(self.stream.to_owned()),
            "@log" => Value::Text(self.log.to_owned()),
            "@ptr" => Value::Text(self.event.pos.id()),
            "true" => Value::Number(1.0),
            "false" => Value::Number(0.0),
            _ if name.starts_with('@') => lambda(message, name),
            _ => self.json().and_then(|j| find(j, name)).unwrap_or_default(),
        }
    }
}

/// A member by its path: `a.b.0`.
fn find(json: &Json, path: &str) -> Option<Value> {
    if let Some(v) = json.get(path) {
        return Some(value(v));
    }
    let mut at = json;
    for step in path.split('.') {
        at = match at {
            Json::Array(items) => items.get(step.parse::<usize>().ok()?)?,
            other => other.get(step)?,
        };
    }
    Some(value(at))
}

fn value(v: &Json) -> Value {
    match v {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Number(f64::from(u8::from(*b))),
        Json::Number(n) => n.as_f64().map_or(Value::Null, Value::Number),
        Json::String(s) => Value::Text(s.clone()),
        other => Value::Text(other.to_string()),
    }
}

/// What Lambda's own lines say: `START`, `END`, `REPORT`.
fn lambda(message: &str, name: &str) -> Value {
    let kind = ["START", "END", "REPORT"]
        .into_iter()
        .find(|k| message.strip_prefix(k).is_some_and(|rest| rest.starts_with(" RequestId: ")));
    let Some(kind) = kind else { return Value::Null };
    let after = |label: &str, unit: &str| {
        let rest = &message[message.find(label)? + label.len()..];
        let end = if unit.is_empty() {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        } else {
            rest.find(unit)?
        };
        Some(rest[..end].trim())
    };
    let number = |label: &str, unit: &str, factor: f64| {
        let found = after(label, unit).and_then(|t| t.parse::<f64>().ok());
        found.map_or(Value::Null, |n| Value::Number(n * factor))
    };
    // Megabytes are told in bytes, and a megabyte has a million of them here.
    match name {
        "@type" => Value::Text(kind.to_owned()),
        "@requestId" => after("RequestId: ", "").map_or(Value::Null, |t| Value::Text(t.to_owned())),
        "@duration" => number("\tDuration: ", " ms", 1.0),
        "@billedDuration" => number("Billed Duration: ", " ms", 1.0),
        "@initDuration" => number("Init Duration: ", " ms", 1.0),
        "@memorySize" => number("Memory Size: ", " MB", 1e6),
        "@maxMemoryUsed" => number("Max Memory Used: ", " MB", 1e6),
        _ => Value::Null,
    }
}
