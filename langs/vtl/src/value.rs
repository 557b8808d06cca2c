//! Values of templates: Java's, as far as templates see them.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;

use indexmap::IndexMap;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::Error;

/// A value. Lists and maps are shared: who holds one sees what others do to it, as in Java.
#[derive(Clone, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    List(Rc<List>),
    Map(Rc<Map>),
    Object(Rc<dyn Object>),
}

/// A list.
#[derive(Default)]
pub struct List {
    pub items: RefCell<Vec<Value>>,
    /// A list out of a JSON document, which renders as JSON; others render as `[a, b]`.
    pub json: bool,
}

/// A map, in order of insertion.
#[derive(Default)]
pub struct Map(pub RefCell<IndexMap<Rc<str>, Value>>);

/// Something with properties and methods of its own.
pub trait Object {
    /// A property; `None` when there is no such thing.
    fn get(&self, _name: &str) -> Option<Value> {
        None
    }

    /// Assigns a property; `false` when there is no such thing.
    fn set(&self, _name: &str, _value: Value) -> bool {
        false
    }

    /// Calls a method; `None` when there is none of this name for these arguments.
    ///
    /// # Errors
    /// What the method throws.
    fn call(&self, _name: &str, _arguments: &[Value]) -> Result<Option<Value>, Error> {
        Ok(None)
    }

    /// What it renders as.
    fn text(&self) -> String;
}

impl Value {
    #[must_use]
    pub fn text(text: impl AsRef<str>) -> Self {
        Value::Text(text.as_ref().into())
    }

    /// A list of the template's own kind.
    #[must_use]
    pub fn list(items: Vec<Value>) -> Self {
        Value::List(Rc::new(List { items: RefCell::new(items), json: false }))
    }

    #[must_use]
    pub fn map<K: AsRef<str>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        let entries = entries.into_iter().map(|(k, v)| (k.as_ref().into(), v)).collect();
        Value::Map(Rc::new(Map(RefCell::new(entries))))
    }

    /// Reads JSON; objects keep their order.
    ///
    /// # Errors
    /// A sentence on what is wrong with it.
    pub fn parse_json(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|e| e.to_string())
    }

    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Everything but `null` and `false`.
    #[must_use]
    pub fn is_true(&self) -> bool {
        !matches!(self, Value::Null | Value::Bool(false))
    }

    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(s) => Some(s),
            _ => None,
        }
    }

    /// What Java's `toString()` makes of it.
    #[must_use]
    pub fn render(&self) -> String {
        match self {
            Value::Text(s) => s.to_string(),
            other => {
                let mut out = String::new();
                other.render_into(&mut out, 0);
                out
            }
        }
    }

    /// Appends what [`Value::render`] returns.
    pub fn render_into(&self, out: &mut String, depth: usize) {
        if depth > DEPTH || out.len() > MOST {
            return;
        }
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Value::Int(n) => {
                let _ = write!(out, "{n}");
            }
            Value::Float(f) => out.push_str(&java_double(*f)),
            Value::Text(s) => out.push_str(s),
            Value::List(list) if list.json => self.json_into(out, depth),
            Value::List(list) => {
                out.push('[');
                for (i, v) in list.items.borrow().iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    v.render_into(out, depth + 1);
                }
                out.push(']');
            }
            Value::Map(map) => {
                out.push('{');
                for (i, (k, v)) in map.0.borrow().iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    out.push_str(k);
                    out.push('=');
                    v.render_into(out, depth + 1);
                }
                out.push('}');
            }
            Value::Object(o) => out.push_str(&o.text()),
        }
    }

    /// The value as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.json_into(&mut out, 0);
        out
    }

    fn json_into(&self, out: &mut String, depth: usize) {
        if depth > DEPTH || out.len() > MOST {
            return out.push_str("null");
        }
        match self {
            Value::Text(s) => quote(out, s),
            Value::Object(o) => quote(out, &o.text()),
            Value::Float(f) if !f.is_finite() => out.push_str("null"),
            Value::List(list) => {
                out.push('[');
                for (i, v) in list.items.borrow().iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    v.json_into(out, depth + 1);
                }
                out.push(']');
            }
            Value::Map(map) => {
                out.push('{');
                for (i, (k, v)) in map.0.borrow().iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    quote(out, k);
                    out.push(':');
                    v.json_into(out, depth + 1);
                }
                out.push('}');
            }
            plain => plain.render_into(out, depth),
        }
    }
}

/// How deeply values may nest to be rendered: a list can be put into itself.
const DEPTH: usize = 128;

/// How much of a value is rendered: what is put into itself twice has no end.
const MOST: usize = 16 << 20;

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A number as Java's `Double.toString` writes it: `1.0`, `1.0E10`, `0.001`.
#[must_use]
pub fn java_double(f: f64) -> String {
    if f.is_nan() {
        return "NaN".into();
    }
    if f.is_infinite() {
        return if f > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    let size = f.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        let text = format!("{f}");
        return if text.contains('.') { text } else { text + ".0" };
    }
    let text = format!("{f:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::text(s)
    }
}
impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::Text(s.into())
    }
}
impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}
impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Int(n)
    }
}
impl From<usize> for Value {
    fn from(n: usize) -> Self {
        Value::Int(n as i64)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Value;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
                Ok(Value::Bool(b))
            }
            fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
                Ok(Value::Int(n))
            }
            fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
                Ok(i64::try_from(n).map_or(Value::Float(n as f64), Value::Int))
            }
            fn visit_f64<E>(self, f: f64) -> Result<Value, E> {
                Ok(Value::Float(f))
            }
            fn visit_str<E>(self, s: &str) -> Result<Value, E> {
                Ok(Value::Text(s.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut items = Vec::new();
                while let Some(v) = seq.next_element()? {
                    items.push(v);
                }
                Ok(Value::List(Rc::new(List { items: RefCell::new(items), json: true })))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut entries = IndexMap::new();
                while let Some((k, v)) = map.next_entry::<String, Value>()? {
                    entries.insert(k.into(), v);
                }
                Ok(Value::Map(Rc::new(Map(RefCell::new(entries)))))
            }
        }
        d.deserialize_any(V)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_render_as_in_java() {
        let v = Value::parse_json(br#"{"a":"b","c":[1,{"d":"e\"f"},null],"n":1.5,"x":{"y":true}}"#)
            .unwrap();
        assert_eq!(v.render(), r#"{a=b, c=[1,{"d":"e\"f"},null], n=1.5, x={y=true}}"#);
        assert_eq!(v.to_json(), r#"{"a":"b","c":[1,{"d":"e\"f"},null],"n":1.5,"x":{"y":true}}"#);
        assert_eq!(Value::list(vec!["a".into(), Value::Null]).render(), "[a, null]");
    }

    #[test]
    fn doubles() {
        for (f, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e7, "1.0E7"),
            (1.5e10, "1.5E10"),
            (9_999_999.0, "9999999.0"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (-0.0, "-0.0"),
            (189.48, "189.48"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(java_double(f), text);
        }
    }
}
