//! Standard executions: each move is one transaction, and what it asks for is a job.
//!
//! A move loads the run under its lock, takes signals in, advances, and writes the run, its events,
//! its jobs and, at the end, what became of it. A job whose frame has gone on finds another ticket
//! and does nothing: a `kill -9` between a call and its answer repeats the call, never a transition.

use std::sync::Arc;

use fogbank_asl::run::{Mover, Moves};
use fogbank_asl::{Effect, Json, Meta, Outcome, Progress, Resource, Run, Signal};
use fogbank_bus::{Next, Options, Worker};
use fogbank_core::{Cloud, Result};
use fogbank_store::{Key, Lock, Tx};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::Sfn;
use crate::arn::ExecutionId;
use crate::definitions::Compiled;
use crate::record::{
    ACTIVITIES, EVENTS, EXECUTIONS, Execution, JOBS, Job, RUNS, STARTED, Status, StoredEvent,
    StoredRun, WORK, Waiting, What,
};
use crate::role::Caller;
use crate::token::Token;
use crate::world::world;

/// How many turns a move takes before it is written down.
const TURNS: usize = 200;
/// How many jobs are in hand at once: most wait for other services.
const AT_ONCE: usize = 512;

/// Why an execution is looked at.
pub enum Knock {
    Go,
    Signals(u64, u64, Vec<Signal>),
    Abort(Option<String>, Option<String>),
    Expire,
    Redrive,
}

/// What a move brought.
pub struct Stepped {
    /// Something waited for it.
    pub taken: bool,
    pub execution: Option<Execution>,
}

/// Starts the worker.
pub fn worker(sfn: &Arc<Sfn>, cloud: &Arc<dyn Cloud>) -> Worker {
    let me = Arc::clone(sfn);
    let store = sfn.store.clone();
    let options = Options { at_once: AT_ONCE };
    Worker::start(
        store,
        cloud.clock().clone(),
        &JOBS,
        options,
        move |job: fogbank_bus::Job<Job>| {
            let sfn = Arc::clone(&me);
            async move { sfn.work(job.what).await }
        },
    )
}

impl Sfn {
    async fn work(self: &Arc<Self>, job: Job) -> Next<Job> {
        match self.one(&job).await {
            Ok(()) => Next::Done,
            Err(e) => {
                let context = e.internal_context().unwrap_or_default();
                tracing::error!(execution = %job.id.arn(), "a job failed: {e} {context}");
                let now = self.cloud().map_or(Timestamp::UNIX_EPOCH, |c| c.clock().now());
                let later = now.saturating_add(SignedDuration::from_secs(1));
                Next::At(later.unwrap_or(Timestamp::MAX), job)
            }
        }
    }

    async fn one(self: &Arc<Self>, job: &Job) -> Result<()> {
        let id = &job.id;
        match &job.what {
            What::Go => self.step(id, Knock::Go).await.map(|_| ()),
            What::Expire => self.step(id, Knock::Expire).await.map(|_| ()),
            What::Timer(frame, ticket, why) => {
                let knock = Knock::Signals(*frame, *ticket, vec![Signal::Timer(*why)]);
                self.step(id, knock).await.map(|_| ())
            }
            What::Task(frame, ticket) => self.task(id, *frame, *ticket).await,
            What::Tell(watcher) => self.tell(id, watcher).await,
            What::MapRun(frame, ticket) => self.begin_map_run(id, *frame, *ticket).await,
            What::ChildEnded(child) => self.child_ended(id, child).await,
            What::Children(arn) => self.begin_children(arn).await,
            What::Express(execution) => self.run_express_job(execution).await,
            What::ExpressChild(child) => self.run_express_child(id, child).await,
            What::Log(first, last) => self.deliver(id, *first, *last).await,
        }
    }

    /// One move of an execution.
    pub async fn step(&self, id: &ExecutionId, knock: Knock) -> Result<Stepped> {
        let key = id.key();
        let mut tx = self.store.lock(&[Lock::exclusive(&RUNS, &key)]).await;
        let found: Option<Execution> = tx.get(&EXECUTIONS, &key).await?;
        let Some(mut execution) = found else {
            return Ok(Stepped { taken: false, execution: None });
        };
        let redrive = matches!(knock, Knock::Redrive);
        let stored: Option<StoredRun> = tx.get(&RUNS, &key).await?;
        let movable = redrive || execution.status == Status::Running;
        let Some(StoredRun(mut run)) = stored.filter(|_| movable) else {
            return Ok(Stepped { taken: false, execution: Some(execution) });
        };
        let compiled = self.definition(&execution.set.definition).await?;
        if redrive {
            self.revive(&mut tx, &mut execution)?;
        }
        let taken = self.advance(&mut tx, &mut execution, &mut run, &compiled, knock).await?;
        if !taken {
            return Ok(Stepped { taken, execution: Some(execution) });
        }
        let activity = run.frames.values().any(|f| waits_for_worker(&compiled, f));
        tx.commit().await?;
        self.wake();
        if activity {
            self.tasks.notify_waiters();
        }
        Ok(Stepped { taken, execution: Some(execution) })
    }

    /// Takes the knock in, moves the run, and writes what came of it into the transaction.
    pub async fn advance(
        &self,
        tx: &mut Tx,
        execution: &mut Execution,
        run: &mut Run,
        compiled: &Compiled,
        knock: Knock,
    ) -> Result<bool> {
        let cloud = self.cloud()?;
        let meta = self.meta(execution, compiled).await?;
        let world = world(&cloud);
        let mapping = map_runs(run);
        let mut mover = Mover {
            run: &mut *run,
            definition: &compiled.definition,
            meta: &meta,
            world: &world,
            moves: Moves::default(),
        };
        let taken = match knock {
            Knock::Go => true,
            Knock::Signals(frame, ticket, signals) => {
                let mut any = false;
                for s in signals {
                    any |= mover.signal(frame, ticket, s);
                }
                any
            }
            Knock::Abort(error, cause) => {
                mover.abort(error, cause);
                true
            }
            Knock::Expire => {
                mover.time_out();
                true
            }
            Knock::Redrive => mover.redrive(i64::from(execution.redrives)),
        };
        if !taken {
            return Ok(false);
        }
        let progress = evaluate(compiled, || mover.advance(TURNS));
        let moves = mover.moves;
        let first = moves.events.first().map(|e| e.id);
        let key = execution.id.key();
        for e in moves.events {
            let at = key.clone().u64(e.id);
            tx.put(&EVENTS, &at, &StoredEvent(e));
        }
        let now = cloud.clock().now();
        if let Some(first) = first.filter(|_| !execution.set.logging.level.is_empty()) {
            put(tx, now, execution, What::Log(first, run.last_event));
        }
        for effect in moves.effects {
            self.ask(tx, execution, run, compiled, &effect, now);
        }
        // Map runs that nobody waits for any more are to end.
        let mapped = map_runs(run);
        for arn in mapping.into_iter().filter(|arn| !mapped.contains(arn)) {
            put(tx, now, execution, What::Children(arn));
        }
        if progress == Progress::More {
            put(tx, now, execution, What::Go);
        }
        match run.outcome.clone() {
            None => tx.put(&RUNS, &key, &StoredRun(run.clone())),
            Some(outcome) => self.finish(tx, execution, run, outcome, now),
        }
        Ok(true)
    }

    /// Turns an effect into a job.
    fn ask(
        &self,
        tx: &mut Tx,
        execution: &Execution,
        run: &Run,
        compiled: &Compiled,
        effect: &Effect,
        now: Timestamp,
    ) {
        match *effect {
            Effect::Task { frame, ticket } => {
                let Some(f) = run.waiting(frame, ticket) else { return };
                if let Some(arn) = activity_of(compiled, f) {
                    let waiting = Waiting { id: execution.id.clone(), frame, ticket };
                    let at = micros(now);
                    let id = execution.id.arn();
                    let key = Key::new().str(arn).u64(at).str(&id).u64(frame).u64(ticket);
                    tx.put(&WORK, &key, &waiting);
                } else {
                    put(tx, now, execution, What::Task(frame, ticket));
                }
            }
            Effect::Timer { frame, ticket, at, why } => {
                put(tx, at, execution, What::Timer(frame, ticket, why));
            }
            Effect::Cancel { frame, ticket, at, why } => {
                let what = What::Timer(frame, ticket, why);
                JOBS.cancel(tx, at, &job_id(&execution.id, &what));
            }
            Effect::MapRun { frame, ticket } => {
                put(tx, now, execution, What::MapRun(frame, ticket));
            }
        }
    }

    fn finish(
        &self,
        tx: &mut Tx,
        execution: &mut Execution,
        run: &Run,
        outcome: Outcome,
        now: Timestamp,
    ) {
        let key = execution.id.key();
        tx.delete(&STARTED, &started_key(execution, Some(Status::Running)));
        if let Some(at) = execution.expires {
            let at = Timestamp::from_microsecond(at).unwrap_or_default();
            JOBS.cancel(tx, at, &job_id(&execution.id, &What::Expire));
        }
        let (status, error, cause) = match outcome {
            Outcome::Succeeded(output) => {
                execution.output = Some(output.to_string());
                (Status::Succeeded, None, None)
            }
            Outcome::Failed(e, c) => (Status::Failed, e, c),
            Outcome::TimedOut(e, c) => (Status::TimedOut, e, c),
            Outcome::Aborted(e, c) => (Status::Aborted, e, c),
        };
        execution.status = status;
        execution.error = error;
        execution.cause = cause;
        execution.stopped = Some(now.as_microsecond());
        for watcher in std::mem::take(&mut execution.watchers) {
            put(tx, now, execution, What::Tell(watcher));
        }
        if let Some(child) = execution.map_run.clone() {
            put(tx, now, execution, What::ChildEnded(child));
        }
        if run.failed.is_some() {
            tx.put(&RUNS, &key, &StoredRun(run.clone()));
        } else {
            tx.delete(&RUNS, &key);
        }
        tx.put(&STARTED, &started_key(execution, Some(status)), &bytes::Bytes::new());
        tx.put(&EXECUTIONS, &key, execution);
    }

    /// What a run is told of its execution.
    pub async fn meta(&self, e: &Execution, compiled: &Compiled) -> Result<Meta> {
        let mut missing_activities = Vec::new();
        for arn in &compiled.activities {
            let known = match crate::arn::ActivityArn::parse(arn) {
                Ok(a) => self.store.get(&ACTIVITIES, &a.key()).await?.is_some(),
                Err(_) => false,
            };
            if !known {
                missing_activities.push(arn.clone());
            }
        }
        let id = e.id.clone();
        let machine = id.machine.split('/').next().unwrap_or_default().to_owned();
        let input: Value = serde_json::from_str(&e.input).unwrap_or_default();
        let execution = json!({
            "Id": id.arn(),
            "Input": input,
            "StartTime": fogbank_asl::run::time(e.started),
            "Name": id.name,
            "RoleArn": e.set.role,
            "RedriveCount": e.redrives,
        });
        let arn = crate::arn::machine(&id.region, &id.account, &machine);
        let map_runs = format!("arn:aws:states:{}:{}:mapRun:{machine}/", id.region, id.account);
        let secret = e.secret.clone();
        Ok(Meta {
            execution,
            state_machine: json!({"Id": arn, "Name": machine}),
            context: None,
            region: id.region.clone(),
            standard: true,
            recording: true,
            map_runs,
            missing_activities,
            token: Arc::new(move |frame, ticket| {
                Token { id: id.clone(), secret: secret.clone(), frame, ticket }.text()
            }),
        })
    }

    /// Calls what a task calls, and takes the answer in.
    async fn task(self: &Arc<Self>, id: &ExecutionId, frame: u64, ticket: u64) -> Result<()> {
        let key = id.key();
        let stored: Option<StoredRun> = self.store.get(&RUNS, &key).await?;
        let found: Option<Execution> = self.store.get(&EXECUTIONS, &key).await?;
        let (Some(StoredRun(run)), Some(execution)) = (stored, found) else { return Ok(()) };
        let Some(f) = run.waiting(frame, ticket) else { return Ok(()) };
        let fogbank_asl::run::Phase::Task(call) = f.phase.clone() else { return Ok(()) };
        let compiled = self.definition(&execution.set.definition).await?;
        let Some(task) = task_of(&compiled, f) else { return Ok(()) };
        let caller = self.caller(&execution)?;
        let execution_arn = id.arn();
        let asked = crate::task::Asked {
            caller: &caller,
            task,
            call: &call,
            execution: &execution_arn,
            trace: execution.trace.as_deref(),
            unique: format!("{execution_arn} {frame} {ticket}"),
        };
        let did = crate::task::perform(self, &asked).await;
        let watch = did.watch;
        self.step(id, Knock::Signals(frame, ticket, did.signals)).await?;
        if let Some((child, parsed)) = watch {
            let watcher = crate::record::Watcher { id: id.clone(), frame, ticket, parsed };
            self.watch(&child, watcher).await?;
        }
        Ok(())
    }

    pub fn caller(&self, e: &Execution) -> Result<Caller> {
        Ok(Caller {
            cloud: self.cloud()?,
            account: e.id.account.clone(),
            region: e.id.region.clone(),
            machine_arn: e.id.machine_arn(),
            role: e.set.role.clone(),
            session: e.id.name.clone(),
        })
    }

    /// Has a task of another execution told when this one ends.
    async fn watch(&self, id: &ExecutionId, watcher: crate::record::Watcher) -> Result<()> {
        let key = id.key();
        let mut tx = self.store.lock(&[Lock::exclusive(&RUNS, &key)]).await;
        let found: Option<Execution> = tx.get(&EXECUTIONS, &key).await?;
        let Some(mut e) = found else { return Ok(()) };
        if e.status != Status::Running {
            drop(tx);
            return self.tell(id, &watcher).await;
        }
        if !e.watchers.contains(&watcher) {
            e.watchers.push(watcher);
            tx.put(&EXECUTIONS, &key, &e);
            tx.commit().await?;
        }
        Ok(())
    }

    /// Tells a waiting task what became of the execution that it waits for.
    async fn tell(&self, id: &ExecutionId, w: &crate::record::Watcher) -> Result<()> {
        let found: Option<Execution> = self.store.get(&EXECUTIONS, &id.key()).await?;
        let Some(e) = found else { return Ok(()) };
        let signal = Signal::Ended(crate::task::outcome(&e, w.parsed));
        self.step(&w.id, Knock::Signals(w.frame, w.ticket, vec![signal])).await?;
        Ok(())
    }

    pub fn cloud(&self) -> Result<Arc<dyn Cloud>> {
        let none = || fogbank_core::ApiError::internal("Step Functions was not started");
        self.cloud.get().cloned().ok_or_else(none)
    }
}

/// Runs what evaluates expressions: where some may take long, apart from other requests.
pub fn evaluate<R>(compiled: &Compiled, go: impl FnOnce() -> R) -> R {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let many =
        Handle::try_current().is_ok_and(|h| h.runtime_flavor() == RuntimeFlavor::MultiThread);
    if compiled.definition.heavy && many { tokio::task::block_in_place(go) } else { go() }
}

/// Where an execution stands among those of its machine: newest first.
pub fn started_key(e: &Execution, status: Option<Status>) -> Key {
    list_key(e, status).u64_desc(u64::try_from(e.started).unwrap_or(0)).str(&e.id.name)
}

fn list_key(e: &Execution, status: Option<Status>) -> Key {
    match &e.map_run {
        Some(child) => list_of(&e.id.account, &e.id.region, &child.arn, status),
        None => list_of(&e.id.account, &e.id.region, &e.id.machine, status),
    }
}

/// The list of a machine's, or a Map run's, executions.
pub fn list_of(account: &str, region: &str, of: &str, status: Option<Status>) -> Key {
    Key::new().str(account).str(region).str(of).str(status.map_or("", Status::name))
}

/// Adds a job.
pub fn put(tx: &mut Tx, due: Timestamp, e: &Execution, what: What) {
    let id = job_id(&e.id, &what);
    JOBS.put(tx, due, &id, &Job { id: e.id.clone(), what });
}

pub fn job_id(id: &ExecutionId, what: &What) -> String {
    let what = match what {
        What::Go => "go".to_owned(),
        What::Task(f, t) => format!("task {f} {t}"),
        What::Timer(f, t, why) => format!("timer {f} {t} {why:?}"),
        What::Expire => "expire".to_owned(),
        What::Tell(w) => format!("tell {} {} {}", w.id.arn(), w.frame, w.ticket),
        What::MapRun(f, t) => format!("map {f} {t}"),
        What::ChildEnded(c) => format!("ended {}", c.index),
        What::Children(arn) => format!("children {arn}"),
        What::Express(_) => "express".to_owned(),
        What::ExpressChild(c) => format!("child {}", c.index),
        What::Log(first, _) => format!("log {first}"),
    };
    format!("{} {what}", id.arn())
}

/// The Map runs that an execution waits for.
fn map_runs(run: &Run) -> Vec<String> {
    let arn = |f: &fogbank_asl::run::Frame| match &f.phase {
        fogbank_asl::run::Phase::MapRun(m) => Some(m.arn.clone()),
        _ => None,
    };
    run.frames.values().filter_map(arn).collect()
}

fn micros(t: Timestamp) -> u64 {
    u64::try_from(t.as_microsecond()).unwrap_or(0)
}

fn task_of<'a>(
    compiled: &'a Compiled,
    f: &fogbank_asl::run::Frame,
) -> Option<&'a fogbank_asl::definition::Task> {
    match &compiled.definition.state(f.scope, &f.state)?.kind {
        fogbank_asl::definition::Kind::Task(t) => Some(t),
        _ => None,
    }
}

fn activity_of<'a>(compiled: &'a Compiled, f: &fogbank_asl::run::Frame) -> Option<&'a str> {
    match &task_of(compiled, f)?.resource {
        Resource::Activity(arn) => Some(arn),
        _ => None,
    }
}

fn waits_for_worker(compiled: &Compiled, f: &fogbank_asl::run::Frame) -> bool {
    matches!(f.phase, fogbank_asl::run::Phase::Task(_)) && activity_of(compiled, f).is_some()
}

/// An input as a run takes it.
pub fn input(text: &str) -> Json {
    serde_json::from_str::<Value>(text).unwrap_or_default().into()
}
