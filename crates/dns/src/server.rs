//! The server: UDP and TCP on one address, bounded in time, size and number.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::answer::{Answer, Zone, answer};

/// Queries in flight at once; more wait in the socket's buffer.
const MAX_IN_FLIGHT: usize = 256;
/// How long a client or an upstream resolver may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the server answers, and whom it asks for the rest.
#[derive(Clone, Debug)]
pub struct Options {
    pub zone: Zone,
    /// Resolvers for names outside the zone, tried in order; empty = such names are refused.
    pub upstream: Vec<SocketAddr>,
}

/// A bound server; [`Server::run`] serves until it is dropped.
pub struct Server {
    udp: Arc<UdpSocket>,
    tcp: TcpListener,
    options: Arc<Options>,
}

impl Server {
    /// Binds UDP and TCP to the same address; port 0 picks one that is free for both.
    ///
    /// # Errors
    /// When the address is in use, or needs a right we lack (a port below 1024).
    pub async fn bind(address: SocketAddr, options: Options) -> io::Result<Self> {
        let tcp = TcpListener::bind(address).await?;
        let udp = UdpSocket::bind(tcp.local_addr()?).await?;
        Ok(Server { udp: Arc::new(udp), tcp, options: Arc::new(options) })
    }

    /// Serves on sockets that somebody else has bound.
    ///
    /// # Errors
    /// When the sockets cannot be registered with the runtime.
    pub fn from_std(
        udp: std::net::UdpSocket,
        tcp: std::net::TcpListener,
        options: Options,
    ) -> io::Result<Self> {
        udp.set_nonblocking(true)?;
        tcp.set_nonblocking(true)?;
        Ok(Server {
            udp: Arc::new(UdpSocket::from_std(udp)?),
            tcp: TcpListener::from_std(tcp)?,
            options: Arc::new(options),
        })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// The socket's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until the future is dropped.
    pub async fn run(self) {
        let slots = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
        let mut buf = [0; 1500];
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let options = self.options.clone();
            tokio::select! {
                received = self.udp.recv_from(&mut buf) => match received {
                    Ok((n, from)) => {
                        let (socket, query) = (self.udp.clone(), buf[..n].to_vec());
                        tokio::spawn(async move {
                            if let Some(reply) = reply(&options, &query).await {
                                let _ = socket.send_to(&reply, from).await;
                            }
                            drop(slot);
                        });
                    }
                    // A client that went away; nothing to do about it.
                    Err(e) => tracing::debug!("dns: {e}"),
                },
                accepted = self.tcp.accept() => match accepted {
                    Ok((stream, _)) => {
                        tokio::spawn(async move {
                            let _ = timeout(PATIENCE * 2, stream_queries(stream, &options)).await;
                            drop(slot);
                        });
                    }
                    Err(e) => {
                        tracing::debug!("dns: {e}");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
    }
}

/// Queries over TCP: each with its length in two bytes before it.
async fn stream_queries(mut s: TcpStream, options: &Options) -> io::Result<()> {
    loop {
        let n = s.read_u16().await?;
        let mut query = vec![0; usize::from(n)];
        s.read_exact(&mut query).await?;
        let Some(reply) = reply(options, &query).await else { return Ok(()) };
        let length = u16::try_from(reply.len()).map_err(io::Error::other)?;
        s.write_all(&[&length.to_be_bytes()[..], &reply].concat()).await?;
    }
}

async fn reply(options: &Options, query: &[u8]) -> Option<Vec<u8>> {
    match answer(&options.zone, query) {
        Answer::Reply(r) => Some(r),
        Answer::Ignore => None,
        Answer::Forward { refusal } => {
            for resolver in &options.upstream {
                if let Ok(Ok(r)) = timeout(PATIENCE, ask(*resolver, query)).await {
                    return Some(r);
                }
            }
            Some(refusal)
        }
    }
}

/// Asks a resolver over UDP. The socket is connected, so that only its answers are heard, and an
/// answer must carry the query's id.
async fn ask(resolver: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let any: SocketAddr =
        if resolver.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0; 16], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(resolver).await?;
    socket.send(query).await?;
    let mut buf = vec![0; 4096];
    loop {
        let n = socket.recv(&mut buf).await?;
        if n >= 12 && buf[..2] == query[..2] {
            buf.truncate(n);
            return Ok(buf);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::{Message, Query};
    use hickory_proto::rr::{Name, RecordType};
    use std::net::IpAddr;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    async fn start(upstream: Vec<SocketAddr>, suffix: &str) -> SocketAddr {
        let zone = Zone { suffixes: vec![suffix.into()], address: HERE };
        let server = Server::bind((HERE, 0).into(), Options { zone, upstream }).await.unwrap();
        let address = server.local_addr().unwrap();
        tokio::spawn(server.run());
        address
    }

    fn query(name: &str) -> Vec<u8> {
        let mut m = Message::query();
        m.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
        m.to_vec().unwrap()
    }

    #[tokio::test]
    async fn udp_and_tcp_give_the_same_answer() {
        let server = start(vec![], "amazonaws.com").await;
        let q = query("s3.amazonaws.com.");
        let udp = ask(server, &q).await.unwrap();
        let mut s = TcpStream::connect(server).await.unwrap();
        s.write_all(&[&(q.len() as u16).to_be_bytes()[..], &q].concat()).await.unwrap();
        let n = s.read_u16().await.unwrap();
        let mut tcp = vec![0; usize::from(n)];
        s.read_exact(&mut tcp).await.unwrap();
        assert_eq!(udp, tcp);
        assert_eq!(Message::from_vec(&udp).unwrap().answers.len(), 1);
    }

    #[tokio::test]
    async fn other_names_go_upstream() {
        let up = start(vec![], "example.org").await;
        let server = start(vec![up], "amazonaws.com").await;
        let r = Message::from_vec(&ask(server, &query("www.example.org.")).await.unwrap()).unwrap();
        assert_eq!(r.answers.len(), 1);
    }
}
