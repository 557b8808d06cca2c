//! A request as text, read without an HTTP parser: the vectors hold what those rightly refuse.

use fogbank_sigv4::Head;
use http::{HeaderMap, HeaderName, HeaderValue};

pub struct Raw<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub headers: HeaderMap,
    pub body: &'a str,
}

impl<'a> Raw<'a> {
    /// # Errors
    /// What is missing in the text.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        let (top, body) = text.split_once("\n\n").unwrap_or((text.trim_end_matches('\n'), ""));
        let (line, rest) = top.split_once('\n').unwrap_or((top, ""));
        let (method, target) = line.split_once(' ').ok_or("no request line")?;
        let target = target.strip_suffix(" HTTP/1.1").unwrap_or(target);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HeaderMap::new();
        let unfolded = rest.replace("\n ", " ");
        for line in unfolded.lines() {
            let (name, value) = line.split_once(':').ok_or("a header without a colon")?;
            let name: HeaderName = name.parse().map_err(|_| format!("header name {name}"))?;
            headers.append(name, HeaderValue::from_str(value.trim()).map_err(|e| e.to_string())?);
        }
        Ok(Raw { method, path, query, headers, body })
    }

    pub fn head(&self) -> Head<'_> {
        let Raw { method, path, query, headers, .. } = self;
        Head { method, path, query, authority: None, headers }
    }
}
