//! From an HTTP request to a caller, an operation and its input.

use std::sync::Arc;

use bytes::Bytes;
use fogbank_core::{Body, Peer, Result, Trailers, Value};
use fogbank_model::Service as Model;
use fogbank_sigv4::{Dialect, Head, Payload, Signed, payload, stream};
use fogbank_wire::{self as wire, Call};
use http::Uri;
use http::request::Parts;
use hyper::body::Incoming;

use crate::authenticate::{Caller, missing};
use crate::authorise::dialect;
use crate::pipeline::{Trace, unimplemented};
use crate::{Gateway, incoming, limits};

/// A request whose service is known.
pub struct Arrived {
    /// With the path-style form of an S3 request.
    pub parts: Parts,
    /// Path and query as received: what the signature covers.
    pub original: Uri,
    /// Host and port as received.
    pub host: String,
    /// The region in the host's name.
    pub region: Option<String>,
    pub content: Content,
    pub peer: Peer,
}

/// The body, which is read at the latest possible moment.
pub enum Content {
    Unread(Incoming),
    Read(Bytes),
}

/// A request that may be authorised and run.
pub struct Ready {
    pub call: Call,
    pub value: Value,
    pub caller: Caller,
    /// What the handler streams.
    pub body: Body,
    pub trailers: Trailers,
}

/// The head of a request, in parts.
struct Asked<'a> {
    model: &'static Model,
    parts: &'a Parts,
    head: Head<'a>,
    signed: Option<Signed<'a>>,
    anonymous: Caller,
}

impl Gateway {
    /// Authenticates the caller, finds the operation and reads its input.
    ///
    /// # Errors
    /// Those of the signature, the routing and the validation, in the service's words.
    pub(crate) async fn understand(
        &self,
        model: &'static Model,
        arrived: &mut Arrived,
        trace: &mut Trace,
    ) -> Result<Ready> {
        let content = std::mem::take(&mut arrived.content);
        let parts = &arrived.parts;
        let head = Head {
            path: arrived.original.path(),
            query: arrived.original.query().unwrap_or_default(),
            ..Head::of(parts)
        };
        let words = dialect(model);
        let signed = fogbank_sigv4::parse(&head).map_err(|e| e.api(words))?;
        let region = arrived.region.as_deref();
        let anonymous = Caller::anonymous(Arc::clone(&self.anonymous), region);
        let asked = Asked { model, parts, head, signed, anonymous };
        if words == Dialect::S3 {
            self.head_first(asked, content, trace).await
        } else {
            self.body_first(asked, content, trace).await
        }
    }

    /// S3: the signature covers the hash that the client claims, so the caller is known before the
    /// body is read, and a large body is left to the handler.
    async fn head_first(&self, a: Asked<'_>, content: Content, trace: &mut Trace) -> Result<Ready> {
        let Asked { model, parts, head, signed, anonymous } = a;
        let empty = Bytes::new();
        let call = wire::route(model, &wire_request(parts, &empty))?;
        trace.call = Some(call);
        let payload = Payload::of(&head, signed.as_ref()).map_err(|e| e.api(Dialect::S3))?;
        let (caller, signed) = match &signed {
            None => (anonymous, None),
            Some(s) => {
                let text = payload.text();
                let (caller, key) = self.authenticate(&head, s, text, Dialect::S3).await?;
                (caller, Some((s, key)))
            }
        };
        trace.principal = Some(Arc::clone(&caller.principal));
        self.served(&call)?;
        let trailers = Trailers::default();
        let raw = match content {
            // Reading asks for it (`100 Continue`): not before the caller is known to be allowed.
            Content::Unread(b) if parts.headers.contains_key(http::header::EXPECT) => {
                incoming::stream(b, trailers.clone())
            }
            Content::Unread(b) => incoming::whole_or_stream(b, &trailers).await?,
            Content::Read(b) => b.into(),
        };
        let mut body = stream::checked(raw, &head, &payload, signed, &trailers)?;
        let bytes = if call.streams_input() {
            empty
        } else {
            std::mem::take(&mut body).collect(limits::body(model.id)).await?
        };
        let mut value = call.decode(&wire_request(parts, &bytes))?;
        if matches!(payload, Payload::Chunked(_)) {
            plain_encoding(&mut value);
        }
        Ok(Ready { call, value, caller, body, trailers })
    }

    /// All others: the signature covers the body, which is read first.
    async fn body_first(&self, a: Asked<'_>, content: Content, trace: &mut Trace) -> Result<Ready> {
        let Asked { model, parts, head, signed, anonymous } = a;
        let words = dialect(model);
        let trailers = Trailers::default();
        let bytes = match content {
            Content::Read(b) => b,
            Content::Unread(b) => incoming::collect(b, limits::body(model.id), &trailers).await?,
        };
        // Where the body names the operation, an unknown name must not hide a wrong signature.
        let routed = wire::route(model, &wire_request(parts, &bytes));
        trace.call = routed.as_ref().ok().copied();
        let caller = match &signed {
            Some(s) => {
                let text = payload::of_body(&head, &bytes);
                self.authenticate(&head, s, &text, words).await?.0
            }
            None if routed.as_ref().is_ok_and(|c| c.operation.anonymous) => anonymous,
            None => return Err(missing(words)),
        };
        trace.principal = Some(Arc::clone(&caller.principal));
        let call = routed?;
        self.served(&call)?;
        let (body, bytes) =
            if call.streams_input() { (bytes.into(), Bytes::new()) } else { (Body::Empty, bytes) };
        let value = call.decode(&wire_request(parts, &bytes))?;
        Ok(Ready { call, value, caller, body, trailers })
    }

    fn served(&self, call: &Call) -> Result<()> {
        let (service, operation) = (call.service.id, call.operation.name);
        let there = self.services.get(service).is_some_and(|s| s.has(operation));
        if there { Ok(()) } else { Err(unimplemented(service, operation)) }
    }
}

/// The head of a request as the protocols see it, with what was read of its body.
pub fn wire_request<'a>(parts: &'a Parts, body: &'a Bytes) -> wire::Request<'a> {
    wire::Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
    }
}

/// The input as if the body had come without its chunks: `aws-chunked` speaks of the transfer only.
fn plain_encoding(input: &mut Value) {
    let Value::Map(members) = input else { return };
    let encoding = members.iter_mut().find(|(name, _)| name == "ContentEncoding");
    if let Some((_, value)) = encoding
        && let Value::Str(s) = value
    {
        *value = fogbank_sigv4::chunked::content_encoding(s).into();
    }
}
