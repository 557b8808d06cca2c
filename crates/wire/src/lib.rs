//! AWS's protocols: requests to values and values to replies, over the table in `model`.
//!
//! A [`Call`] says which operation of which service a request is and in which protocol it speaks;
//! [`Call::decode`] gives the input as a value, checked against the model, [`Call::encode`] and
//! [`encode_error`] write the reply.
//!
//! **Invariant:** no operation is named here except where S3's wire itself departs from its model
//! (`s3.rs`).

mod cbor;
mod error;
mod event;
mod form;
mod json;
pub mod multipart;
mod pattern;
mod reply;
mod rest;
mod route;
mod s3;
mod time;
mod validate;
mod xml;
mod xml_out;

use std::io::Read;

use bytes::Bytes;
use fogbank_core::{ApiError, Result, Value};
use fogbank_model::{Kind, Operation, Protocol, Service, Shape};
use http::HeaderMap;

pub use error::{encode_error, s3_host_id, status_of};
pub use route::{protocol, route};
pub use validate::validate;

/// How deeply structures, lists and maps may nest in a request: DynamoDB's 32 levels of values are
/// two levels each.
pub const MAX_DEPTH: usize = 100;

/// A request as the protocols see it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Percent-encoded, without the query; path-style for S3, whatever the host was.
    pub path: &'a str,
    /// Without the question mark; empty when there is none.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    /// The collected body; empty when the operation's payload is streamed.
    pub body: &'a Bytes,
}

impl Request<'_> {
    /// The value of a query parameter, still encoded: `Some("")` when it has none.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        if self.query.is_empty() {
            return None;
        }
        let mut pairs = self.query.split('&').map(|p| p.split_once('=').unwrap_or((p, "")));
        pairs.find(|(k, _)| *k == name).map(|(_, v)| v)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// An operation that was asked for, and how.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub service: &'static Service,
    pub operation: &'static Operation,
    pub protocol: Protocol,
}

impl Call {
    /// Whether the request's body is a stream for the handler, which [`Call::decode`] leaves out.
    #[must_use]
    pub fn streams_input(&self) -> bool {
        self.operation.input.is_some_and(|i| streams(self.service, self.service.shape(i)))
    }

    /// The input as a value, checked against the model.
    ///
    /// # Errors
    /// What AWS answers for malformed or invalid input, in the service's own codes;
    /// `NotImplemented` for operations whose input is a stream of events.
    pub fn decode(&self, r: &Request<'_>) -> Result<Value> {
        if self.operation.event_stream {
            let (service, operation) = (self.service.id, self.operation.name);
            return Err(ApiError::not_implemented(&format!(
                "{service}:{operation} (event stream)"
            )));
        }
        let unpacked = match r.header("content-encoding") {
            // Where bodies are structures; S3 keeps the encoding with the object.
            Some("gzip") if self.protocol != Protocol::RestXml && !self.streams_input() => {
                Some(gunzip(self.protocol, r.body, MAX_UNPACKED)?)
            }
            _ => None,
        };
        let r = &Request { body: unpacked.as_ref().unwrap_or(r.body), ..*r };
        let Some(input) = self.operation.input else { return Ok(Value::Map(Vec::new())) };
        let shape = self.service.shape(input);
        let value = match self.protocol {
            Protocol::Json => json::decode(self.service, shape, r.body)?,
            Protocol::Cbor => cbor::decode(self.service, shape, r.body)?,
            Protocol::Query | Protocol::Ec2 => {
                form::decode(self.service, shape, r, self.protocol == Protocol::Ec2)?
            }
            Protocol::RestJson | Protocol::RestXml => rest::decode(self, shape, r)?,
        };
        validate(self, &value)?;
        Ok(value)
    }
}

/// The most that a compressed request may become.
const MAX_UNPACKED: u64 = 64 << 20;

/// The body of a request that its client compressed (CloudWatch's PutMetricData).
fn gunzip(protocol: Protocol, packed: &[u8], limit: u64) -> Result<Bytes> {
    let mut body = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(packed).take(limit + 1);
    if reader.read_to_end(&mut body).is_err() {
        return Err(malformed(protocol, "The request body is not valid gzip."));
    }
    if body.len() as u64 > limit {
        return Err(malformed(protocol, "The request body is too large."));
    }
    Ok(body.into())
}

/// Whether the payload of a structure is streamed.
fn streams(service: &Service, shape: &Shape) -> bool {
    let payload = shape.payload.and_then(|p| shape.member(p));
    payload.is_some_and(|m| {
        let s = service.shape(m.shape);
        s.kind == Kind::Blob && (m.streaming || s.streaming)
    })
}

/// The answer to a body that does not parse.
fn malformed(protocol: Protocol, detail: impl Into<String>) -> ApiError {
    match protocol {
        Protocol::RestXml => ApiError::new(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
        .status(400)
        .context(detail),
        Protocol::Query | Protocol::Ec2 => {
            ApiError::new("MalformedQueryString", detail.into()).status(400)
        }
        _ => ApiError::new("SerializationException", detail.into()).status(400),
    }
}

#[cfg(test)]
mod tests;
