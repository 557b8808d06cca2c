//! Leaving a state, and ending a scope or the execution.

use serde_json::{Map, Value};

use super::evaluate::{View, weigh};
use super::{Frame, Mover, Outcome, Phase};
use crate::definition::{Kind, State};
use crate::event;
use crate::fault::Fault;
use crate::text::Json;

/// What a state leaves behind.
#[derive(Debug, Default)]
pub struct Exit {
    pub output: Json,
    pub assigned: Vec<(String, Json)>,
    /// Where to, when it is not the state's `Next`.
    pub next: Option<String>,
}

impl Mover<'_> {
    /// Leaves a state that has a result: Task, Parallel, Map.
    pub(super) fn finish(&mut self, id: u64, f: Frame, state: &State, result: Value) {
        match self.output(&f, state, result) {
            Ok(exit) => self.exit(id, f, state, exit),
            Err(fault) => self.failed(id, f, state, fault),
        }
    }

    pub(crate) fn output(&self, f: &Frame, state: &State, result: Value) -> Result<Exit, Fault> {
        let next = None;
        if state.jsonata {
            let view = View { result: Some(&result), ..View::default() };
            let assigned = self.assigned(f, state.assign.as_ref(), view)?;
            let output = match &state.output {
                Some(t) => self.value(f, view, t)?,
                None => result,
            };
            return Ok(Exit { output: output.into(), assigned, next });
        }
        let view = View { root: Some(&result), ..View::default() };
        let assigned = self.assigned(f, state.assign.as_ref(), view)?;
        let selected = match &state.result_selector {
            Some(t) => self.value(f, view, t)?,
            None => result,
        };
        let output = self.placed(f, state, &state.result_path, selected)?;
        Ok(Exit { output: output.into(), assigned, next })
    }

    /// Leaves a state.
    pub(super) fn exit(&mut self, id: u64, mut f: Frame, state: &State, exit: Exit) {
        if weigh(&exit.output) > crate::LARGEST / 2
            && exit.output.to_string().len() > crate::LARGEST
        {
            return self.failed(id, f, state, Fault::too_large(&state.name));
        }
        self.clear_timers(&mut f);
        f.prev = self.emit(f.prev, exited(&state.kind), || {
            let mut details = event::data("output", exit.output.to_string());
            details.insert("name".to_owned(), state.name.clone().into());
            if !exit.assigned.is_empty() {
                let shown = exit.assigned.iter().map(|(k, v)| (k.clone(), v.to_string().into()));
                details.insert("assignedVariables".to_owned(), shown.collect::<Map<_, _>>().into());
                let whole = serde_json::json!({"truncated": false});
                details.insert("assignedVariablesDetails".to_owned(), whole);
            }
            details
        });
        for (name, value) in exit.assigned {
            match f.variables.iter_mut().find(|(n, _)| *n == name) {
                Some(own) => own.1 = value,
                None => f.variables.push((name, value)),
            }
        }
        match exit.next.or_else(|| state.next.clone()) {
            Some(next) => {
                f.state = next;
                f.input = exit.output;
                f.phase = Phase::Enter;
                self.run.frames.insert(id, f);
                self.run.ready.push(id);
            }
            None => self.complete(&f, exit.output),
        }
    }

    /// A frame has come to its end.
    fn complete(&mut self, f: &Frame, output: Json) {
        match f.parent {
            Some(link) => self.child_done(link, f.prev, output),
            None => {
                self.emit(f.prev, "ExecutionSucceeded", || {
                    event::data("output", output.to_string())
                });
                self.end(Outcome::Succeeded(output));
            }
        }
    }
}

fn exited(kind: &Kind) -> &'static str {
    match kind {
        Kind::Pass { .. } => "PassStateExited",
        Kind::Succeed => "SucceedStateExited",
        Kind::Fail { .. } => "FailStateExited",
        Kind::Choice { .. } => "ChoiceStateExited",
        Kind::Wait(_) => "WaitStateExited",
        Kind::Task(_) => "TaskStateExited",
        Kind::Parallel(_) => "ParallelStateExited",
        Kind::Map(_) => "MapStateExited",
    }
}
