//! XML replies: straight from values to text, by shape.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::Value;
use fogbank_model::{Kind, Service, Shape, TimeFormat};

use crate::json::non_finite;
use crate::time;
use crate::xml::element_name;

/// How a service writes XML.
#[derive(Clone, Copy)]
pub struct Style {
    /// Timestamps always carry milliseconds (S3, EC2).
    pub milliseconds: bool,
    /// EC2's lists are flat on the way in but wrapped in `item` on the way out.
    pub ec2: bool,
}

impl Style {
    pub fn of(service: &Service) -> Self {
        let ec2 = service.id == "ec2";
        Style { milliseconds: ec2 || service.id == "s3", ec2 }
    }
}

/// Appends the body members of a structure.
pub fn members(out: &mut String, style: Style, service: &Service, shape: &Shape, v: &Value) {
    let Value::Map(entries) = v else { return };
    for (k, v) in entries {
        let Some(m) = shape.member(k) else { continue };
        if *v == Value::Null || m.location.is_outside_reply() || m.xml_attribute {
            continue;
        }
        let of = service.shape(m.shape);
        let name = element_name(service, m);
        match (of.kind, v) {
            (Kind::List(item, _), Value::List(items)) if m.flattened || of.flattened => {
                for i in items {
                    element(out, style, service, service.shape(item), name, None, i);
                }
            }
            (Kind::Map { .. }, Value::Map(entries)) if m.flattened || of.flattened => {
                map_entries(out, style, service, of, name, entries);
            }
            _ => {
                let namespace = (!m.namespace.is_empty()).then_some((m.prefix, m.namespace));
                element(out, style, service, of, name, namespace, v);
            }
        }
    }
}

/// Appends an element with what a value holds.
pub fn element(
    out: &mut String,
    style: Style,
    service: &Service,
    shape: &Shape,
    name: &str,
    namespace: Option<(&str, &str)>,
    v: &Value,
) {
    out.push('<');
    out.push_str(name);
    if let Some((prefix, uri)) = namespace {
        let colon = if prefix.is_empty() { "" } else { ":" };
        let _ = write!(out, " xmlns{colon}{prefix}=\"");
        escape(out, uri, true);
        out.push('"');
    }
    attributes(out, shape, v);
    out.push('>');
    content(out, style, service, shape, v);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn attributes(out: &mut String, shape: &Shape, v: &Value) {
    for m in shape.members.iter().filter(|m| m.xml_attribute) {
        if let Some(text) = v.str(m.name) {
            let _ = write!(out, " {}=\"", m.wire());
            escape(out, text, true);
            out.push('"');
        }
    }
}

/// Appends what is inside an element.
pub fn content(out: &mut String, style: Style, service: &Service, shape: &Shape, v: &Value) {
    match (shape.kind, v) {
        (Kind::Structure, _) => members(out, style, service, shape, v),
        (Kind::List(item, item_name), Value::List(items)) => {
            let name = match item_name {
                "" if style.ec2 => "item",
                "" => "member",
                n => n,
            };
            let shape = service.shape(item);
            for i in items {
                element(out, style, service, shape, name, None, i);
            }
        }
        (Kind::Map { .. }, Value::Map(entries)) => {
            map_entries(out, style, service, shape, "entry", entries);
        }
        (Kind::Timestamp(format), Value::Time(t)) => {
            time::write(out, *t, format.unwrap_or(TimeFormat::Iso8601), style.milliseconds);
        }
        _ => scalar(out, v),
    }
}

fn map_entries(
    out: &mut String,
    style: Style,
    service: &Service,
    map: &Shape,
    name: &str,
    entries: &[(fogbank_core::Str, Value)],
) {
    let Kind::Map { key, value, key_name, value_name } = map.kind else { return };
    let or = |name: &'static str, default| if name.is_empty() { default } else { name };
    for (k, v) in entries {
        let _ = write!(out, "<{name}>");
        let key_value = Value::Str(k.clone());
        element(out, style, service, service.shape(key), or(key_name, "key"), None, &key_value);
        element(out, style, service, service.shape(value), or(value_name, "value"), None, v);
        let _ = write!(out, "</{name}>");
    }
}

/// Appends a scalar's text.
pub fn scalar(out: &mut String, v: &Value) {
    match v {
        Value::Str(s) => escape(out, s, false),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(n) => {
            let _ = write!(out, "{n}");
        }
        Value::Float(n) if n.is_finite() => {
            let _ = write!(out, "{n}");
        }
        Value::Float(n) => out.push_str(non_finite(*n)),
        Value::Blob(b) => STANDARD.encode_string(b, out),
        Value::Time(t) => time::write(out, *t, TimeFormat::Iso8601, false),
        Value::Null | Value::List(_) | Value::Map(_) => {}
    }
}

/// Appends text with what XML reserves escaped. Control characters, which XML 1.0 cannot hold, are
/// written as references all the same: AWS does so too.
pub fn escape(out: &mut String, text: &str, attribute: bool) {
    let mut from = 0;
    for (i, b) in text.bytes().enumerate() {
        let with = match b {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\r' => "&#13;",
            b'\n' | b'\t' if !attribute => continue,
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(&text[from..i]);
        from = i + 1;
        if with.is_empty() {
            let _ = write!(out, "&#x{b:x};");
        } else {
            out.push_str(with);
        }
    }
    out.push_str(&text[from..]);
}

/// Appends a scalar's text as it is: for headers, which reserve nothing.
pub fn scalar_plain(out: &mut String, v: &Value) {
    match v {
        Value::Str(s) => out.push_str(s),
        other => scalar(out, other),
    }
}
