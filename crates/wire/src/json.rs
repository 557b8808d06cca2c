//! JSON bodies: straight from bytes to values by shape, and back.

use std::cell::Cell;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fogbank_core::{Result, Str, Value};
use fogbank_model::{Kind, Location, Protocol, Service, Shape, TimeFormat};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::{MAX_DEPTH, malformed, time};

/// Reads a body; an empty one is an empty structure.
///
/// # Errors
/// `SerializationException`, in the words of AWS's own parser where it has some.
pub fn decode(service: &Service, shape: &Shape, body: &Bytes) -> Result<Value> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Map(Vec::new()));
    }
    let depth = Cell::new(0);
    let mut d = serde_json::Deserializer::from_slice(body);
    let seed = Seed { service, shape, depth: &depth };
    let read = seed.deserialize(&mut d).and_then(|v| d.end().map(|()| v));
    read.map_err(|e| {
        let text = e.to_string();
        let text = text.split(" at line ").next().unwrap_or_default();
        malformed(Protocol::Json, text)
    })
}

struct Seed<'a> {
    service: &'a Service,
    shape: &'a Shape,
    depth: &'a Cell<usize>,
}

impl Seed<'_> {
    fn of(&self, id: fogbank_model::ShapeId) -> Self {
        Seed { service: self.service, shape: self.service.shape(id), depth: self.depth }
    }

    fn wrong<E: de::Error>(&self, got: &str) -> E {
        let want = match self.shape.kind {
            Kind::Structure => "Structure",
            Kind::List(..) => "List",
            Kind::Map { .. } => "Map",
            Kind::String => "String",
            Kind::Integer => "Integer",
            Kind::Long => "Long",
            Kind::Float => "Float",
            Kind::Double => "Double",
            Kind::Boolean => "Boolean",
            Kind::Blob => "ByteBuffer",
            Kind::Timestamp(_) => "Timestamp",
        };
        E::custom(format_args!("{got} can not be converted to {} {want}", article(want)))
    }

    fn number<E: de::Error>(&self, n: f64) -> std::result::Result<Value, E> {
        match self.shape.kind {
            Kind::Float | Kind::Double => Ok(Value::Float(n)),
            Kind::Integer | Kind::Long if n.fract() == 0.0 && n.abs() < 9.2e18 => {
                Ok(Value::Int(n as i64))
            }
            Kind::Timestamp(_) => {
                time::from_seconds(n).map(Value::Time).ok_or_else(|| self.wrong("DECIMAL_VALUE"))
            }
            _ if self.shape.document => Ok(Value::Float(n)),
            _ => Err(self.wrong("DECIMAL_VALUE")),
        }
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        d: D,
    ) -> std::result::Result<Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shape.name)
    }
    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E: de::Error>(self, v: bool) -> std::result::Result<Value, E> {
        match self.shape.kind {
            Kind::Boolean => Ok(Value::Bool(v)),
            _ if self.shape.document => Ok(Value::Bool(v)),
            _ => Err(self.wrong(if v { "TRUE_VALUE" } else { "FALSE_VALUE" })),
        }
    }
    fn visit_i64<E: de::Error>(self, v: i64) -> std::result::Result<Value, E> {
        match self.shape.kind {
            Kind::Integer if i32::try_from(v).is_err() => Err(self.wrong("NUMBER_VALUE")),
            Kind::Integer | Kind::Long => Ok(Value::Int(v)),
            Kind::String | Kind::Boolean | Kind::Blob if !self.shape.document => {
                Err(self.wrong("NUMBER_VALUE"))
            }
            _ if self.shape.document => Ok(Value::Int(v)),
            _ => self.number(v as f64),
        }
    }
    fn visit_u64<E: de::Error>(self, v: u64) -> std::result::Result<Value, E> {
        match i64::try_from(v) {
            Ok(v) => self.visit_i64(v),
            Err(_) => self.number(v as f64),
        }
    }
    fn visit_f64<E: de::Error>(self, v: f64) -> std::result::Result<Value, E> {
        self.number(v)
    }
    fn visit_str<E: de::Error>(self, v: &str) -> std::result::Result<Value, E> {
        match self.shape.kind {
            Kind::String => Ok(Value::from(v)),
            Kind::Blob => match STANDARD.decode(v) {
                Ok(b) => Ok(Value::Blob(b.into())),
                Err(_) => Err(E::custom("Invalid Base64 data")),
            },
            Kind::Timestamp(_) => {
                time::parse(v).map(Value::Time).ok_or_else(|| self.wrong("STRING_VALUE"))
            }
            Kind::Float | Kind::Double => match v {
                "NaN" => Ok(Value::Float(f64::NAN)),
                "Infinity" => Ok(Value::Float(f64::INFINITY)),
                "-Infinity" => Ok(Value::Float(f64::NEG_INFINITY)),
                _ => Err(self.wrong("STRING_VALUE")),
            },
            _ if self.shape.document => Ok(Value::from(v)),
            _ => Err(self.wrong("STRING_VALUE")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut a: A) -> std::result::Result<Value, A::Error> {
        let nested = Depth::enter(self.depth)?;
        let item = match self.shape.kind {
            Kind::List(item, _) => item,
            _ if self.shape.document => {
                return Ok(Value::List(document_items(&mut a)?));
            }
            _ => return Err(self.wrong("START_ARRAY")),
        };
        let mut items = Vec::new();
        while let Some(v) = a.next_element_seed(self.of(item))? {
            if v != Value::Null || self.shape.sparse {
                items.push(v);
            }
        }
        drop(nested);
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut a: A) -> std::result::Result<Value, A::Error> {
        let nested = Depth::enter(self.depth)?;
        let mut entries = Vec::new();
        match self.shape.kind {
            _ if self.shape.document => {
                while let Some((k, v)) = a.next_entry::<String, Value>()? {
                    entries.push((Str::Owned(k), v));
                }
            }
            Kind::Map { value, .. } => {
                while let Some(k) = a.next_key::<String>()? {
                    let v = a.next_value_seed(self.of(value))?;
                    if v != Value::Null || self.shape.sparse {
                        entries.push((Str::Owned(k), v));
                    }
                }
            }
            Kind::Structure => {
                while let Some(k) = a.next_key::<std::borrow::Cow<'_, str>>()? {
                    match body_member(self.shape, &k) {
                        Some(m) => {
                            let v = a.next_value_seed(self.of(m.shape))?;
                            if v != Value::Null {
                                entries.push((Str::Borrowed(m.name), v));
                            }
                        }
                        None => {
                            a.next_value::<de::IgnoredAny>()?;
                        }
                    }
                }
            }
            _ => return Err(self.wrong("START_OBJECT")),
        }
        drop(nested);
        Ok(Value::Map(entries))
    }
}

fn document_items<'de, A: SeqAccess<'de>>(a: &mut A) -> std::result::Result<Vec<Value>, A::Error> {
    let mut items = Vec::new();
    while let Some(v) = a.next_element()? {
        items.push(v);
    }
    Ok(items)
}

/// Counts how deep we are; leaving a level gives it back.
struct Depth<'a>(&'a Cell<usize>);

impl<'a> Depth<'a> {
    fn enter<E: de::Error>(depth: &'a Cell<usize>) -> std::result::Result<Self, E> {
        depth.set(depth.get() + 1);
        if depth.get() > MAX_DEPTH {
            return Err(E::custom("The request is nested too deeply"));
        }
        Ok(Depth(depth))
    }
}

impl Drop for Depth<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// The member that a key of a JSON object stands for.
fn body_member<'s>(shape: &'s Shape, key: &str) -> Option<&'s fogbank_model::Member> {
    let named = shape.member(key).filter(|m| m.wire_name.is_empty() || m.wire_name == key);
    named
        .or_else(|| shape.members.iter().find(|m| m.wire_name == key))
        .filter(|m| m.location == Location::Body)
}

/// Appends a value in the form of `shape`.
pub fn encode(out: &mut String, service: &Service, shape: &Shape, v: &Value) {
    match (shape.kind, v) {
        _ if shape.document => any(out, v),
        (Kind::Structure, Value::Map(entries)) => {
            out.push('{');
            let mut first = true;
            for (k, v) in entries {
                let Some(m) = shape.member(k) else { continue };
                if *v == Value::Null || m.location.is_outside_reply() {
                    continue;
                }
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                string(out, m.wire());
                out.push(':');
                encode(out, service, service.shape(m.shape), v);
            }
            out.push('}');
        }
        (Kind::Map { value, .. }, Value::Map(entries)) => {
            let shape = service.shape(value);
            out.push('{');
            for (i, (k, v)) in entries.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                string(out, k);
                out.push(':');
                encode(out, service, shape, v);
            }
            out.push('}');
        }
        (Kind::List(item, _), Value::List(items)) => {
            let shape = service.shape(item);
            out.push('[');
            for (i, v) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                encode(out, service, shape, v);
            }
            out.push(']');
        }
        (Kind::Timestamp(format), Value::Time(t)) => match format.unwrap_or(TimeFormat::Unix) {
            TimeFormat::Unix => time::write(out, *t, TimeFormat::Unix, false),
            other => {
                out.push('"');
                time::write(out, *t, other, false);
                out.push('"');
            }
        },
        _ => any(out, v),
    }
}

/// A value as it is: documents, and scalars of every shape.
pub fn any(out: &mut String, v: &Value) {
    use std::fmt::Write;
    match v {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(n) => time::number(out, *n),
        Value::Float(n) if n.is_finite() => {
            let _ = write!(out, "{n:?}");
        }
        Value::Float(n) => string(out, non_finite(*n)),
        Value::Str(s) => string(out, s),
        Value::Blob(b) => {
            out.push('"');
            STANDARD.encode_string(b, out);
            out.push('"');
        }
        Value::Time(t) => time::write(out, *t, TimeFormat::Unix, false),
        Value::List(items) => {
            out.push('[');
            for (i, v) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                any(out, v);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (i, (k, v)) in entries.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                string(out, k);
                out.push(':');
                any(out, v);
            }
            out.push('}');
        }
    }
}

/// How the protocols spell what JSON and XML numbers cannot.
pub fn non_finite(n: f64) -> &'static str {
    if n.is_nan() {
        "NaN"
    } else if n > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// Appends a quoted, escaped string.
pub fn string(out: &mut String, s: &str) {
    out.push('"');
    let mut rest = s;
    while let Some(at) = rest.bytes().position(|b| b < 0x20 || b == b'"' || b == b'\\') {
        let b = rest.as_bytes()[at];
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match b {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                use std::fmt::Write;
                let _ = write!(out, "\\u{b:04x}");
            }
        }
    }
    out.push_str(rest);
    out.push('"');
}
