//! Bodies: bytes on their way in or out, whole or streamed.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use http_body::{Frame, SizeHint};

use crate::{ApiError, Result};

/// A body. Reading past an error is not possible: the stream ends there.
#[derive(Default)]
pub enum Body {
    #[default]
    Empty,
    Full(Bytes),
    Stream {
        /// The length in bytes, when known in advance.
        length: Option<u64>,
        chunks: BoxStream<'static, Result<Bytes>>,
    },
}

impl Body {
    /// A streamed body.
    pub fn stream(
        length: Option<u64>,
        chunks: impl Stream<Item = Result<Bytes>> + Send + 'static,
    ) -> Self {
        Body::Stream { length, chunks: chunks.boxed() }
    }

    /// The length in bytes, if it is known before reading.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match self {
            Body::Empty => Some(0),
            Body::Full(b) => Some(b.len() as u64),
            Body::Stream { length, .. } => *length,
        }
    }

    /// The next piece, or `None` at the end.
    ///
    /// # Errors
    /// What broke the body: a truncated upload, a wrong chunk signature.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        match self {
            Body::Empty => None,
            Body::Full(_) => match std::mem::take(self) {
                Body::Full(b) if !b.is_empty() => Some(Ok(b)),
                _ => None,
            },
            Body::Stream { chunks, .. } => chunks.next().await,
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// `RequestEntityTooLarge` past `limit` bytes; else what broke the body.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes> {
        let too_large = || {
            ApiError::new(
                "RequestEntityTooLarge",
                format!("The body is larger than {limit} bytes."),
            )
            .status(413)
        };
        if self.length().is_some_and(|n| n > limit as u64) {
            return Err(too_large());
        }
        let Some(first) = self.next().await.transpose()? else { return Ok(Bytes::new()) };
        let mut all: Option<BytesMut> = None;
        let mut size = first.len();
        while let Some(piece) = self.next().await {
            let piece = piece?;
            size += piece.len();
            if size > limit {
                return Err(too_large());
            }
            all.get_or_insert_with(|| BytesMut::from(&first[..])).extend_from_slice(&piece);
        }
        if size > limit { Err(too_large()) } else { Ok(all.map_or(first, BytesMut::freeze)) }
    }
}

impl From<Bytes> for Body {
    fn from(b: Bytes) -> Self {
        Body::Full(b)
    }
}
impl From<String> for Body {
    fn from(s: String) -> Self {
        Body::Full(s.into())
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({:?} bytes)", self.length())
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = ApiError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        match &mut *self {
            Body::Empty => Poll::Ready(None),
            Body::Full(b) => {
                let b = std::mem::take(b);
                *self = Body::Empty;
                Poll::Ready(b.has_remaining().then(|| Ok(Frame::data(b))))
            }
            Body::Stream { chunks, .. } => {
                chunks.poll_next_unpin(cx).map(|o| o.map(|r| r.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Full(b) => b.is_empty(),
            Body::Stream { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(n: usize) -> Body {
        Body::stream(
            None,
            futures_util::stream::iter((0..n).map(|_| Ok(Bytes::from_static(b"ab")))),
        )
    }

    #[test]
    fn collect_is_bounded() {
        let run = |b: Body, n| futures_util::FutureExt::now_or_never(b.collect(n)).unwrap();
        assert_eq!(run(pieces(3), 6).unwrap(), "ababab");
        assert_eq!(run(pieces(4), 6).unwrap_err().code(), "RequestEntityTooLarge");
        assert_eq!(run(Body::Full("abc".into()), 2).unwrap_err().code(), "RequestEntityTooLarge");
        assert_eq!(run(Body::Empty, 0).unwrap(), "");
    }
}
