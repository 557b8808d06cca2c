//! Streams of events in replies: frames with headers, a payload and two checksums.
//!
//! <https://smithy.io/2.0/aws/amazon-eventstream.html>

use bytes::Bytes;
use crc_fast::CrcAlgorithm::Crc32IsoHdlc;
use fogbank_core::{ApiError, Body, Events, Str, Value};
use fogbank_model::{Kind, Protocol, Service, Shape};
use futures_util::StreamExt;

use crate::xml_out::{self, Style};
use crate::{Call, cbor, json};

pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// The body of an operation whose output `shape` has a stream of events.
pub fn body(call: &Call, shape: &Shape, events: Events) -> Body {
    let (service, protocol) = (call.service, call.protocol);
    let mut members = shape.members.iter().map(|m| service.shape(m.shape));
    let Some(union) = members.find(|s| s.event_stream) else { return Body::Empty };
    let frames = events.0.map(move |event| {
        Ok(match event {
            Ok((name, value)) => frame_of(service, protocol, union, &name, &value),
            Err(e) => exception(&e),
        })
    });
    Body::stream(None, frames)
}

fn frame_of(
    service: &Service,
    protocol: Protocol,
    union: &Shape,
    name: &Str,
    value: &Value,
) -> Bytes {
    let shape = union.member(name).map(|m| service.shape(m.shape));
    let (kind, payload) = match shape {
        Some(shape) => payload(service, protocol, shape, value),
        None => ("application/octet-stream", Bytes::new()),
    };
    let headers = [(":message-type", "event"), (":event-type", &**name), (":content-type", kind)];
    frame(&headers, &payload)
}

/// An event's content: the member that is its payload, or all of it in the protocol's form.
fn payload(
    service: &Service,
    protocol: Protocol,
    shape: &Shape,
    value: &Value,
) -> (&'static str, Bytes) {
    if let Some(member) = shape.members.iter().find(|m| m.event_payload) {
        let of = service.shape(member.shape);
        return match (of.kind, value.get(member.name)) {
            (Kind::Blob, Some(Value::Blob(b))) => ("application/octet-stream", b.clone()),
            (Kind::String, Some(Value::Str(s))) => {
                ("text/plain", Bytes::copy_from_slice(s.as_bytes()))
            }
            (_, Some(v)) => document(service, protocol, of, v),
            (_, None) => ("application/octet-stream", Bytes::new()),
        };
    }
    document(service, protocol, shape, value)
}

fn document(
    service: &Service,
    protocol: Protocol,
    shape: &Shape,
    value: &Value,
) -> (&'static str, Bytes) {
    match protocol {
        Protocol::Cbor => ("application/cbor", cbor::encode(service, Some(shape), value).into()),
        Protocol::RestXml | Protocol::Query | Protocol::Ec2 => {
            let mut out = String::new();
            let style = Style::of(service);
            xml_out::element(&mut out, style, service, shape, shape.name, None, value);
            ("text/xml", out.into())
        }
        Protocol::Json | Protocol::RestJson => {
            let mut out = String::new();
            json::encode(&mut out, service, shape, value);
            ("application/json", out.into())
        }
    }
}

/// The last frame of a stream that failed.
fn exception(e: &ApiError) -> Bytes {
    let headers = [
        (":message-type", "exception"),
        (":exception-type", e.code()),
        (":content-type", "application/json"),
    ];
    let body = serde_json::json!({ "message": e.message() }).to_string();
    frame(&headers, body.as_bytes())
}

/// One message. Headers are strings, type 7.
fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut head = Vec::with_capacity(128);
    for (name, value) in headers {
        head.push(u8::try_from(name.len()).unwrap_or(0));
        head.extend_from_slice(name.as_bytes());
        head.push(7);
        head.extend_from_slice(&u16::try_from(value.len()).unwrap_or(0).to_be_bytes());
        head.extend_from_slice(value.as_bytes());
    }
    let sum = |bytes: &[u8]| (crc_fast::checksum(Crc32IsoHdlc, bytes) as u32).to_be_bytes();
    let length = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
    let mut out = Vec::with_capacity(16 + head.len() + payload.len());
    out.extend_from_slice(&length(16 + head.len() + payload.len()));
    out.extend_from_slice(&length(head.len()));
    out.extend_from_slice(&sum(&out));
    out.extend_from_slice(&head);
    out.extend_from_slice(payload);
    out.extend_from_slice(&sum(&out));
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_as_botocore_reads_them() {
        // botocore's own vector: one header, a payload.
        let bytes = frame(&[("content-type", "application/json")], b"{'foo':'bar'}");
        assert_eq!(
            hex(&bytes),
            "0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f\
             6e7b27666f6f273a27626172277d8d9c08b1"
        );
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn events_are_encoded_by_their_shapes() {
        let service = fogbank_model::service("lambda").unwrap();
        let output = service.operation("InvokeWithResponseStream").unwrap().output.unwrap();
        let union = service.shape(service.shape(output).member("EventStream").unwrap().shape);
        let chunk = fogbank_core::map! { "Payload" => Value::Blob("abc".into()) };
        let bytes = frame_of(service, Protocol::RestJson, union, &"PayloadChunk".into(), &chunk);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(text.contains("PayloadChunk") && text.contains("octet-stream"), "{text}");
        let end = fogbank_core::map! { "LogResult" => "eA==" };
        let bytes = frame_of(service, Protocol::RestJson, union, &"InvokeComplete".into(), &end);
        assert!(String::from_utf8_lossy(&bytes).contains("{\"LogResult\":\"eA==\"}"));
    }
}
