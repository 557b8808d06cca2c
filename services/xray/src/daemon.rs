//! What tracing libraries send to the daemon's UDP port: a header line, then a segment.
//!
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-daemon>

use serde::Deserialize;

/// The port at which functions and containers expect the daemon.
pub const PORT: u16 = 2000;
/// No datagram is longer.
pub const LONGEST: usize = 64 * 1024;

#[derive(Deserialize)]
struct Header {
    format: String,
    version: i64,
}

/// The segment document in a datagram: a `TraceSegmentDocuments` member for PutTraceSegments.
/// `None` for what is no datagram of this protocol.
#[must_use]
pub fn segment(datagram: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(datagram).ok()?;
    let (header, document) = text.split_once('\n')?;
    let header: Header = serde_json::from_str(header).ok()?;
    let document = document.trim();
    let fits = header.format == "json" && header.version == 1 && document.starts_with('{');
    fits.then_some(document)
}

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn datagrams() {
        let good = b"{\"format\": \"json\", \"version\": 1}\n{\"id\": \"x\"}\n";
        assert_eq!(segment(good), Some("{\"id\": \"x\"}"));
        for bad in [
            &b""[..],
            b"{}\n{}",
            b"{\"format\":\"json\",\"version\":2}\n{}",
            b"x\n{}",
            b"\xff\n{}",
            b"{\"format\":\"json\",\"version\":1}\ntext",
        ] {
            assert_eq!(segment(bad), None);
        }
    }
}
