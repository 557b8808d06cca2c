//! Replies of failure, in the protocol of the request.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{ApiError, Body, Str, Value};
use fogbank_model::{Member, Operation, Protocol, Service, Shape};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use crate::reply::{finish, members_outside, text};
use crate::xml_out::{self, Style, escape};
use crate::{cbor, json, s3};

/// Writes an error of `service`. `operation` is `None` when none was found.
#[must_use]
pub fn encode_error(
    service: &Service,
    operation: Option<&Operation>,
    protocol: Protocol,
    e: &ApiError,
    request_id: &str,
) -> Response<Body> {
    let shape = service.error(operation, e.code());
    let mut status = status(service, shape, protocol, e);
    // On the wire the query protocols have the code, the JSON ones the shape's name.
    let info = shape.and_then(|s| s.error);
    let code = info.map(|i| i.code).filter(|c| !c.is_empty()).unwrap_or(e.code());
    let code = if service.query_compatible { query_code(code) } else { code };
    let name = shape.map_or(e.code(), |s| s.name);
    let sender = status < 500;
    let mut headers = HeaderMap::with_capacity(8);
    request_id_headers(&mut headers, service, request_id);
    for (k, v) in e.headers() {
        headers.insert(k, v.clone());
    }
    if let (Some(s), Protocol::RestJson | Protocol::RestXml) = (shape, protocol) {
        let mut value = Value::Map(e.fields().to_vec());
        members_outside(service, s, &mut value, &mut headers, &mut status);
    }
    let mut typed = |v: &'static str| headers.insert(CONTENT_TYPE, HeaderValue::from_static(v));
    let body = match protocol {
        Protocol::RestXml if service.id == "s3" => {
            typed("application/xml");
            s3_error(service, shape, e, request_id)
        }
        Protocol::RestXml | Protocol::Query => {
            typed("text/xml");
            query_error(service, shape, code, sender, e, request_id)
        }
        Protocol::Ec2 => {
            typed("text/xml;charset=UTF-8");
            ec2_error(service, shape, code, e, request_id)
        }
        Protocol::Cbor => {
            typed("application/cbor");
            headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
            let mut entries = members(shape, e);
            entries.insert(0, ("__type".into(), Value::from(name)));
            Body::Full(cbor::encode(service, None, &Value::Map(entries)).into())
        }
        Protocol::Json | Protocol::RestJson => {
            let json_type = match (protocol, service.json_version) {
                (Protocol::RestJson, _) => "application/json",
                (_, "1.0") => "application/x-amz-json-1.0",
                _ => "application/x-amz-json-1.1",
            };
            typed(json_type);
            json_error(service, protocol, name, shape, e, &mut headers)
        }
    };
    if service.query_compatible
        && matches!(protocol, Protocol::Json | Protocol::Cbor)
        && let Ok(v) =
            HeaderValue::try_from(format!("{code};{}", if sender { "Sender" } else { "Receiver" }))
    {
        headers.insert("x-amzn-query-error", v);
    }
    finish(status, headers, body)
}

/// The query protocol's name of an error that the JSON protocols know under another.
fn query_code(code: &str) -> &str {
    match code {
        "AccessDeniedException" => "AccessDenied",
        "UnrecognizedClientException" => "InvalidClientTokenId",
        "InvalidSignatureException" => "SignatureDoesNotMatch",
        "ExpiredTokenException" => "ExpiredToken",
        "MissingAuthenticationTokenException" => "MissingAuthenticationToken",
        code => code,
    }
}

/// The status an error will have on the wire.
#[must_use]
pub fn status_of(
    service: &Service,
    operation: Option<&Operation>,
    protocol: Protocol,
    e: &ApiError,
) -> u16 {
    status(service, service.error(operation, e.code()), protocol, e)
}

fn status(service: &Service, shape: Option<&Shape>, protocol: Protocol, e: &ApiError) -> u16 {
    if let Some(s) = e.status_override() {
        return s;
    }
    if service.id == "s3" {
        return s3::status(e.code());
    }
    if let Some(info) = shape.and_then(|s| s.error) {
        match (info.status, info.fault) {
            (0, true) => return 500,
            (0, false) => {}
            (s, _) => return s,
        }
    }
    let json = matches!(protocol, Protocol::Json | Protocol::Cbor);
    match e.code() {
        "InternalFailure" | "InternalError" | "InternalServerError" | "InternalServerException" => {
            500
        }
        "ServiceUnavailable" | "ServiceUnavailableException" => 503,
        // The JSON protocols answer 400 to nearly everything.
        _ if json => 400,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "ExpiredToken"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "ExpiredTokenException"
        | "OptInRequired"
        | "InvalidSignatureException"
        | "UnrecognizedClientException"
        | "AuthFailure" => 403,
        "ResourceNotFoundException" | "NotFoundException" | "NoSuchEntity" => 404,
        "ConflictException" | "ResourceConflictException" | "EntityAlreadyExists" => 409,
        "TooManyRequestsException" => 429,
        _ => 400,
    }
}

/// S3's second request id: long, opaque, and made from the first so that it need not be kept.
#[must_use]
pub fn s3_host_id(request_id: &str) -> String {
    let mut mixed = [0u8; 56];
    let mut state = 0x9e37_79b9_u32;
    for (i, b) in mixed.iter_mut().enumerate() {
        let c = request_id.as_bytes().get(i % request_id.len().max(1)).copied().unwrap_or(0);
        state = (state ^ u32::from(c)).wrapping_mul(0x0100_0193).rotate_left(5);
        *b = state.to_le_bytes()[1];
    }
    STANDARD.encode(mixed)
}

/// The headers that carry the request's id.
pub fn request_id_headers(headers: &mut HeaderMap, service: &Service, request_id: &str) {
    let Ok(id) = HeaderValue::try_from(request_id) else { return };
    if service.id == "s3" {
        headers.insert(HeaderName::from_static("x-amz-request-id"), id);
        if let Ok(v) = HeaderValue::try_from(s3_host_id(request_id)) {
            headers.insert(HeaderName::from_static("x-amz-id-2"), v);
        }
    } else {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), id);
    }
}

fn s3_error(service: &Service, shape: Option<&Shape>, e: &ApiError, request_id: &str) -> Body {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    tag(&mut out, "Code", if e.code() == "InternalFailure" { "InternalError" } else { e.code() });
    tag(&mut out, "Message", e.message());
    fields(&mut out, service, shape, e);
    tag(&mut out, "RequestId", request_id);
    tag(&mut out, "HostId", &s3_host_id(request_id));
    out.push_str("</Error>");
    text(out)
}

fn query_error(
    service: &Service,
    shape: Option<&Shape>,
    code: &str,
    sender: bool,
    e: &ApiError,
    request_id: &str,
) -> Body {
    let mut out = String::new();
    let _ = write!(out, "<ErrorResponse xmlns=\"{}\"><Error>", service.xml_namespace);
    tag(&mut out, "Type", if sender { "Sender" } else { "Receiver" });
    tag(&mut out, "Code", code);
    tag(&mut out, "Message", e.message());
    fields(&mut out, service, shape, e);
    out.push_str("</Error>");
    tag(&mut out, "RequestId", request_id);
    out.push_str("</ErrorResponse>");
    text(out)
}

fn ec2_error(
    service: &Service,
    shape: Option<&Shape>,
    code: &str,
    e: &ApiError,
    request_id: &str,
) -> Body {
    let mut out =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>");
    tag(&mut out, "Code", code);
    tag(&mut out, "Message", e.message());
    fields(&mut out, service, shape, e);
    out.push_str("</Error></Errors>");
    tag(&mut out, "RequestID", request_id);
    out.push_str("</Response>");
    text(out)
}

fn json_error(
    service: &Service,
    protocol: Protocol,
    name: &str,
    shape: Option<&Shape>,
    e: &ApiError,
    headers: &mut HeaderMap,
) -> Body {
    let mut out = String::from("{");
    if protocol == Protocol::RestJson {
        if let Ok(v) = HeaderValue::try_from(name) {
            headers.insert("x-amzn-errortype", v);
        }
    } else {
        out.push_str("\"__type\":");
        json::string(&mut out, name);
    }
    for (k, v) in members(shape, e) {
        let known = member(service, shape, &k);
        if known.is_some_and(|(m, _)| m.location.is_outside_reply()) {
            continue;
        }
        if out.len() > 1 {
            out.push(',');
        }
        json::string(&mut out, known.map_or(&k, |(m, _)| m.wire()));
        out.push(':');
        match known {
            Some((_, of)) => json::encode(&mut out, service, of, &v),
            None => json::any(&mut out, &v),
        }
    }
    out.push('}');
    text(out)
}

/// The message under the name the error's shape gives it, and the error's own members.
fn members(shape: Option<&Shape>, e: &ApiError) -> Vec<(Str, Value)> {
    let capital =
        shape.is_some_and(|s| s.member("Message").is_some() && s.member("message").is_none());
    let message = Str::Borrowed(if capital { "Message" } else { "message" });
    let message = Some((message, Value::from(e.message()))).filter(|_| !e.message().is_empty());
    message.into_iter().chain(e.fields().iter().cloned()).collect()
}

/// The shape of an error's member.
fn member<'s>(
    service: &'s Service,
    shape: Option<&'s Shape>,
    name: &str,
) -> Option<(&'s Member, &'s Shape)> {
    let m = shape?.member(name)?;
    Some((m, service.shape(m.shape)))
}

/// The error's own members, by shape where the model has them.
fn fields(out: &mut String, service: &Service, shape: Option<&Shape>, e: &ApiError) {
    for (k, v) in e.fields() {
        match member(service, shape, k) {
            Some((m, _)) if m.location.is_outside_reply() => {}
            Some((m, of)) => {
                xml_out::element(out, Style::of(service), service, of, m.wire(), None, v);
            }
            None => {
                let _ = write!(out, "<{k}>");
                xml_out::scalar(out, v);
                let _ = write!(out, "</{k}>");
            }
        }
    }
}

fn tag(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, "<{name}>");
    escape(out, value, false);
    let _ = write!(out, "</{name}>");
}
