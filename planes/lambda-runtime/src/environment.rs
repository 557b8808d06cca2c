//! Execution environments: started, invoked, frozen, shut down.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fogbank_core::clock::real_now;
use fogbank_core::{Clock, Ids};
use fogbank_sandbox::{Sandboxes, Socket};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::api::Api;
use crate::event::{epoch_ms, headers, invoke_event};
use crate::inside;
use crate::pipes::Journal;
use crate::plain::Places;
use crate::report::{self, Report, Status};
use crate::runner::{Failed, Freezer, Runner, Running};
use crate::state::{Answer, Event, Exchange, SHUTDOWN, Work};
use crate::world::{self, Assets};
use crate::{Credentials, Failure, Front, Invocation, Logs, Outcome, Runtimes, Spec};

/// Makes environments; cheap to clone.
#[derive(Clone)]
pub struct Environments(Arc<Inner>);

struct Inner {
    options: Options,
    /// Or why there are none.
    ground: Result<(Sandboxes, Assets), String>,
    /// Plain processes even where there could be sandboxes.
    plain: bool,
    told: std::sync::Once,
}

/// What environments are made with.
pub struct Options {
    /// A directory of our own, for what environments need while they live.
    pub scratch: PathBuf,
    pub runtimes: Runtimes,
    pub front: Arc<dyn Front>,
    /// The CA that environments trust beside the public ones.
    pub ca_pem: Arc<str>,
    pub clock: Clock,
    pub ids: Ids,
}

/// What this machine can keep environments from doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Environments are apart from each other and from the machine: namespaces, users, a filter
    /// of system calls. Otherwise why not; tenant isolation must be refused then.
    pub isolated: Result<(), String>,
    /// Memory, processor and process limits are the kernel's.
    pub limits: bool,
    /// Environments stand still between invocations.
    pub freezes: bool,
}

/// Why an environment cannot be started at all. A function whose own start fails is no such
/// error: see [`Environment::init_failure`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InitError {
    /// No interpreter for this runtime; the text says what would help.
    #[error("{0}")]
    NoRuntime(String),
    /// The sandbox could not be made.
    #[error("{0}")]
    Sandbox(String),
}

/// Why an environment is shut down, as extensions are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// It has been idle, or its function has changed.
    Spindown,
    Timeout,
    Failure,
}

impl Environments {
    /// Opens what environments need. What the machine refuses shows in [`Capabilities`] and when
    /// one is started.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Environments::open(options, false)
    }

    /// Opens environments that are plain processes, even where there could be sandboxes.
    #[must_use]
    pub fn without_sandboxes(options: Options) -> Self {
        Environments::open(options, true)
    }

    fn open(options: Options, plain: bool) -> Self {
        let ground = std::fs::create_dir_all(&options.scratch)
            .and_then(|()| Assets::write(&options.scratch, &options.ca_pem))
            .map_err(|e| format!("{}: {e}", options.scratch.display()))
            .and_then(|assets| {
                let boxes = Sandboxes::open(&options.scratch).map_err(|e| e.to_string())?;
                Ok((boxes, assets))
            });
        Environments(Arc::new(Inner { options, ground, plain, told: std::sync::Once::new() }))
    }

    /// What this machine allows.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        match &self.0.ground {
            Ok(_) if self.0.plain => Capabilities {
                isolated: Err("sandboxes are switched off".to_owned()),
                limits: false,
                freezes: true,
            },
            Ok((boxes, _)) => {
                let c = boxes.capabilities();
                Capabilities { isolated: c.isolated, limits: c.limits, freezes: c.freezes }
            }
            Err(e) => Capabilities { isolated: Err(e.clone()), limits: false, freezes: false },
        }
    }

    /// Starts an environment and runs its INIT phase (10 seconds at most). A function whose start
    /// fails gives an environment all the same: as on AWS, the first invocation tries again and
    /// answers with the failure.
    ///
    /// # Errors
    /// When there is nothing to run the function with.
    pub async fn start(
        &self,
        spec: Arc<Spec>,
        credentials: Credentials,
        logs: Arc<dyn Logs>,
    ) -> Result<Environment, InitError> {
        let Options { runtimes, front, clock, ids, .. } = &self.0.options;
        let (boxes, assets) = self.0.ground.as_ref().map_err(|e| InitError::Sandbox(e.clone()))?;
        let (all, finder, id) = (self.clone(), runtimes.clone(), spec.runtime.clone());
        // It may have to ask the interpreters on this machine what they are.
        let interpreter = tokio::task::spawn_blocking(move || {
            let found = finder.find(&id)?;
            if let Ok((_, assets)) = &all.0.ground {
                assets.compile(&found);
            }
            Ok(found)
        })
        .await;
        let interpreter = interpreter
            .map_err(|e| InitError::NoRuntime(e.to_string()))?
            .map_err(InitError::NoRuntime)?;
        let (sandbox, places) = match self.capabilities().isolated {
            Ok(()) => {
                let layout = world::layout(&spec, &interpreter, assets);
                let made = boxes.make(layout).await;
                (made.map_err(|e| InitError::Sandbox(e.to_string()))?, Places::default())
            }
            Err(why) => {
                self.0.told.call_once(|| {
                    tracing::warn!("functions run as plain processes, without isolation: {why}");
                });
                let places = Places::outside(&spec, &interpreter, assets, front.endpoint());
                (boxes.plain(), places.map_err(InitError::Sandbox)?)
            }
        };
        let exchange = Exchange::new();
        let api = Api { exchange: exchange.clone(), spec: Arc::clone(&spec), ids: ids.clone() };
        let failed = |e: std::io::Error| InitError::Sandbox(e.to_string());
        let mut sockets = sandbox.take_sockets();
        let mut address = format!("127.0.0.1:{}", world::API_PORT);
        if sockets.is_empty() {
            let socket = std::net::TcpListener::bind("127.0.0.1:0").map_err(failed)?;
            socket.set_nonblocking(true).map_err(failed)?;
            address = socket.local_addr().map_err(failed)?.to_string();
            sockets.push(Socket::Tcp(world::API_PORT, socket));
        }
        let servers = inside::serve(sockets, &api, front).map_err(failed)?;
        let journal = Arc::new(Journal::new(Arc::clone(&spec), logs, clock.clone()));
        let freezer = Freezer::new(sandbox.clone());
        let runner = Runner {
            spec,
            interpreter,
            credentials,
            sandbox,
            places,
            api: address,
            exchange,
            journal,
        };
        let mut environment = Environment {
            runner,
            running: Running::default(),
            freezer,
            _servers: servers,
            ids: ids.clone(),
            init: Duration::ZERO,
            unreported: None,
            failure: None,
            peak: 0,
            lost: false,
        };
        environment.init().await;
        Ok(environment)
    }
}

/// One environment. It serves one invocation at a time and is frozen between them. Dropped, it is
/// killed.
pub struct Environment {
    runner: Runner,
    running: Running,
    freezer: Freezer,
    _servers: JoinSet<()>,
    ids: Ids,
    init: Duration,
    /// The start that the next report tells of.
    unreported: Option<Duration>,
    failure: Option<Failure>,
    /// Bytes.
    peak: u64,
    /// The sandbox is no more.
    lost: bool,
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.runner.sandbox.kill();
    }
}

impl Environment {
    async fn init(&mut self) {
        let runtime = self.runner.interpreter.describe();
        self.runner.journal.platform(&report::Event::InitStart { runtime: &runtime });
        let begun = Instant::now();
        match self.start_processes("init", "", begun).await {
            Ok(()) => {
                self.init = begun.elapsed();
                self.unreported = Some(self.init);
                self.freezer.freeze_when_idle(&self.runner.exchange);
            }
            Err(failure) => {
                self.init = begun.elapsed();
                self.failure = Some(failure);
            }
        }
    }

    /// Starts the processes; when that fails, says so in the log and ends them.
    async fn start_processes(
        &mut self,
        phase: &str,
        request_id: &str,
        begun: Instant,
    ) -> Result<(), Failure> {
        let failed = match self.runner.start(&mut self.running, request_id).await {
            Ok(()) => return Ok(()),
            Err(f) => f,
        };
        self.measure();
        if !self.runner.stop(&mut self.running).await {
            self.lost = true;
        }
        let (failure, timeout) = match failed {
            Failed::Failure(f) => (f, false),
            Failed::TooLong => {
                let after = crate::runner::INIT;
                (Failure::Timeout { request_id: request_id.to_owned(), after }, true)
            }
        };
        let status = match timeout {
            true => Status::Timeout,
            false => Status::Error(Some(failure.error_type())),
        };
        let duration = begun.elapsed();
        self.runner.journal.platform(&report::Event::InitReport { duration, phase, status });
        Err(failure)
    }

    /// Runs the function on one event. Without fail: whatever happens is in the outcome.
    pub async fn invoke(&mut self, i: Invocation) -> Outcome {
        self.freezer.thaw();
        self.runner.journal.clear_tail();
        let begun = Instant::now();
        let deadline = begun + i.deadline;
        let started = if self.running.is_up() {
            Ok(())
        } else {
            self.restart(&i.request_id, begun, deadline).await
        };
        let tenant = i.tenant.clone();
        let request_id = i.request_id.clone();
        let trace = i.trace_id.clone().unwrap_or_else(|| self.new_trace());
        self.runner
            .journal
            .platform(&report::Event::Start { request_id: &request_id, tenant: tenant.as_deref() });
        let (result, content_type) = match started {
            Ok(()) => self.run(i, &trace, begun, deadline).await,
            Err(f) => (Err(f), None),
        };
        let timed_out = matches!(result, Err(Failure::Timeout { .. }));
        let duration = if timed_out { deadline - begun } else { begun.elapsed() };
        self.running.drain();
        self.measure();
        self.after(&result, &request_id).await;
        let init = self.unreported.take();
        let outcome = self.outcome(result, content_type, duration, init);
        self.report(&outcome, &request_id, tenant.as_deref(), &trace);
        Outcome { log_tail: self.runner.journal.tail(), ..outcome }
    }

    /// Remembers the most memory in use. Of a process that has ended only its group can tell.
    fn measure(&mut self) {
        let mut peak = self.running.peak_memory();
        if peak == 0 {
            peak = self.runner.sandbox.peak_memory().unwrap_or(0);
        }
        self.peak = self.peak.max(peak);
    }

    /// Starts what has ended: after a failure, or when the first start failed.
    async fn restart(
        &mut self,
        request_id: &str,
        begun: Instant,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let _ = self.runner.stop(&mut self.running).await;
        let time_left = deadline.saturating_duration_since(Instant::now());
        let start = self.start_processes("invoke", request_id, begun);
        let Ok(started) = tokio::time::timeout(time_left, start).await else {
            let after = deadline - begun;
            return Err(Failure::Timeout { request_id: request_id.to_owned(), after });
        };
        self.failure = started.as_ref().err().cloned();
        started
    }

    /// Hands the event over and waits for what comes of it.
    async fn run(
        &mut self,
        i: Invocation,
        trace: &str,
        begun: Instant,
        deadline: Instant,
    ) -> (Result<Bytes, Failure>, Option<String>) {
        let exchange = &self.runner.exchange;
        let kills = self.runner.sandbox.out_of_memory();
        let headers = headers(&i, trace, deadline);
        let request_id = i.request_id;
        let event = Event {
            id: self.ids.uuid(),
            body: invoke_event(&request_id, &i.invoked_arn, trace, deadline),
        };
        let work = Work { headers, payload: i.payload };
        let answer = exchange.dispatch(&request_id, work, &event, i.streaming);
        let answered = tokio::select! {
            biased;
            a = answer => a.ok(),
            f = exchange.failure() => Some(Answer::Failed(f)),
            f = Runner::first_end(&self.running, &request_id) => Some(Answer::Failed(f)),
            () = self.runner.sandbox.over_memory() => {
                Some(Answer::Failed(Failure::OutOfMemory { request_id: request_id.clone() }))
            }
            () = tokio::time::sleep_until(deadline) => {
                let after = deadline - begun;
                Some(Answer::Failed(Failure::Timeout { request_id: request_id.clone(), after }))
            }
        };
        // Extensions take part in the invocation, until its deadline.
        if matches!(answered, Some(Answer::Response { .. })) && exchange.has_extensions() {
            let _ = tokio::time::timeout_at(deadline, exchange.extensions_settled()).await;
        }
        match answered {
            Some(Answer::Response { body, content_type }) => (Ok(body), content_type),
            Some(Answer::Failed(Failure::Exited { .. }))
                if self.runner.sandbox.out_of_memory() > kills =>
            {
                (Err(Failure::OutOfMemory { request_id }), None)
            }
            Some(Answer::Failed(f)) => (Err(f), None),
            None => (Err(exited_early(&request_id)), None),
        }
    }

    /// What a failure leaves to be done: the log line, and the end of the processes.
    async fn after(&mut self, result: &Result<Bytes, Failure>, request_id: &str) {
        let Err(failure) = result else {
            self.freezer.freeze_when_idle(&self.runner.exchange);
            return;
        };
        let journal = &self.runner.journal;
        match failure {
            Failure::Handled { .. } | Failure::TooLarge { .. } => {
                self.freezer.freeze_when_idle(&self.runner.exchange);
                return;
            }
            Failure::Timeout { after, .. } => {
                let now = report::time(real_now());
                let seconds = after.as_secs_f64();
                journal.function(&format!(
                    "{now} {request_id} Task timed out after {seconds:.2} seconds\n"
                ));
            }
            Failure::Exited { .. } | Failure::OutOfMemory { .. } | Failure::Extension { .. } => {
                let body: serde_json::Value =
                    serde_json::from_slice(&failure.body()).unwrap_or_default();
                let message = body["errorMessage"].as_str().unwrap_or_default();
                journal.function(&format!("{message}\n{}", failure.error_type()));
            }
            Failure::Init { .. } | Failure::Protocol { .. } => {}
        }
        if !self.runner.stop(&mut self.running).await {
            self.lost = true;
        }
    }

    fn outcome(
        &self,
        result: Result<Bytes, Failure>,
        content_type: Option<String>,
        duration: Duration,
        init: Option<Duration>,
    ) -> Outcome {
        let billed = duration + init.unwrap_or_default();
        let max_memory_mb = u32::try_from(self.peak.div_ceil(1 << 20)).unwrap_or(u32::MAX);
        Outcome {
            result,
            content_type,
            duration,
            billed_ms: u64::try_from(billed.as_micros().div_ceil(1000)).unwrap_or(u64::MAX),
            max_memory_mb: max_memory_mb.min(self.runner.spec.memory_mb),
            init,
            log_tail: Bytes::new(),
        }
    }

    fn report(&self, o: &Outcome, request_id: &str, tenant: Option<&str>, trace: &str) {
        let journal = &self.runner.journal;
        journal.platform(&report::Event::End { request_id });
        let status = match &o.result {
            Ok(_) | Err(Failure::Handled { .. }) => Status::Success,
            Err(Failure::Timeout { .. }) => Status::Timeout,
            Err(f) => Status::Error(Some(f.error_type())),
        };
        journal.platform(&report::Event::Report(Report {
            request_id,
            duration: o.duration,
            billed_ms: o.billed_ms,
            max_memory_mb: o.max_memory_mb,
            init: o.init,
            status,
            tenant,
            trace: self.runner.spec.tracing.then_some(trace),
        }));
    }

    /// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`.
    fn new_trace(&self) -> String {
        let (time, id, parent) = (real_now().as_second(), self.ids.hex(24), self.ids.hex(16));
        let sampled = u8::from(self.runner.spec.tracing);
        format!("Root=1-{time:08x}-{id};Parent={parent};Sampled={sampled}")
    }

    /// How long the INIT phase took.
    #[must_use]
    pub fn init_duration(&self) -> Duration {
        self.init
    }

    /// Why the last start failed, if it did (for provisioned concurrency).
    #[must_use]
    pub fn init_failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Whether it can take an invocation. One whose runtime has ended can: it is started anew.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.lost && self.runner.sandbox.is_alive()
    }

    /// The SHUTDOWN phase: extensions are told and have two seconds, then everything ends.
    pub async fn shutdown(self, reason: Shutdown) {
        self.freezer.thaw();
        let reason = match reason {
            Shutdown::Spindown => "spindown",
            Shutdown::Timeout => "timeout",
            Shutdown::Failure => "failure",
        };
        let end = Instant::now() + SHUTDOWN;
        let body = json!({
            "eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": epoch_ms(end),
        });
        let event = Event { id: self.ids.uuid(), body: body.to_string().into() };
        if self.runner.exchange.shut_down(&event) {
            if let Some(p) = self.running.runtime() {
                p.signal(fogbank_sandbox::Signal::TERM);
            }
            for p in self.running.extensions() {
                let _ = tokio::time::timeout_at(end, p.wait()).await;
            }
            self.running.drain();
        }
        self.runner.sandbox.end().await;
    }
}

fn exited_early(request_id: &str) -> Failure {
    Failure::Exited { request_id: request_id.to_owned(), status: "exit status 0".into() }
}
