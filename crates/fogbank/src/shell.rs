//! `fogbank shell`: a command in which the real AWS names lead to a cloud, over trusted TLS.
//!
//! The command sees a DNS server of ours (`/etc/resolv.conf`), a CA bundle that also trusts the
//! cloud's CA, and on the address the names resolve to, ports 443 and 80 relayed to the cloud. What
//! makes that possible is a mount namespace, so that nobody outside sees the changed files.
//! With the right to bind low ports (root), the network stays the machine's own and other names go
//! to its resolvers; without it, the command gets a network of its own in which only the cloud
//! exists.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};

use anyhow::{Context, bail};

use crate::cli::Shell;
use crate::instance::Instance;

pub mod enter;
mod handover;
mod lan;
mod relay;

/// Runs the command and returns its exit code.
///
/// # Errors
/// When no cloud can be had, or the kernel refuses the namespaces.
pub fn shell(args: &Shell) -> anyhow::Result<ExitCode> {
    let instance = Instance::at(args.target.port);
    let _cloud = join(&instance, args)?;
    let files = Files::write(&instance)?;
    match Sockets::bind_low() {
        Ok(sockets) => run_here(&instance, args, &files, sockets),
        Err(_) => run_isolated(&instance, args, &files),
    }
}

/// The machine's own network: our sockets are on a loopback address of their own.
fn run_here(
    instance: &Instance,
    args: &Shell,
    files: &Files,
    sockets: Sockets,
) -> anyhow::Result<ExitCode> {
    let address = sockets.address;
    fs::write(files.path("resolv.conf"), resolv(address))?;
    let upstream = resolvers(&fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    relay::spawn(sockets, instance.address, upstream)?;
    let child = files.command(args, None).spawn().context("fogbank cannot start itself")?;
    wait(child)
}

/// A network of the command's own: the inner process binds there and hands the sockets out.
fn run_isolated(instance: &Instance, args: &Shell, files: &Files) -> anyhow::Result<ExitCode> {
    eprintln!(
        "note: without the right to bind port 443, the command gets a network in which only the cloud exists"
    );
    fs::write(files.path("resolv.conf"), resolv(Ipv4Addr::LOCALHOST))?;
    let meeting = files.path("handover");
    let handover = handover::Listener::bind(&meeting)?;
    let mut child =
        files.command(args, Some(&meeting)).spawn().context("fogbank cannot start itself")?;
    match handover.receive(&mut child) {
        Ok(sockets) => relay::spawn(sockets, instance.address, Vec::new())?,
        Err(e) => {
            let _ = child.kill();
            let _ = child.wait();
            return Err(e);
        }
    }
    wait(child)
}

/// The cloud to use: the one that runs on the port, or one that lives as long as this command.
fn join(instance: &Instance, args: &Shell) -> anyhow::Result<Option<Cloud>> {
    if instance.is_up()? {
        return Ok(None);
    }
    let mut up = Command::new(std::env::current_exe()?);
    up.arg("up").args(["--port", &args.target.port.to_string()]);
    if let Some(d) = &args.place.data {
        up.arg("--data").arg(d);
    }
    if args.place.ephemeral {
        up.arg("--ephemeral");
    }
    let mut child = up.stdout(std::process::Stdio::piped()).spawn()?;
    let out = child.stdout.take().context("the cloud has no standard output")?;
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line)?;
    let cloud = Cloud(child);
    if !line.starts_with("ready ") {
        bail!("The cloud did not start; see the message above.");
    }
    eprintln!("note: started a cloud for this command ({})", line.trim());
    Ok(Some(cloud))
}

/// A cloud of our own, stopped at the end.
struct Cloud(Child);

impl Drop for Cloud {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let pid = nix::unistd::Pid::from_raw(pid);
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        }
        let _ = self.0.wait();
    }
}

/// The sockets the command's names lead to.
pub struct Sockets {
    pub address: Ipv4Addr,
    pub dns_udp: UdpSocket,
    pub dns_tcp: TcpListener,
    pub https: TcpListener,
    pub http: TcpListener,
}

impl Sockets {
    /// Binds the well-known ports on `address`.
    ///
    /// # Errors
    /// When a port is taken or we may not bind it.
    pub fn bind(address: Ipv4Addr) -> std::io::Result<Self> {
        let at = |port: u16| SocketAddr::from((address, port));
        Ok(Sockets {
            address,
            dns_udp: UdpSocket::bind(at(53))?,
            dns_tcp: TcpListener::bind(at(53))?,
            https: TcpListener::bind(at(443))?,
            http: TcpListener::bind(at(80))?,
        })
    }

    /// Binds them on a loopback address that no other `fogbank shell` uses.
    fn bind_low() -> std::io::Result<Self> {
        let mut last = None;
        for n in 1..=254 {
            match Sockets::bind(Ipv4Addr::new(127, 45, 66, n)) {
                Ok(s) => return Ok(s),
                Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => last = Some(e),
                Err(e) => return Err(e),
            }
        }
        Err(last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into()))
    }
}

/// The files that the command sees in place of the machine's.
struct Files {
    dir: tempfile::TempDir,
    binds: Vec<(PathBuf, PathBuf)>,
}

/// Where systems keep the CA bundle that most programs read.
pub const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

impl Files {
    fn write(instance: &Instance) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("fogbank-shell-").tempdir()?;
        let mut files = Files { dir, binds: Vec::new() };
        let system = BUNDLES.iter().find_map(|b| fs::read(b).ok()).unwrap_or_default();
        let ca = instance.request("GET", "/_fogbank/ca.pem", b"")?;
        fs::write(files.path("ca.pem"), [&system[..], b"\n", &ca].concat())?;
        fs::write(files.path("resolv.conf"), "")?;
        let nsswitch = fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
        fs::write(files.path("nsswitch.conf"), plain_dns(&nsswitch))?;
        for bundle in BUNDLES {
            files.show("ca.pem", bundle);
        }
        files.show("resolv.conf", "/etc/resolv.conf");
        files.show("nsswitch.conf", "/etc/nsswitch.conf");
        Ok(files)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Shows our file in the place of the machine's, which may be a link, if there is one.
    fn show(&mut self, name: &str, target: &str) {
        if let Ok(real) = fs::canonicalize(target)
            && !self.binds.iter().any(|(_, t)| *t == real)
        {
            self.binds.push((self.path(name), real));
        }
    }

    /// Ourselves again, to enter the namespaces and then become the command.
    fn command(&self, args: &Shell, handover: Option<&Path>) -> Command {
        let exe = std::env::current_exe().unwrap_or_else(|_| "fogbank".into());
        let mut c = Command::new(exe);
        c.arg("__enter");
        if let Some(h) = handover {
            c.arg("--handover").arg(h);
        }
        for (file, target) in &self.binds {
            c.arg("--bind").arg(format!("{}={}", file.display(), target.display()));
        }
        let shell = || vec![std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".into())];
        let command = if args.command.is_empty() { shell() } else { args.command.clone() };
        c.arg("--").args(command);
        // Endpoints of other clouds would win over the names.
        for (k, _) in std::env::vars_os() {
            let k = k.to_string_lossy().into_owned();
            if k.starts_with("AWS_ENDPOINT_URL") {
                c.env_remove(k);
            }
        }
        let ca = self.path("ca.pem");
        for k in [
            "AWS_CA_BUNDLE",
            "SSL_CERT_FILE",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "NODE_EXTRA_CA_CERTS",
        ] {
            c.env(k, &ca);
        }
        let defaults = [
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ];
        let profile = std::env::var_os("AWS_PROFILE").is_some();
        for (k, v) in defaults {
            if std::env::var_os(k).is_none() && !(profile && k != "AWS_DEFAULT_REGION") {
                c.env(k, v);
            }
        }
        c.env("AWS_EC2_METADATA_DISABLED", "true").env("FOGBANK_SHELL", "1");
        c
    }
}

fn resolv(address: Ipv4Addr) -> String {
    format!("# fogbank shell\nnameserver {address}\noptions timeout:2 attempts:2\n")
}

/// The IPv4 and IPv6 resolvers named in a `resolv.conf`.
fn resolvers(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|l| l.trim().strip_prefix("nameserver")?.trim().parse().ok())
        .map(|ip: std::net::IpAddr| SocketAddr::from((ip, 53)))
        .collect()
}

/// `nsswitch.conf` whose host names come from files and DNS: other modules (systemd's resolver,
/// mDNS) would pass our server by.
fn plain_dns(nsswitch: &str) -> String {
    let others = nsswitch.lines().filter(|l| !l.trim_start().starts_with("hosts:"));
    others.chain(["hosts: files dns"]).flat_map(|l| [l, "\n"]).collect()
}

/// The child's exit code, or 128 + the signal that ended it, as shells have it.
fn wait(mut child: Child) -> anyhow::Result<ExitCode> {
    let status = child.wait()?;
    let code = status.code().or_else(|| status.signal().map(|s| 128 + s)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_machines_resolvers() {
        let r = resolvers("# x\nsearch a\nnameserver 10.0.0.2\n nameserver ::1 \nnameserver x\n");
        assert_eq!(r, ["10.0.0.2:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
    }

    #[test]
    fn host_names_come_from_dns_alone() {
        let n = plain_dns("passwd: files\nhosts: files resolve [!UNAVAIL=return] dns\n");
        assert_eq!(n, "passwd: files\nhosts: files dns\n");
    }
}
