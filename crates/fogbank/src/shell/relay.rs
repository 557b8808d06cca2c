//! The names' ports, relayed to the cloud: connections as they are, TLS included.

use std::net::{SocketAddr, TcpListener};

use fogbank_dns::{Options, Server, Zone};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};

use crate::shell::Sockets;

/// Serves the sockets on a thread of its own for as long as the process lives.
///
/// # Errors
/// When the runtime or the thread cannot be made.
pub fn spawn(s: Sockets, cloud: SocketAddr, upstream: Vec<SocketAddr>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let zone = Zone::aws(s.address.into());
    let (dns, https, http) = {
        let _in = runtime.enter();
        let dns = Server::from_std(s.dns_udp, s.dns_tcp, Options { zone, upstream })?;
        (dns, listener(s.https)?, listener(s.http)?)
    };
    std::thread::Builder::new().name("relay".into()).spawn(move || {
        runtime.block_on(async {
            // An interrupt at the terminal is the command's to handle, and reaches it too: caught
            // here so that it does not end the relay under the command.
            let _interrupts = signal(SignalKind::interrupt());
            tokio::join!(dns.run(), forward(https, cloud), forward(http, cloud));
        });
    })?;
    Ok(())
}

fn listener(l: TcpListener) -> std::io::Result<tokio::net::TcpListener> {
    l.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(l)
}

async fn forward(from: tokio::net::TcpListener, cloud: SocketAddr) {
    loop {
        let Ok((mut client, _)) = from.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        tokio::spawn(async move {
            let mut server = TcpStream::connect(cloud).await?;
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            tokio::io::copy_bidirectional(&mut client, &mut server).await
        });
    }
}
