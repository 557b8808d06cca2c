//! When a state fails: trying again, catching, or failing what is above.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::evaluate::View;
use super::finish::Exit;
use super::{Frame, Mover, Outcome, Phase, Why};
use crate::definition::{Catcher, Kind, Retrier, State};
use crate::event;
use crate::fault::{self, Fault};

impl Mover<'_> {
    /// The state of `f` has failed.
    pub(super) fn failed(&mut self, id: u64, mut f: Frame, state: &State, mut fault: Fault) {
        let own = fault.placed;
        if fault.placed {
            let cause = fault.cause.take().unwrap_or_default();
            fault.cause = Some(format!(
                "An error occurred while executing the state '{}' (entered at the event id #{}). \
                 {cause}",
                state.name, f.entered
            ));
            fault.placed = false;
        }
        if own && fault.error == fault::QUERY {
            // AWS dates an expression that failed on entry before the entry.
            let before = if f.prev == f.entered { f.entered_prev } else { f.prev };
            f.prev = self.emit(before, "EvaluationFailed", || {
                let mut details = event::failure(Some(&fault.error), fault.cause.as_deref());
                if let Some(location) = fault.location.as_deref().filter(|l| !l.is_empty()) {
                    details.insert("location".to_owned(), location.into());
                }
                details.insert("state".to_owned(), state.name.clone().into());
                details
            });
        }
        self.clear_timers(&mut f);
        if let Some((i, delay)) = self.retry(&f, state, &fault) {
            f.retries.resize(state.retry.len(), 0);
            f.retries[i] += 1;
            f.retry_count += 1;
            f.ticket = self.ticket();
            f.phase = Phase::Retry;
            let at = self.world.now().saturating_add(delay).unwrap_or(Timestamp::MAX);
            self.set_timer(&mut f, at, Why::Retry);
            self.run.frames.insert(id, f);
            return;
        }
        let quiet = own && fault.error == fault::RUNTIME;
        let ended = match &state.kind {
            Kind::Map(_) => Some("MapStateFailed"),
            Kind::Parallel(_) => Some("ParallelStateFailed"),
            _ => None,
        };
        if let Some(kind) = ended.filter(|_| !quiet) {
            f.prev = self.emit(f.prev, kind, Map::new);
        }
        match state.catch.iter().find(|c| c.errors.iter().any(|e| fault.is(e))) {
            Some(catcher) => match self.caught(&f, state, catcher, &fault) {
                Ok(exit) => self.exit(id, f, state, exit),
                Err(mut another) => {
                    // A catcher that fails is not caught in its turn.
                    let cause = another.cause.take().unwrap_or_default();
                    another.cause = Some(format!(
                        "An error occurred while executing the state '{}' (entered at the event id \
                         #{}). {cause}",
                        state.name, f.entered
                    ));
                    another.placed = false;
                    self.propagate(id, f, another);
                }
            },
            None => self.propagate(id, f, fault),
        }
    }

    /// Which retrier tries again, and after how long.
    fn retry(&self, f: &Frame, state: &State, fault: &Fault) -> Option<(usize, SignedDuration)> {
        let matching = |r: &Retrier| r.errors.iter().any(|e| fault.is(e));
        let (i, retrier) = state.retry.iter().enumerate().find(|(_, r)| matching(r))?;
        let tried = f.retries.get(i).copied().unwrap_or(0);
        if tried >= retrier.max_attempts {
            return None;
        }
        let mut seconds = retrier.interval * retrier.backoff.powi(tried.min(1000).cast_signed());
        seconds = seconds.min(retrier.max_delay.unwrap_or(99_999_999.0)).min(99_999_999.0);
        if retrier.jitter {
            seconds *= (self.world.random() >> 11) as f64 / (1u64 << 53) as f64;
        }
        Some((i, SignedDuration::from_millis((seconds * 1000.0) as i64)))
    }

    pub(crate) fn caught(
        &self,
        f: &Frame,
        state: &State,
        catcher: &Catcher,
        fault: &Fault,
    ) -> Result<Exit, Fault> {
        let error = error_output(fault);
        let next = Some(catcher.next.clone());
        if state.jsonata {
            let view = View { error: Some(&error), ..View::default() };
            let assigned = self.assigned(f, catcher.assign.as_ref(), view)?;
            let output = match &catcher.output {
                Some(t) => self.value(f, view, t)?,
                None => error,
            };
            return Ok(Exit { output: output.into(), assigned, next });
        }
        let view = View { root: Some(&error), ..View::default() };
        let assigned = self.assigned(f, catcher.assign.as_ref(), view)?;
        let output = self.placed(f, state, &catcher.result_path, error)?;
        Ok(Exit { output: output.into(), assigned, next })
    }

    /// Nothing in this frame takes the fault: what is above fails.
    pub(super) fn propagate(&mut self, _id: u64, f: Frame, fault: Fault) {
        if let Some(link) = f.parent {
            return self.child_failed(link, f.prev, fault);
        }
        let error = Some(fault.error.clone()).filter(|e| !e.is_empty());
        self.emit(f.prev, "ExecutionFailed", || {
            event::failure(error.as_deref(), fault.cause.as_deref())
        });
        self.run.failed = Some(Frame { phase: Phase::Enter, ..f });
        self.end(Outcome::Failed(error, fault.cause));
    }
}

/// What a catcher sees of an error.
#[must_use]
pub fn error_output(fault: &Fault) -> Value {
    let mut out = Map::new();
    out.insert("Error".to_owned(), fault.error.clone().into());
    if let Some(cause) = &fault.cause {
        out.insert("Cause".to_owned(), cause.clone().into());
    }
    Value::Object(out)
}
