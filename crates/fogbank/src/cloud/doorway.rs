//! The way out of an execution environment: AWS's names lead here, connections to the gateway.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use fogbank_dns::{Answer, Zone};
use fogbank_gateway::Gateway;
use fogbank_lambda_runtime::Spec;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// The front door as environments see it. Closed until there is a gateway.
pub struct Doorway {
    zone: Zone,
    open: OnceLock<Open>,
}

struct Open {
    gateway: Arc<Gateway>,
    stop: watch::Receiver<bool>,
    runtime: Handle,
}

impl Doorway {
    #[must_use]
    pub fn new() -> Arc<Self> {
        let zone = Zone::aws(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Arc::new(Doorway { zone, open: OnceLock::new() })
    }

    /// Opens it. Called within the runtime.
    pub fn open(&self, gateway: Arc<Gateway>, stop: watch::Receiver<bool>) {
        let _ = self.open.set(Open { gateway, stop, runtime: Handle::current() });
    }

    /// The certificate authority that environments are to trust.
    #[must_use]
    pub fn ca_pem(&self) -> Arc<str> {
        let ca = self.open.get().map(|o| o.gateway.tls().ca().map(|ca| ca.pem().to_owned()));
        match ca {
            Some(Ok(pem)) => pem.into(),
            Some(Err(e)) => {
                tracing::error!("functions have no TLS: {e}");
                "".into()
            }
            None => "".into(),
        }
    }
}

impl fogbank_lambda_runtime::Front for Doorway {
    fn accept(&self, stream: std::net::TcpStream, _tls: bool) {
        let Some(Open { gateway, stop, runtime }) = self.open.get() else { return };
        let (gateway, stop) = (Arc::clone(gateway), stop.clone());
        runtime.spawn(async move {
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            match stream {
                Ok(stream) => fogbank_gateway::server::adopt(gateway, stream, stop).await,
                Err(e) => tracing::warn!("a connection out of a function is lost: {e}"),
            }
        });
    }

    fn resolve(&self, query: &[u8]) -> Option<Vec<u8>> {
        match fogbank_dns::answer(&self.zone, query) {
            Answer::Reply(reply) | Answer::Forward { refusal: reply } => Some(reply),
            Answer::Ignore => None,
        }
    }

    fn endpoint(&self) -> Option<String> {
        self.open.get().map(|o| fogbank_core::Cloud::endpoint(&*o.gateway))
    }

    fn xray(&self, datagram: Bytes, spec: &Spec) {
        tracing::trace!("{} bytes for X-Ray from {}", datagram.len(), spec.function_name);
    }
}
