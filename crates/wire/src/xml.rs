//! XML bodies: a bounded tree of elements, read by shape.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{Result, Str, Value};
use fogbank_model::{Kind, Location, Protocol, Service, Shape};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::{MAX_DEPTH, malformed, time};

/// An element: its local name, attributes, text and children.
#[derive(Debug, Default)]
pub struct Element {
    pub name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

/// Parses a document.
///
/// # Errors
/// `MalformedXML`: not well-formed, not UTF-8, too deep, with a DTD, or more than one root.
pub fn parse(body: &[u8]) -> Result<Element> {
    let bad = |why: String| malformed(Protocol::RestXml, why);
    let text = std::str::from_utf8(body).map_err(|e| bad(e.to_string()))?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        match reader.read_event().map_err(|e| bad(e.to_string()))? {
            Event::Start(s) => {
                if root.is_some() || open.len() >= MAX_DEPTH {
                    return Err(bad("a second root, or too deep".into()));
                }
                open.push(element(&s)?);
            }
            Event::Empty(s) => {
                if root.is_some() {
                    return Err(bad("a second root".into()));
                }
                close(&mut open, &mut root, element(&s)?);
            }
            Event::End(_) => match open.pop() {
                Some(e) => close(&mut open, &mut root, e),
                None => return Err(bad("an end without a start".into())),
            },
            Event::Text(t) => {
                let t: &str = &t;
                match open.last_mut() {
                    Some(e) => e.text.push_str(&newlines(t)),
                    None if t.trim().is_empty() => {}
                    None => return Err(bad("text outside the root".into())),
                }
            }
            Event::CData(t) => {
                let t: &str = &t;
                open.last_mut()
                    .ok_or_else(|| bad("text outside the root".into()))?
                    .text
                    .push_str(t);
            }
            Event::GeneralRef(r) => {
                let e = open.last_mut().ok_or_else(|| bad("text outside the root".into()))?;
                let name: &str = &r;
                e.text.push(entity(name).ok_or_else(|| bad(format!("&{name};")))?);
            }
            Event::DocType(_) => return Err(bad("a document type".into())),
            Event::Eof => break,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
        }
    }
    if !open.is_empty() {
        return Err(bad("an element is not closed".into()));
    }
    root.ok_or_else(|| bad("no root".into()))
}

fn close(open: &mut [Element], root: &mut Option<Element>, e: Element) {
    match open.last_mut() {
        Some(parent) => parent.children.push(e),
        None => *root = Some(e),
    }
}

fn element(s: &BytesStart<'_>) -> Result<Element> {
    let bad = |why: String| malformed(Protocol::RestXml, why);
    let mut e = Element { name: s.local_name().into_inner().to_owned(), ..Element::default() };
    for a in s.attributes() {
        let a = a.map_err(|e| bad(e.to_string()))?;
        let value = unescape(&a.value).ok_or_else(|| bad(a.value.clone().into_owned()))?;
        e.attributes.push((a.key.into_inner().to_owned(), value));
    }
    Ok(e)
}

/// XML 1.0, 2.11: every line break is a line feed.
fn newlines(t: &str) -> Cow<'_, str> {
    if t.contains('\r') { t.replace("\r\n", "\n").replace('\r', "\n").into() } else { t.into() }
}

fn unescape(raw: &str) -> Option<String> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        let (name, after) = after.split_once(';')?;
        out.push_str(before);
        out.push(entity(name)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

fn entity(name: &str) -> Option<char> {
    if let Some(n) = name.strip_prefix('#') {
        let code = match n.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => n.parse().ok()?,
        };
        return char::from_u32(code).filter(|c| *c != '\0');
    }
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

impl Element {
    /// Reads the element by shape.
    ///
    /// # Errors
    /// `MalformedXML` when a scalar does not parse, or S3's schema has no such element.
    pub fn read(&self, service: &Service, shape: &Shape) -> Result<Value> {
        Ok(match shape.kind {
            Kind::Structure => self.structure(service, shape)?,
            Kind::List(item, _) => {
                let shape = service.shape(item);
                let read = |c: &Element| c.read(service, shape);
                Value::List(self.children.iter().map(read).collect::<Result<_>>()?)
            }
            Kind::Map { .. } => {
                let entries: Result<Vec<_>> =
                    self.children.iter().map(|e| e.entry(service, shape)).collect();
                Value::Map(entries?)
            }
            _ => scalar(shape, &self.text, false).ok_or_else(|| {
                malformed(Protocol::RestXml, format!("{}: {}", self.name, self.text))
            })?,
        })
    }

    fn structure(&self, service: &Service, shape: &Shape) -> Result<Value> {
        let mut entries: Vec<(Str, Value)> = Vec::new();
        for (name, value) in &self.attributes {
            let local =
                |m: &&fogbank_model::Member| m.xml_attribute && m.wire().ends_with(name.as_str());
            if let Some(m) = shape.members.iter().find(local)
                && let Some(v) = scalar(service.shape(m.shape), value, false)
            {
                entries.push((m.name.into(), v));
            }
        }
        for child in &self.children {
            let Some(m) = body_member(service, shape, &child.name) else {
                if service.id == "s3" {
                    return Err(malformed(
                        Protocol::RestXml,
                        format!("no {} in {}", child.name, shape.name),
                    ));
                }
                continue;
            };
            let of = service.shape(m.shape);
            match of.kind {
                Kind::List(item, _) if m.flattened || of.flattened => {
                    let v = child.read(service, service.shape(item))?;
                    match entries.iter_mut().find(|(k, _)| k == m.name) {
                        Some((_, Value::List(items))) => items.push(v),
                        _ => entries.push((m.name.into(), Value::List(vec![v]))),
                    }
                }
                Kind::Map { .. } if m.flattened || of.flattened => {
                    let e = child.entry(service, of)?;
                    match entries.iter_mut().find(|(k, _)| k == m.name) {
                        Some((_, Value::Map(all))) => all.push(e),
                        _ => entries.push((m.name.into(), Value::Map(vec![e]))),
                    }
                }
                // Twice the same element: S3 takes the first for an error, the others the last.
                _ if entries.iter().any(|(k, _)| k == m.name) => {
                    return Err(malformed(Protocol::RestXml, format!("{} twice", child.name)));
                }
                _ => entries.push((m.name.into(), child.read(service, of)?)),
            }
        }
        Ok(Value::Map(entries))
    }

    fn entry(&self, service: &Service, map: &Shape) -> Result<(Str, Value)> {
        let Kind::Map { key, value, key_name, value_name } = map.kind else {
            return Err(malformed(Protocol::RestXml, map.name));
        };
        let named = |name: &str, default: &str| {
            let name = if name.is_empty() { default } else { name };
            self.children.iter().find(|c| c.name == name)
        };
        let missing = || malformed(Protocol::RestXml, format!("an entry of {}", map.name));
        let k = named(key_name, "key").ok_or_else(missing)?.read(service, service.shape(key))?;
        let v =
            named(value_name, "value").ok_or_else(missing)?.read(service, service.shape(value))?;
        match k {
            Value::Str(k) => Ok((k, v)),
            _ => Err(missing()),
        }
    }
}

/// The member that an element stands for. Clients name the elements of a flattened list by its
/// items' name or by its own.
fn body_member<'s>(
    service: &Service,
    shape: &'s Shape,
    name: &str,
) -> Option<&'s fogbank_model::Member> {
    let body = || shape.members.iter().filter(|m| m.location == Location::Body);
    body().find(|m| element_name(service, m) == name).or_else(|| body().find(|m| m.wire() == name))
}

/// The name of a member's element.
pub fn element_name(service: &Service, m: &fogbank_model::Member) -> &'static str {
    if service.query_compatible && !m.query_name.is_empty() {
        return m.query_name;
    }
    let of = service.shape(m.shape);
    match of.kind {
        Kind::List(_, item)
            if (m.flattened || of.flattened) && m.wire_name.is_empty() && !item.is_empty() =>
        {
            item
        }
        _ => m.wire(),
    }
}

/// A scalar from its text; `None` when it does not parse. `loose` forgives case in booleans.
pub fn scalar(shape: &Shape, text: &str, loose: bool) -> Option<Value> {
    Some(match shape.kind {
        Kind::String => Value::from(text),
        Kind::Boolean => match text.trim() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "1" => Value::Bool(true),
            "0" => Value::Bool(false),
            t if t.eq_ignore_ascii_case("true") => Value::Bool(true),
            t if t.eq_ignore_ascii_case("false") || loose && t.is_empty() => Value::Bool(false),
            _ => return None,
        },
        Kind::Integer => Value::Int(text.trim().parse::<i32>().ok()?.into()),
        Kind::Long => Value::Int(text.trim().parse().ok()?),
        Kind::Float | Kind::Double => Value::Float(match text.trim() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            t => t.parse::<f64>().ok().filter(|n| n.is_finite())?,
        }),
        Kind::Blob => Value::Blob(STANDARD.decode(text.trim()).ok()?.into()),
        Kind::Timestamp(_) => Value::Time(time::parse(text)?),
        _ => return None,
    })
}
