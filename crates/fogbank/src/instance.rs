//! A running cloud as other commands see it: found by its port, asked over HTTP.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

/// A cloud that listens on a port of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Instance {
    pub address: SocketAddr,
}

impl Instance {
    /// The cloud on `port` of the loopback address, whether or not it runs.
    pub fn at(port: u16) -> Self {
        Instance { address: (Ipv4Addr::LOCALHOST, port).into() }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether a fogbank answers there. `Ok(false)`: nobody listens.
    ///
    /// # Errors
    /// When something else listens on the port.
    pub fn is_up(&self) -> anyhow::Result<bool> {
        if TcpStream::connect_timeout(&self.address, Duration::from_millis(500)).is_err() {
            return Ok(false);
        }
        let other = || format!("Port {} is in use, but not by fogbank.", self.address.port());
        let health = self.get("/_fogbank/health").with_context(other)?;
        if health.get("fogbank").is_none() {
            bail!("{}\nHint: choose another port with --port.", other());
        }
        Ok(true)
    }

    /// A JSON document of the cloud's own endpoints.
    ///
    /// # Errors
    /// When nobody answers, or not with JSON.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&self.request("GET", path, b"")?)?)
    }

    /// Posts JSON to one of the cloud's own endpoints.
    ///
    /// # Errors
    /// As [`Instance::get`], and the cloud's own refusals.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&self.request("POST", path, body.to_string().as_bytes())?)?)
    }

    /// The body of an answer with status 2xx.
    ///
    /// # Errors
    /// When nobody answers, not in HTTP, or with another status.
    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut s = TcpStream::connect_timeout(&self.address, Duration::from_secs(2))
            .with_context(|| {
                let port = self.address.port();
                format!("No cloud runs on port {port}.\nHint: start one with `fogbank up --port {port}`.")
            })?;
        s.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            s,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        )?;
        s.write_all(body)?;
        let mut answer = Vec::new();
        s.take(16 << 20).read_to_end(&mut answer)?;
        let (status, body) = parse(&answer).context("The answer is not HTTP.")?;
        if !(200..300).contains(&status) {
            bail!("{}", String::from_utf8_lossy(body).trim());
        }
        Ok(body.to_vec())
    }
}

/// Status and body of an answer to a request that asked for `Connection: close`.
fn parse(answer: &[u8]) -> Option<(u16, &[u8])> {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some((status, &answer[end + 4..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_status_and_body() {
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n{}"), Some((200, &b"{}"[..])));
        assert_eq!(parse(b"SSH-2.0-x\r\n\r\n"), None);
        assert_eq!(parse(b"HTTP/1.1 20"), None);
    }
}
