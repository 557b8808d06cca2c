//! Frames: where one strand of an execution stands.

use minicbor::{Decode, Encode};

use super::Why;
use super::distributed::MapRun;
use crate::text::Json;

/// One strand: the execution itself, a branch, or an iteration.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Frame {
    /// Which states it is among.
    #[n(0)]
    pub scope: u32,
    #[n(1)]
    pub parent: Option<Link>,
    /// The state that it is in.
    #[n(2)]
    pub state: String,
    /// That state's input.
    #[n(3)]
    pub input: Json,
    /// The variables assigned here; those of the frames above are seen too.
    #[n(4)]
    pub variables: Vec<(String, Json)>,
    /// The event that leads to the next.
    #[n(5)]
    pub prev: u64,
    /// The event at which the state was entered, and the one before.
    #[n(6)]
    pub entered: u64,
    #[n(7)]
    pub entered_prev: u64,
    /// Microseconds since 1970.
    #[n(8)]
    pub entered_at: i64,
    /// How often each retrier has tried again.
    #[n(9)]
    pub retries: Vec<u32>,
    #[n(10)]
    pub retry_count: u32,
    #[n(11)]
    pub phase: Phase,
    /// What a signal must show.
    #[n(12)]
    pub ticket: u64,
    #[n(13)]
    pub item: Option<Item>,
    /// Its own number among the run's frames.
    #[n(14)]
    pub number: u64,
    /// The timers that run for it.
    #[n(15)]
    pub timers: Vec<Timer>,
}

/// A timer that was set: when it fires, in microseconds since 1970, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Timer {
    #[n(0)]
    pub at: i64,
    #[n(1)]
    pub why: Why,
}

/// The frame above, and the place among its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Link {
    #[n(0)]
    pub frame: u64,
    #[n(1)]
    pub index: u32,
}

/// `$$.Map.Item`
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Item {
    #[n(0)]
    pub index: u64,
    #[n(1)]
    pub value: Json,
}

/// What a frame is doing.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub enum Phase {
    /// About to enter its state.
    #[default]
    #[n(0)]
    Enter,
    #[n(1)]
    Wait,
    /// Waiting to try again.
    #[n(2)]
    Retry,
    #[n(3)]
    Task(#[n(0)] Call),
    /// Its branches or iterations run.
    #[n(4)]
    Children(#[n(0)] Children),
    #[n(5)]
    MapRun(#[n(0)] MapRun),
}

/// A task that was scheduled.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Call {
    #[n(0)]
    pub arguments: Json,
    /// The role of `Credentials`.
    #[n(1)]
    pub role: Option<String>,
    #[n(2)]
    pub started: bool,
    #[n(3)]
    pub submitted: bool,
    /// In seconds.
    #[n(4)]
    pub heartbeat: Option<u64>,
    /// The last heartbeat, in microseconds since 1970.
    #[n(5)]
    pub beat: i64,
    /// In seconds.
    #[n(6)]
    pub timeout: Option<u64>,
}

/// Branches or iterations.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Children {
    #[n(0)]
    pub results: Vec<Option<Json>>,
    /// The items of a Map.
    #[n(1)]
    pub items: Vec<Json>,
    /// The next item to begin with.
    #[n(2)]
    pub next: u32,
    #[n(3)]
    pub done: u32,
    /// The input that a Map's item selector sees.
    #[n(4)]
    pub input: Json,
}

impl Frame {
    /// The frame of an execution that is in a state.
    pub(crate) fn first(scope: u32, state: String, input: Json) -> Frame {
        Frame::new(scope, state, input, None)
    }

    /// This frame, as an item of its Map sees it.
    pub(crate) fn with_item(&self, index: u64, value: Json) -> Frame {
        Frame { item: Some(Item { index, value }), ..self.clone() }
    }

    pub(super) fn new(scope: u32, state: String, input: Json, parent: Option<Link>) -> Frame {
        Frame {
            scope,
            parent,
            state,
            input,
            variables: Vec::new(),
            prev: 0,
            entered: 0,
            entered_prev: 0,
            entered_at: 0,
            retries: Vec::new(),
            retry_count: 0,
            phase: Phase::Enter,
            ticket: 0,
            item: None,
            number: 1,
            timers: Vec::new(),
        }
    }
}
