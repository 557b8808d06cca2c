//! One request to an API, as far as every API sees it alike.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use fogbank_core::{Body, Cloud, Peer};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

/// The most that a request or an answer may hold.
pub const LIMIT: usize = 10 << 20;

/// A request to an API.
pub struct Visit {
    pub cloud: Arc<dyn Cloud>,
    pub api: String,
    /// The region in the host's name.
    pub region: Option<String>,
    /// The host as the client named it, in lower case and without port.
    pub host: String,
    /// What follows the API: the stage, where it stands in the path, and the rest; as received.
    pub path: String,
    /// The head as received, which a signature covers.
    pub parts: Parts,
    pub body: Bytes,
    /// The body was larger than [`LIMIT`] and has not been read.
    pub too_large: bool,
    pub request_id: String,
    /// `$context.extendedRequestId`: base64, as API Gateway has it.
    pub extended_id: String,
    pub source_ip: IpAddr,
    pub tls: bool,
    pub now: Timestamp,
}

impl Visit {
    pub(crate) fn new(
        cloud: Arc<dyn Cloud>,
        parts: Parts,
        body: Bytes,
        peer: Peer,
        host: String,
    ) -> Self {
        use base64::Engine;
        let mut raw = [0; 11];
        cloud.ids().fill(&mut raw);
        Visit {
            request_id: cloud.ids().request_id(),
            extended_id: base64::engine::general_purpose::STANDARD.encode(raw),
            now: cloud.clock().now(),
            source_ip: peer.address.ip().to_canonical(),
            tls: peer.tls,
            api: String::new(),
            region: None,
            path: String::new(),
            too_large: false,
            cloud,
            parts,
            body,
            host,
        }
    }

    /// A request that nobody sent: to try an API.
    #[must_use]
    pub fn internal(cloud: Arc<dyn Cloud>, parts: Parts, body: Bytes, from: IpAddr) -> Self {
        let peer = Peer { address: std::net::SocketAddr::new(from, 0), tls: true };
        Visit::new(cloud, parts, body, peer, "testPrefix.testDomainName".into())
    }

    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The first value of a header, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// The query as received, without its question mark.
    #[must_use]
    pub fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    /// The query's parameters, decoded, in order.
    #[must_use]
    pub fn parameters(&self) -> Vec<(String, String)> {
        pairs(self.query())
    }

    /// The first label of the host: `$context.domainPrefix`.
    #[must_use]
    pub fn domain_prefix(&self) -> &str {
        self.host.split('.').next().unwrap_or(&self.host)
    }

    /// The name that AWS knows the API by, whatever name it was reached by.
    #[must_use]
    pub fn domain(&self, region: &str) -> String {
        if self.host.contains(".execute-api.") {
            self.host.clone()
        } else {
            format!("{}.execute-api.{region}.amazonaws.com", self.api)
        }
    }

    /// `HTTP/1.1`.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        match self.parts.version {
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_2 => "HTTP/2.0",
            _ => "HTTP/1.1",
        }
    }

    #[must_use]
    pub fn user_agent(&self) -> &str {
        self.header("user-agent").unwrap_or_default()
    }

    /// `09/Apr/2015:12:34:56 +0000`.
    #[must_use]
    pub fn request_time(&self) -> String {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let t = jiff::tz::Offset::UTC.to_datetime(self.now);
        let month = MONTHS[usize::from(t.month().unsigned_abs()).saturating_sub(1) % 12];
        format!(
            "{:02}/{month}/{:04}:{:02}:{:02}:{:02} +0000",
            t.day(),
            t.year(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }
}

/// The pairs of a query or form, decoded.
#[must_use]
pub fn pairs(query: &str) -> Vec<(String, String)> {
    let decode = |s: &str| {
        let spaced: Cow<'_, str> =
            if s.contains('+') { s.replace('+', " ").into() } else { s.into() };
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let all = query.split('&').filter(|p| !p.is_empty());
    all.map(|p| p.split_once('=').unwrap_or((p, ""))).map(|(k, v)| (decode(k), decode(v))).collect()
}

/// An answer of the gateway's own: `{"message":"…"}`.
#[must_use]
pub fn message(status: StatusCode, text: &str) -> Response<Body> {
    let mut r = Response::new(Body::from(serde_json::json!({ "message": text }).to_string()));
    *r.status_mut() = status;
    r.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    r
}

/// The variables of `$context`, by their dotted names.
#[derive(Clone, Debug, Default)]
pub struct Context(Vec<(Cow<'static, str>, String)>);

impl Context {
    /// Sets a variable, whatever it was.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, v)) => *v = value,
            None => self.0.push((name, value)),
        }
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (&**n, v.as_str()))
    }
}
