//! The plane: one server for the host names of all APIs, with a front for each kind of API.

use std::sync::{Arc, OnceLock, Weak};

use fogbank_core::{Body, BoxFuture, Cloud, Peer, Plane};
use http::{Method, Request, Response, StatusCode, header};

use crate::address;
use crate::visit::{LIMIT, Visit, message};

/// A kind of APIs: REST or HTTP.
pub trait Front: Send + Sync {
    /// Answers a request to one of its APIs; gives back a request to an API that is not its own.
    fn serve(&self, visit: Visit) -> BoxFuture<'_, Result<Response<Body>, Visit>>;
}

/// The server of `execute-api` names.
pub struct ExecuteApi {
    fronts: Vec<Arc<dyn Front>>,
    cloud: OnceLock<Weak<dyn Cloud>>,
}

impl ExecuteApi {
    #[must_use]
    pub fn new(fronts: Vec<Arc<dyn Front>>) -> Self {
        ExecuteApi { fronts, cloud: OnceLock::new() }
    }

    /// Tells it which cloud it serves; until then it answers 503. The cloud holds its planes, so
    /// they do not hold it.
    pub fn connect(&self, cloud: &Arc<dyn Cloud>) {
        let _ = self.cloud.set(Arc::downgrade(cloud));
    }

    async fn answer(&self, request: Request<Body>, peer: Peer) -> Response<Body> {
        let Some(cloud) = self.cloud.get().and_then(Weak::upgrade) else {
            return message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
        };
        let (parts, body) = request.into_parts();
        let named = parts.headers.get(header::HOST).and_then(|h| h.to_str().ok());
        let host = parts.uri.authority().map(http::uri::Authority::as_str).or(named);
        let host = host.unwrap_or_default();
        let host = host.rsplit_once(':').map_or(host, |(h, _)| h).to_ascii_lowercase();
        let path = parts.uri.path();
        let address = match address::of_host(&host) {
            Some((api, region)) => address::Address { api, region, path: path.into() },
            None => match address::of_path(path) {
                Some(a) => a,
                None => return unknown(),
            },
        };
        let (api, region) = (address.api.to_owned(), address.region.map(str::to_owned));
        let path = address.path.into_owned();
        let (body, too_large) = match whole(body).await {
            Ok(whole) => whole.map_or_else(|| (bytes::Bytes::new(), true), |b| (b, false)),
            Err(_) => return message(StatusCode::BAD_REQUEST, "Bad Request"),
        };
        let mut visit = Visit::new(cloud, parts, body, peer, host);
        visit.api = api;
        visit.region = region;
        visit.path = path;
        visit.too_large = too_large;
        for front in &self.fronts {
            visit = match front.serve(visit).await {
                Ok(response) => return response,
                Err(back) => back,
            };
        }
        unknown()
    }
}

/// The whole of a body; `None` when it is larger than may be. Some of what is too much is read and
/// dropped, so that a client which is still sending gets to read the answer.
async fn whole(mut body: Body) -> fogbank_core::Result<Option<bytes::Bytes>> {
    const DROPPED: usize = 4 << 20;
    if body.length().is_some_and(|n| n <= LIMIT as u64) {
        return body.collect(LIMIT).await.map(Some);
    }
    let (mut all, mut size) = (bytes::BytesMut::new(), 0);
    while let Some(piece) = body.next().await {
        let piece = piece?;
        size += piece.len();
        if size <= LIMIT {
            all.extend_from_slice(&piece);
        } else {
            all.clear();
            if size > LIMIT + DROPPED {
                break;
            }
        }
    }
    Ok((size <= LIMIT).then(|| all.freeze()))
}

/// AWS's names resolve for every id; who asks for an API that is not there is told nothing.
fn unknown() -> Response<Body> {
    let mut r = message(StatusCode::FORBIDDEN, "Forbidden");
    let kind = http::HeaderValue::from_static("ForbiddenException");
    r.headers_mut().insert("x-amzn-errortype", kind);
    r
}

impl Plane for ExecuteApi {
    fn serves(&self, host: &str) -> bool {
        address::of_host(host).is_some()
    }

    fn serves_path(&self, path: &str, signed: Option<&str>) -> bool {
        signed.is_none_or(|s| s == "execute-api") && address::of_path(path).is_some()
    }

    fn serve(&self, request: Request<Body>, peer: Peer) -> BoxFuture<'_, Response<Body>> {
        Box::pin(async move {
            let head = request.method() == Method::HEAD;
            let mut response = self.answer(request, peer).await;
            if head {
                *response.body_mut() = Body::Empty;
            }
            response
        })
    }
}
