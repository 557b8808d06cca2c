//! JSON that keeps every member in order, so that a repeated key is seen and not lost.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value. Numbers are kept as text: policies compare them as such or parse them later.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Str(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    /// Parses a whole text; `None` when it is no JSON or nested deeper than 128 levels.
    #[must_use]
    pub fn parse(text: &str) -> Option<Json> {
        serde_json::from_str(text).ok()
    }

    /// The text of a string, number or boolean.
    #[must_use]
    pub fn scalar(&self) -> Option<&str> {
        match self {
            Json::Str(s) | Json::Number(s) => Some(s),
            Json::Bool(true) => Some("true"),
            Json::Bool(false) => Some("false"),
            _ => None,
        }
    }

    /// The value as a list: itself when it is one, else just it.
    #[must_use]
    pub fn items(&self) -> &[Json] {
        match self {
            Json::List(l) => l,
            one => std::slice::from_ref(one),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Json, E> {
        Ok(Json::Bool(v))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Json, E> {
        Ok(Json::Number(v.to_string()))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Json, E> {
        Ok(Json::Number(v.to_string()))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Json, E> {
        Ok(Json::Number(v.to_string()))
    }
    fn visit_str<E>(self, v: &str) -> Result<Json, E> {
        Ok(Json::Str(v.to_owned()))
    }
    fn visit_string<E>(self, v: String) -> Result<Json, E> {
        Ok(Json::Str(v))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut a: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(v) = a.next_element()? {
            list.push(v);
        }
        Ok(Json::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut a: A) -> Result<Json, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = a.next_entry()? {
            map.push(entry);
        }
        Ok(Json::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn repeated_keys_are_kept_and_depth_is_bounded() {
        let Some(Json::Map(m)) = Json::parse(r#"{"a":1,"a":2.5,"b":[true,null]}"#) else {
            panic!("not a map")
        };
        assert_eq!(m.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), ["a", "a", "b"]);
        assert_eq!(m[1].1.scalar(), Some("2.5"));
        assert_eq!(Json::parse(&"[".repeat(100_000)), None);
        assert_eq!(Json::parse("{} {}"), None);
    }
}
