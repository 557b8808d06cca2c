//! Distributed Map: its settings are evaluated here; its executions are the driver's.

use minicbor::{Decode, Encode};
use serde_json::{Map as Object, Value, json};

use super::enter::{Flow, shown};
use super::evaluate::View;
use super::many::{integer, started};
use super::{Effect, Frame, Item, Mover, Phase};
use crate::definition::{Kind, Map, State};
use crate::fault::Fault;
use crate::template::{Template, unexpected};
use crate::text::Json;

/// A distributed Map that was begun, with what its executions need.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct MapRun {
    #[n(0)]
    pub arn: String,
    /// The items as they are, unless a reader reads them.
    #[n(1)]
    pub items: Vec<Json>,
    #[n(2)]
    pub max_concurrency: u64,
    #[n(3)]
    pub tolerated_count: Option<u64>,
    #[n(4)]
    pub tolerated_percentage: Option<f64>,
    /// The input that the item selector sees.
    #[n(5)]
    pub input: Json,
    /// `Parameters` or `Arguments` of the reader.
    #[n(6)]
    pub reader: Option<Json>,
    #[n(7)]
    pub max_items: Option<u64>,
    #[n(8)]
    pub batch_items: Option<u64>,
    #[n(9)]
    pub batch_bytes: Option<u64>,
    #[n(10)]
    pub batch_input: Option<Json>,
    /// `Parameters` or `Arguments` of the writer.
    #[n(11)]
    pub writer: Option<Json>,
    /// The event that tells of it.
    #[n(12)]
    pub event: u64,
}

impl Mover<'_> {
    #[expect(clippy::too_many_arguments, reason = "they are what a Map state has evaluated so far")]
    pub(super) fn distribute(
        &mut self,
        id: u64,
        f: &mut Frame,
        state: &State,
        map: &Map,
        items: Vec<Value>,
        input: &Json,
        max_concurrency: u64,
    ) -> Result<Flow, Fault> {
        let Some(of) = &map.distributed else { return Ok(Flow::Waits) };
        let length = items.len();
        f.prev = self.emit(f.prev, "MapStateStarted", || started(length));
        let tolerated_count = match &map.tolerated_count {
            None => None,
            Some(t) => {
                let v = self.value(f, View { root: Some(input), ..View::default() }, t)?;
                let n = u64::try_from(integer(&v, t)?);
                Some(n.map_err(|_| {
                    Fault::runtime("ToleratedFailureCount must be a non-negative integer.")
                })?)
            }
        };
        let tolerated_percentage = self.percentage(f, input, map.tolerated_percentage.as_ref())?;
        let view = View { root: Some(input), ..View::default() };
        let payload = |t: Option<&Template>| -> Result<Option<Json>, Fault> {
            t.map(|t| self.value(f, view, t).map(Json::from)).transpose()
        };
        let number = |t: Option<&Template>| -> Result<Option<u64>, Fault> {
            let Some(t) = t else { return Ok(None) };
            let v = self.value(f, view, t)?;
            Ok(u64::try_from(integer(&v, t)?).ok())
        };
        let reader = of.reader.as_ref();
        let batcher = of.batcher.as_ref();
        let mut run = MapRun {
            arn: String::new(),
            items: items.into_iter().map(Json::from).collect(),
            max_concurrency,
            tolerated_count,
            tolerated_percentage,
            reader: payload(reader.and_then(|r| r.parameters.as_ref()))?,
            max_items: number(reader.and_then(|r| r.max_items.as_ref()))?,
            batch_items: number(batcher.and_then(|b| b.max_items.as_ref()))?,
            batch_bytes: number(batcher.and_then(|b| b.max_bytes.as_ref()))?,
            batch_input: payload(batcher.and_then(|b| b.input.as_ref()))?,
            writer: payload(of.writer.as_ref().and_then(|w| w.parameters.as_ref()))?,
            input: input.clone(),
            event: 0,
        };
        let label = of.label.clone().unwrap_or_else(|| self.world.uuid());
        run.arn = format!("{}{label}:{}", self.meta.map_runs, self.world.uuid());
        let arn = run.arn.clone();
        f.prev = self.emit(f.prev, "MapRunStarted", || {
            Object::from_iter([("mapRunArn".to_owned(), arn.into())])
        });
        run.event = f.prev;
        f.ticket = self.ticket();
        let _ = state;
        f.phase = Phase::MapRun(run);
        self.moves.effects.push(Effect::MapRun { frame: id, ticket: f.ticket });
        Ok(Flow::Waits)
    }

    fn percentage(
        &self,
        f: &Frame,
        input: &Value,
        t: Option<&Template>,
    ) -> Result<Option<f64>, Fault> {
        let Some(t) = t else { return Ok(None) };
        let v = self.value(f, View { root: Some(input), ..View::default() }, t)?;
        let number = v.as_f64().or_else(|| match (&v, t) {
            (Value::String(s), Template::Expr(..)) => s.parse().ok(),
            _ => None,
        });
        let n = number.ok_or_else(|| match t {
            Template::Expr(e, field) => Fault::runtime(format!(
                "The {field} field refers to value \"{}\" which is not a valid float: {}",
                v.as_str().map_or_else(|| v.to_string(), str::to_owned),
                shown(e)
            )),
            Template::Jsonata(e) => unexpected(e, "number", &v),
            _ => Fault::runtime(format!("{v} is not a valid float")),
        })?;
        if !(0.0..=100.0).contains(&n) {
            return Err(Fault::runtime("ToleratedFailurePercentage must be between 0 and 100."));
        }
        Ok(Some(n))
    }

    /// The input of an iteration: the item, through the item selector.
    ///
    /// # Errors
    /// The selector's fault.
    pub fn selected(&self, frame: u64, index: u64, value: &Value) -> Result<Value, Fault> {
        let Some(f) = self.run.frames.get(&frame) else { return Ok(value.clone()) };
        let state = self.definition.state(f.scope, &f.state);
        let (Some(State { kind: Kind::Map(map), .. }), Phase::MapRun(run)) = (state, &f.phase)
        else {
            return Ok(value.clone());
        };
        let Some(t) = &map.selector else { return Ok(value.clone()) };
        let seen = Frame {
            item: Some(Item { index, value: value.clone().into() }),
            phase: Phase::Enter,
            ..f.clone()
        };
        self.value(&seen, View { root: Some(&run.input), ..View::default() }, t)
    }

    pub(super) fn map_run_ended(
        &mut self,
        id: u64,
        mut f: Frame,
        state: &State,
        result: Result<Value, Fault>,
    ) {
        match result {
            Ok(v) => {
                let before = f.prev;
                let ended = self.emit(before, "MapRunSucceeded", Object::new);
                self.emit(ended, "MapStateSucceeded", Object::new);
                // As AWS numbers it, after a first state and after any other.
                f.prev = if f.entered_prev == 0 { ended } else { before };
                self.finish(id, f, state, v);
            }
            Err(fault) => {
                f.prev = self.emit(f.prev, "MapRunFailed", || {
                    crate::event::failure(Some(&fault.error), fault.cause.as_deref())
                });
                self.failed(id, f, state, fault);
            }
        }
    }
}

/// The input of an execution that takes a batch.
#[must_use]
pub fn batch(items: &[Value], input: Option<&Value>) -> Value {
    match input {
        Some(i) => json!({"BatchInput": i, "Items": items}),
        None => json!({ "Items": items }),
    }
}
