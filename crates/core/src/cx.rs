//! The context of one request: who, where, when, and the way to the rest of the cloud.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use parking_lot::Mutex;

use crate::acting::Source;
use crate::{
    ApiError, Body, BoxFuture, Check, Clock, Credential, Ids, Principal, Reply, Result, Str, Value,
};

/// What a handler knows beside its input.
pub struct Cx {
    /// The account the request acts in: twelve digits.
    pub account: String,
    /// The region of the request, from the signature's scope or the host name.
    pub region: Str,
    pub principal: Arc<Principal>,
    /// The access key id that signed; `None` for anonymous requests and internal calls.
    pub access_key: Option<String>,
    /// The model's name of the service (`s3`) and the operation (`PutObject`).
    pub service: &'static str,
    pub operation: &'static str,
    pub request_id: String,
    /// The time of the request on the cloud's clock.
    pub now: Timestamp,
    pub source_ip: IpAddr,
    /// TLS, or loopback, which counts as such (`aws:SecureTransport`).
    pub secure: bool,
    /// The HTTP request behind it; `None` for internal calls. For what the models do not carry
    /// (a `Location` to build, CORS), not for reading input.
    pub http: Option<Http>,
    /// The resource for which a service acts; `None` for clients' requests.
    pub source: Option<Arc<Source>>,
    /// The model's name of the service that makes this call, in its caller's name or its own
    /// (`kms:ViaService`, `aws:CalledViaLast`); `None` for clients' requests.
    pub via: Option<&'static str>,
    pub cloud: Arc<dyn Cloud>,
    body: Mutex<Option<Body>>,
    trailers: Option<Trailers>,
    ignored: Mutex<Vec<Str>>,
    memo: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
}

/// The headers that follow a chunked request body (`x-amz-checksum-crc32`). All clones share one
/// list, which is filled before the body reports its end.
#[derive(Clone, Debug, Default)]
pub struct Trailers(Arc<Mutex<HeaderMap>>);

impl Trailers {
    /// Replaces the list; called by whoever decodes the body.
    pub fn set(&self, headers: HeaderMap) {
        *self.0.lock() = headers;
    }

    /// What arrived so far: everything once the body has ended.
    #[must_use]
    pub fn get(&self) -> HeaderMap {
        self.0.lock().clone()
    }
}

/// The head of the HTTP request.
#[derive(Clone, Debug)]
pub struct Http {
    pub method: Method,
    /// Path and query, as received.
    pub uri: String,
    /// Host name and port as the client gave them.
    pub host: String,
    pub tls: bool,
    pub headers: Arc<HeaderMap>,
}

/// The rest of the cloud, as a handler sees it. Implemented by the gateway.
pub trait Cloud: Send + Sync {
    /// Calls another service's operation through the front door with `cx`'s principal:
    /// validated, authorised and journalled like a client's request.
    fn call<'a>(
        &'a self,
        cx: &'a Cx,
        service: &'a str,
        operation: &'a str,
        input: Value,
        body: Body,
    ) -> BoxFuture<'a, Result<Reply>>;

    /// Asks the policy engine about `cx`'s principal.
    fn authorize<'a>(&'a self, cx: &'a Cx, check: Check) -> BoxFuture<'a, Result<()>>;

    /// The credential behind an access key, and the session token that goes with a temporary one.
    /// A cloud without identities, as in tests, knows none.
    fn identify<'a>(
        &'a self,
        _access_key: &'a str,
        _session_token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Arc<Credential>>>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Who signed a request that a plane serves, with the whole of its body: `None` when nobody
    /// did. `service` is the name that the signature must be scoped to (`execute-api`). A cloud
    /// without identities takes every request for unsigned.
    ///
    /// # Errors
    /// What is wrong with the signature, in the words of a REST service.
    fn authenticate<'a>(
        &'a self,
        _service: &'a str,
        _head: &'a http::request::Parts,
        _body: &'a Bytes,
    ) -> BoxFuture<'a, Result<Option<Arc<Credential>>>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Makes a request in a service's own protocol with `cx`'s principal, decoded, authorised and
    /// journalled like a client's; errors too come back as the service would have written them.
    fn exchange<'a>(
        &'a self,
        _cx: &'a Cx,
        request: Exchange,
    ) -> BoxFuture<'a, http::Response<Body>> {
        let mut none =
            http::Response::new(Body::from(format!("{}: no such service", request.service)));
        *none.status_mut() = http::StatusCode::NOT_IMPLEMENTED;
        Box::pin(std::future::ready(none))
    }

    /// What the service models say; a cloud without models, as in tests, has none.
    fn shapes(&self) -> Option<&dyn crate::Shapes> {
        None
    }

    fn clock(&self) -> &Clock;
    fn ids(&self) -> &Ids;

    /// Tells whoever listens what happened (EventBridge, S3 notifications). Must not block.
    fn publish(&self, cx: &Cx, event: Event);

    /// A name and port at which clients on this machine reach the cloud: `http://127.0.0.1:4566`.
    fn endpoint(&self) -> String;
}

/// A request in a service's own protocol, without signature: its principal is known.
#[derive(Debug)]
pub struct Exchange {
    /// The service as its host name has it (`states`, `dynamodb`, `lambda`).
    pub service: String,
    /// The operation, where the protocol names it beside the path: it is then filled in as the
    /// protocol wants (`X-Amz-Target`, `Action`).
    pub operation: Option<String>,
    /// Path and query, headers and body.
    pub request: http::Request<Bytes>,
}

/// Something that happened to a resource.
#[derive(Clone, Debug)]
pub struct Event {
    /// `aws.s3`.
    pub source: Str,
    /// `Object Created`.
    pub detail_type: Str,
    pub resources: Vec<String>,
    pub detail: Value,
}

/// The parts of a [`Cx`], for whoever makes one.
pub struct CxParts {
    pub account: String,
    pub region: Str,
    pub principal: Arc<Principal>,
    pub access_key: Option<String>,
    pub service: &'static str,
    pub operation: &'static str,
    pub request_id: String,
    pub source_ip: IpAddr,
    pub secure: bool,
    pub http: Option<Http>,
    pub source: Option<Arc<Source>>,
    pub body: Body,
}

impl Cx {
    /// Made by the gateway for each request; `now` is read from the cloud's clock.
    #[must_use]
    pub fn new(cloud: Arc<dyn Cloud>, p: CxParts) -> Self {
        Cx {
            account: p.account,
            region: p.region,
            principal: p.principal,
            access_key: p.access_key,
            service: p.service,
            operation: p.operation,
            request_id: p.request_id,
            now: cloud.clock().now(),
            source_ip: p.source_ip,
            secure: p.secure,
            http: p.http,
            source: p.source,
            via: None,
            cloud,
            body: Mutex::new(Some(p.body)),
            trailers: None,
            ignored: Mutex::default(),
            memo: Mutex::default(),
        }
    }

    /// Says which service makes the call.
    #[must_use]
    pub fn with_via(mut self, service: &'static str) -> Self {
        self.via = Some(service);
        self
    }

    /// Replaces the streaming payload.
    #[must_use]
    pub fn with_body(self, body: Body) -> Self {
        *self.body.lock() = Some(body);
        self
    }

    /// Adds the handle by which the body's trailers will come.
    #[must_use]
    pub fn with_trailers(mut self, trailers: Trailers) -> Self {
        self.trailers = Some(trailers);
        self
    }

    /// The trailers of the request body: complete once the body from [`Cx::take_body`] has been
    /// read to its end, empty when there are none.
    #[must_use]
    pub fn trailers(&self) -> HeaderMap {
        self.trailers.as_ref().map(Trailers::get).unwrap_or_default()
    }

    /// Keeps what the checks of this request have read, for its handler to [`Cx::recall`].
    pub fn remember<T: Send + Sync + 'static>(&self, thing: Arc<T>) {
        *self.memo.lock() = Some(thing);
    }

    /// What was last remembered, if it is a `T`. It is as old as the request, so that a handler
    /// which writes reads again under its lock.
    #[must_use]
    pub fn recall<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.memo.lock().clone()?.downcast().ok()
    }

    /// Reports an input member that is accepted but has no effect here. The client sees it in the
    /// header `x-fogbank-ignored`; for members whose absence would change the result, refuse with
    /// [`Cx::refuse_member`] instead.
    pub fn ignore_member(&self, member: impl Into<Str>) {
        self.ignored.lock().push(member.into());
    }

    /// The members reported by [`Cx::ignore_member`] so far.
    #[must_use]
    pub fn ignored(&self) -> Vec<Str> {
        self.ignored.lock().clone()
    }

    /// The streaming payload of the request (`PutObject`'s Body). The second call gets `Empty`.
    pub fn take_body(&self) -> Body {
        self.body.lock().take().unwrap_or_default()
    }

    /// Calls another service with this request's principal. `input` has the operation's shape.
    ///
    /// # Errors
    /// The other operation's error, `NotImplemented` included.
    pub async fn call(&self, service: &str, operation: &str, input: Value) -> Result<Value> {
        Ok(self.cloud.call(self, service, operation, input, Body::Empty).await?.value)
    }

    /// Asks whether the caller may, beyond what the operation's own table entry asks
    /// (`iam:PassRole`, the source of a copy).
    ///
    /// # Errors
    /// The service's access-denied error when it may not.
    pub async fn authorize(&self, check: Check) -> Result<()> {
        self.cloud.authorize(self, check).await
    }

    /// An ARN in this request's account and region.
    #[must_use]
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account)
    }

    #[must_use]
    pub fn ids(&self) -> &Ids {
        self.cloud.ids()
    }

    /// A header of the HTTP request, when there is one and it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.http.as_ref()?.headers.get(name)?.to_str().ok()
    }

    /// An input member we do not honour: answered by name rather than dropped.
    #[must_use]
    pub fn refuse_member(&self, member: &str) -> ApiError {
        ApiError::not_implemented(&format!("{}:{} with {member}", self.service, self.operation))
    }
}
