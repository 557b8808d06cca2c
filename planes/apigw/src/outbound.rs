//! Requests to HTTP backends: a small client that keeps connections and knows the way home.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fogbank_core::Cloud;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;

use crate::visit::LIMIT;

/// What a backend answered, whole.
#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It did not come in time.
    Timeout,
    /// The URL, the connection, the answer; with a sentence for the log.
    Failed(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Timeout => f.write_str("the endpoint did not answer in time"),
            Error::Failed(why) => f.write_str(why),
        }
    }
}

type Sender = SendRequest<Full<Bytes>>;

/// The client. Idle connections are kept by address.
#[derive(Default)]
pub struct Outbound {
    idle: Arc<Mutex<HashMap<SocketAddr, Vec<Sender>>>>,
}

/// Connections kept per address.
const KEPT: usize = 64;

impl Outbound {
    /// Sends a request and reads its answer.
    ///
    /// Names of the cloud's own zones lead back to the cloud, with or without TLS: it is reached
    /// on its own listener. TLS to others needs a store of roots and is refused.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn send(
        &self,
        cloud: &dyn Cloud,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
        limit: Duration,
    ) -> Result<Response, Error> {
        let work = self.exchange(cloud, method, url, headers, body);
        tokio::time::timeout(limit, work).await.unwrap_or(Err(Error::Timeout))
    }

    async fn exchange(
        &self,
        cloud: &dyn Cloud,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response, Error> {
        let failed = |e: &dyn std::fmt::Display| Error::Failed(format!("{url}: {e}"));
        let uri: Uri = url.parse().map_err(|e| failed(&e))?;
        let authority = uri.authority().ok_or_else(|| failed(&"it names no host"))?.clone();
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(failed(&"only http and https are spoken")),
        };
        let address = self.address(cloud, authority.host(), authority.port_u16(), tls).await?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        let path = uri.path_and_query().map_or("/", |p| p.as_str());
        *request.uri_mut() = path.parse().map_err(|e| failed(&e))?;
        *request.headers_mut() = headers;
        if !request.headers().contains_key(header::HOST) {
            let host = HeaderValue::from_str(authority.as_str()).map_err(|e| failed(&e))?;
            request.headers_mut().insert(header::HOST, host);
        }
        request.headers_mut().remove(header::CONTENT_LENGTH);
        let mut sender = self.connection(address).await.map_err(|e| failed(&e))?;
        let response = sender.send_request(request).await.map_err(|e| failed(&e))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LIMIT).collect().await.map_err(|e| failed(&e))?.to_bytes();
        self.keep(address, sender);
        Ok(Response { status: parts.status, headers: parts.headers, body })
    }

    /// Where to connect to.
    async fn address(
        &self,
        cloud: &dyn Cloud,
        host: &str,
        port: Option<u16>,
        tls: bool,
    ) -> Result<SocketAddr, Error> {
        let failed = |why: String| Error::Failed(format!("{host}: {why}"));
        if is_ours(host) {
            let endpoint = cloud.endpoint();
            let home = endpoint.rsplit("//").next().unwrap_or_default();
            return home.parse().map_err(|_| failed(format!("{home} is no address")));
        }
        if tls {
            return Err(failed("TLS to other hosts is not implemented by fogbank".to_owned()));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut found = tokio::net::lookup_host((host, port.unwrap_or(80)))
            .await
            .map_err(|e| failed(e.to_string()))?;
        found.next().ok_or_else(|| failed("no address".to_owned()))
    }

    async fn connection(
        &self,
        address: SocketAddr,
    ) -> Result<Sender, Box<dyn std::error::Error + Send + Sync>> {
        loop {
            let kept = self.idle.lock().get_mut(&address).and_then(Vec::pop);
            match kept {
                Some(mut sender) => {
                    if sender.ready().await.is_ok() {
                        return Ok(sender);
                    }
                }
                None => break,
            }
        }
        let stream = TcpStream::connect(address).await?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }

    fn keep(&self, address: SocketAddr, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.idle.lock();
        let kept = idle.entry(address).or_default();
        if kept.len() < KEPT {
            kept.push(sender);
        }
    }
}

/// Whether a name is one that AWS, here this cloud, answers to.
fn is_ours(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    [".amazonaws.com", ".amazonaws.com.cn", ".on.aws", ".api.aws", ".localhost", ".cloudfront.net"]
        .iter()
        .any(|zone| host.ends_with(zone))
        || host.ends_with(".localhost.localstack.cloud")
        || host == "localhost.localstack.cloud"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_home() {
        assert!(is_ours("x.execute-api.us-east-1.amazonaws.com") && is_ours("x.s3.localhost"));
        assert!(!is_ours("localhost") && !is_ours("127.0.0.1") && !is_ours("example.com"));
    }
}
