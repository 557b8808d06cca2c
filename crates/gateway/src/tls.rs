//! TLS on the same port: certificates by the name the client asks for, made when first needed.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use fogbank_core::Ids;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::ca::{Ca, Error};
use crate::names;

/// The authority and the acceptor, neither of which exists before the first use: a start must not
/// wait for keys.
pub struct Tls {
    dir: Option<PathBuf>,
    ids: Ids,
    ca: OnceLock<Arc<Ca>>,
    acceptor: OnceLock<TlsAcceptor>,
    /// One maker at a time.
    making: parking_lot::Mutex<()>,
}

impl Tls {
    /// `dir` is where the authority's files are kept; `None` keeps it in memory.
    #[must_use]
    pub fn new(dir: Option<PathBuf>, ids: Ids) -> Self {
        Tls {
            dir,
            ids,
            ca: OnceLock::new(),
            acceptor: OnceLock::new(),
            making: parking_lot::Mutex::new(()),
        }
    }

    /// The authority, opened or made now if it was not before. Blocks for a few milliseconds.
    ///
    /// # Errors
    /// The data directory's files.
    pub fn ca(&self) -> Result<&Arc<Ca>, Error> {
        let _one = self.making.lock();
        if let Some(ca) = self.ca.get() {
            return Ok(ca);
        }
        let ca = Arc::new(Ca::open(self.dir.as_deref(), &self.ids)?);
        Ok(self.ca.get_or_init(|| ca))
    }

    /// What turns a TCP connection into a TLS one.
    ///
    /// # Errors
    /// As [`Tls::ca`].
    pub fn acceptor(&self) -> Result<TlsAcceptor, Error> {
        if let Some(a) = self.acceptor.get() {
            return Ok(a.clone());
        }
        let ca = Arc::clone(self.ca()?);
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(BySni(ca)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(self.acceptor.get_or_init(|| TlsAcceptor::from(Arc::new(config))).clone())
    }
}

struct BySni(Arc<Ca>);

impl ResolvesServerCert for BySni {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Clients send no name when they connect to an address.
        let Some(name) = hello.server_name() else { return self.leaf("127.0.0.1") };
        let name = name.to_ascii_lowercase();
        names::is_ours(&name).then(|| self.leaf(&name))?
    }
}

impl BySni {
    fn leaf(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.0.leaf(name).inspect_err(|e| tracing::warn!(name, "no certificate: {e}")).ok()
    }
}

impl std::fmt::Debug for BySni {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BySni")
    }
}
