//! The ports inside an environment, served from outside: the Runtime API, the gateway, names and
//! the X-Ray daemon.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fogbank_sandbox::Socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use crate::api::{self, Api};
use crate::world::{API_PORT, XRAY_PORT};
use crate::{Front, Spec};

/// How long a DNS client may take over TCP.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves the sockets for as long as the set lives.
///
/// # Errors
/// A socket that the reactor refuses.
pub fn serve(
    sockets: Vec<Socket>,
    api: &Api,
    front: &Arc<dyn Front>,
) -> std::io::Result<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    for socket in sockets {
        let front = Arc::clone(front);
        match socket {
            Socket::Tcp(API_PORT, s) => {
                tasks.spawn(api::serve(api.clone(), TcpListener::from_std(s)?));
            }
            Socket::Tcp(53, s) => {
                tasks.spawn(names_by_stream(TcpListener::from_std(s)?, front));
            }
            Socket::Tcp(port, s) => {
                tasks.spawn(connections(TcpListener::from_std(s)?, front, port == 443));
            }
            Socket::Udp(XRAY_PORT, s) => {
                tasks.spawn(segments(UdpSocket::from_std(s)?, front, Arc::clone(&api.spec)));
            }
            Socket::Udp(_, s) => {
                tasks.spawn(names(UdpSocket::from_std(s)?, front));
            }
        }
    }
    Ok(tasks)
}

/// The next connection; a lack of descriptors passes.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connections(listener: TcpListener, front: Arc<dyn Front>, tls: bool) {
    loop {
        if let Ok(stream) = accept(&listener).await.into_std() {
            front.accept(stream, tls);
        }
    }
}

async fn names(socket: UdpSocket, front: Arc<dyn Front>) {
    let mut buffer = [0; 1500];
    while let Ok((n, from)) = socket.recv_from(&mut buffer).await {
        if let Some(reply) = front.resolve(&buffer[..n]) {
            let _ = socket.send_to(&reply, from).await;
        }
    }
}

async fn names_by_stream(listener: TcpListener, front: Arc<dyn Front>) {
    loop {
        let mut stream = accept(&listener).await;
        let front = Arc::clone(&front);
        let conversation = async move {
            while let Ok(n) = stream.read_u16().await {
                let mut query = vec![0; usize::from(n)];
                stream.read_exact(&mut query).await.ok()?;
                let reply = front.resolve(&query)?;
                stream.write_u16(u16::try_from(reply.len()).ok()?).await.ok()?;
                stream.write_all(&reply).await.ok()?;
            }
            Some(())
        };
        tokio::spawn(tokio::time::timeout(PATIENCE, conversation));
    }
}

async fn segments(socket: UdpSocket, front: Arc<dyn Front>, spec: Arc<Spec>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok((n, _)) = socket.recv_from(&mut buffer).await {
        front.xray(Bytes::copy_from_slice(&buffer[..n]), &spec);
    }
}
