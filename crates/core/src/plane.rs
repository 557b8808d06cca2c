//! Data planes: servers behind the gateway's listener for host names that are no AWS API.

use std::net::SocketAddr;

use crate::{Body, BoxFuture};

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    /// Whether the connection is TLS.
    pub tls: bool,
}

/// A server for some host names: an S3 website, an HTTP API, a CDN alias.
pub trait Plane: Send + Sync {
    /// Whether requests for `host` (lower case, no port) are this plane's. Called for each request
    /// whose host is not an API's, so it must be cheap.
    fn serves(&self, host: &str) -> bool;

    /// Whether a request for a path of a host that no plane serves as a whole is this plane's. Cheap,
    /// too.
    fn serves_at(&self, _host: &str, _path: &str) -> bool {
        false
    }

    /// Whether a request by address or plain `localhost`, which names no host, is this plane's by
    /// its path. `signed` is the service in its signature's scope, if it has one. Cheap, too.
    fn serves_path(&self, _path: &str, _signed: Option<&str>) -> bool {
        false
    }

    /// Answers a request. The body streams; nothing has been authenticated.
    fn serve(
        &self,
        request: http::Request<Body>,
        peer: Peer,
    ) -> BoxFuture<'_, http::Response<Body>>;
}
