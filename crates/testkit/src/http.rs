//! HTTP/1.1 over one connection, byte by byte: signed requests, raw ones, and broken ones.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fogbank_core::clock::real_now;
use fogbank_sigv4::{Head, Signer};
use http::{HeaderMap, HeaderName, HeaderValue};

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A keep-alive connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value; empty when there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

/// A request to be signed with the root's key unless another is given.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Path and query, encoded.
    pub target: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
    pub service: &'a str,
    pub key: (&'a str, &'a str),
}

impl<'a> Request<'a> {
    /// A request to S3 by the root of account 000000000000.
    #[must_use]
    pub fn s3(method: &'a str, target: &'a str, body: &'a [u8]) -> Self {
        Request { method, target, headers: &[], body, service: "s3", key: ("test", "test") }
    }

    /// The request as it goes over the wire.
    ///
    /// # Panics
    /// When a header is not one.
    #[must_use]
    pub fn bytes(&self, host: &str) -> Vec<u8> {
        let mut headers = HeaderMap::new();
        let host_header = ("host", host);
        for (name, value) in std::iter::once(&host_header).chain(self.headers) {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            headers.append(name, HeaderValue::from_str(value).expect("a header's value"));
        }
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        let signer = Signer::new(self.key.0, self.key.1, "us-east-1", self.service, real_now());
        let head = Head { method: self.method, path, query, authority: None, headers: &headers };
        let hash = fogbank_sigv4::canonical::sha256_hex(self.body);
        headers.extend(signer.sign(&head, &hash).headers);

        let mut out = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &headers {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("content-length: {}\r\n\r\n", self.body.len()).as_bytes());
        out.extend_from_slice(self.body);
        out
    }
}

impl Connection {
    /// # Errors
    /// When nobody accepts.
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection { stream: BufReader::new(stream), address })
    }

    /// Sends a signed request and reads the answer.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn send(&mut self, request: &Request<'_>) -> Result<Answer> {
        let bytes = request.bytes(&self.address.to_string());
        self.raw(&bytes)?;
        self.answer(request.method == "HEAD")
    }

    /// A GET without a signature, for the host named.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn get(&mut self, host: &str, target: &str) -> Result<Answer> {
        self.raw(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())?;
        self.answer(false)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        Ok(())
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn end(&mut self) -> Result<()> {
        self.stream.get_ref().shutdown(std::net::Shutdown::Write)?;
        Ok(())
    }

    /// Reads one answer; interim ones (100 Continue) are passed over.
    ///
    /// # Errors
    /// When the connection ends first, or what comes is not HTTP.
    pub fn answer(&mut self, without_body: bool) -> Result<Answer> {
        loop {
            let (status, headers) = self.head()?;
            if (100..200).contains(&status) {
                continue;
            }
            let empty = without_body || status == 204 || status == 304;
            let body = if empty { Vec::new() } else { self.body(&headers)? };
            return Ok(Answer { status, headers, body });
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            bail!("the connection ended");
        }
        Ok(line.trim_end().to_owned())
    }

    fn head(&mut self) -> Result<(u16, HeaderMap)> {
        let first = self.line()?;
        let status = first
            .strip_prefix("HTTP/1.")
            .and_then(|r| r.get(2..5)?.parse().ok())
            .with_context(|| format!("not HTTP: {first}"))?;
        let mut headers = HeaderMap::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.append(
                HeaderName::from_bytes(name.as_bytes())?,
                HeaderValue::from_str(value.trim())?,
            );
        }
        Ok((status, headers))
    }

    fn body(&mut self, headers: &HeaderMap) -> Result<Vec<u8>> {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let mut body = Vec::new();
        if let Some(length) = text("content-length") {
            body.resize(length.parse()?, 0);
            self.stream.read_exact(&mut body)?;
        } else if text("transfer-encoding").is_some_and(|t| t.eq_ignore_ascii_case("chunked")) {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16)?;
                let at = body.len();
                body.resize(at + size, 0);
                self.stream.read_exact(&mut body[at..])?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else {
            self.stream.read_to_end(&mut body)?;
        }
        Ok(body)
    }
}
