//! Entering a state, and what each type of state does first.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::evaluate::View;
use super::finish::Exit;
use super::{Frame, Mover, Phase, Why};
use crate::definition::{Kind, Place, State, Wait};
use crate::event;
use crate::fault::{self, Fault};
use crate::intrinsic::Expr;
use crate::template::{Template, unexpected};

/// The longest wait, in seconds.
const LONGEST_WAIT: i64 = 99_999_999;

/// How a state ends, if it does at once.
pub enum Flow {
    Exit(Exit),
    /// The frame waits, in the phase that it was given.
    Waits,
    /// A Fail state.
    Fails(Fault),
}

impl Mover<'_> {
    pub(super) fn enter(&mut self, id: u64, mut f: Frame) {
        f.number = id;
        let Some(state) = self.definition.state(f.scope, &f.state) else {
            let fault = Fault::runtime(format!("There is no state '{}'", f.state));
            return self.propagate(id, f, fault);
        };
        f.entered_prev = f.prev;
        f.entered_at = self.world.now().as_microsecond();
        f.retries.clear();
        f.retry_count = 0;
        f.ticket = 0;
        let kind = entered(&state.kind);
        // The very first event after ExecutionStarted names none before it.
        f.prev = self.emit(f.prev, kind, || {
            let mut details = event::data("input", f.input.to_string());
            details.insert("name".to_owned(), f.state.clone().into());
            details
        });
        f.entered = f.prev;
        self.perform(id, f, state);
    }

    /// Does what the state does, for the first time or again.
    pub(super) fn perform(&mut self, id: u64, mut f: Frame, state: &State) {
        match self.attempt(id, &mut f, state) {
            Ok(Flow::Exit(exit)) => self.exit(id, f, state, exit),
            Ok(Flow::Waits) => {
                self.run.frames.insert(id, f);
            }
            Ok(Flow::Fails(fault)) => self.propagate(id, f, fault),
            Err(fault) => self.failed(id, f, state, fault),
        }
    }

    fn attempt(&mut self, id: u64, f: &mut Frame, state: &State) -> Result<Flow, Fault> {
        match &state.kind {
            Kind::Pass { result } => self.pass(f, state, result.as_ref()).map(Flow::Exit),
            Kind::Succeed => self.through(f, state, None).map(Flow::Exit),
            Kind::Fail { error, cause } => self.fail_state(f, error.as_ref(), cause.as_ref()),
            Kind::Choice { .. } => self.choose(f, state).map(Flow::Exit),
            Kind::Wait(wait) => self.wait(f, state, wait),
            Kind::Task(task) => self.schedule(id, f, state, task),
            Kind::Parallel(branches) => self.fork(id, f, state, branches),
            Kind::Map(map) => self.map(id, f, state, map),
        }
    }

    fn pass(&self, f: &Frame, state: &State, result: Option<&Value>) -> Result<Exit, Fault> {
        if state.jsonata {
            return self.through(f, state, None);
        }
        let result = match result {
            Some(r) => {
                // Parameters that cannot be evaluated are an error nevertheless.
                if state.parameters.is_some() {
                    self.effective(f, state)?;
                }
                r.clone()
            }
            None if plain(state) => return Ok(Exit { output: f.input.clone(), ..Exit::default() }),
            None => self.effective(f, state)?,
        };
        let view = View { root: Some(&result), ..View::default() };
        let assigned = self.assigned(f, state.assign.as_ref(), view)?;
        let output = self.placed(f, state, &state.result_path, result)?;
        Ok(Exit { output: output.into(), assigned, next: None })
    }

    /// What a state without a result of its own puts out: Wait, Succeed, JSONata's Pass.
    pub(super) fn through(
        &self,
        f: &Frame,
        state: &State,
        next: Option<String>,
    ) -> Result<Exit, Fault> {
        if state.jsonata {
            let output = match &state.output {
                Some(t) => self.value(f, View::default(), t)?.into(),
                None => f.input.clone(),
            };
            let assigned = self.assigned(f, state.assign.as_ref(), View::default())?;
            return Ok(Exit { output, assigned, next });
        }
        let input = self.io(f, &state.input_path, Cow::Borrowed(&f.input))?;
        let view = View { root: Some(&input), ..View::default() };
        let assigned = self.assigned(f, state.assign.as_ref(), view)?;
        let output = match self.io(f, &state.output_path, input)? {
            Cow::Borrowed(_) => f.input.clone(),
            Cow::Owned(v) => v.into(),
        };
        Ok(Exit { output, assigned, next })
    }

    fn fail_state(
        &self,
        f: &Frame,
        error: Option<&Template>,
        cause: Option<&Template>,
    ) -> Result<Flow, Fault> {
        let text = |t: Option<&Template>| -> Result<Option<String>, Fault> {
            let Some(t) = t else { return Ok(None) };
            match (self.value(f, View::default(), t)?, t) {
                (Value::String(s), _) => Ok(Some(s)),
                (v, Template::Jsonata(e)) => Err(unexpected(e, "string", &v)),
                (v, Template::Expr(e, field)) => Err(Fault::runtime(format!(
                    "The {field} field refers to a value that is not a string: {} == {v}",
                    shown(e)
                ))),
                (v, _) => Ok(Some(v.to_string())),
            }
        };
        let (error, cause) = (text(error)?, text(cause)?);
        Ok(Flow::Fails(Fault::plain(error, cause)))
    }

    fn choose(&self, f: &Frame, state: &State) -> Result<Exit, Fault> {
        let Kind::Choice { choices, default } = &state.kind else { return Ok(Exit::default()) };
        let input = match state.jsonata {
            true => Cow::Borrowed(&*f.input.0),
            false => self.io(f, &state.input_path, Cow::Borrowed(&f.input))?,
        };
        let view = View { root: Some(&input), ..View::default() };
        let mut taken = None;
        for c in choices {
            if self.with(f, view, |names| c.rule.holds(names))? {
                taken = Some(c);
                break;
            }
        }
        let (next, assign, output) = match (taken, default) {
            (Some(c), _) => (&c.next, &c.assign, &c.output),
            (None, Some(d)) => (d, &state.assign, &state.output),
            (None, None) => {
                return Err(Fault::placed(
                    fault::NO_CHOICE,
                    "Failed to transition out of the state. The state does not point to a next \
                     state.",
                ));
            }
        };
        let assigned = self.assigned(f, assign.as_ref(), view)?;
        let output = match output {
            Some(t) if state.jsonata => self.value(f, View::default(), t)?.into(),
            _ if state.jsonata => f.input.clone(),
            _ => match self.io(f, &state.output_path, input)? {
                Cow::Borrowed(_) => f.input.clone(),
                Cow::Owned(v) => v.into(),
            },
        };
        Ok(Exit { output, assigned, next: Some(next.clone()) })
    }

    fn wait(&mut self, f: &mut Frame, state: &State, wait: &Wait) -> Result<Flow, Fault> {
        let input = match state.jsonata {
            true => Cow::Borrowed(&*f.input.0),
            false => self.io(f, &state.input_path, Cow::Borrowed(&f.input))?,
        };
        let view = View { root: Some(&input), ..View::default() };
        let at = match wait {
            Wait::Seconds(t) => {
                let seconds = seconds(&self.value(f, view, t)?, t)?;
                let entered = Timestamp::from_microsecond(f.entered_at).unwrap_or_default();
                let length = SignedDuration::from_secs(seconds);
                entered.saturating_add(length).unwrap_or(Timestamp::MAX)
            }
            Wait::Timestamp(t) => timestamp(&self.value(f, view, t)?, t)?,
        };
        if at <= self.world.now() {
            return self.through(f, state, None).map(Flow::Exit);
        }
        f.ticket = self.ticket();
        f.phase = Phase::Wait;
        self.set_timer(f, at, Why::Wait);
        Ok(Flow::Waits)
    }

    pub(super) fn finish_wait(&mut self, id: u64, f: Frame, state: &State) {
        match self.through(&f, state, None) {
            Ok(exit) => self.exit(id, f, state, exit),
            Err(fault) => self.failed(id, f, state, fault),
        }
    }
}

/// Whether a JSONPath Pass hands its input on as it is.
fn plain(state: &State) -> bool {
    state.parameters.is_none()
        && state.assign.is_none()
        && state.input_path == crate::definition::Io::Whole
        && state.output_path == crate::definition::Io::Whole
        && state.result_path == Place::Whole
}

fn seconds(v: &Value, t: &Template) -> Result<i64, Fault> {
    let whole = v.as_i64().or_else(|| {
        let f = v.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 1e15);
        f.map(|f| f as i64)
    });
    let whole = whole.or_else(|| match t {
        Template::Expr(..) => v.as_str().and_then(|s| s.parse().ok()),
        _ => None,
    });
    match (whole, t) {
        (Some(n), _) if (0..=LONGEST_WAIT).contains(&n) => Ok(n),
        (Some(n), Template::Expr(e, field)) if n < 0 => Err(Fault::runtime(format!(
            "The {field} parameter references a negative value: {} == {v}",
            shown(e)
        ))),
        (None, Template::Expr(e, field)) => Err(Fault::runtime(format!(
            "The {field} parameter cannot be parsed as a long value: {} == {}",
            shown(e),
            bare(v)
        ))),
        (_, Template::Jsonata(e)) if v.is_number() => Err(Fault::query(
            &e.location,
            format!(
                "The JSONata expression '{}' specified for the field '{}' must be a non-negative \
                 integer of at most {LONGEST_WAIT}, but was: {v}",
                e.source, e.location
            ),
        )),
        (_, Template::Jsonata(e)) => Err(unexpected(e, "number", v)),
        _ => Err(Fault::runtime(format!("A Wait takes 0 to {LONGEST_WAIT} seconds, not {v}"))),
    }
}

fn timestamp(v: &Value, t: &Template) -> Result<Timestamp, Fault> {
    let found = v.as_str().and_then(crate::choice::timestamp);
    found.ok_or_else(|| match t {
        Template::Expr(e, field) => Fault::runtime(format!(
            "The {field} parameter does not reference a valid ISO-8601 extended offset date-time \
             format string: {} == {}",
            shown(e),
            bare(v)
        )),
        Template::Jsonata(e) if v.is_string() => Fault::query(
            &e.location,
            format!(
                "The JSONata expression '{}' specified for the field '{}' does not evaluate to a \
                 valid ISO-8601 extended offset date-time format string: {}",
                e.source,
                e.location,
                bare(v)
            ),
        ),
        Template::Jsonata(e) => unexpected(e, "string", v),
        _ => Fault::runtime(format!(
            "The Timestamp parameter is not a valid ISO-8601 extended offset date-time format \
             string: {}",
            bare(v)
        )),
    })
}

/// An expression as it is written.
pub fn shown(e: &Expr) -> &str {
    match e {
        Expr::Path(p) => &p.text,
        Expr::Call(c) => &c.text,
        Expr::Literal(_) => "",
    }
}

/// A text without its quotes, anything else as JSON.
fn bare(v: &Value) -> String {
    v.as_str().map_or_else(|| v.to_string(), str::to_owned)
}

fn entered(kind: &Kind) -> &'static str {
    match kind {
        Kind::Pass { .. } => "PassStateEntered",
        Kind::Succeed => "SucceedStateEntered",
        Kind::Fail { .. } => "FailStateEntered",
        Kind::Choice { .. } => "ChoiceStateEntered",
        Kind::Wait(_) => "WaitStateEntered",
        Kind::Task(_) => "TaskStateEntered",
        Kind::Parallel(_) => "ParallelStateEntered",
        Kind::Map(_) => "MapStateEntered",
    }
}
