//! Request bodies on their way in: whole or streamed, and never awaited for ever.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fogbank_core::{ApiError, Body, Result, Trailers};
use futures_util::Stream;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep, timeout};

/// A client that sends nothing for this long has gone.
const IDLE: Duration = Duration::from_secs(60);

/// Bodies up to this size are read whole: cheaper than a stream, and what is wrong with them shows
/// before the handler has begun.
const WHOLE: u64 = 64 << 10;

/// A small body whole, a large one as a stream.
///
/// # Errors
/// As [`collect`].
pub async fn whole_or_stream(incoming: Incoming, trailers: &Trailers) -> Result<Body> {
    match incoming.size_hint().exact() {
        _ if incoming.is_end_stream() => Ok(Body::Empty),
        Some(n) if n <= WHOLE => Ok(Body::Full(collect(incoming, WHOLE as usize, trailers).await?)),
        _ => Ok(stream(incoming, trailers.clone())),
    }
}

/// The body as a stream of what arrives. HTTP trailers, if any, go to `trailers`.
#[must_use]
pub fn stream(incoming: Incoming, trailers: Trailers) -> Body {
    if incoming.is_end_stream() {
        return Body::Empty;
    }
    let length = incoming.size_hint().exact();
    Body::stream(length, Arriving { incoming, trailers, idle: None })
}

/// The whole body, in one piece without a copy when it arrived in one.
///
/// # Errors
/// `RequestEntityTooLarge` past `limit` bytes, `RequestTimeout`, and what broke it.
pub async fn collect(mut incoming: Incoming, limit: usize, trailers: &Trailers) -> Result<Bytes> {
    if incoming.is_end_stream() {
        return Ok(Bytes::new());
    }
    let declared = incoming.size_hint().exact();
    if declared.is_some_and(|n| n > limit as u64) {
        return Err(too_large(limit));
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = timeout(IDLE, incoming.frame()).await.map_err(|_| idle())? {
        let frame = match frame.map_err(|e| broken(&e))?.into_data() {
            Ok(data) => data,
            Err(frame) => {
                frame.into_trailers().map(|t| trailers.set(t)).unwrap_or_default();
                continue;
            }
        };
        if first.len() + all.len() + frame.len() > limit {
            return Err(too_large(limit));
        }
        if first.is_empty() && all.is_empty() {
            first = frame;
            continue;
        }
        if all.is_empty() {
            let room = declared.map_or(first.len() + frame.len(), |n| n.min(limit as u64) as usize);
            all.reserve(room);
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&frame);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Reads and drops what is left of a body, up to a limit, so that a client that is still sending
/// gets to read the answer.
pub async fn drain(mut body: Body) {
    const MOST: usize = 4 << 20;
    let mut seen = 0;
    let all = async {
        while let Some(Ok(piece)) = body.next().await {
            seen += piece.len();
            if seen > MOST {
                break;
            }
        }
    };
    let _ = timeout(Duration::from_secs(2), all).await;
}

struct Arriving {
    incoming: Incoming,
    trailers: Trailers,
    /// Made at the first wait, moved on at each later one.
    idle: Option<Pin<Box<Sleep>>>,
}

impl Stream for Arriving {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(e))) => return Poll::Ready(Some(Err(broken(&e)))),
                Poll::Ready(Some(Ok(frame))) => {
                    if let Some(idle) = &mut self.idle {
                        idle.as_mut().reset(Instant::now() + IDLE);
                    }
                    match frame.into_data() {
                        Ok(data) => return Poll::Ready(Some(Ok(data))),
                        Err(frame) => {
                            if let Ok(t) = frame.into_trailers() {
                                self.trailers.set(t);
                            }
                        }
                    }
                }
                Poll::Pending => {
                    let timer = self.idle.get_or_insert_with(|| Box::pin(sleep(IDLE)));
                    return timer.as_mut().poll(cx).map(|()| Some(Err(idle())));
                }
            }
        }
    }
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(
        "RequestEntityTooLarge",
        format!("The request body is larger than {limit} bytes."),
    )
    .status(413)
}

fn idle() -> ApiError {
    ApiError::new(
        "RequestTimeout",
        "Your socket connection to the server was not read from or written to within the timeout \
         period. Idle connections will be closed.",
    )
    .status(400)
}

fn broken(e: &hyper::Error) -> ApiError {
    ApiError::new(
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header.",
    )
    .status(400)
    .context(e.to_string())
}
