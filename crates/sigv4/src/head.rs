//! The part of an HTTP request that a signature covers, borrowed.

use http::HeaderMap;

/// A request's head as it stood on the wire: nothing decoded, nothing normalised.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    pub method: &'a str,
    /// The raw path; empty counts as `/`.
    pub path: &'a str,
    /// The raw query without its `?`; empty when there is none.
    pub query: &'a str,
    /// HTTP/2's `:authority`, which stands in for a missing `Host` header.
    pub authority: Option<&'a str>,
    pub headers: &'a HeaderMap,
}

impl<'a> Head<'a> {
    /// The head of a request as hyper parsed it.
    #[must_use]
    pub fn of(parts: &'a http::request::Parts) -> Self {
        Head {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            authority: parts.uri.authority().map(http::uri::Authority::as_str),
            headers: &parts.headers,
        }
    }

    /// A header's value when it is there and is visible ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }
}
