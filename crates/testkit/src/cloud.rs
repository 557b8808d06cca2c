//! A running `fogbank up`: started on a free port, killed at the end, restarted on the same data.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::http::Connection;

/// Longer than any start should take, on a busy machine too.
const START: Duration = Duration::from_secs(60);

/// What to start.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Arguments after `up --port 0`; `--ephemeral` unless `data` is set.
    pub args: Vec<OsString>,
    /// The data directory. It must outlive the cloud.
    pub data: Option<PathBuf>,
    pub env: Vec<(String, OsString)>,
}

impl Options {
    /// With state in `data`, so that it can be started again.
    #[must_use]
    pub fn durable(data: &Path) -> Self {
        Options { data: Some(data.to_path_buf()), ..Options::default() }
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Starts it and waits until it says that it is ready.
    ///
    /// # Errors
    /// When it ends before, or is not ready within a minute; what it wrote is in the error.
    pub fn start(&self) -> Result<Cloud> {
        let folder = tempfile::Builder::new().prefix("fogbank-test-").tempdir()?;
        let log = folder.path().join("log");
        let mut child = self
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("cannot start {}", binary().display()))?;
        let stdout = child.stdout.take().context("no stdout")?;
        let (say, hear) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            let ready =
                lines.find_map(|l| l.ok()?.strip_prefix("ready http://").map(str::to_owned));
            let _ = say.send(ready);
            // Reads on, so that the server never blocks on a full pipe.
            lines.for_each(drop);
        });
        let ready = hear.recv_timeout(START).ok().flatten();
        let mut cloud = Cloud { child, address: ([127, 0, 0, 1], 0).into(), folder };
        let Some(address) = ready.and_then(|a| a.trim().parse().ok()) else {
            let _ = cloud.child.kill();
            let status = cloud.child.wait()?;
            bail!("fogbank did not become ready ({status}):\n{}", cloud.log());
        };
        cloud.address = address;
        Ok(cloud)
    }

    /// Starts it expecting that it refuses: its status and what it wrote to stderr.
    ///
    /// # Errors
    /// When it cannot be started at all.
    pub fn refuse(&self) -> Result<(ExitStatus, String)> {
        let out = self.command().stdin(Stdio::null()).output()?;
        Ok((out.status, String::from_utf8_lossy(&out.stderr).into_owned()))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command.args(["up", "--port", "0"]);
        match &self.data {
            Some(data) => command.arg("--data").arg(data),
            None => command.arg("--ephemeral"),
        };
        command.args(&self.args).envs(self.env.iter().map(|(k, v)| (k, v)));
        command
    }
}

/// A running fogbank. Dropping it kills it.
pub struct Cloud {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Cloud {
    /// One that keeps everything in memory.
    ///
    /// # Errors
    /// As [`Options::start`].
    pub fn start() -> Result<Cloud> {
        Options::default().start()
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A folder that goes with the cloud, for what its clients write.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A new connection to it.
    ///
    /// # Errors
    /// When it does not accept.
    pub fn connect(&self) -> Result<Connection> {
        Connection::open(self.address)
    }

    /// What it wrote to stderr so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// kill -9, at once.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- fogbank's log ---\n{}", self.log());
        }
    }
}

/// The binary under test: `FOGBANK_BIN`, or the one built beside the running test.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("FOGBANK_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().unwrap_or_default();
    // target/debug/deps/TEST -> target/debug/fogbank
    let path = test.ancestors().nth(2).unwrap_or(Path::new(".")).join("fogbank");
    assert!(path.is_file(), "{} is not built: cargo build -p fogbank", path.display());
    path
}
