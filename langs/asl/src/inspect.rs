//! TestState: one state, by itself, with every step of its data shown.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/test-state-isolation.html>

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::definition::{Kind, Map, State};
use crate::fault::Fault;
use crate::run::{Frame, Meta, Mover, Moves, Run, View};
use crate::template::Template;
use crate::text::Json;
use crate::world::World;
use crate::{Definition, Effect, Outcome};

/// What is tested, and with what.
pub struct Subject<'a> {
    pub definition: &'a Definition,
    pub scope: u32,
    pub state: &'a State,
    pub input: Json,
    pub variables: Vec<(String, Json)>,
    pub meta: &'a Meta,
    pub world: &'a Arc<dyn World + Send + Sync>,
    /// How often the retrier that matches has tried already.
    pub retried: u32,
    /// The items that the reader of a Map would give.
    pub reader_items: Option<Vec<Value>>,
}

/// Every step of the data, and what became of the state.
#[derive(Debug, Default)]
pub struct Inspection {
    /// `afterInputPath` and its like, as JSON text.
    pub steps: BTreeMap<&'static str, String>,
    pub max_concurrency: Option<u64>,
    pub tolerated_count: Option<u64>,
    pub tolerated_percentage: Option<f64>,
    pub status: Status,
    pub output: Option<Value>,
    pub error: Option<String>,
    pub cause: Option<String>,
    pub next: Option<String>,
    pub retry_index: Option<usize>,
    pub retry_seconds: Option<f64>,
    pub catch_index: Option<usize>,
    pub variables: Vec<(String, Json)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    #[default]
    Succeeded,
    Failed,
    Retriable,
    CaughtError,
}

/// A state before its task is called.
pub struct Prepared<'a> {
    subject: &'a Subject<'a>,
    frame: Frame,
    run: Run,
    pub inspection: Inspection,
    /// What the task is called with.
    pub arguments: Value,
}

impl<'a> Subject<'a> {
    fn frame(&self) -> Frame {
        Frame {
            variables: self.variables.clone(),
            entered_at: self.world.now().as_microsecond(),
            ticket: 1,
            retry_count: self.retried,
            ..Frame::first(self.scope, self.state.name.clone(), self.input.clone())
        }
    }

    fn mover<'b>(&'b self, run: &'b mut Run) -> Mover<'b> {
        Mover {
            run,
            definition: self.definition,
            meta: self.meta,
            world: self.world,
            moves: Moves::default(),
        }
    }

    /// Tests a state that calls nothing.
    #[must_use]
    pub fn plain(&self) -> Inspection {
        let mut out = self.shown();
        let state = self.state;
        let mut run = Run::new(self.definition, self.scope, self.input.clone(), None);
        if let Some(f) = run.frames.get_mut(&1) {
            *f = Frame { ticket: 0, ..self.frame() };
        }
        let mut mover = self.mover(&mut run);
        mover.advance(1);
        if let Some(Effect::Timer { .. }) = mover.moves.effects.first() {
            // A Wait is not waited for.
            mover.signal(1, 1, crate::Signal::Timer(crate::Why::Wait));
        }
        match run.outcome {
            Some(Outcome::Failed(error, cause)) => {
                out.status = Status::Failed;
                out.error = error;
                out.cause = cause.map(|c| unplaced(&c));
            }
            Some(Outcome::Succeeded(v)) => out.output = Some(Value::clone(&v)),
            _ => {
                if let Some(f) = run.frames.get(&1) {
                    out.output = Some(Value::clone(&f.input));
                    out.next = Some(f.state.clone());
                    out.variables = f.variables.clone();
                }
            }
        }
        if !state.jsonata
            && let (Kind::Pass { result }, Some(_)) = (&state.kind, &out.output)
        {
            let mut again = Run::default();
            let f = self.frame();
            let mover = self.mover(&mut again);
            let value = match result {
                Some(r) => Some(r.clone()),
                None => mover.effective(&f, state).ok(),
            };
            if let Some(v) = value {
                if result.is_some() {
                    out.steps.insert("result", v.to_string());
                }
                out.steps.insert("afterResultSelector", v.to_string());
                if let Ok(placed) = mover.combined(&f, &state.result_path, v) {
                    out.steps.insert("afterResultPath", placed.to_string());
                }
            }
        }
        out
    }

    /// The steps of the input that can be shown before anything is done.
    fn shown(&self) -> Inspection {
        let mut out = Inspection::default();
        let (f, state) = (self.frame(), self.state);
        out.steps.insert("input", self.input.to_string());
        let own = matches!(state.kind, Kind::Pass { result: Some(_) } | Kind::Parallel(_));
        if state.jsonata || own {
            return out;
        }
        let mut run = Run::default();
        let mover = self.mover(&mut run);
        if let Ok(v) = mover.io(&f, &state.input_path, Cow::Borrowed(&f.input)) {
            out.steps.insert("afterInputPath", v.to_string());
        }
        if matches!(state.kind, Kind::Pass { .. } | Kind::Task(_))
            && let Ok(v) = mover.effective(&f, state)
        {
            out.steps.insert("afterParameters", v.to_string());
        }
        out
    }

    /// Prepares a Task, Parallel or Map: what it works on.
    ///
    /// # Errors
    /// The inspection of a state whose input cannot be had.
    pub fn prepare(&'a self) -> Result<Prepared<'a>, Box<Inspection>> {
        let mut out = self.shown();
        let f = self.frame();
        let mut run = Run::default();
        let mover = self.mover(&mut run);
        let prepared = match &self.state.kind {
            Kind::Map(map) => self.map(&mover, &f, map, &mut out).map(|()| Value::Null),
            _ => mover.effective(&f, self.state),
        };
        match prepared {
            Ok(arguments) => {
                if self.state.jsonata && matches!(self.state.kind, Kind::Task(_)) {
                    out.steps.insert("afterArguments", arguments.to_string());
                }
                drop(mover);
                Ok(Prepared { subject: self, frame: f, run, inspection: out, arguments })
            }
            Err(fault) => {
                drop(mover);
                let p = Prepared {
                    subject: self,
                    frame: f,
                    run,
                    inspection: out,
                    arguments: Value::Null,
                };
                Err(Box::new(p.failed(&fault)))
            }
        }
    }

    fn map(
        &self,
        mover: &Mover<'_>,
        f: &Frame,
        map: &Map,
        out: &mut Inspection,
    ) -> Result<(), Fault> {
        let state = self.state;
        let input = match state.jsonata {
            true => Cow::Borrowed(&*f.input.0),
            false => mover.io(f, &state.input_path, Cow::Borrowed(&f.input))?,
        };
        let items =
            match (&self.reader_items, map.distributed.as_ref().and_then(|d| d.reader.as_ref())) {
                (Some(items), _) => items.clone(),
                (None, Some(_)) => Vec::new(),
                (None, None) => mover.items(f, &input, state, map)?,
            };
        let number = |t: Option<&Template>| -> Result<Option<f64>, Fault> {
            let Some(t) = t else { return Ok(None) };
            let v = mover.value(f, View { root: Some(&input), ..View::default() }, t)?;
            Ok(v.as_f64())
        };
        out.max_concurrency = Some(number(map.max_concurrency.as_ref())?.unwrap_or(0.0) as u64);
        out.tolerated_count = number(map.tolerated_count.as_ref())?.map(|n| n as u64);
        out.tolerated_percentage = number(map.tolerated_percentage.as_ref())?;
        if !state.jsonata && map.items.is_some() {
            out.steps.insert("afterItemsPath", Value::Array(items.clone()).to_string());
        }
        if let Some(t) = &map.selector {
            let mut selected = Vec::new();
            for (i, item) in (0u64..).zip(&items) {
                let seen = f.with_item(i, item.clone().into());
                selected.push(mover.value(
                    &seen,
                    View { root: Some(&input), ..View::default() },
                    t,
                )?);
            }
            out.steps.insert("afterItemSelector", Value::Array(selected).to_string());
        }
        Ok(())
    }
}

impl Prepared<'_> {
    /// The state succeeds with this result.
    #[must_use]
    pub fn succeeded(mut self, result: Value) -> Inspection {
        let s = self.subject;
        let state = s.state;
        let task = matches!(state.kind, Kind::Task(_));
        if task {
            self.inspection.steps.insert("result", result.to_string());
        }
        let mover = s.mover(&mut self.run);
        let f = &self.frame;
        if !state.jsonata {
            let view = View { root: Some(&result), ..View::default() };
            let selected = match &state.result_selector {
                Some(t) => mover.value(f, view, t),
                None => Ok(result.clone()),
            };
            if let Ok(v) = selected {
                self.inspection.steps.insert("afterResultSelector", v.to_string());
                if let Ok(v) = mover.combined(f, &state.result_path, v) {
                    self.inspection.steps.insert("afterResultPath", v.to_string());
                }
            }
        }
        match mover.output(f, state, result) {
            Ok(exit) => {
                drop(mover);
                let mut out = self.inspection;
                out.output = Some(Value::clone(&exit.output));
                out.next = exit.next.or_else(|| state.next.clone());
                out.variables = s.variables.clone();
                for (name, v) in exit.assigned {
                    out.variables.retain(|(n, _)| *n != name);
                    out.variables.push((name, v));
                }
                out
            }
            Err(fault) => {
                drop(mover);
                self.failed(&fault)
            }
        }
    }

    /// The state fails with this fault.
    #[must_use]
    pub fn failed(mut self, fault: &Fault) -> Inspection {
        let s = self.subject;
        let state = s.state;
        let mut out = self.inspection;
        out.error = Some(fault.error.clone()).filter(|e| !e.is_empty());
        out.cause = fault.cause.clone();
        let matching = |errors: &[String]| errors.iter().any(|e| fault.is(e));
        if let Some((i, r)) = state.retry.iter().enumerate().find(|(_, r)| matching(&r.errors)) {
            out.retry_index = Some(i);
            if s.retried < r.max_attempts {
                let most = r.max_delay.unwrap_or(99_999_999.0);
                let tried = s.retried.min(1000).cast_signed();
                out.retry_seconds = Some((r.interval * r.backoff.powi(tried)).min(most));
                out.status = Status::Retriable;
                return out;
            }
        }
        let Some((i, c)) = state.catch.iter().enumerate().find(|(_, c)| matching(&c.errors)) else {
            out.status = Status::Failed;
            return out;
        };
        out.retry_index = None;
        out.catch_index = Some(i);
        let mover = s.mover(&mut self.run);
        match mover.caught(&self.frame, state, c, fault) {
            Ok(exit) => {
                out.output = Some(Value::clone(&exit.output));
                out.next = exit.next;
                out.status = Status::CaughtError;
            }
            Err(another) => {
                out.error = Some(another.error);
                out.cause = another.cause;
                out.status = Status::Failed;
            }
        }
        out
    }

    /// How many iterations a Map has.
    #[must_use]
    pub fn iterations(&self) -> usize {
        let s = self.subject;
        let Kind::Map(map) = &s.state.kind else { return 0 };
        if let Some(items) = &s.reader_items {
            return items.len();
        }
        let mut run = Run::default();
        let mover = s.mover(&mut run);
        let f = &self.frame;
        let input = match s.state.jsonata {
            true => Ok(Cow::Borrowed(&*f.input.0)),
            false => mover.io(f, &s.state.input_path, Cow::Borrowed(&f.input)),
        };
        let items = input.and_then(|i| mover.items(f, &i, s.state, map));
        items.map_or(0, |i| i.len())
    }
}

/// A cause without the place: a tested state stands nowhere.
fn unplaced(cause: &str) -> String {
    match (cause.starts_with("An error occurred while executing the state"), cause.find("). ")) {
        (true, Some(at)) => cause[at + 3..].to_owned(),
        _ => cause.to_owned(),
    }
}

/// The context object that a test sees unless it gives one.
#[must_use]
pub fn state_context(name: &str, entered: &str, retried: u32) -> Value {
    json!({"Name": name, "EnteredTime": entered, "RetryCount": retried})
}
