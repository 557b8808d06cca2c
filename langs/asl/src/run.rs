//! Runs: the state of an execution, and what moves it.
//!
//! A run is a set of frames. One frame is the execution itself; each branch of a Parallel and each
//! iteration of an inline Map is a frame below. A frame that can move is *ready*; one that cannot
//! waits for a [`Signal`], which must show its ticket: what comes too late or twice shows an old one
//! and changes nothing. That is how each transition is taken once.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use minicbor::{Decode, Encode};
use serde_json::Value;

use crate::event::Event;
use crate::text::Json;
use crate::world::World;
use crate::{Definition, Fault};

mod distributed;
mod enter;
mod evaluate;
mod fail;
mod finish;
mod frame;
mod many;
mod task;

pub use distributed::{MapRun, batch};
pub(crate) use evaluate::View;
pub use evaluate::{reference, time, weigh};
pub use fail::error_output;
pub use frame::{Call, Children, Frame, Item, Link, Phase, Timer};

/// An execution's state.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Run {
    #[n(0)]
    pub frames: BTreeMap<u64, Frame>,
    #[n(1)]
    pub last_frame: u64,
    #[n(2)]
    pub last_ticket: u64,
    #[n(3)]
    pub last_event: u64,
    /// The frames that can move, in the order of their turns.
    #[n(4)]
    pub ready: Vec<u64>,
    #[n(5)]
    pub outcome: Option<Outcome>,
    /// The frame whose state failed, for a redrive to go on from.
    #[n(6)]
    pub failed: Option<Frame>,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Outcome {
    #[n(0)]
    Succeeded(#[n(0)] Json),
    #[n(1)]
    Failed(#[n(0)] Option<String>, #[n(1)] Option<String>),
    #[n(2)]
    TimedOut(#[n(0)] Option<String>, #[n(1)] Option<String>),
    #[n(3)]
    Aborted(#[n(0)] Option<String>, #[n(1)] Option<String>),
}

/// What a run wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Call what the frame's phase tells, or hand it to whoever asks for the activity's work.
    Task { frame: u64, ticket: u64 },
    /// Send [`Signal::Timer`] at this time.
    Timer { frame: u64, ticket: u64, at: Timestamp, why: Why },
    /// Forget this timer.
    Cancel { frame: u64, ticket: u64, at: Timestamp, why: Why },
    /// Run the distributed Map that the frame's phase tells.
    MapRun { frame: u64, ticket: u64 },
}

/// Why a timer was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Why {
    #[n(0)]
    Wait,
    #[n(1)]
    Retry,
    #[n(2)]
    Timeout,
    #[n(3)]
    Heartbeat,
}

/// What came of an effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    Timer(Why),
    /// The call has begun; the worker's name, for an activity.
    Started(Option<String>),
    /// The call has answered, and the task goes on.
    Submitted(Value),
    /// The task is over.
    Ended(Result<Value, Fault>),
    Heartbeat,
    /// The distributed Map is over.
    MapRun(Result<Value, Fault>),
}

/// How far a run went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It waits for signals.
    Waiting,
    /// It could go on.
    More,
    Done,
}

/// What is said of the execution from outside.
pub struct Meta {
    /// `$$.Execution`
    pub execution: Value,
    /// `$$.StateMachine`
    pub state_machine: Value,
    /// What else the context object holds, as TestState gives it.
    pub context: Option<Value>,
    pub region: String,
    /// A Standard execution, whose history is bounded.
    pub standard: bool,
    /// Events are wanted, not only their numbers.
    pub recording: bool,
    /// `arn:aws:states:…:mapRun:NAME/`
    pub map_runs: String,
    /// Activities that are named in the definition and do not exist.
    pub missing_activities: Vec<String>,
    /// Makes the token of a task from its frame and ticket.
    pub token: Arc<dyn Fn(u64, u64) -> String + Send + Sync>,
}

/// What a move brought about.
#[derive(Debug, Default)]
pub struct Moves {
    pub events: Vec<Event>,
    pub effects: Vec<Effect>,
}

/// Everything that a move needs.
pub struct Mover<'a> {
    pub run: &'a mut Run,
    pub definition: &'a Definition,
    pub meta: &'a Meta,
    pub world: &'a Arc<dyn World + Send + Sync>,
    pub moves: Moves,
}

impl Run {
    /// A run at its beginning: of the machine itself (scope 0), or of a Map's processor.
    #[must_use]
    pub fn new(definition: &Definition, scope: u32, input: Json, item: Option<Item>) -> Run {
        let start_at = definition.scopes.get(scope as usize).map(|s| s.start_at.clone());
        let frame = Frame { item, ..Frame::new(scope, start_at.unwrap_or_default(), input, None) };
        Run {
            frames: BTreeMap::from([(1, frame)]),
            last_frame: 1,
            ready: vec![1],
            ..Run::default()
        }
    }

    /// The frame that waits under this ticket.
    #[must_use]
    pub fn waiting(&self, frame: u64, ticket: u64) -> Option<&Frame> {
        self.frames.get(&frame).filter(|f| f.ticket == ticket && f.phase != Phase::Enter)
    }
}

impl Mover<'_> {
    /// Writes the event that begins a history.
    pub fn begin(&mut self, input_text: &str, mut details: serde_json::Map<String, Value>) {
        self.emit(0, "ExecutionStarted", || {
            let mut all = crate::event::data("input", input_text.to_owned());
            all.append(&mut details);
            all
        });
    }

    /// Moves the run until it waits, is done, or has taken `steps` turns.
    pub fn advance(&mut self, steps: usize) -> Progress {
        for _ in 0..steps {
            if self.run.outcome.is_some() {
                return Progress::Done;
            }
            if self.run.ready.is_empty() {
                return Progress::Waiting;
            }
            let id = self.run.ready.remove(0);
            if let Some(frame) = self.run.frames.remove(&id) {
                self.enter(id, frame);
            }
            if self.meta.standard && self.run.last_event >= crate::MOST_EVENTS {
                self.end_at_limit();
            }
        }
        if self.run.outcome.is_some() { Progress::Done } else { Progress::More }
    }

    /// Takes a signal in; `false` when nothing waits for it any more.
    pub fn signal(&mut self, frame: u64, ticket: u64, signal: Signal) -> bool {
        if self.run.outcome.is_some() || self.run.waiting(frame, ticket).is_none() {
            return false;
        }
        let Some(mut f) = self.run.frames.remove(&frame) else { return false };
        let Some(state) = self.definition.state(f.scope, &f.state) else { return false };
        if let Signal::Timer(why) = &signal {
            f.timers.retain(|t| t.why != *why);
        }
        match (signal, &f.phase) {
            (Signal::Timer(Why::Wait), Phase::Wait) => self.finish_wait(frame, f, state),
            (Signal::Timer(Why::Retry), Phase::Retry) => self.perform(frame, f, state),
            (Signal::Timer(why), Phase::Task(_)) => self.task_timer(frame, f, state, why),
            (Signal::Started(worker), Phase::Task(_)) => self.task_started(frame, f, state, worker),
            (Signal::Submitted(v), Phase::Task(_)) => self.task_submitted(frame, f, state, &v),
            (Signal::Heartbeat, Phase::Task(_)) => self.task_heartbeat(frame, f),
            (Signal::Ended(r), Phase::Task(_)) => self.task_ended(frame, f, state, r),
            (Signal::MapRun(r), Phase::MapRun(_)) => self.map_run_ended(frame, f, state, r),
            _ => {
                self.run.frames.insert(frame, f);
                return false;
            }
        }
        true
    }

    /// Ends the run from outside: it was stopped.
    pub fn abort(&mut self, error: Option<String>, cause: Option<String>) {
        let last = self.run.last_event;
        self.emit(last, "ExecutionAborted", || {
            crate::event::failure(error.as_deref(), cause.as_deref())
        });
        self.end(Outcome::Aborted(error, cause));
    }

    /// Ends the run from outside: its time is up. AWS gives neither error nor cause.
    pub fn time_out(&mut self) {
        let last = self.run.last_event;
        self.emit(last, "ExecutionTimedOut", serde_json::Map::new);
        self.end(Outcome::TimedOut(None, None));
    }

    /// Goes on from the state that failed, or that was running when the execution was ended.
    /// `false` when there is none.
    pub fn redrive(&mut self, count: i64) -> bool {
        let Some(mut frame) = self.run.failed.take() else { return false };
        let last = self.run.last_event;
        let id = self.emit(last, "ExecutionRedriven", || {
            let mut details = serde_json::Map::new();
            details.insert("redriveCount".to_owned(), count.into());
            details
        });
        self.run.outcome = None;
        self.run.frames.clear();
        frame.prev = id;
        frame.retries.clear();
        frame.retry_count = 0;
        match self.definition.state(frame.scope, &frame.state) {
            Some(state) => self.perform(1, frame, state),
            None => return false,
        }
        true
    }

    /// Writes an event; its number.
    pub(crate) fn emit(
        &mut self,
        previous: u64,
        kind: &str,
        details: impl FnOnce() -> serde_json::Map<String, Value>,
    ) -> u64 {
        self.run.last_event += 1;
        if self.meta.recording {
            let details = details();
            self.moves.events.push(Event {
                id: self.run.last_event,
                previous,
                at: self.world.now().as_microsecond(),
                kind: kind.to_owned(),
                details: (!details.is_empty() || Event::member(kind).is_some())
                    .then(|| Value::Object(details).into()),
            });
        }
        self.run.last_event
    }

    pub(crate) fn ticket(&mut self) -> u64 {
        self.run.last_ticket += 1;
        self.run.last_ticket
    }

    /// Sets a timer for a frame under its present ticket.
    pub(crate) fn set_timer(&mut self, f: &mut Frame, at: Timestamp, why: Why) {
        f.timers.push(frame::Timer { at: at.as_microsecond(), why });
        let (frame, ticket) = (f.number, f.ticket);
        self.moves.effects.push(Effect::Timer { frame, ticket, at, why });
    }

    /// Takes back the timers of a frame that has gone on.
    pub(crate) fn clear_timers(&mut self, f: &mut Frame) {
        for t in std::mem::take(&mut f.timers) {
            let at = Timestamp::from_microsecond(t.at).unwrap_or_default();
            let (frame, ticket, why) = (f.number, f.ticket, t.why);
            self.moves.effects.push(Effect::Cancel { frame, ticket, at, why });
        }
    }

    pub(crate) fn end(&mut self, outcome: Outcome) {
        for (_, mut f) in std::mem::take(&mut self.run.frames) {
            self.clear_timers(&mut f);
            if f.number == 1 && f.parent.is_none() && self.run.failed.is_none() {
                self.run.failed = Some(Frame { phase: Phase::Enter, ..f });
            }
        }
        if matches!(outcome, Outcome::Succeeded(_)) {
            self.run.failed = None;
        }
        self.run.outcome = Some(outcome);
        self.run.ready.clear();
    }

    fn end_at_limit(&mut self) {
        if self.run.outcome.is_some() {
            return;
        }
        let last = self.run.last_event;
        let error = crate::fault::RUNTIME.to_owned();
        let cause = format!(
            "The execution reached the maximum number of history events ({}).",
            crate::MOST_EVENTS
        );
        self.emit(last, "ExecutionFailed", || crate::event::failure(Some(&error), Some(&cause)));
        self.end(Outcome::Failed(Some(error.clone()), Some(cause.clone())));
    }
}

#[cfg(test)]
mod tests;
