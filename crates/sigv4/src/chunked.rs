//! The aws-chunked encoding: an incremental decoder that yields slices of what it is fed.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>
//!
//! Data is handed on before the signature of its chunk is seen, so that no chunk need be held in
//! memory: whoever stores the data keeps it only when the body ends without an error.

use bytes::Bytes;
use fogbank_core::ApiError;
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use crate::auth::Signed;
use crate::head::Head;
use crate::key::SigningKey;
use crate::payload::Chunked;

mod error;
mod signer;

use error::{bad_size, framing, length_differs, malformed_trailer, terminated};
use signer::Signer;

/// Only the last chunk may be smaller than this.
const MIN_CHUNK: u64 = 8192;
/// A chunk's header line or a trailer line is shorter than this, or it is refused.
const MAX_LINE: usize = 4096;
/// A body has at most this many trailer lines.
const MAX_TRAILERS: usize = 16;

/// The state of decoding one body.
///
/// Feed it with [`Decoder::push`], drain it with [`Decoder::next`] until that gives `None`, and at
/// the end of the input call [`Decoder::end`].
#[derive(Debug)]
pub struct Decoder {
    mode: Chunked,
    state: State,
    input: Bytes,
    /// A line that is not complete yet.
    line: Vec<u8>,
    signer: Option<Signer>,
    /// SHA-256 of the chunk so far, kept when chunks are signed.
    hash: Sha256,
    /// The signature that the chunk's header gave.
    signature: String,
    /// `x-amz-decoded-content-length`.
    length: u64,
    decoded: u64,
    /// How many chunks were begun, and the size of the last one.
    chunks: u64,
    size: u64,
    /// What `x-amz-trailer` announced, in lower case.
    announced: Vec<String>,
    trailers: Vec<(String, String)>,
    trailer_signature: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At a chunk's header line.
    Header,
    /// In a chunk with so many bytes to come.
    Data(u64),
    /// At the line end that follows a chunk's data.
    DataEnd,
    /// After the last chunk.
    Trailer,
    Done,
}

impl Decoder {
    /// A decoder for the body of the request with this head. `signed` is the request's verified
    /// signature and the key that [`Signed::verify`] gave; signed chunks need it.
    ///
    /// # Errors
    /// `MissingContentLength` without a valid `x-amz-decoded-content-length`; `AccessDenied` for
    /// signed chunks in an unsigned request.
    pub fn new(
        head: &Head<'_>,
        mode: Chunked,
        signed: Option<(&Signed<'_>, SigningKey)>,
    ) -> Result<Self, ApiError> {
        let length = head
            .header("x-amz-decoded-content-length")
            .and_then(|v| v.trim().parse().ok())
            .ok_or_else(error::no_length)?;
        let signer = match (mode.signed, signed) {
            (false, _) => None,
            (true, Some((signed, key))) => Some(Signer::new(signed, key)),
            (true, None) => return Err(ApiError::new("AccessDenied", "Access Denied").status(403)),
        };
        let announced = head
            .headers
            .get_all("x-amz-trailer")
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(','))
            .map(|v| v.trim().to_ascii_lowercase())
            .filter(|v| !v.is_empty())
            .collect();
        Ok(Decoder {
            mode,
            state: State::Header,
            input: Bytes::new(),
            line: Vec::new(),
            signer,
            hash: Sha256::new(),
            signature: String::new(),
            length,
            decoded: 0,
            chunks: 0,
            size: 0,
            announced,
            trailers: Vec::new(),
            trailer_signature: None,
        })
    }

    /// The length of the decoded body, as the request announced it.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Takes the next piece of the encoded body. The one before must have been drained.
    pub fn push(&mut self, piece: Bytes) {
        if self.input.is_empty() {
            self.input = piece;
        } else if !piece.is_empty() {
            self.input = [&self.input[..], &piece[..]].concat().into();
        }
    }

    /// The next decoded bytes, a slice of what was pushed; `None` when more input is needed.
    ///
    /// # Errors
    /// S3's error for what is wrong with the framing, a signature or a length.
    #[expect(clippy::should_implement_trait, reason = "more input may follow None")]
    pub fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            match self.state {
                State::Data(left) => {
                    if self.input.is_empty() {
                        return Ok(None);
                    }
                    let n = usize::try_from(left).unwrap_or(usize::MAX).min(self.input.len());
                    let data = self.input.split_to(n);
                    if self.signer.is_some() {
                        self.hash.update(&data);
                    }
                    self.decoded += n as u64;
                    let left = left - n as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Some(data));
                }
                State::Done if self.input.iter().all(|b| matches!(b, b'\r' | b'\n')) => {
                    self.input.clear();
                    return Ok(None);
                }
                State::Done => return Err(framing()),
                State::Header | State::DataEnd | State::Trailer => {
                    let Some(line) = self.take_line()? else { return Ok(None) };
                    self.line_read(&line)?;
                }
            }
        }
    }

    /// The end of the input: gives the trailers.
    ///
    /// # Errors
    /// `IncompleteBody` when the body is not complete or not of the announced length;
    /// `MalformedTrailerError` when the trailers are not those announced.
    pub fn end(&mut self) -> Result<HeaderMap, ApiError> {
        // Some clients leave out the empty line at the very end.
        if self.state == State::Trailer && self.input.is_empty() {
            let line = std::mem::take(&mut self.line);
            if !line.is_empty() {
                self.trailer(&line)?;
            }
            self.finish()?;
        }
        if self.state != State::Done {
            return Err(terminated());
        }
        let mut map = HeaderMap::new();
        for (name, value) in &self.trailers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| malformed_trailer())?;
            let value = HeaderValue::from_str(value).map_err(|_| malformed_trailer())?;
            map.append(name, value);
        }
        Ok(map)
    }

    /// A line without its CRLF, once it is complete.
    fn take_line(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        let end = memchr::memchr(b'\n', &self.input);
        let take = end.map_or(self.input.len(), |i| i + 1);
        let piece = self.input.split_to(take);
        if self.line.len() + piece.len() > MAX_LINE {
            return Err(framing());
        }
        self.line.extend_from_slice(&piece);
        // A bare line feed belongs to the line; only CRLF ends it.
        match self.line.strip_suffix(b"\r\n") {
            Some(line) => {
                let line = line.to_vec();
                self.line.clear();
                Ok(Some(line))
            }
            None if end.is_none() => Ok(None),
            None if self.state == State::Trailer => self.take_line(),
            None => Err(framing()),
        }
    }

    fn line_read(&mut self, line: &[u8]) -> Result<(), ApiError> {
        match self.state {
            State::Header => self.header(line),
            State::DataEnd if line.is_empty() => {
                self.check_chunk()?;
                self.state = State::Header;
                Ok(())
            }
            State::Trailer if line.is_empty() => self.finish(),
            State::Trailer => self.trailer(line),
            _ => Err(framing()),
        }
    }

    /// `10000;chunk-signature=…`
    fn header(&mut self, line: &[u8]) -> Result<(), ApiError> {
        let line = std::str::from_utf8(line).map_err(|_| framing())?;
        let (size, extension) = line.split_once(';').unwrap_or((line, ""));
        let size = size.trim();
        if size.is_empty() || !size.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(framing());
        }
        let size = u64::from_str_radix(size, 16).map_err(|_| framing())?;
        if self.chunks > 0 && size > 0 && self.size < MIN_CHUNK {
            return Err(bad_size(self.chunks, self.size));
        }
        if size > self.length.saturating_sub(self.decoded) {
            return Err(length_differs());
        }
        self.chunks += 1;
        self.size = size;
        self.signature = extension
            .split(';')
            .find_map(|e| e.trim().strip_prefix("chunk-signature="))
            .unwrap_or_default()
            .to_owned();
        if size > 0 {
            self.state = State::Data(size);
            return Ok(());
        }
        if self.decoded != self.length {
            return Err(length_differs());
        }
        self.check_chunk()?;
        self.state = State::Trailer;
        Ok(())
    }

    fn check_chunk(&mut self) -> Result<(), ApiError> {
        let Some(signer) = &mut self.signer else { return Ok(()) };
        signer.chunk(&self.hash.finalize_reset(), std::mem::take(&mut self.signature))
    }

    fn trailer(&mut self, line: &[u8]) -> Result<(), ApiError> {
        let line = std::str::from_utf8(line).map_err(|_| malformed_trailer())?;
        let (name, value) = line.split_once(':').ok_or_else(malformed_trailer)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if !self.mode.trailer || name.is_empty() || self.trailers.len() == MAX_TRAILERS {
            return Err(malformed_trailer());
        }
        if name == "x-amz-trailer-signature" {
            self.trailer_signature = Some(value.to_owned());
        } else if self.announced.contains(&name) && self.trailer_signature.is_none() {
            self.trailers.push((name, value.to_owned()));
        } else {
            return Err(malformed_trailer());
        }
        Ok(())
    }

    /// After the last line: everything announced is there, and signed if it has to be.
    fn finish(&mut self) -> Result<(), ApiError> {
        let there = |name: &String| self.trailers.iter().any(|(n, _)| n == name);
        if self.mode.trailer && !self.announced.iter().all(there) {
            return Err(malformed_trailer());
        }
        if let (Some(signer), true) = (&mut self.signer, self.mode.trailer) {
            let given = self.trailer_signature.take().ok_or_else(malformed_trailer)?;
            signer.trailer(&self.trailers, given)?;
        }
        self.state = State::Done;
        Ok(())
    }
}

/// A `Content-Encoding` without the `aws-chunked` that only speaks of the transfer; `None` when
/// nothing else is left.
#[must_use]
pub fn content_encoding(value: &str) -> Option<String> {
    let kept: Vec<&str> = value
        .split(',')
        .map(str::trim)
        .filter(|e| !e.is_empty() && !e.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    if kept.is_empty() { None } else { Some(kept.join(",")) }
}

#[cfg(test)]
mod tests;
