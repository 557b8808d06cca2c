//! Between JSON and the values of the cloud.

use fogbank_core::Value;
use serde_json::{Map, Value as Json};

/// JSON as a value.
pub fn to_value(v: Json) -> Value {
    match v {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(b),
        Json::Number(n) => match n.as_i64() {
            Some(i) => Value::Int(i),
            None => Value::Float(n.as_f64().unwrap_or(0.0)),
        },
        Json::String(s) => Value::from(s),
        Json::Array(a) => Value::List(a.into_iter().map(to_value).collect()),
        Json::Object(o) => {
            Value::Map(o.into_iter().map(|(k, v)| (k.into(), to_value(v))).collect())
        }
    }
}

/// A value as JSON; absent members are left out.
pub fn from_value(v: Value) -> Json {
    match v {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(b),
        Value::Int(n) => n.into(),
        Value::Float(f) => serde_json::Number::from_f64(f).map_or(Json::Null, Json::Number),
        Value::Str(s) => Json::String(s.into_owned()),
        Value::Blob(b) => Json::String(String::from_utf8_lossy(&b).into_owned()),
        Value::Time(t) => Json::String(t.to_string()),
        Value::List(items) => Json::Array(items.into_iter().map(from_value).collect()),
        Value::Map(m) => {
            let present = m.into_iter().filter(|(_, v)| *v != Value::Null);
            Json::Object(
                present.map(|(k, v)| (k.into_owned(), from_value(v))).collect::<Map<_, _>>(),
            )
        }
    }
}
