//! XML replies: straight from values to text, by shape.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::Value;
use fogbank_model::{Kind, Member, Service, Shape, TimeFormat};

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
    members_like(out, style, service, shape, v, &mut Vec::new());
}

/// What is known of a structure's nth entry from the item before.
struct Known<'s> {
    key: (*const u8, usize),
    member: Option<(&'s Member, &'s Shape, &'static str)>,
}

/// [`members`], for one of many items: they have the same keys, whose text stands at the same place
/// in the binary, so that all but the first find their members without comparing names.
fn members_like<'s>(
    out: &mut String,
    style: Style,
    service: &'s Service,
    shape: &'s Shape,
    v: &Value,
    known: &mut Vec<Known<'s>>,
) {
    let Value::Map(entries) = v else { return };
    for (at, (k, v)) in entries.iter().enumerate() {
        let key = (k.as_ptr(), k.len());
        if known.get(at).is_none_or(|n| n.key != key) {
            let body = |m: &&Member| !m.location.is_outside_reply() && !m.xml_attribute;
            let member = shape.member(k).filter(body);
            let member = member.map(|m| (m, service.shape(m.shape), element_name(service, m)));
            known.truncate(at);
            known.push(Known { key, member });
        }
        let Some((m, of, name)) = known[at].member else { continue };
        match (of.kind, v) {
            (_, Value::Null) => {}
            (Kind::List(item, _), Value::List(items)) if m.flattened || of.flattened => {
                list_items(out, style, service, service.shape(item), name, items);
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

fn list_items(
    out: &mut String,
    style: Style,
    service: &Service,
    shape: &Shape,
    name: &str,
    items: &[Value],
) {
    let mut known = Vec::new();
    for item in items {
        if shape.kind == Kind::Structure {
            open(out, shape, name, None, item);
            members_like(out, style, service, shape, item, &mut known);
            close(out, name);
        } else {
            element(out, style, service, shape, name, None, item);
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
    open(out, shape, name, namespace, v);
    content(out, style, service, shape, v);
    close(out, name);
}

fn open(out: &mut String, shape: &Shape, name: &str, namespace: Option<(&str, &str)>, v: &Value) {
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
}

fn close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn attributes(out: &mut String, shape: &Shape, v: &Value) {
    for m in shape.members.iter().filter(|m| m.xml_attribute) {
        if let Some(text) = v.str(m.name) {
            // The prefix is declared where it is used, as the models' only prefix is this one.
            if m.wire().starts_with("xsi:") {
                out.push_str(" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"");
            }
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
            list_items(out, style, service, service.shape(item), name, items);
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
        Value::Int(n) => time::number(out, *n),
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
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|b| RESERVED[usize::from(b)]) {
        let b = rest.as_bytes()[at];
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match b {
            b'&' => out.push_str("&amp;"),
            b'<' => out.push_str("&lt;"),
            b'>' => out.push_str("&gt;"),
            b'"' => out.push_str("&quot;"),
            b'\r' => out.push_str("&#13;"),
            b'\n' | b'\t' if !attribute => out.push(char::from(b)),
            _ => {
                let _ = write!(out, "&#x{b:x};");
            }
        }
    }
    out.push_str(rest);
}

/// The bytes that [`escape`] must look at.
const RESERVED: [bool; 256] = {
    let mut t = [false; 256];
    let mut i = 0;
    while i < 0x20 {
        t[i] = true;
        i += 1;
    }
    t[b'&' as usize] = true;
    t[b'<' as usize] = true;
    t[b'>' as usize] = true;
    t[b'"' as usize] = true;
    t
};

/// About how long a document of `v` is, so that its buffer need not grow.
pub fn estimate(v: &Value) -> usize {
    match v {
        Value::Str(s) => s.len() + 8,
        Value::Blob(b) => b.len() / 3 * 4 + 8,
        Value::List(items) => items.iter().map(|i| estimate(i) + 24).sum(),
        Value::Map(m) => m.iter().map(|(k, v)| 2 * k.len() + 8 + estimate(v)).sum(),
        _ => 24,
    }
}

/// Appends a scalar's text as it is: for headers, which reserve nothing.
pub fn scalar_plain(out: &mut String, v: &Value) {
    match v {
        Value::Str(s) => out.push_str(s),
        other => scalar(out, other),
    }
}
