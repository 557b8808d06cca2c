//! Replies of other services as the JSON that events carry.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::Value;
use serde_json::{Map, Number, Value as Json};

/// A value as JSON: bytes in base64, times in seconds.
#[must_use]
pub fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::Int(n) => Json::Number((*n).into()),
        Value::Float(n) => Number::from_f64(*n).map_or(Json::Null, Json::Number),
        Value::Str(s) => Json::String(s.clone().into_owned()),
        Value::Blob(b) => Json::String(STANDARD.encode(b)),
        Value::Time(t) => Json::Number(t.as_second().into()),
        Value::List(items) => Json::Array(items.iter().map(json).collect()),
        Value::Map(entries) => {
            let entries = entries.iter().filter(|(_, v)| *v != Value::Null);
            Json::Object(
                entries.map(|(k, v)| (k.clone().into_owned(), json(v))).collect::<Map<_, _>>(),
            )
        }
    }
}
