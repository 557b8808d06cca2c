//! The processes of an environment: started, watched, frozen and killed.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use fogbank_sandbox::{Exit, Process, Program, Sandbox};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::pipes::{Cut, Journal, Pipe};
use crate::plain::Places;
use crate::runtimes::{Interpreter, Language};
use crate::state::Exchange;
use crate::world;
use crate::{Credentials, Failure, Spec};

/// How long the INIT phase may take.
pub const INIT: Duration = Duration::from_secs(10);
/// What an environment that starts weighs, in thousandths of a processor.
const START_CPU: u32 = 2000;
/// How long nothing must happen before an environment is frozen: what is invoked again at once
/// need not be thawed.
const IDLE: Duration = Duration::from_millis(5);

/// What is needed to start the processes, again and again.
pub struct Runner {
    pub spec: Arc<Spec>,
    pub interpreter: Interpreter,
    pub credentials: Credentials,
    pub sandbox: Sandbox,
    pub places: Places,
    /// Where the Runtime API listens, as the processes reach it.
    pub api: String,
    pub exchange: Exchange,
    pub journal: Arc<Journal>,
}

/// The processes that run now.
#[derive(Default)]
pub struct Running {
    runtime: Option<Process>,
    extensions: Vec<(String, Process)>,
    pipes: Vec<Arc<Pipe>>,
}

/// Why a start failed.
#[derive(Debug)]
pub enum Failed {
    Failure(Failure),
    /// It took longer than the INIT phase may.
    TooLong,
}

impl Runner {
    /// Starts extensions and runtime, and waits until all of them ask for work.
    pub async fn start(&self, running: &mut Running, request_id: &str) -> Result<(), Failed> {
        self.exchange.reset();
        // As on AWS, a start is not slowed to the function's share of a processor.
        self.sandbox.weigh(START_CPU);
        let words = world::command(&self.spec, &self.interpreter).map_err(|why| {
            Failed::Failure(Failure::Protocol {
                error_type: "Runtime.InvalidEntrypoint".into(),
                message: format!("RequestId: {request_id} Error: {why}"),
            })
        })?;
        let started = async {
            let names = world::extensions(&self.spec);
            for name in &names {
                let program = OsString::from(format!("/opt/extensions/{name}"));
                let process = self.spawn(running, &[program], request_id, true).await?;
                running.extensions.push((name.clone(), process));
            }
            tokio::select! {
                r = self.exchange.registered(&names) => r?,
                f = Self::first_end(running, request_id) => return Err(f),
            }
            running.runtime = Some(self.spawn(running, &words, request_id, false).await?);
            tokio::select! {
                biased;
                r = self.exchange.settled() => r,
                () = self.sandbox.over_memory() => {
                    Err(Failure::OutOfMemory { request_id: request_id.to_owned() })
                }
                f = Self::first_end(running, request_id) => {
                    // What it reported before it ended says more than that it ended.
                    tokio::task::yield_now().await;
                    Err(self.exchange.reported().unwrap_or(f))
                }
            }
        };
        match tokio::time::timeout(INIT, started).await {
            Ok(r) => {
                self.sandbox.weigh_as_limited();
                r.map_err(Failed::Failure)
            }
            Err(_) => Err(Failed::TooLong),
        }
    }

    async fn spawn(
        &self,
        running: &mut Running,
        words: &[OsString],
        request_id: &str,
        extension: bool,
    ) -> Result<Process, Failure> {
        let failed = |what: &str| Failure::Protocol {
            error_type: "Runtime.InvalidEntrypoint".into(),
            message: format!("RequestId: {request_id} Error: {what}"),
        };
        let no_pipe = |e: std::io::Error| failed(&e.to_string());
        let (read, write) = std::io::pipe().map_err(no_pipe)?;
        running.pipes.push(
            Pipe::start(read.into(), Cut::Lines { extension }, Arc::clone(&self.journal))
                .map_err(no_pipe)?,
        );
        let mut third = None;
        let framed = self.interpreter.language != Language::Provided && self.places.has_frames();
        if !extension && framed {
            let (read, write) = std::io::pipe().map_err(no_pipe)?;
            running.pipes.push(
                Pipe::start(read.into(), Cut::Frames, Arc::clone(&self.journal))
                    .map_err(no_pipe)?,
            );
            third = Some(OwnedFd::from(write));
        }
        let variables =
            world::variables(&self.spec, &self.interpreter, &self.credentials, &self.api);
        let variables = self.places.variables(variables, &self.spec);
        let words: Vec<OsString> =
            words.iter().map(|w| self.places.path(&w.to_string_lossy()).into()).collect();
        let null = std::fs::File::open("/dev/null").map_err(no_pipe)?;
        let program = Program {
            program: words.first().cloned().unwrap_or_default().into(),
            arguments: words,
            environment: variables.iter().map(|(n, v)| format!("{n}={v}").into()).collect(),
            folder: self.places.path("/var/task").into(),
            stdin: null.into(),
            stdout: write.try_clone().map_err(no_pipe)?.into(),
            stderr: write.into(),
            third,
        };
        let path = program.program.display().to_string();
        self.sandbox.start(program).await.map_err(|e| match e {
            fogbank_sandbox::Error::Step { what: "exec", error } => {
                let reason = match error.kind() {
                    std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
                    std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
                    _ if error.raw_os_error() == Some(8) => "exec format error".to_owned(),
                    _ => error.to_string(),
                };
                failed(&format!("fork/exec {path}: {reason}"))
            }
            e => failed(&e.to_string()),
        })
    }

    /// The first process that ends, which none of them should.
    pub async fn first_end(running: &Running, request_id: &str) -> Failure {
        let runtime = async {
            match &running.runtime {
                Some(p) => p.wait().await,
                None => std::future::pending().await,
            }
        };
        let extension = async {
            let mut ends = tokio::task::JoinSet::new();
            for (name, p) in &running.extensions {
                let (name, p) = (name.clone(), p.clone());
                ends.spawn(async move { (name, p.wait().await) });
            }
            match ends.join_next().await {
                Some(Ok(end)) => end,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            exit = runtime => exited(request_id, exit),
            (_, _) = extension => Failure::Extension {
                request_id: request_id.to_owned(),
                error_type: "Extension.Crash".into(),
            },
        }
    }

    /// Kills the processes; the sandbox with its `/tmp` stays. False when it must go too.
    pub async fn stop(&self, running: &mut Running) -> bool {
        let sandbox = self.sandbox.clone();
        let killed = tokio::task::spawn_blocking(move || sandbox.kill_programs()).await;
        running.drain();
        *running = Running::default();
        self.exchange.reset();
        killed.unwrap_or(false)
    }
}

impl Running {
    /// Whether the runtime lives.
    pub fn is_up(&self) -> bool {
        self.runtime.as_ref().is_some_and(|p| p.ended().is_none())
            && self.extensions.iter().all(|(_, p)| p.ended().is_none())
    }

    /// Reads everything that has been written.
    pub fn drain(&self) {
        for p in &self.pipes {
            p.drain();
        }
    }

    /// The most memory that the processes had in use, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let extensions = self.extensions.iter().map(|(_, p)| p);
        self.runtime.iter().chain(extensions).filter_map(Process::peak_memory).sum()
    }

    pub fn runtime(&self) -> Option<&Process> {
        self.runtime.as_ref()
    }

    pub fn extensions(&self) -> impl Iterator<Item = &Process> {
        self.extensions.iter().map(|(_, p)| p)
    }
}

pub fn exited(request_id: &str, exit: Exit) -> Failure {
    Failure::Exited { request_id: request_id.to_owned(), status: exit.to_string() }
}

/// Freezes an environment when it has nothing to do, and thaws it before it has.
pub struct Freezer {
    sandbox: Sandbox,
    state: Arc<Mutex<Frozen>>,
}

#[derive(Default)]
struct Frozen {
    frozen: bool,
    /// Freezes are meant for the work before them.
    epoch: u64,
    waiting: Option<JoinHandle<()>>,
}

impl Freezer {
    pub fn new(sandbox: Sandbox) -> Self {
        Freezer { sandbox, state: Arc::default() }
    }

    pub fn thaw(&self) {
        let mut s = self.state.lock();
        s.epoch += 1;
        if let Some(w) = s.waiting.take() {
            w.abort();
        }
        if std::mem::take(&mut s.frozen) {
            self.sandbox.freeze(false);
        }
    }

    /// Freezes once everybody waits for work.
    pub fn freeze_when_idle(&self, exchange: &Exchange) {
        let (sandbox, state, exchange) =
            (self.sandbox.clone(), Arc::clone(&self.state), exchange.clone());
        let mut s = self.state.lock();
        let epoch = s.epoch;
        s.waiting = Some(tokio::spawn(async move {
            if exchange.settled().await.is_err() {
                return;
            }
            tokio::time::sleep(IDLE).await;
            let mut s = state.lock();
            if s.epoch == epoch {
                s.frozen = sandbox.freeze(true);
            }
        }));
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        self.thaw();
    }
}
