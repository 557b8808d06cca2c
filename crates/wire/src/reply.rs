//! Replies of success, in the protocol of the request.

use std::fmt::Write;

use bytes::Bytes;
use fogbank_core::{Body, Reply, Value};
use fogbank_model::{Kind, Location, Member, Protocol, Service, Shape, TimeFormat};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::xml_out::{self, Style};
use crate::{Call, cbor, error, event, json, s3, time};

const XML_HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

impl Call {
    /// Writes a reply.
    #[must_use]
    pub fn encode(&self, reply: Reply, request_id: &str) -> Response<Body> {
        let Reply { mut value, body, events, status, headers: extra } = reply;
        let shape = self.operation.output.map(|o| self.service.shape(o));
        debug_assert!(
            shape.is_none_or(|s| stranger(self.service, s, &value).is_none()),
            "{}:{} answers what the model does not know: {:?}",
            self.service.id,
            self.operation.name,
            shape.and_then(|s| stranger(self.service, s, &value)),
        );
        let mut headers = HeaderMap::with_capacity(16);
        let mut status = status.unwrap_or(self.operation.status);
        let body = match self.protocol {
            Protocol::Json => {
                let v = match self.service.json_version {
                    "1.0" => "application/x-amz-json-1.0",
                    _ => "application/x-amz-json-1.1",
                };
                content_type(&mut headers, v);
                // A body is the whole reply, which its handler has written: no operation of this
                // protocol has a streaming payload.
                body.unwrap_or_else(|| {
                    let mut out = String::new();
                    match shape {
                        Some(s) => json::encode(&mut out, self.service, s, &value),
                        None => out.push_str("{}"),
                    }
                    text(out)
                })
            }
            Protocol::Cbor => {
                content_type(&mut headers, "application/cbor");
                headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
                let v = if value == Value::Null { Value::Map(Vec::new()) } else { value };
                Body::Full(cbor::encode(self.service, shape, &v).into())
            }
            Protocol::Query | Protocol::Ec2 => {
                content_type(&mut headers, "text/xml;charset=UTF-8");
                self.query_reply(shape, &value, request_id)
            }
            Protocol::RestJson | Protocol::RestXml => {
                if let Some(s) = shape {
                    members_outside(self.service, s, &mut value, &mut headers, &mut status);
                }
                self.rest_body(shape, &value, body, &mut headers)
            }
        };
        let body = match (events, shape) {
            (Some(events), Some(shape)) => {
                content_type(&mut headers, event::CONTENT_TYPE);
                event::body(self, shape, events)
            }
            _ => body,
        };
        error::request_id_headers(&mut headers, self.service, request_id);
        for (k, v) in extra {
            headers.insert(k, v);
        }
        finish(status, headers, body)
    }

    fn query_reply(&self, shape: Option<&Shape>, value: &Value, request_id: &str) -> Body {
        let mut out = String::from(XML_HEAD);
        let (name, ns) = (self.operation.name, self.service.xml_namespace);
        let _ = write!(out, "<{name}Response xmlns=\"{ns}\">");
        let style = Style::of(self.service);
        if self.protocol == Protocol::Ec2 {
            let _ = write!(out, "<requestId>{request_id}</requestId>");
            if let Some(s) = shape {
                xml_out::members(&mut out, style, self.service, s, value);
            }
        } else {
            if let Some(s) = shape {
                let wrapper = self.operation.wrapper;
                if !wrapper.is_empty() {
                    let _ = write!(out, "<{wrapper}>");
                }
                xml_out::members(&mut out, style, self.service, s, value);
                if !wrapper.is_empty() {
                    let _ = write!(out, "</{wrapper}>");
                }
            }
            let _ = write!(
                out,
                "<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
            );
        }
        let _ = write!(out, "</{name}Response>");
        text(out)
    }

    fn rest_body(
        &self,
        shape: Option<&Shape>,
        value: &Value,
        stream: Option<Body>,
        headers: &mut HeaderMap,
    ) -> Body {
        let xml = self.protocol == Protocol::RestXml;
        let own_type = if xml { "application/xml" } else { "application/json" };
        let Some(shape) = shape else { return Body::Empty };
        if let Some(m) = shape.payload.and_then(|p| shape.member(p)) {
            let of = self.service.shape(m.shape);
            return match (of.kind, value.get(m.name)) {
                _ if stream.is_some() => {
                    content_type_if_absent(headers, "application/octet-stream");
                    stream.unwrap_or_default()
                }
                (_, None) => Body::Empty,
                (Kind::Blob, Some(Value::Blob(b))) => {
                    content_type_if_absent(headers, "application/octet-stream");
                    Body::Full(b.clone())
                }
                (Kind::String, Some(Value::Str(s))) => {
                    // S3's bucket policy is JSON in an operation whose other bodies are XML.
                    let json = s.trim_start().starts_with('{');
                    content_type_if_absent(
                        headers,
                        if json { "application/json" } else { "text/plain" },
                    );
                    text(s.clone().into_owned())
                }
                (_, Some(v)) if xml => {
                    content_type(headers, own_type);
                    let name = s3::root(self, shape).unwrap_or({
                        match (m.wire_name, of.location_name) {
                            ("", "") => of.name,
                            ("", n) => n,
                            (n, _) => n,
                        }
                    });
                    self.document(name, of, v)
                }
                (_, Some(v)) => {
                    content_type(headers, own_type);
                    let mut out = String::new();
                    json::encode(&mut out, self.service, of, v);
                    text(out)
                }
            };
        }
        let body = shape.members.iter().any(|m| !m.location.is_outside_reply());
        if !body {
            // REST JSON answers an empty object even then; S3 answers nothing.
            if xml {
                return Body::Empty;
            }
            content_type(headers, own_type);
            return text("{}".into());
        }
        content_type(headers, own_type);
        if xml {
            let name = s3::root(self, shape)
                .map_or_else(|| format!("{}Result", self.operation.name), str::to_owned);
            if self.service.id == "s3" && self.operation.name == "GetBucketLocation" {
                return s3::location(value);
            }
            return self.document(&name, shape, value);
        }
        let mut out = String::new();
        json::encode(&mut out, self.service, shape, value);
        text(out)
    }

    fn document(&self, name: &str, shape: &Shape, v: &Value) -> Body {
        let mut out = String::with_capacity(256 + xml_out::estimate(v));
        out.push_str(XML_HEAD);
        let namespace = match (self.service.id, self.service.xml_namespace) {
            ("s3", _) => s3::NAMESPACE,
            (_, "") => self.operation.root_namespace,
            (_, ns) => ns,
        };
        let ns = (!namespace.is_empty()).then_some(("", namespace));
        xml_out::element(&mut out, Style::of(self.service), self.service, shape, name, ns, v);
        text(out)
    }
}

/// The path of a member that a handler has set and the model does not know: it would be lost on the
/// way, so that builds for tests refuse it.
fn stranger(service: &Service, shape: &Shape, v: &Value) -> Option<String> {
    let within = |name: &str, found: String| format!("{name}.{found}");
    match (shape.kind, v) {
        _ if shape.document => None,
        (Kind::Structure, Value::Map(entries)) => {
            entries.iter().filter(|(_, v)| *v != Value::Null).find_map(|(k, v)| {
                let Some(m) = shape.member(k) else { return Some(k.to_string()) };
                stranger(service, service.shape(m.shape), v).map(|s| within(k, s))
            })
        }
        (Kind::List(item, _), Value::List(items)) => {
            items.iter().find_map(|v| stranger(service, service.shape(item), v))
        }
        (Kind::Map { value, .. }, Value::Map(entries)) => entries
            .iter()
            .find_map(|(k, v)| stranger(service, service.shape(value), v).map(|s| within(k, s))),
        _ => None,
    }
}

/// Headers and the status, for the members that are there.
pub fn members_outside(
    service: &Service,
    shape: &Shape,
    value: &mut Value,
    headers: &mut HeaderMap,
    status: &mut u16,
) {
    let Value::Map(entries) = value else { return };
    for (k, v) in entries {
        if matches!(v, Value::Null) {
            continue;
        }
        let Some(m) = shape.member(k) else { continue };
        match (m.location, v) {
            (Location::Status, Value::Int(n)) => *status = u16::try_from(*n).unwrap_or(*status),
            (Location::Header, Value::List(items)) => {
                let of = service.shape(m.shape);
                let item = match of.kind {
                    Kind::List(item, _) => service.shape(item),
                    _ => of,
                };
                let mut all = String::new();
                for (i, v) in items.iter_mut().enumerate() {
                    all.push_str(if i > 0 { ", " } else { "" });
                    let mut one = String::new();
                    header_scalar(&mut one, item, v);
                    if item.kind == Kind::String && one.contains([',', '"']) {
                        json::string(&mut all, &one);
                    } else {
                        all.push_str(&one);
                    }
                }
                put(headers, m, all);
            }
            // Its text moves into the header: nothing reads it again.
            (Location::Header, Value::Str(text)) if !m.json_value => {
                put(headers, m, std::mem::take(text).into_owned());
            }
            (Location::Header, v) => {
                let mut one = String::new();
                header_scalar(&mut one, service.shape(m.shape), v);
                if m.json_value {
                    use base64::Engine;
                    one = base64::engine::general_purpose::STANDARD.encode(one);
                }
                put(headers, m, one);
            }
            (Location::Headers, Value::Map(entries)) => {
                for (k, v) in entries {
                    if let Value::Str(text) = v
                        && let Ok(name) = HeaderName::try_from(format!("{}{k}", m.wire_name))
                    {
                        insert(headers, name, std::mem::take(text).into_owned());
                    }
                }
            }
            _ => {}
        }
    }
}

fn header_scalar(out: &mut String, shape: &Shape, v: &Value) {
    match (shape.kind, v) {
        (Kind::Timestamp(format), Value::Time(t)) => {
            time::write(out, *t, format.unwrap_or(TimeFormat::Rfc822), false);
        }
        _ => xml_out::scalar_plain(out, v),
    }
}

fn put(headers: &mut HeaderMap, m: &Member, value: String) {
    if let Some(name) = &m.header {
        insert(headers, name.clone(), value);
    }
}

/// A name or value that HTTP cannot carry is left out rather than mangled; stored metadata was
/// checked when it came in.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(v) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
        headers.insert(name, v);
    }
}

fn content_type(headers: &mut HeaderMap, v: &'static str) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(v));
}

fn content_type_if_absent(headers: &mut HeaderMap, v: &'static str) {
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(v));
}

pub fn text(s: String) -> Body {
    Body::Full(Bytes::from(s))
}

/// Puts status, headers and body together. A length that a member has set (HEAD) stays.
pub fn finish(status: u16, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut r = Response::new(body);
    *r.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *r.headers_mut() = headers;
    let bodiless = matches!(status, 204 | 304);
    if bodiless {
        *r.body_mut() = Body::Empty;
        r.headers_mut().remove(CONTENT_LENGTH);
        if status == 204 {
            r.headers_mut().remove(CONTENT_TYPE);
        }
    }
    r
}
