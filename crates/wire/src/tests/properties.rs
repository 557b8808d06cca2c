//! Values of every shape of every service: what is written can be read, and reads the same.

use bytes::Bytes;
use fogbank_core::{Reply, Str, Value};
use fogbank_model::{Kind, Protocol, Service, Shape, heads};

use super::body;
use crate::xml_out::Style;
use crate::{Call, cbor, json, xml, xml_out};

/// A small generator of numbers (splitmix64): the same ones in every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % n.max(1) as u64) as usize
    }
}

#[test]
fn json_reads_what_json_wrote() {
    each_input(&[Protocol::Json, Protocol::RestJson], |service, shape, v| {
        let mut text = String::new();
        json::encode(&mut text, service, shape, v);
        json::decode(service, shape, &Bytes::from(text)).map_err(|e| format!("{e:?}"))
    });
}

#[test]
fn cbor_reads_what_cbor_wrote() {
    each_input(&[Protocol::Cbor], |service, shape, v| {
        let bytes = cbor::encode(service, Some(shape), v);
        cbor::decode(service, shape, &bytes).map_err(|e| format!("{e:?}"))
    });
}

#[test]
fn xml_reads_what_xml_wrote() {
    each_input(&[Protocol::RestXml], |service, shape, v| {
        let mut text = String::new();
        xml_out::element(&mut text, Style::of(service), service, shape, "Root", None, v);
        let read = xml::parse(text.as_bytes()).and_then(|e| e.read(service, shape));
        read.map_err(|e| format!("{e:?} in {text}"))
    });
}

#[test]
fn replies_are_well_formed() {
    let mut random = Random::new(3);
    for head in heads() {
        let service = head.service();
        for operation in &service.operations {
            let value = match operation.output {
                Some(o) => value(service, service.shape(o), &mut random, 0, false),
                None => Value::Null,
            };
            for protocol in service.protocols.iter().copied() {
                let call = Call { service, operation, protocol };
                let reply = Reply { value: value.clone(), ..Reply::default() };
                let reply = call.encode(reply, "request-id");
                let typed = reply.headers().get("content-type").cloned();
                let typed = typed.as_ref().and_then(|t| t.to_str().ok()).unwrap_or_default();
                let of = format!("{}:{}", service.id, operation.name);
                match protocol {
                    Protocol::Cbor => {}
                    _ if typed.contains("xml") => {
                        let text = body(reply.into_body());
                        let parsed = text.is_empty() || xml::parse(text.as_bytes()).is_ok();
                        assert!(parsed, "{of}: {text}");
                    }
                    _ if typed.contains("json") && !typed.contains("stream") => {
                        let text = body(reply.into_body());
                        let parsed = serde_json::from_str::<serde_json::Value>(&text);
                        let payload = operation.output.and_then(|o| service.shape(o).payload);
                        assert!(parsed.is_ok() || payload.is_some(), "{of}: {text}");
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Checks that `through` changes no value of any input shape.
fn each_input(
    protocols: &[Protocol],
    through: impl Fn(&Service, &Shape, &Value) -> Result<Value, String>,
) {
    let mut random = Random::new(2);
    let mut seen = 0;
    for head in heads() {
        let service = head.service();
        if !service.protocols.iter().any(|p| protocols.contains(p)) {
            continue;
        }
        let inputs = service.operations.iter().filter_map(|o| o.input);
        for shape in inputs.map(|i| service.shape(i)) {
            let v = value(service, shape, &mut random, 0, true);
            let read = through(service, shape, &v);
            let read = read.map(|r| sorted(&r));
            assert_eq!(read, Ok(sorted(&v)), "{} {}", service.id, shape.name);
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

/// A value that fits the shape. In a `body`, members that travel elsewhere are left out.
fn value(service: &Service, shape: &Shape, random: &mut Random, depth: usize, body: bool) -> Value {
    const TEXTS: [&str; 8] =
        ["", "a", " b ", "<&>\"'", "é😀\u{7f}", "line\r\nline\t\u{1}", "]]>", "\\\"\\u0000"];
    match shape.kind {
        _ if shape.document => Value::from("document"),
        Kind::Structure => {
            let mut entries = Vec::new();
            for m in &shape.members {
                let outside = m.location != fogbank_model::Location::Body;
                let deep = depth > 4 && random.below(4) > 0 || depth > 8;
                let chosen = shape.union && !entries.is_empty();
                if outside && body || deep || chosen || random.below(3) == 0 {
                    continue;
                }
                let of = service.shape(m.shape);
                entries.push((Str::Borrowed(m.name), value(service, of, random, depth + 1, body)));
            }
            Value::Map(entries)
        }
        // Flattened, an empty list or map looks like none at all.
        Kind::List(item, _) => {
            let one =
                |random: &mut Random| value(service, service.shape(item), random, depth + 1, body);
            let n = 1 + random.below(2);
            Value::List((0..n).map(|_| one(random)).collect())
        }
        Kind::Map { value: of, .. } => {
            let v = value(service, service.shape(of), random, depth + 1, body);
            Value::Map(vec![(Str::Borrowed("key <&>"), v)])
        }
        Kind::String => Value::from(TEXTS[random.below(TEXTS.len())]),
        Kind::Boolean => Value::Bool(random.below(2) == 0),
        Kind::Integer => Value::Int(random.below(1 << 31) as i64 - (1 << 30)),
        Kind::Long => Value::Int(random.below(usize::MAX) as i64),
        Kind::Float => Value::Float(f64::from(random.below(1000) as f32 / 8.0)),
        Kind::Double => Value::Float(random.below(1 << 40) as f64 / 1024.0),
        Kind::Blob => Value::Blob(Bytes::copy_from_slice(&[0, 255, random.below(256) as u8])),
        Kind::Timestamp(_) => {
            let seconds = random.below(4_000_000_000) as i64 - 2_000_000_000;
            Value::Time(jiff::Timestamp::from_second(seconds).expect("in range"))
        }
    }
}

/// Members in the order of their names.
fn sorted(v: &Value) -> Value {
    match v {
        Value::Map(m) => {
            let mut m: Vec<_> = m.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
            m.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Map(m)
        }
        Value::List(l) => Value::List(l.iter().map(sorted).collect()),
        v => v.clone(),
    }
}
