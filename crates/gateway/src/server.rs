//! Connections: accept, tell TLS from plain HTTP by the first byte, speak HTTP/1.1 or HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fogbank_core::Peer;
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::Gateway;

/// Connections held at once; further ones wait in the kernel's queue.
const CONNECTIONS: u32 = 4096;
/// A connection that is silent this long, before or within a request's head, is closed.
const HEAD: Duration = Duration::from_secs(60);
/// A TLS handshake takes this long at most.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Requests in flight get this long when the server stops.
const DRAIN: Duration = Duration::from_secs(10);
/// The first byte of a TLS record that starts a handshake.
const TLS_HANDSHAKE: u8 = 0x16;
/// What a request's head may hold (and what is read from a socket at once).
const BUFFER: usize = 256 << 10;

/// Serves `gateway` on the listeners until `stop` turns true, then finishes what is in flight.
pub async fn serve(
    gateway: Arc<Gateway>,
    listeners: Vec<TcpListener>,
    mut stop: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS as usize));
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|l| tokio::spawn(accept(Arc::clone(&gateway), l, Arc::clone(&slots), stop.clone())))
        .collect();
    // An error means that the sender is gone, which stops us too.
    let _ = stop.wait_for(|stop| *stop).await;
    for a in accepting {
        a.abort();
    }
    if timeout(DRAIN, slots.acquire_many(CONNECTIONS)).await.is_err() {
        tracing::warn!("stopped with requests still in flight");
    }
}

async fn accept(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    slots: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
) {
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, address)) => {
                let (gateway, stop) = (Arc::clone(&gateway), stop.clone());
                tokio::spawn(connection(gateway, stream, address, stop, Some(slot)));
            }
            Err(e) => {
                // Out of descriptors, mostly: others must end before a new one can begin.
                tracing::warn!("cannot accept a connection: {e}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Serves a connection that somebody else accepted, until `stop` turns true: one from inside a
/// sandbox, which has names and ports of its own.
pub async fn adopt(gateway: Arc<Gateway>, stream: TcpStream, stop: watch::Receiver<bool>) {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    connection(gateway, stream, address, stop, None).await;
}

async fn connection(
    gateway: Arc<Gateway>,
    stream: TcpStream,
    address: SocketAddr,
    mut stop: watch::Receiver<bool>,
    _slot: Option<OwnedSemaphorePermit>,
) {
    let _ = stream.set_nodelay(true);
    let mut first = [0];
    tokio::select! {
        peeked = timeout(HEAD, stream.peek(&mut first)) => match peeked {
            Ok(Ok(1)) => {}
            _ => return,
        },
        _ = stop.wait_for(|stop| *stop) => return,
    }
    if first[0] != TLS_HANDSHAKE {
        return http(gateway, TokioIo::new(stream), Peer { address, tls: false }, stop).await;
    }
    let acceptor = match gateway.tls().acceptor() {
        Ok(a) => a,
        Err(e) => return tracing::error!("TLS is not possible: {e}"),
    };
    match timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(s)) => http(gateway, TokioIo::new(s), Peer { address, tls: true }, stop).await,
        Ok(Err(e)) => tracing::debug!(%address, "no TLS: {e}"),
        Err(_) => tracing::debug!(%address, "no TLS within {HANDSHAKE:?}"),
    }
}

async fn http<I: Read + Write + Unpin + Send + 'static>(
    gateway: Arc<Gateway>,
    io: I,
    peer: Peer,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(move |request| {
        let gateway = Arc::clone(&gateway);
        async move { Ok::<_, Infallible>(gateway.handle(request, peer).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(BUFFER)
        .half_close(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .max_header_list_size(64 << 10)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .keep_alive_interval(HEAD);
    let mut connection = std::pin::pin!(builder.serve_connection(io, service));
    tokio::select! {
        end = connection.as_mut() => return report(end, peer),
        _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    report(connection.await, peer);
}

fn report(end: Result<(), Box<dyn std::error::Error + Send + Sync>>, peer: Peer) {
    if let Err(e) = end {
        tracing::debug!(address = %peer.address, "connection ended: {e}");
    }
}
