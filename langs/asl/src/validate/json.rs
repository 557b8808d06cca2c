//! JSON, read strictly: a field may stand in an object once. Errors are in the words of the reader
//! that AWS uses.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{Diagnostic, NO_JSON};

/// Reads a definition.
///
/// # Errors
/// What is wrong with it as JSON.
pub fn parse(text: &str) -> Result<Value, Diagnostic> {
    let mut d = serde_json::Deserializer::from_str(text);
    let read = Strict.deserialize(&mut d).and_then(|v| d.end().map(|()| v));
    read.map_err(|e| describe(text, &e))
}

fn describe(text: &str, e: &serde_json::Error) -> Diagnostic {
    let (line, column) = (e.line(), e.column());
    let shown: String = text.chars().take(500).collect();
    let place =
        |column: usize| format!("[Source: (String)\"{shown}\"; line: {line}, column: {column}]");
    let rest = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let from = rest.char_indices().map(|(i, _)| i).take_while(|i| *i < column).last().unwrap_or(0);
    // The token in which the reader stopped.
    let start = rest[..from]
        .rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .map_or(0, |i| i + rest[i..].chars().next().map_or(1, char::len_utf8));
    let token: String =
        rest[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let word = token.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    let (message, location) = if word && !["true", "false", "null"].contains(&token.as_str()) {
        let at = place(start + token.len() + 1);
        let expected = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        (format!("Unrecognized token '{token}': was expecting {expected}\n at {at}"), at)
    } else {
        let at = place(column);
        let why = e.to_string();
        let why = why.split(" at line ").next().unwrap_or_default();
        (format!("{why}\n at {at}"), at)
    };
    Diagnostic { warning: false, code: NO_JSON, message, location }
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(Number::from_f64(v).map_or(Value::Null, Value::Number))
    }
    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut a: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(v) = a.next_element_seed(Strict)? {
            items.push(v);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut a: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = a.next_key::<String>()? {
            if fields.contains_key(&name) {
                return Err(A::Error::custom(format!("Duplicate field '{name}'")));
            }
            let v = a.next_value_seed(Strict)?;
            fields.insert(name, v);
        }
        Ok(Value::Object(fields))
    }
}
