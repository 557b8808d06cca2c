//! Typed output -> [`Value`].

use bytes::Bytes;
use jiff::Timestamp;
use serde::ser::{self, Serialize};

use super::{Str, TIME, Value};

/// Serde wants an error type that can carry any message.
#[derive(Debug)]
pub struct Error(pub String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Error {}
impl ser::Error for Error {
    fn custom<T: std::fmt::Display>(msg: T) -> Self {
        Error(msg.to_string())
    }
}
impl serde::de::Error for Error {
    fn custom<T: std::fmt::Display>(msg: T) -> Self {
        Error(msg.to_string())
    }
}

type R = Result<Value, Error>;

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use ser::{SerializeMap, SerializeSeq};
        match self {
            Value::Null => s.serialize_none(),
            Value::Bool(b) => s.serialize_bool(*b),
            Value::Int(n) => s.serialize_i64(*n),
            Value::Float(n) => s.serialize_f64(*n),
            Value::Str(t) => s.serialize_str(t),
            Value::Blob(b) => s.serialize_bytes(b),
            Value::Time(t) => super::Time(*t).serialize(s),
            Value::List(v) => {
                let mut q = s.serialize_seq(Some(v.len()))?;
                for x in v {
                    q.serialize_element(x)?;
                }
                q.end()
            }
            Value::Map(m) => {
                let mut q = s.serialize_map(Some(m.len()))?;
                for (k, x) in m {
                    q.serialize_entry(k, x)?;
                }
                q.end()
            }
        }
    }
}

pub struct Ser;

impl ser::Serializer for Ser {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = Variant<List>;
    type SerializeMap = Map;
    type SerializeStruct = Map;
    type SerializeStructVariant = Variant<Map>;

    fn serialize_bool(self, v: bool) -> R {
        Ok(Value::Bool(v))
    }
    fn serialize_i8(self, v: i8) -> R {
        Ok(Value::Int(v.into()))
    }
    fn serialize_i16(self, v: i16) -> R {
        Ok(Value::Int(v.into()))
    }
    fn serialize_i32(self, v: i32) -> R {
        Ok(Value::Int(v.into()))
    }
    fn serialize_i64(self, v: i64) -> R {
        Ok(Value::Int(v))
    }
    fn serialize_u8(self, v: u8) -> R {
        Ok(Value::Int(v.into()))
    }
    fn serialize_u16(self, v: u16) -> R {
        Ok(Value::Int(v.into()))
    }
    fn serialize_u32(self, v: u32) -> R {
        Ok(Value::Int(v.into()))
    }
    fn serialize_u64(self, v: u64) -> R {
        i64::try_from(v).map(Value::Int).map_err(|_| Error(format!("{v} does not fit a long")))
    }
    fn serialize_f32(self, v: f32) -> R {
        Ok(Value::Float(v.into()))
    }
    fn serialize_f64(self, v: f64) -> R {
        Ok(Value::Float(v))
    }
    fn serialize_char(self, v: char) -> R {
        Ok(Value::from(v.to_string()))
    }
    fn serialize_str(self, v: &str) -> R {
        Ok(Value::from(v))
    }
    fn serialize_bytes(self, v: &[u8]) -> R {
        Ok(Value::Blob(Bytes::copy_from_slice(v)))
    }
    fn serialize_none(self) -> R {
        Ok(Value::Null)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> R {
        v.serialize(self)
    }
    fn serialize_unit(self) -> R {
        Ok(Value::Map(Vec::new()))
    }
    fn serialize_unit_struct(self, _: &'static str) -> R {
        Ok(Value::Map(Vec::new()))
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> R {
        Ok(Value::Str(Str::Borrowed(variant)))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, v: &T) -> R {
        match (name == TIME, v.serialize(Ser)?) {
            (true, Value::Int(us)) => {
                Timestamp::from_microsecond(us).map(Value::Time).map_err(|e| Error(e.to_string()))
            }
            (_, v) => Ok(v),
        }
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        v: &T,
    ) -> R {
        Ok(Value::Map(vec![(Str::Borrowed(variant), v.serialize(Ser)?)]))
    }
    fn serialize_seq(self, len: Option<usize>) -> Result<List, Error> {
        Ok(List(Vec::with_capacity(len.unwrap_or(0))))
    }
    fn serialize_tuple(self, len: usize) -> Result<List, Error> {
        Ok(List(Vec::with_capacity(len)))
    }
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<List, Error> {
        Ok(List(Vec::with_capacity(len)))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Variant<List>, Error> {
        Ok(Variant(variant, List(Vec::with_capacity(len))))
    }
    fn serialize_map(self, len: Option<usize>) -> Result<Map, Error> {
        // Without a length it is a structure with flattened members: serde writes those as a map.
        Ok(Map { m: Vec::with_capacity(len.unwrap_or(12)), key: None, structure: len.is_none() })
    }
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Map, Error> {
        Ok(Map { m: Vec::with_capacity(len), key: None, structure: true })
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Variant<Map>, Error> {
        Ok(Variant(variant, Map { m: Vec::with_capacity(len), key: None, structure: true }))
    }
}

pub struct List(Vec<Value>);

impl ser::SerializeSeq for List {
    type Ok = Value;
    type Error = Error;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), Error> {
        self.0.push(v.serialize(Ser)?);
        Ok(())
    }
    fn end(self) -> R {
        Ok(Value::List(self.0))
    }
}
impl ser::SerializeTuple for List {
    type Ok = Value;
    type Error = Error;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), Error> {
        ser::SerializeSeq::serialize_element(self, v)
    }
    fn end(self) -> R {
        Ok(Value::List(self.0))
    }
}
impl ser::SerializeTupleStruct for List {
    type Ok = Value;
    type Error = Error;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), Error> {
        ser::SerializeSeq::serialize_element(self, v)
    }
    fn end(self) -> R {
        Ok(Value::List(self.0))
    }
}

pub struct Map {
    m: Vec<(Str, Value)>,
    key: Option<Str>,
    /// Its nulls are absent members.
    structure: bool,
}

impl Map {
    fn put(&mut self, k: Str, v: Value) {
        if v != Value::Null {
            self.m.push((k, v));
        }
    }
}

impl ser::SerializeMap for Map {
    type Ok = Value;
    type Error = Error;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, k: &T) -> Result<(), Error> {
        self.key = Some(match k.serialize(Ser)? {
            Value::Str(s) => s,
            Value::Int(n) => Str::Owned(n.to_string()),
            v => return Err(Error(format!("a map key must be a string: {v:?}"))),
        });
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), Error> {
        let k = self.key.take().ok_or_else(|| Error("a value without a key".into()))?;
        // A map keeps its nulls: only a structure's absent member means "not set".
        let v = v.serialize(Ser)?;
        if v != Value::Null || !self.structure {
            self.m.push((k, v));
        }
        Ok(())
    }
    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        k: &K,
        v: &V,
    ) -> Result<(), Error> {
        let v = v.serialize(Ser)?;
        if v == Value::Null && self.structure {
            return Ok(()); // most members of most replies: no key is made for them
        }
        ser::SerializeMap::serialize_key(self, k)?;
        let k = self.key.take().ok_or_else(|| Error("a value without a key".into()))?;
        self.m.push((k, v));
        Ok(())
    }
    fn end(self) -> R {
        Ok(Value::Map(self.m))
    }
}
impl ser::SerializeStruct for Map {
    type Ok = Value;
    type Error = Error;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        k: &'static str,
        v: &T,
    ) -> Result<(), Error> {
        let v = v.serialize(Ser)?;
        self.put(Str::Borrowed(k), v);
        Ok(())
    }
    fn end(self) -> R {
        Ok(Value::Map(self.m))
    }
}

/// An enum variant with content: `{ "Variant": content }`, as the models' unions are.
pub struct Variant<T>(&'static str, T);

impl ser::SerializeTupleVariant for Variant<List> {
    type Ok = Value;
    type Error = Error;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), Error> {
        ser::SerializeSeq::serialize_element(&mut self.1, v)
    }
    fn end(self) -> R {
        Ok(Value::Map(vec![(Str::Borrowed(self.0), Value::List(self.1.0))]))
    }
}
impl ser::SerializeStructVariant for Variant<Map> {
    type Ok = Value;
    type Error = Error;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        k: &'static str,
        v: &T,
    ) -> Result<(), Error> {
        ser::SerializeStruct::serialize_field(&mut self.1, k, v)
    }
    fn end(self) -> R {
        Ok(Value::Map(vec![(Str::Borrowed(self.0), Value::Map(self.1.m))]))
    }
}
