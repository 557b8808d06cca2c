//! What expressions of a frame's state see, and the inputs and outputs that come of them.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Frame, Mover};
use crate::definition::{Io, Place, State};
use crate::fault::{self, Fault};
use crate::path::{self, Path};
use crate::template::{Names, Template};
use crate::text::Json;

/// What a template sees beside the frame.
#[derive(Clone, Copy, Default)]
pub struct View<'a> {
    /// `$` of paths; the input when absent.
    pub root: Option<&'a Value>,
    pub result: Option<&'a Value>,
    pub error: Option<&'a Value>,
}

impl Mover<'_> {
    /// Calls `go` with what a template of `f`'s state sees.
    pub(crate) fn with<R>(&self, f: &Frame, view: View<'_>, go: impl FnOnce(&Names<'_>) -> R) -> R {
        let context = || self.context(f);
        let variable = |name: &str| self.variable(f, name);
        go(&Names {
            root: view.root.unwrap_or(&f.input),
            input: &f.input.0,
            result: view.result,
            error: view.error,
            context: &context,
            variable: &variable,
            world: self.world,
        })
    }

    pub(crate) fn value(&self, f: &Frame, view: View<'_>, t: &Template) -> Result<Value, Fault> {
        self.with(f, view, |names| t.value(names))
    }

    /// The variable of this name: the frame's own, or of one above.
    fn variable(&self, f: &Frame, name: &str) -> Option<Arc<Value>> {
        let own = f.variables.iter().find(|(n, _)| n == name);
        match own {
            Some((_, v)) => Some(Arc::clone(&v.0)),
            None => self.variable(self.run.frames.get(&f.parent?.frame)?, name),
        }
    }

    /// The context object.
    pub(crate) fn context(&self, f: &Frame) -> Value {
        if let Some(given) = &self.meta.context {
            return given.clone();
        }
        let mut state = Map::new();
        state.insert("Name".to_owned(), f.state.clone().into());
        state.insert("EnteredTime".to_owned(), time(f.entered_at).into());
        let kind = self.definition.state(f.scope, &f.state);
        if kind.is_some_and(|s| matches!(s.kind, crate::definition::Kind::Task(_))) {
            state.insert("RetryCount".to_owned(), f.retry_count.into());
        }
        let mut out = Map::new();
        out.insert("Execution".to_owned(), self.meta.execution.clone());
        out.insert("StateMachine".to_owned(), self.meta.state_machine.clone());
        out.insert("State".to_owned(), Value::Object(state));
        if let Some(item) = self.item(f) {
            out.insert("Map".to_owned(), item);
        }
        if f.ticket > 0 && kind.is_some_and(has_token) {
            let token = (self.meta.token)(f.number, f.ticket);
            out.insert("Task".to_owned(), json!({ "Token": token }));
        }
        Value::Object(out)
    }

    fn item(&self, f: &Frame) -> Option<Value> {
        match &f.item {
            Some(i) => Some(json!({"Item": {"Index": i.index, "Value": &*i.value.0}})),
            None => self.item(self.run.frames.get(&f.parent?.frame)?),
        }
    }

    /// `InputPath` or `OutputPath`.
    pub(crate) fn io<'v>(
        &self,
        f: &Frame,
        io: &Io,
        root: Cow<'v, Value>,
    ) -> Result<Cow<'v, Value>, Fault> {
        match io {
            Io::Whole => Ok(root),
            Io::Nothing => Ok(Cow::Owned(json!({}))),
            Io::Path(t) => {
                let view = View { root: Some(&root), ..View::default() };
                let Template::Expr(e, _) = t else { return self.value(f, view, t).map(Cow::Owned) };
                let crate::intrinsic::Expr::Path(p) = &**e else {
                    return self.value(f, view, t).map(Cow::Owned);
                };
                self.with(f, view, |names| names.select(p)).map(Cow::Owned).map_err(|why| {
                    match p.root {
                        path::Root::Variable(_) if why.starts_with("The variable") => {
                            Fault::runtime(why)
                        }
                        _ => Fault::runtime(format!("Invalid path '{}' : {why}", p.text)),
                    }
                })
            }
        }
    }

    /// What a state works on: after `InputPath` and `Parameters`, or `Arguments`.
    pub(crate) fn effective(&self, f: &Frame, state: &State) -> Result<Value, Fault> {
        if state.jsonata {
            return match &state.parameters {
                Some(t) => self.value(f, View::default(), t),
                None => Ok(Value::clone(&f.input)),
            };
        }
        let input = self.io(f, &state.input_path, Cow::Borrowed(&f.input))?;
        match &state.parameters {
            Some(t) => self.value(f, View { root: Some(&input), ..View::default() }, t),
            None => Ok(input.into_owned()),
        }
    }

    /// What a JSONPath state puts out for its result: through `ResultPath` and `OutputPath`.
    pub(crate) fn placed(
        &self,
        f: &Frame,
        state: &State,
        place: &Place,
        result: Value,
    ) -> Result<Value, Fault> {
        let combined = self.combined(f, place, result)?;
        self.io(f, &state.output_path, Cow::Owned(combined)).map(Cow::into_owned)
    }

    /// A result in its place in the state's input.
    pub(crate) fn combined(&self, f: &Frame, place: &Place, result: Value) -> Result<Value, Fault> {
        match place {
            Place::Whole => Ok(result),
            Place::Nothing => Ok(Value::clone(&f.input)),
            Place::At(p) => put(p, Value::clone(&f.input), result),
        }
    }

    /// The variables that an `Assign` gives.
    pub(crate) fn assigned(
        &self,
        f: &Frame,
        assign: Option<&Template>,
        view: View<'_>,
    ) -> Result<Vec<(String, Json)>, Fault> {
        let Some(t) = assign else { return Ok(Vec::new()) };
        match self.value(f, view, t)? {
            Value::Object(o) => Ok(o.into_iter().map(|(k, v)| (k, v.into())).collect()),
            _ => Ok(Vec::new()),
        }
    }
}

fn put(path: &Path, root: Value, value: Value) -> Result<Value, Fault> {
    path::put(path, root, value).map_err(|why| Fault::placed(fault::RESULT_PATH, why))
}

/// Whether tasks of this state have a token.
fn has_token(state: &State) -> bool {
    match &state.kind {
        crate::definition::Kind::Task(t) => {
            t.resource.pattern() == crate::resource::Pattern::Callback
                && matches!(t.resource, crate::Resource::Service(_))
        }
        _ => false,
    }
}

/// A reference path with a value put at its end.
///
/// # Errors
/// What stands in the way.
pub fn reference(path: &Path, root: Value, value: Value) -> Result<Value, Fault> {
    put(path, root, value)
}

/// A time as the context object shows it.
#[must_use]
pub fn time(micros: i64) -> String {
    let t = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
    t.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// The size of a value as text, about; never less than half of it.
#[must_use]
pub fn weigh(v: &Value) -> usize {
    match v {
        Value::Null | Value::Bool(_) | Value::Number(_) => 4,
        Value::String(s) => s.len() + 2,
        Value::Array(a) => 2 + a.iter().map(|v| weigh(v) + 1).sum::<usize>(),
        Value::Object(o) => 2 + o.iter().map(|(k, v)| k.len() + weigh(v) + 4).sum::<usize>(),
    }
}
