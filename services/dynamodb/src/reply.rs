//! Replies that hold items: written from their stored bytes for clients, as values for services.

use bytes::Bytes;
use fogbank_core::{ApiError, Body, Cx, Reply, Result, Str, Value};
use fogbank_dynamo::codec::{self, quoted};
use fogbank_dynamo::{Item, item_size};

use crate::value::item_value;

/// An item as it is stored: its size and its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored(pub Bytes);

impl Stored {
    pub fn of(item: &Item) -> Self {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(&(item_size(item) as u32).to_le_bytes());
        codec::write(item, &mut out);
        Stored(out.into())
    }

    /// The item's size, as DynamoDB counts it.
    pub fn size(&self) -> usize {
        size_of(&self.0)
    }

    pub fn item(&self) -> Result<Item> {
        read(&self.0)
    }
}

/// The size in a stored item's bytes.
pub fn size_of(stored: &[u8]) -> usize {
    stored.first_chunk().map_or(0, |n| u32::from_le_bytes(*n) as usize)
}

/// The item in a stored item's bytes.
pub fn read(stored: &[u8]) -> Result<Item> {
    codec::read(stored.get(4..).unwrap_or_default()).map_err(|e| damaged(&e))
}

fn damaged(e: &fogbank_dynamo::Error) -> ApiError {
    ApiError::internal(e.to_string())
}

/// A part of a reply.
#[derive(Clone, Debug)]
pub enum Out {
    Value(Value),
    Stored(Stored),
    Item(Item),
    List(Vec<Out>),
    Map(Vec<(Str, Out)>),
}

impl From<Value> for Out {
    fn from(v: Value) -> Self {
        Out::Value(v)
    }
}

impl Out {
    /// The reply to `cx`'s caller: JSON for a client, values for a service.
    pub fn reply(self, cx: &Cx) -> Result<Reply> {
        if cx.http.is_none() {
            return Ok(Reply { value: self.value()?, ..Reply::default() });
        }
        let mut json = String::with_capacity(512);
        self.write(&mut json)?;
        Ok(Reply { body: Some(Body::Full(json.into())), ..Reply::default() })
    }

    pub fn value(self) -> Result<Value> {
        Ok(match self {
            Out::Value(v) => v,
            Out::Stored(s) => item_value(&s.item()?),
            Out::Item(item) => item_value(&item),
            Out::List(list) => {
                Value::List(list.into_iter().map(Out::value).collect::<Result<_>>()?)
            }
            Out::Map(entries) => {
                let values = entries.into_iter().map(|(k, v)| Ok((k, v.value()?)));
                Value::Map(values.collect::<Result<_>>()?)
            }
        })
    }

    fn write(&self, out: &mut String) -> Result<()> {
        match self {
            Out::Value(v) => json(out, v),
            Out::Stored(s) => {
                codec::write_json(s.0.get(4..).unwrap_or_default(), out)
                    .map_err(|e| damaged(&e))?;
            }
            Out::Item(item) => {
                codec::write_json(&codec::to_bytes(item), out).map_err(|e| damaged(&e))?;
            }
            Out::List(list) => {
                out.push('[');
                for (i, v) in list.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    v.write(out)?;
                }
                out.push(']');
            }
            Out::Map(entries) => {
                out.push('{');
                for (i, (k, v)) in entries.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    quoted(out, k);
                    out.push(':');
                    v.write(out)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }
}

/// Counts, capacities, names: what a reply holds beside items.
fn json(out: &mut String, v: &Value) {
    use std::fmt::Write;
    match v {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(n) => {
            let _ = write!(out, "{n}");
        }
        Value::Float(n) => {
            let _ = write!(out, "{n:?}");
        }
        Value::Str(s) => quoted(out, s),
        Value::Blob(b) => {
            use base64::Engine;
            quoted(out, &base64::engine::general_purpose::STANDARD.encode(b));
        }
        Value::Time(t) => {
            let _ = write!(out, "{}", t.as_microsecond() as f64 / 1e6);
        }
        Value::List(items) => {
            out.push('[');
            for (i, v) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                json(out, v);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            let mut first = true;
            for (k, v) in entries.iter().filter(|(_, v)| *v != Value::Null) {
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                quoted(out, k);
                out.push(':');
                json(out, v);
            }
            out.push('}');
        }
    }
}

/// Builds a reply member by member.
#[derive(Debug, Default)]
pub struct Members(Vec<(Str, Out)>);

impl Members {
    pub fn add(&mut self, name: &'static str, v: impl Into<Out>) {
        self.0.push((Str::Borrowed(name), v.into()));
    }

    pub fn add_some(&mut self, name: &'static str, v: Option<impl Into<Out>>) {
        if let Some(v) = v {
            self.add(name, v);
        }
    }

    pub fn out(self) -> Out {
        Out::Map(self.0)
    }
}

impl From<Stored> for Out {
    fn from(s: Stored) -> Self {
        Out::Stored(s)
    }
}

impl From<Item> for Out {
    fn from(i: Item) -> Self {
        Out::Item(i)
    }
}
