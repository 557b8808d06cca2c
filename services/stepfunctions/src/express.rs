//! Express executions: they live in this process, from their start to their end.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html>

use std::sync::Arc;
use std::time::Duration;

use fogbank_asl::run::{Call, Mover, Moves, Phase};
use fogbank_asl::{Effect, Event, Meta, Outcome, Run, Signal};
use fogbank_core::{Clock, Result};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Sfn;
use crate::definitions::Compiled;
use crate::drive::evaluate;
use crate::record::{Child, Execution, Status};
use crate::start::express_arn;
use crate::world::world;

/// No Express execution lasts longer.
const LONGEST: Duration = Duration::from_secs(300);
/// How many turns are taken before others get theirs.
const TURNS: usize = 1000;
/// How often a timer looks at the clock, which may be moved.
const LOOK: Duration = Duration::from_millis(500);

/// How an Express execution ended.
pub struct Ended {
    pub status: Status,
    pub output: Option<String>,
    pub error: Option<String>,
    pub cause: Option<String>,
    pub events: Vec<Event>,
}

/// What came of an effect.
type Came = (u64, u64, Vec<Signal>);

impl Sfn {
    /// Runs an Express execution to its end.
    pub async fn run_express(
        &self,
        e: &Execution,
        compiled: &Arc<Compiled>,
        input: Value,
    ) -> Result<Ended> {
        let cloud = self.cloud()?;
        let recording = !e.set.logging.level.is_empty();
        let meta = express_meta(e, compiled, &input, recording);
        let world = world(&cloud);
        let mut run = Run::new(&compiled.definition, e.scope, input.into(), None);
        let mut events = Vec::new();
        let limit = compiled.definition.timeout.map_or(LONGEST, Duration::from_secs).min(LONGEST);
        let mut first = true;
        let mut pending: FuturesUnordered<BoxFuture<'_, Came>> = FuturesUnordered::new();
        let mut deadline: Option<std::pin::Pin<Box<tokio::time::Sleep>>> = None;
        let mut signals: Option<Came> = None;
        loop {
            let effects = {
                let mut mover = Mover {
                    run: &mut run,
                    definition: &compiled.definition,
                    meta: &meta,
                    world: &world,
                    moves: Moves::default(),
                };
                if std::mem::take(&mut first) {
                    let role = ("roleArn".to_owned(), e.set.role.clone().into());
                    mover.begin(&e.input, std::iter::once(role).collect());
                }
                if let Some((frame, ticket, all)) = signals.take() {
                    for s in all {
                        mover.signal(frame, ticket, s);
                    }
                }
                evaluate(compiled, || mover.advance(TURNS));
                events.append(&mut mover.moves.events);
                mover.moves.effects
            };
            if run.outcome.is_some() {
                break;
            }
            let deadline = deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
            for effect in effects {
                if let Some(f) = self.pursue(e, compiled, &run, &effect, &cloud.clock().clone()) {
                    pending.push(f);
                }
            }
            if !run.ready.is_empty() {
                // It could go on for ever: let others have their turn, and the deadline its say.
                tokio::task::yield_now().await;
                if deadline.is_elapsed() {
                    break;
                }
                continue;
            }
            tokio::select! {
                came = pending.next() => match came {
                    Some(came) => signals = Some(came),
                    None => break,
                },
                () = deadline => break,
            }
        }
        drop(pending);
        if run.outcome.is_none() {
            let mut mover = Mover {
                run: &mut run,
                definition: &compiled.definition,
                meta: &meta,
                world: &world,
                moves: Moves::default(),
            };
            mover.time_out();
            events.append(&mut mover.moves.events);
        }
        let (status, output, error, cause) = match run.outcome {
            Some(Outcome::Succeeded(v)) => (Status::Succeeded, Some(v.to_string()), None, None),
            Some(Outcome::Failed(e, c)) => (Status::Failed, None, e, c),
            Some(Outcome::Aborted(e, c)) => (Status::Aborted, None, e, c),
            Some(Outcome::TimedOut(..)) | None => {
                (Status::TimedOut, None, Some(fogbank_asl::fault::TIMEOUT.to_owned()), None)
            }
        };
        Ok(Ended { status, output, error, cause, events })
    }

    /// Does what the run asks for.
    fn pursue<'a>(
        &'a self,
        e: &'a Execution,
        compiled: &'a Arc<Compiled>,
        run: &Run,
        effect: &Effect,
        clock: &Clock,
    ) -> Option<BoxFuture<'a, Came>> {
        match *effect {
            Effect::Task { frame, ticket } => {
                let f = run.waiting(frame, ticket)?;
                let Phase::Task(call) = f.phase.clone() else { return None };
                let (scope, state) = (f.scope, f.state.clone());
                Some(Box::pin(async move {
                    let signals =
                        self.express_task(e, compiled, scope, &state, &call, ticket).await;
                    (frame, ticket, signals)
                }))
            }
            Effect::Timer { frame, ticket, at, why } => {
                let clock = clock.clone();
                Some(Box::pin(async move {
                    sleep_until(&clock, at).await;
                    (frame, ticket, vec![Signal::Timer(why)])
                }))
            }
            // A late timer finds another ticket.
            Effect::Cancel { .. } | Effect::MapRun { .. } => None,
        }
    }

    async fn express_task(
        &self,
        e: &Execution,
        compiled: &Compiled,
        scope: u32,
        state: &str,
        call: &Call,
        ticket: u64,
    ) -> Vec<Signal> {
        let state = compiled.definition.state(scope, state);
        let Some(fogbank_asl::definition::Kind::Task(task)) = state.map(|s| &s.kind) else {
            return Vec::new();
        };
        let Ok(caller) = self.caller(e) else { return Vec::new() };
        let execution = express_arn(e);
        let asked = crate::task::Asked {
            caller: &caller,
            task,
            call,
            execution: &execution,
            trace: e.trace.as_deref(),
            unique: format!("{execution} {ticket}"),
        };
        crate::task::perform(self, &asked).await.signals
    }

    /// Runs an Express execution that was started without waiting. After a crash it runs again:
    /// such executions run at least once.
    pub async fn run_express_job(&self, e: &Execution) -> Result<()> {
        let compiled = self.definition(&e.set.definition).await?;
        let input = serde_json::from_str(&e.input).unwrap_or_default();
        let ended = self.run_express(e, &compiled, input).await?;
        self.log_express(e, &ended.events).await;
        Ok(())
    }

    /// Runs an Express execution of a Map run.
    pub async fn express_child(&self, e: &Execution, _child: &Child) -> Result<Ended> {
        let compiled = self.definition(&e.set.definition).await?;
        let input = serde_json::from_str(&e.input).unwrap_or_default();
        let ended = self.run_express(e, &compiled, input).await?;
        self.log_express(e, &ended.events).await;
        Ok(ended)
    }
}

async fn sleep_until(clock: &Clock, at: Timestamp) {
    loop {
        let left = Duration::try_from(at.duration_since(clock.now())).unwrap_or_default();
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LOOK)).await;
    }
}

fn express_meta(e: &Execution, compiled: &Compiled, input: &Value, recording: bool) -> Meta {
    let id = &e.id;
    let machine = id.machine.split('/').next().unwrap_or_default();
    let arn = crate::arn::machine(&id.region, &id.account, machine);
    // Few machines look at their context; the others need none made.
    let wanted = compiled.definition.contextual;
    Meta {
        execution: if !wanted {
            Value::Null
        } else {
            json!({
                "Id": express_arn(e),
                "Input": input,
                "StartTime": fogbank_asl::run::time(e.started),
                "Name": id.name,
                "RoleArn": e.set.role,
                "RedriveCount": 0,
            })
        },
        state_machine: if wanted { json!({"Id": arn, "Name": machine}) } else { Value::Null },
        context: None,
        region: id.region.clone(),
        standard: false,
        recording,
        map_runs: String::new(),
        missing_activities: compiled.activities.clone(),
        token: Arc::new(|_, _| String::new()),
    }
}
