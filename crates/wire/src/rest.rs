//! REST requests: members from the path, the query, the headers and the body.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{ApiError, Result, Str, Value};
use fogbank_model::{Kind, Location, Member, Protocol, Service, Shape};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use crate::{Call, Request, json, malformed, xml};

/// Reads the members of an input from wherever they are.
///
/// # Errors
/// `InvalidURI` for what is not UTF-8, the protocol's own for a body that does not parse,
/// `InvalidArgument` or `SerializationException` for a scalar that does not.
pub fn decode(call: &Call, shape: &Shape, r: &Request<'_>) -> Result<Value> {
    let service = call.service;
    let mut entries: Vec<(Str, Value)> = Vec::with_capacity(8);
    labels(call, shape, r, &mut entries)?;
    query(call, shape, r, &mut entries)?;
    headers(call, shape, r.headers, &mut entries)?;
    match shape.payload.and_then(|p| shape.member(p)) {
        Some(m) => {
            if !call.streams_input()
                && let Some(v) = payload(call, service, m, r)?
            {
                entries.push((m.name.into(), v));
            }
        }
        None if shape.members.iter().any(|m| m.location == Location::Body) => {
            let body = match call.protocol {
                Protocol::RestXml if r.body.is_empty() => Value::Map(Vec::new()),
                Protocol::RestXml => xml::parse(r.body)?.read(service, shape)?,
                _ => json::decode(service, shape, r.body)?,
            };
            if let Value::Map(body) = body {
                entries.extend(body);
            }
        }
        None => {}
    }
    Ok(Value::Map(entries))
}

fn labels(
    call: &Call,
    shape: &Shape,
    r: &Request<'_>,
    entries: &mut Vec<(Str, Value)>,
) -> Result<()> {
    let mut result = Ok(());
    fogbank_model::labels(call.operation, r.path, |label, encoded| {
        let is = |m: &&Member| m.location == Location::Uri && m.wire() == label;
        if let Some(m) = shape.members.iter().find(is)
            && result.is_ok()
        {
            match uri_text(call, encoded).and_then(|text| scalar(call, m, &text)) {
                Ok(v) => entries.push((m.name.into(), v)),
                Err(e) => result = Err(e),
            }
        }
    });
    result
}

fn query(
    call: &Call,
    shape: &Shape,
    r: &Request<'_>,
    entries: &mut Vec<(Str, Value)>,
) -> Result<()> {
    if r.query.is_empty() {
        return Ok(());
    }
    let pairs = || {
        r.query.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, "")))
    };
    let text = |t: &str| uri_text(call, &t.replace('+', "%20")).map(Cow::into_owned);
    let mut catch_all: Option<&Member> = None;
    for m in shape.members.iter().filter(|m| m.location == Location::Query) {
        let of = call.service.shape(m.shape);
        match of.kind {
            Kind::Map { .. } => catch_all = Some(m),
            Kind::List(item, _) => {
                let item = call.service.shape(item);
                let mut items = Vec::new();
                for (_, v) in pairs().filter(|(k, _)| *k == m.wire()) {
                    items.push(typed(call, m, item, &text(v)?)?);
                }
                if !items.is_empty() {
                    entries.push((m.name.into(), Value::List(items)));
                }
            }
            _ => {
                if let Some((_, v)) = pairs().find(|(k, _)| *k == m.wire()) {
                    entries.push((m.name.into(), scalar(call, m, &text(v)?)?));
                }
            }
        }
    }
    // Smithy: a server puts every parameter into it, those with members of their own included.
    let Some(m) = catch_all else { return Ok(()) };
    let Kind::Map { value, .. } = call.service.shape(m.shape).kind else { return Ok(()) };
    let lists = matches!(call.service.shape(value).kind, Kind::List(..));
    let mut map: Vec<(Str, Value)> = Vec::new();
    for (k, v) in pairs() {
        let (k, v) = (text(k)?, text(v)?);
        match (lists, map.iter_mut().find(|(have, _)| *have == k)) {
            (true, Some((_, Value::List(items)))) => items.push(v.into()),
            (true, _) => map.push((k.into(), Value::List(vec![v.into()]))),
            (false, Some(_)) => {}
            (false, None) => map.push((k.into(), v.into())),
        }
    }
    if !map.is_empty() {
        entries.push((m.name.into(), Value::Map(map)));
    }
    Ok(())
}

/// Walks the headers that were sent: an input may know fifty, a request has ten.
fn headers(
    call: &Call,
    shape: &Shape,
    all: &HeaderMap,
    entries: &mut Vec<(Str, Value)>,
) -> Result<()> {
    for name in all.keys() {
        let Some(m) = shape.header(name.as_str()) else { continue };
        let of = call.service.shape(m.shape);
        let v = match of.kind {
            Kind::List(item, _) => {
                let item = call.service.shape(item);
                let parts = split_list(&joined(all, name), matches!(item.kind, Kind::Timestamp(_)));
                let items: Result<Vec<_>> = parts.iter().map(|p| typed(call, m, item, p)).collect();
                Value::List(items?)
            }
            _ => {
                let text = all.get(name).map(header_text).unwrap_or_default();
                // An empty header is one that was not sent, but for strings.
                if text.is_empty() && of.kind != Kind::String {
                    continue;
                }
                scalar(call, m, &text)?
            }
        };
        entries.push((m.name.into(), v));
    }
    for m in shape.members.iter().filter(|m| m.location == Location::Headers) {
        let mut map: Vec<(Str, Value)> = Vec::new();
        for name in all.keys() {
            if let Some(rest) = name.as_str().strip_prefix(m.wire_name) {
                map.push((rest.to_owned().into(), joined(all, name).into_owned().into()));
            }
        }
        if !map.is_empty() {
            entries.push((m.name.into(), Value::Map(map)));
        }
    }
    Ok(())
}

/// All values of a header, as one.
fn joined<'h>(all: &'h HeaderMap, name: &HeaderName) -> Cow<'h, str> {
    let mut values = all.get_all(name).iter().map(header_text);
    let mut joined = values.next().unwrap_or_default();
    for v in values {
        let joined = joined.to_mut();
        joined.push(',');
        joined.push_str(&v);
    }
    joined
}

/// A header's text: UTF-8, else Latin-1 as HTTP once had it.
fn header_text(v: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(v.as_bytes()) {
        Ok(s) => s.trim().into(),
        Err(_) => v.as_bytes().iter().map(|b| char::from(*b)).collect(),
    }
}

/// Parts of a header list: separated by commas, in quotes where they hold some themselves. Each
/// HTTP date holds one comma of its own.
fn split_list(text: &str, dates: bool) -> Vec<String> {
    let mut parts = Vec::new();
    let (mut part, mut quoted, mut escaped, mut commas) = (String::new(), false, false, 0);
    for c in text.chars() {
        match c {
            _ if escaped => {
                part.push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted && dates && commas == 0 && text.contains(", ") => {
                commas = 1;
                part.push(c);
            }
            ',' if !quoted => {
                commas = 0;
                parts.push(part.trim().to_owned());
                part.clear();
            }
            c => part.push(c),
        }
    }
    parts.push(part.trim().to_owned());
    parts.retain(|p| !p.is_empty());
    parts
}

fn payload(call: &Call, service: &Service, m: &Member, r: &Request<'_>) -> Result<Option<Value>> {
    let of = service.shape(m.shape);
    Ok(match of.kind {
        Kind::Blob => (!r.body.is_empty()).then(|| Value::Blob(r.body.clone())),
        Kind::String => match std::str::from_utf8(r.body) {
            Ok("") => None,
            Ok(s) => Some(Value::from(s)),
            Err(_) => return Err(malformed(call.protocol, "The body is not valid UTF-8.")),
        },
        _ if r.body.is_empty() => None,
        _ if call.protocol == Protocol::RestXml => Some(xml::parse(r.body)?.read(service, of)?),
        _ => Some(json::decode(service, of, r.body)?),
    })
}

fn scalar(call: &Call, m: &Member, text: &str) -> Result<Value> {
    if m.json_value {
        let decoded = STANDARD.decode(text).ok().and_then(|b| String::from_utf8(b).ok());
        return decoded.map(Value::from).ok_or_else(|| invalid(call, m, text));
    }
    typed(call, m, call.service.shape(m.shape), text)
}

fn typed(call: &Call, m: &Member, of: &Shape, text: &str) -> Result<Value> {
    if let Some(v) = xml::scalar(of, text, false) {
        return Ok(v);
    }
    // RFC 9110: a date that cannot be read is a condition that is not there.
    if matches!(of.kind, Kind::Timestamp(_))
        && m.location == Location::Header
        && call.service.id == "s3"
    {
        return Ok(Value::Null);
    }
    Err(invalid(call, m, text))
}

fn invalid(call: &Call, m: &Member, text: &str) -> ApiError {
    if call.protocol == Protocol::RestXml {
        let name = m.wire();
        return ApiError::new(
            "InvalidArgument",
            format!("Provided {name} not an integer or within integer range"),
        )
        .status(400)
        .field("ArgumentName", name)
        .field("ArgumentValue", text);
    }
    ApiError::new("SerializationException", format!("{text} is not valid for {}", m.name))
        .status(400)
}

fn uri_text<'t>(call: &Call, encoded: &'t str) -> Result<Cow<'t, str>> {
    percent_decode_str(encoded).decode_utf8().map_err(|_| match call.protocol {
        Protocol::RestXml => ApiError::new("InvalidURI", "Couldn't parse the specified URI.")
            .status(400)
            .field("URI", encoded),
        p => malformed(p, "The URI is not valid UTF-8."),
    })
}
