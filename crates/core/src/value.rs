//! Values: what `wire` parses a request to, and what it writes a reply from.
//!
//! A handler works on its own typed structs; [`from_value`] and [`to_value`] carry them over with
//! serde. A `None` field is left out of the reply.

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{ApiError, Result};

mod de;
mod ser;

/// Text that is often static: member names, error codes, enum values.
pub type Str = Cow<'static, str>;

/// A protocol-neutral value, shaped by an AWS service model.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Absent. Left out of structures when written.
    #[default]
    Null,
    Bool(bool),
    /// byte, short, integer, long.
    Int(i64),
    /// float, double.
    Float(f64),
    /// string, enum, and big numbers that must not lose digits.
    Str(Str),
    /// blob.
    Blob(Bytes),
    /// timestamp; its format on the wire comes from the model.
    Time(Timestamp),
    List(Vec<Value>),
    /// structure or map, in order of appearance.
    Map(Vec<(Str, Value)>),
}

impl Value {
    /// The member `name` of a structure or map; `None` when absent, null or not a map.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Map(m) => m.iter().find(|(k, v)| k == name && *v != Value::Null).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The text of the member `name`, if it is a string.
    #[must_use]
    pub fn str(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// This value's text, if it is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The items of a list; empty for anything else.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        match self {
            Value::List(v) => v,
            _ => &[],
        }
    }
}

/// A structure in the making, for replies that are built by hand: absent members are left out.
#[derive(Debug, Default)]
pub struct Members(Vec<(Str, Value)>);

impl Members {
    /// Adds a member if it is there.
    pub fn put<V: Into<Value>>(&mut self, name: &'static str, value: Option<V>) {
        if let Some(v) = value {
            if self.0.capacity() == 0 {
                self.0.reserve(12);
            }
            self.0.push((Str::Borrowed(name), v.into()));
        }
    }
}

impl From<Members> for Value {
    fn from(m: Members) -> Value {
        Value::Map(m.0)
    }
}

/// Bytes in a typed input or output (serde would otherwise see a list of numbers).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob(pub Bytes);

/// A point in time in a typed input or output, kept to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

impl From<Timestamp> for Value {
    fn from(t: Timestamp) -> Self {
        Value::Time(t)
    }
}

impl From<Timestamp> for Time {
    fn from(t: Timestamp) -> Self {
        Time(t)
    }
}

/// Marks [`Time`] on its way through serde.
const TIME: &str = "$fogbank::Time";

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.serialize_newtype_struct(TIME, &self.0.as_microsecond())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        struct V;
        impl<'de> serde::de::Visitor<'de> for V {
            type Value = Time;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a timestamp")
            }
            fn visit_i64<E: serde::de::Error>(self, v: i64) -> std::result::Result<Time, E> {
                Timestamp::from_microsecond(v).map(Time).map_err(E::custom)
            }
            fn visit_u64<E: serde::de::Error>(self, v: u64) -> std::result::Result<Time, E> {
                self.visit_i64(i64::try_from(v).map_err(E::custom)?)
            }
            // Formats other than ours (a record kept as JSON) have the number inside.
            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                d: D,
            ) -> std::result::Result<Time, D::Error> {
                d.deserialize_i64(self)
            }
        }
        d.deserialize_newtype_struct(TIME, V)
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        struct V;
        impl serde::de::Visitor<'_> for V {
            type Value = Blob;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_byte_buf<E>(self, v: Vec<u8>) -> std::result::Result<Blob, E> {
                Ok(Blob(v.into()))
            }
            fn visit_bytes<E>(self, v: &[u8]) -> std::result::Result<Blob, E> {
                Ok(Blob(Bytes::copy_from_slice(v)))
            }
            fn visit_str<E>(self, v: &str) -> std::result::Result<Blob, E> {
                Ok(Blob(Bytes::copy_from_slice(v.as_bytes())))
            }
        }
        d.deserialize_byte_buf(V)
    }
}

/// Reads a typed input from a value that `wire` has already validated against the model.
///
/// # Errors
/// `SerializationException` when the value does not fit the type: a disagreement between the
/// handler's struct and the model, or input that the model cannot rule out.
pub fn from_value<T: serde::de::DeserializeOwned>(v: Value) -> Result<T> {
    T::deserialize(de::De(v)).map_err(|e| {
        ApiError::new("SerializationException", "The request could not be read.")
            .context(e.to_string())
    })
}

/// Writes a typed output as a value; `None` fields are left out.
///
/// # Errors
/// `InternalFailure` when the type cannot be a value (a map with keys that are not strings).
pub fn to_value<T: Serialize + ?Sized>(v: &T) -> Result<Value> {
    v.serialize(ser::Ser).map_err(|e| ApiError::internal(e.to_string()))
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::Str(Cow::Owned(s.to_owned()))
    }
}
impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::Str(Cow::Owned(s))
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
impl From<Vec<Value>> for Value {
    fn from(v: Vec<Value>) -> Self {
        Value::List(v)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Self {
        v.map_or(Value::Null, Into::into)
    }
}

/// Builds a [`Value::Map`]: `map! { "Name" => name, "Count" => 3 }`.
#[macro_export]
macro_rules! map {
    ($($k:expr => $v:expr),* $(,)?) => {
        $crate::Value::Map(vec![$(($crate::Str::from($k), $crate::Value::from($v))),*])
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    #[serde(rename_all = "PascalCase")]
    struct Sample {
        role_name: String,
        size: Option<i64>,
        when: Option<Time>,
        data: Blob,
        tags: std::collections::BTreeMap<String, String>,
        list: Vec<f64>,
    }

    #[test]
    fn a_typed_struct_survives_the_round_trip() {
        let s = Sample {
            role_name: "r".into(),
            size: None,
            when: Some(Time(Timestamp::from_second(5).unwrap())),
            data: Blob(Bytes::from_static(b"\x00\xff")),
            tags: [("a".to_owned(), "b".to_owned())].into(),
            list: vec![1.5],
        };
        let v = to_value(&s).unwrap();
        assert_eq!(v.get("When"), Some(&Value::Time(Timestamp::from_second(5).unwrap())));
        assert_eq!(v.get("Size"), None);
        assert_eq!(v.get("Data"), Some(&Value::Blob(Bytes::from_static(b"\x00\xff"))));
        assert_eq!(from_value::<Sample>(v).unwrap(), s);
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Outer {
        name: String,
        #[serde(flatten)]
        inner: Inner,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Inner {
        when: Option<Time>,
    }

    #[test]
    fn times_pass_through_buffers_and_unnamed_members() {
        let now = Timestamp::from_second(5).unwrap();
        let v = map! {"Name" => "n", "When" => Value::Time(now), "Other" => Value::Time(now)};
        let outer: Outer = from_value(v.clone()).unwrap();
        assert_eq!((outer.name.as_str(), outer.inner.when), ("n", Some(Time(now))));
        let inner: Inner = from_value(v).unwrap();
        assert_eq!(inner.when, Some(Time(now)));
    }

    #[test]
    fn a_value_is_its_own_typed_form() {
        let v = map! {"A" => true, "B" => vec![Value::Int(1)], "T" => Value::Time(Timestamp::UNIX_EPOCH)};
        assert_eq!(from_value::<Value>(v.clone()).unwrap(), v);
        assert_eq!(to_value(&v).unwrap(), v);
    }
}
