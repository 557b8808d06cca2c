//! CBOR bodies (RPC v2): by shape, both ways.
//!
//! <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>

use fogbank_core::{Result, Str, Value};
use fogbank_model::{Kind, Protocol, Service, Shape};
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use crate::{MAX_DEPTH, malformed, time};

/// Reads a body; an empty one is an empty structure.
///
/// # Errors
/// `SerializationException`.
pub fn decode(service: &Service, shape: &Shape, body: &[u8]) -> Result<Value> {
    if body.is_empty() {
        return Ok(Value::Map(Vec::new()));
    }
    let mut d = Decoder::new(body);
    let v = Reader { service }.read(&mut d, Some(shape), 0).map_err(|e| {
        malformed(Protocol::Cbor, format!("The request body is not valid CBOR for {}.", shape.name))
            .context(e.0)
    })?;
    if d.position() != body.len() {
        return Err(malformed(Protocol::Cbor, "The request body goes on after its end."));
    }
    Ok(v)
}

struct Error(String);

impl From<minicbor::decode::Error> for Error {
    fn from(e: minicbor::decode::Error) -> Self {
        Error(e.to_string())
    }
}

struct Reader<'s> {
    service: &'s Service,
}

impl Reader<'_> {
    /// Reads one item; without a shape it is skipped member by member, so that depth stays bounded.
    fn read(
        &self,
        d: &mut Decoder<'_>,
        shape: Option<&Shape>,
        depth: usize,
    ) -> std::result::Result<Value, Error> {
        if depth > MAX_DEPTH {
            return Err(Error("too deep".into()));
        }
        let v = match d.datatype()? {
            Type::Null | Type::Undefined => {
                d.skip()?;
                return Ok(Value::Null);
            }
            Type::Bool => Value::Bool(d.bool()?),
            Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::I8
            | Type::I16
            | Type::I32
            | Type::I64 => Value::Int(d.i64()?),
            Type::Int => return Err(Error("an integer beyond 64 bits".into())),
            Type::F16 => Value::Float(half(d)?),
            Type::F32 => Value::Float(d.f32()?.into()),
            Type::F64 => Value::Float(d.f64()?),
            Type::Bytes => Value::Blob(d.bytes()?.to_vec().into()),
            Type::BytesIndef => {
                let mut all = Vec::new();
                for piece in d.bytes_iter()? {
                    all.extend_from_slice(piece?);
                }
                Value::Blob(all.into())
            }
            Type::String => Value::from(d.str()?),
            Type::StringIndef => {
                let mut all = String::new();
                for piece in d.str_iter()? {
                    all.push_str(piece?);
                }
                Value::from(all)
            }
            Type::Tag => {
                // Tag 1 is a timestamp; big numbers are not in any of AWS's shapes.
                let tag = d.tag()?.as_u64();
                let inner = self.read(d, None, depth + 1)?;
                match (tag, inner) {
                    (1, Value::Int(s)) => seconds(s as f64)?,
                    (1, Value::Float(s)) => seconds(s)?,
                    (t, _) => return Err(Error(format!("tag {t}"))),
                }
            }
            Type::Array | Type::ArrayIndef => return self.list(d, shape, depth),
            Type::Map | Type::MapIndef => return self.map(d, shape, depth),
            t => return Err(Error(format!("{t}"))),
        };
        match shape {
            Some(s) => fit(s, v),
            None => Ok(v),
        }
    }

    fn list(
        &self,
        d: &mut Decoder<'_>,
        shape: Option<&Shape>,
        depth: usize,
    ) -> std::result::Result<Value, Error> {
        let item = match shape.map(|s| s.kind) {
            Some(Kind::List(item, _)) => Some(self.service.shape(item)),
            None => None,
            Some(_) => return Err(Error("a list".into())),
        };
        let mut left = d.array()?;
        let mut items = Vec::new();
        while more(d, &mut left)? {
            let v = self.read(d, item, depth + 1)?;
            if v != Value::Null || shape.is_some_and(|s| s.sparse) {
                items.push(v);
            }
        }
        Ok(Value::List(items))
    }

    fn map(
        &self,
        d: &mut Decoder<'_>,
        shape: Option<&Shape>,
        depth: usize,
    ) -> std::result::Result<Value, Error> {
        let mut left = d.map()?;
        let mut entries = Vec::new();
        while more(d, &mut left)? {
            let key = match self.read(d, None, depth + 1)? {
                Value::Str(k) => k,
                _ => return Err(Error("a key that is no string".into())),
            };
            let (name, of) = match shape.map(|s| (s.kind, s)) {
                Some((Kind::Structure, s)) => match s.member(&key) {
                    Some(m) => (Str::Borrowed(m.name), Some(self.service.shape(m.shape))),
                    None => {
                        self.read(d, None, depth + 1)?;
                        continue;
                    }
                },
                Some((Kind::Map { value, .. }, _)) => (key, Some(self.service.shape(value))),
                None => (key, None),
                Some(_) => return Err(Error("a map".into())),
            };
            let v = self.read(d, of, depth + 1)?;
            if v != Value::Null || shape.is_some_and(|s| s.sparse) {
                entries.push((name, v));
            }
        }
        Ok(Value::Map(entries))
    }
}

fn more(d: &mut Decoder<'_>, left: &mut Option<u64>) -> std::result::Result<bool, Error> {
    match left {
        Some(0) => Ok(false),
        Some(n) => {
            *n -= 1;
            Ok(true)
        }
        None if d.datatype()? == Type::Break => {
            d.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}

/// A half-precision number (RFC 8949, appendix D), which the decoder leaves to us.
fn half(d: &mut Decoder<'_>) -> std::result::Result<f64, Error> {
    let at = d.position();
    let [_, high, low] = *d.input().get(at..at + 3).unwrap_or_default() else {
        return Err(Error("a number that ends early".into()));
    };
    d.set_position(at + 3);
    let bits = u16::from_be_bytes([high, low]);
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3ff));
    let n = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        e => (fraction + 1024.0) * 2f64.powi(e - 25),
    };
    Ok(if bits & 0x8000 == 0 { n } else { -n })
}

fn seconds(s: f64) -> std::result::Result<Value, Error> {
    time::from_seconds(s).map(Value::Time).ok_or_else(|| Error("a timestamp out of range".into()))
}

/// The scalar as its shape has it: CBOR writes whole doubles as integers and the reverse.
fn fit(shape: &Shape, v: Value) -> std::result::Result<Value, Error> {
    match (shape.kind, v) {
        (Kind::Float | Kind::Double, Value::Int(n)) => Ok(Value::Float(n as f64)),
        (Kind::Integer | Kind::Long, Value::Float(n)) if n.fract() == 0.0 && n.abs() < 9.2e18 => {
            Ok(Value::Int(n as i64))
        }
        (Kind::Timestamp(_), Value::Int(n)) => seconds(n as f64),
        (Kind::Timestamp(_), Value::Float(n)) => seconds(n),
        (Kind::Boolean, v @ Value::Bool(_))
        | (Kind::Integer | Kind::Long, v @ Value::Int(_))
        | (Kind::Float | Kind::Double, v @ Value::Float(_))
        | (Kind::String, v @ Value::Str(_))
        | (Kind::Blob, v @ Value::Blob(_))
        | (Kind::Timestamp(_), v @ Value::Time(_)) => Ok(v),
        (_, v) if shape.document => Ok(v),
        (k, v) => Err(Error(format!("{v:?} for {k:?}"))),
    }
}

/// Writes a value in the form of `shape`.
pub fn encode(service: &Service, shape: Option<&Shape>, v: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let mut e = Encoder::new(&mut out);
    // Writing to memory does not fail.
    let _ = write(&mut e, service, shape, v);
    out
}

type Written = std::result::Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn write(
    e: &mut Encoder<&mut Vec<u8>>,
    service: &Service,
    shape: Option<&Shape>,
    v: &Value,
) -> Written {
    match v {
        Value::Null => e.null()?.ok(),
        Value::Bool(b) => e.bool(*b)?.ok(),
        Value::Int(n) => e.i64(*n)?.ok(),
        Value::Float(n) => match shape.map(|s| s.kind) {
            Some(Kind::Float) => e.f32(*n as f32)?.ok(),
            _ => e.f64(*n)?.ok(),
        },
        Value::Str(s) => e.str(s)?.ok(),
        Value::Blob(b) => e.bytes(b)?.ok(),
        Value::Time(t) => {
            e.tag(minicbor::data::Tag::new(1))?;
            match t.subsec_nanosecond() {
                0 => e.i64(t.as_second())?.ok(),
                _ => e.f64(t.as_microsecond() as f64 / 1e6)?.ok(),
            }
        }
        Value::List(items) => {
            let of = match shape.map(|s| s.kind) {
                Some(Kind::List(item, _)) => Some(service.shape(item)),
                _ => None,
            };
            e.array(items.len() as u64)?;
            items.iter().try_for_each(|i| write(e, service, of, i))
        }
        Value::Map(entries) => {
            let structure = shape.filter(|s| s.kind == Kind::Structure);
            let present = |(k, v): &&(Str, Value)| match structure {
                Some(s) => *v != Value::Null && s.member(k).is_some(),
                None => true,
            };
            e.map(entries.iter().filter(present).count() as u64)?;
            for (k, v) in entries.iter().filter(present) {
                let of = match (structure, shape.map(|s| s.kind)) {
                    (Some(s), _) => s.member(k).map(|m| service.shape(m.shape)),
                    (None, Some(Kind::Map { value, .. })) => Some(service.shape(value)),
                    _ => None,
                };
                e.str(k)?;
                write(e, service, of, v)?;
            }
            Ok(())
        }
    }
}
