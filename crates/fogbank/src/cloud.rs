//! A cloud in this process: its state, its services and its listener, put together.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use fogbank_core::{Clock, Ids};
use fogbank_gateway::{Gateway, Mode, Options};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cli::{Durability, Iam, Place, Up};

pub mod data;
mod doorway;
mod error;
mod root;
pub mod services;

pub use error::Error;
use root::Root;

/// What a cloud is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    pub host: IpAddr,
    /// 0 picks a free one.
    pub port: u16,
    /// Ports 443 and 80 too.
    pub low_ports: bool,
    /// Where state lives; `None` keeps it in memory.
    pub data: Option<PathBuf>,
    pub mode: Mode,
    pub durability: fogbank_store::Durability,
    /// How many seconds a day of a lifecycle rule lasts; `None` for a real one.
    pub lifecycle_day: Option<u32>,
    /// New buckets have ACLs and no public access block, as before April 2023.
    pub s3_acls: bool,
}

impl Settings {
    /// A cloud on loopback with everything else as it is by default.
    #[must_use]
    pub fn local(port: u16, place: &Place) -> Self {
        Settings {
            host: Ipv4Addr::LOCALHOST.into(),
            port,
            low_ports: false,
            data: data::directory(place),
            mode: Mode::Enforce,
            durability: fogbank_store::Durability::Process,
            lifecycle_day: None,
            s3_acls: false,
        }
    }
}

impl From<&Up> for Settings {
    fn from(up: &Up) -> Self {
        Settings {
            host: up.host,
            low_ports: up.low_ports,
            mode: match up.iam {
                Iam::Enforce => Mode::Enforce,
                Iam::Audit => Mode::Audit,
                Iam::Off => Mode::Off,
            },
            durability: match up.durability {
                Durability::Process => fogbank_store::Durability::Process,
                Durability::Fsync => fogbank_store::Durability::Fsync,
            },
            lifecycle_day: up.lifecycle_day,
            s3_acls: up.s3_acls,
            ..Settings::local(up.port, &up.place)
        }
    }
}

/// A cloud that serves. Dropped without [`Running::stop`] it ends with its runtime.
pub struct Running {
    address: SocketAddr,
    data: Option<PathBuf>,
    root: Root,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Running {
    /// Where clients on this machine reach it: `http://127.0.0.1:4566`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        endpoint(self.address)
    }

    /// Tells a person on stderr what there is to know beyond the endpoint.
    pub fn introduce(&self) {
        match &self.data {
            Some(d) => eprintln!("state in {}", d.display()),
            None => eprintln!("state in memory, forgotten at the end"),
        }
        self.root.introduce();
    }

    /// Stops accepting, finishes the requests in flight, and returns.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        if let Err(e) = self.serving.await {
            tracing::error!("the server ended badly: {e}");
        }
    }
}

/// Starts a cloud. When it returns, every service has loaded its state and the listener accepts.
///
/// # Errors
/// What stands in the way, in words for a person.
pub async fn start(settings: &Settings) -> Result<Running, Error> {
    let wanted = SocketAddr::new(settings.host, settings.port);
    let mut listeners = vec![bind(wanted).await?];
    let address = listeners[0].local_addr().map_err(|e| Error::bind(wanted, e))?;
    for port in if settings.low_ports { &[443, 80][..] } else { &[] } {
        listeners.push(bind(SocketAddr::new(settings.host, *port)).await?);
    }
    let (clock, ids) = (Clock::default(), Ids::system());
    let state = data::open(settings)?;
    let root = Root::of(settings, &ids)?;
    let mut parts = services::assemble(&state, settings, &clock, &ids).await?;
    let background = parts.take_background();
    let front = Arc::clone(&parts.front);
    let gateway = Gateway::new(Options {
        identities: root.guard(parts.identities),
        services: parts.services,
        edges: parts.edges,
        planes: parts.planes,
        listeners: parts.listeners,
        holdings: data::holdings(&state, settings.data.clone()),
        mode: settings.mode,
        clock,
        ids,
        data: settings.data.clone(),
        endpoint: endpoint(address),
        version: env!("CARGO_PKG_VERSION"),
    });
    let cloud: Arc<dyn fogbank_core::Cloud> = Arc::clone(&gateway) as _;
    let (stop, stopped) = watch::channel(false);
    front.open(Arc::clone(&gateway), stopped.clone());
    background.start(&cloud);
    let serving = tokio::spawn(fogbank_gateway::serve(Arc::clone(&gateway), listeners, stopped));
    Ok(Running { address, data: settings.data.clone(), root, stop, serving })
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|e| Error::bind(address, e))
}

/// A runtime for a cloud: a few threads, as its work is short and its disk is one.
///
/// # Errors
/// When the system gives no threads.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("fogbank")
        .enable_all()
        .build()
}

/// Sends what is logged to stderr, in colour on a terminal. `FOGBANK_LOG` says what
/// (`fogbank_gateway=debug`); the default is what somebody should act on.
pub fn log_to_stderr() {
    use std::io::IsTerminal;
    use tracing_subscriber::{EnvFilter, fmt};
    let filter = std::env::var("FOGBANK_LOG").unwrap_or_else(|_| "warn".into());
    let _ = fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(EnvFilter::new(filter))
        .try_init();
}

/// Takes as many file descriptors as the system lets us have: one per connection.
pub fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Addresses that stand for all of them are reached by loopback.
fn endpoint(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}
