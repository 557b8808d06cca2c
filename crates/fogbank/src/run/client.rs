//! A small HTTP client that signs: the examples speak to the cloud over the wire, as anybody would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fogbank_core::clock::real_now;
use fogbank_sigv4::{Head, Signer, canonical};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::instance::Instance;

/// The largest answer that is read.
const ANSWER_MAX: u64 = 64 << 20;

/// Speaks to one cloud, as the root of account 000000000000 where it signs.
pub struct Client {
    pub instance: Instance,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

impl Answer {
    /// Fails with the error's code and message unless the status is 2xx.
    pub fn ok(self) -> anyhow::Result<Self> {
        if self.status / 100 != 2 {
            bail!("{}", self.summary());
        }
        Ok(self)
    }

    /// `403 AccessDenied`, `200 text/html`.
    pub fn summary(&self) -> String {
        let code =
            between(&self.body, "<Code>", "</Code>").or_else(|| between(&self.body, "Code: ", "<"));
        let message = between(&self.body, "<Message>", "</Message>");
        match (self.status / 100, code, message) {
            (2, ..) | (_, None, _) => format!("{} {}", self.status, self.content_type),
            (_, Some(code), None) => format!("{} {code}", self.status),
            (_, Some(code), Some(message)) => format!("{} {code}: {message}", self.status),
        }
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

impl Client {
    /// A signed S3 request with a body and its checksum.
    pub fn s3(
        &self,
        method: &str,
        target: &str,
        content_type: &str,
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let host = self.instance.address.to_string();
        let hash = canonical::sha256_hex(body);
        let mut headers = HeaderMap::new();
        headers.insert("host", host.parse()?);
        if !body.is_empty() {
            headers.insert("content-type", content_type.parse()?);
            let digest = BASE64_STANDARD.encode(hex::decode(&hash)?);
            headers.insert("x-amz-checksum-sha256", digest.parse()?);
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let signer = Signer::new("test", "test", "us-east-1", "s3", real_now());
        let head = Head { method, path, query, authority: None, headers: &headers };
        let signed = signer.sign(&head, &hash);
        headers.extend(signed.headers);
        self.exchange(method, target, &headers, body)
    }

    /// A signed request to a REST service, with headers of its own.
    pub fn rest(
        &self,
        service: &str,
        method: &str,
        target: &str,
        body: &[u8],
        more: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        for (name, value) in more {
            headers.insert(HeaderName::try_from(*name)?, HeaderValue::from_str(value)?);
        }
        self.signed(service, method, target, headers, body)
    }

    /// A signed request to a service of the query protocol.
    pub fn form(&self, service: &str, fields: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let encode = |text: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
            text.bytes().fold(String::new(), |mut out, b| {
                use std::fmt::Write as _;
                let _ = if plain(b) {
                    write!(out, "{}", char::from(b))
                } else {
                    write!(out, "%{b:02X}")
                };
                out
            })
        };
        let pairs: Vec<String> = fields.iter().map(|(k, v)| format!("{k}={}", encode(v))).collect();
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert("content-type", form);
        self.signed(service, "POST", "/", headers, pairs.join("&").as_bytes())
    }

    fn signed(
        &self,
        service: &str,
        method: &str,
        target: &str,
        mut headers: HeaderMap,
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        headers.insert("host", self.instance.address.to_string().parse()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let signer = Signer::new("test", "test", "us-east-1", service, real_now());
        let head = Head { method, path, query, authority: None, headers: &headers };
        let signed = signer.sign(&head, &canonical::sha256_hex(body));
        headers.extend(signed.headers);
        self.exchange(method, target, &headers, body)
    }

    /// A stranger's GET of `path` from the web server named `host`.
    pub fn browse(&self, host: &str, path: &str) -> anyhow::Result<Answer> {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_str(host)?);
        self.exchange("GET", path, &headers, b"")
    }

    fn exchange(
        &self,
        method: &str,
        target: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&self.instance.address, Duration::from_secs(5))
            .context("the cloud does not accept")?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut request = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
        let mut line = |name: &HeaderName, value: &[u8]| {
            request.extend_from_slice(name.as_str().as_bytes());
            request.extend_from_slice(b": ");
            request.extend_from_slice(value);
            request.extend_from_slice(b"\r\n");
        };
        headers.iter().for_each(|(name, value)| line(name, value.as_bytes()));
        line(&http::header::CONTENT_LENGTH, body.len().to_string().as_bytes());
        line(&http::header::CONNECTION, b"close");
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body);
        stream.write_all(&request)?;
        read(BufReader::new(stream.take(ANSWER_MAX)))
    }
}

/// Reads an answer after which the connection ends.
fn read(mut stream: impl BufRead) -> anyhow::Result<Answer> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|r| r.get(..3)?.parse().ok());
    let mut answer = Answer {
        status: status.with_context(|| format!("not HTTP: {line:.80}"))?,
        content_type: String::new(),
        body: String::new(),
    };
    let mut chunked = false;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-type" => value.trim().clone_into(&mut answer.content_type),
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            line.clear();
            stream.read_line(&mut line)?;
            let size = u64::from_str_radix(line.trim(), 16).context("a chunk's size")?;
            (&mut stream).take(size + 2).read_to_end(&mut body)?;
            body.truncate(body.len().saturating_sub(2));
            if size == 0 {
                break;
            }
        }
    } else {
        stream.read_to_end(&mut body)?;
    }
    answer.body = String::from_utf8_lossy(&body).into_owned();
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let a = read(&b"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\n\r\na{}"[..]).unwrap();
        assert_eq!((a.summary().as_str(), a.body.as_str()), ("200 text/css", "a{}"));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        assert_eq!(read(&chunked[..]).unwrap().body, "abcde");
        let refused =
            b"HTTP/1.1 403 Forbidden\r\n\r\n<Error><Code>AccessDenied</Code><Message>No.</Message>";
        let refused = read(&refused[..]).unwrap();
        assert_eq!(refused.summary(), "403 AccessDenied: No.");
        assert!(refused.ok().is_err());
        assert!(read(&b"SSH-2.0"[..]).is_err() && read(&b""[..]).is_err());
    }
}
