//! Parallel and inline Map: frames below a frame.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map as Object, Value, json};

use super::enter::{Flow, shown};
use super::evaluate::View;
use super::{Children, Frame, Item, Link, Mover, Phase};
use crate::definition::{Kind, Map, State};
use crate::fault::Fault;
use crate::template::{Template, unexpected};
use crate::text::Json;

/// How many iterations of an inline Map run at once, at most.
const AT_ONCE: u64 = 40;
/// The most items of an inline Map: more would not leave room for their events.
const MOST_ITEMS: usize = 100_000;

impl Mover<'_> {
    pub(super) fn fork(
        &mut self,
        id: u64,
        f: &mut Frame,
        state: &State,
        branches: &[u32],
    ) -> Result<Flow, Fault> {
        let input: Json = self.effective(f, state)?.into();
        f.prev = self.emit(f.prev, "ParallelStateStarted", Object::new);
        f.ticket = self.ticket();
        f.phase = Phase::Children(Children {
            results: vec![None; branches.len()],
            items: Vec::new(),
            next: u32::try_from(branches.len()).unwrap_or(u32::MAX),
            done: 0,
            input: Json::default(),
        });
        for (index, scope) in (0u32..).zip(branches) {
            let start_at = self.definition.scopes[*scope as usize].start_at.clone();
            let link = Link { frame: id, index };
            let child = Frame::new(*scope, start_at, input.clone(), Some(link));
            self.spawn(Frame { prev: f.prev, ..child });
        }
        Ok(Flow::Waits)
    }

    pub(super) fn map(
        &mut self,
        id: u64,
        f: &mut Frame,
        state: &State,
        map: &Map,
    ) -> Result<Flow, Fault> {
        let input = match state.jsonata {
            true => Cow::Borrowed(&*f.input.0),
            false => self.io(f, &state.input_path, Cow::Borrowed(&f.input))?,
        };
        let input: Json = match input {
            Cow::Borrowed(_) => f.input.clone(),
            Cow::Owned(v) => v.into(),
        };
        let reads = map.distributed.as_ref().is_some_and(|d| d.reader.is_some());
        let items = if reads { Vec::new() } else { self.items(f, &input, state, map)? };
        let limit = self.limit(f, &input, map)?;
        if map.distributed.is_some() {
            return self.distribute(id, f, state, map, items, &input, limit);
        }
        if items.len() > MOST_ITEMS {
            return Err(Fault::runtime("The Map state has too many items to run inline."));
        }
        let length = items.len();
        f.prev = self.emit(f.prev, "MapStateStarted", || started(length));
        f.ticket = self.ticket();
        if length == 0 {
            self.emit(f.prev, "MapStateSucceeded", Object::new);
            return self.output(f, state, json!([])).map(Flow::Exit);
        }
        f.phase = Phase::Children(Children {
            results: vec![None; length],
            items: items.into_iter().map(Json::from).collect(),
            next: 0,
            done: 0,
            input,
        });
        let first = if limit == 0 { AT_ONCE } else { limit.min(AT_ONCE) };
        for _ in 0..first {
            let prev = f.prev;
            self.iterate(id, f, map, prev)?;
        }
        Ok(Flow::Waits)
    }

    /// The items of a Map.
    pub(crate) fn items(
        &self,
        f: &Frame,
        input: &Value,
        state: &State,
        map: &Map,
    ) -> Result<Vec<Value>, Fault> {
        let Some(t) = &map.items else {
            return match input {
                Value::Array(a) => Ok(a.clone()),
                other if state.jsonata => Err(Fault::query(
                    "",
                    format!("Map state input must be an array but was: {other}"),
                )),
                other => Err(Fault::runtime(format!(
                    "Reference path \"$\" must point to array. Actual: {other}"
                ))),
            };
        };
        let view = View { root: Some(input), ..View::default() };
        let found = match t {
            Template::Expr(e, _) if !state.jsonata => {
                let text = shown(e).to_owned();
                self.value(f, view, t).map_err(|fault| match &**e {
                    crate::intrinsic::Expr::Path(p) => Fault::runtime(format!(
                        "Invalid path '{text}' : {}",
                        self.with(f, view, |n| n.select(p)).err().unwrap_or_default()
                    )),
                    _ => fault,
                })?
            }
            t => self.value(f, view, t)?,
        };
        match (found, t) {
            (Value::Array(a), _) => Ok(a),
            // Distributed Maps go over objects too: each entry is an item.
            (Value::Object(o), _) if map.distributed.is_some() => {
                Ok(o.into_iter().map(|(k, v)| json!({"Key": k, "Value": v})).collect())
            }
            (v, Template::Jsonata(e)) => Err(unexpected(e, "array", &v)),
            (v, Template::Expr(e, _)) => Err(Fault::runtime(format!(
                "Reference path \"{}\" must point to array. Actual: {v}",
                shown(e)
            ))),
            (v, _) => Err(Fault::query("Items", format!("Items must be an array but was: {v}"))),
        }
    }

    /// `MaxConcurrency`; 0 is no limit of its own.
    fn limit(&self, f: &Frame, input: &Value, map: &Map) -> Result<u64, Fault> {
        let Some(t) = &map.max_concurrency else { return Ok(0) };
        let view = View { root: Some(input), ..View::default() };
        let v = self.value(f, view, t)?;
        integer(&v, t).and_then(|n| {
            u64::try_from(n)
                .map_err(|_| Fault::runtime("MaxConcurrency must be a non-negative integer."))
        })
    }

    /// Begins the next iteration, if one is left.
    fn iterate(&mut self, id: u64, f: &mut Frame, map: &Map, prev: u64) -> Result<(), Fault> {
        let Phase::Children(c) = &mut f.phase else { return Ok(()) };
        let index = c.next;
        let Some(value) = c.items.get(index as usize).cloned() else { return Ok(()) };
        c.next += 1;
        let view_root = c.input.clone();
        let item = Item { index: index.into(), value };
        let input = match &map.selector {
            None => item.value.clone(),
            Some(t) => {
                let seen = Frame { item: Some(item.clone()), phase: Phase::Enter, ..f.clone() };
                let view = View { root: Some(&view_root), ..View::default() };
                self.value(&seen, view, t)?.into()
            }
        };
        let name = f.state.clone();
        let began = self.emit(prev, "MapIterationStarted", || iteration(index, &name));
        let start_at = self.definition.scopes[map.processor as usize].start_at.clone();
        let link = Link { frame: id, index };
        let child = Frame::new(map.processor, start_at, input, Some(link));
        self.spawn(Frame { prev: began, item: Some(item), ..child });
        Ok(())
    }

    fn spawn(&mut self, f: Frame) {
        self.run.last_frame += 1;
        let id = self.run.last_frame;
        self.run.frames.insert(id, Frame { number: id, ..f });
        self.run.ready.push(id);
    }

    pub(super) fn child_done(&mut self, link: Link, prev: u64, output: Json) {
        let Some(mut f) = self.run.frames.remove(&link.frame) else { return };
        let Some(state) = self.definition.state(f.scope, &f.state) else { return };
        let mut last = prev;
        if matches!(state.kind, Kind::Map(_)) {
            let name = f.state.clone();
            last = self.emit(prev, "MapIterationSucceeded", || iteration(link.index, &name));
        }
        if let Kind::Map(map) = &state.kind
            && let Err(fault) = self.iterate(link.frame, &mut f, map, prev)
        {
            self.drop_below(link.frame, None);
            return self.failed(link.frame, f, state, fault);
        }
        let Phase::Children(c) = &mut f.phase else { return };
        if let Some(place) = c.results.get_mut(link.index as usize) {
            *place = Some(output);
        }
        c.done += 1;
        if (c.done as usize) < c.results.len() {
            self.run.frames.insert(link.frame, f);
            return;
        }
        let results = std::mem::take(&mut c.results);
        let result = results.into_iter().flatten().map(|j| Arc::unwrap_or_clone(j.0)).collect();
        f.prev = last;
        let kind = match state.kind {
            Kind::Map(_) => "MapStateSucceeded",
            _ => "ParallelStateSucceeded",
        };
        self.emit(f.prev, kind, Object::new);
        self.finish(link.frame, f, state, result);
    }

    pub(super) fn child_failed(&mut self, link: Link, prev: u64, fault: Fault) {
        let Some(mut f) = self.run.frames.remove(&link.frame) else { return };
        let Some(state) = self.definition.state(f.scope, &f.state) else { return };
        if matches!(state.kind, Kind::Map(_)) {
            let name = f.state.clone();
            self.emit(prev, "MapIterationFailed", || iteration(link.index, &name));
            self.drop_below(link.frame, Some(&name));
        } else {
            self.drop_below(link.frame, None);
        }
        f.prev = prev;
        self.failed(link.frame, f, state, fault);
    }

    /// Ends all strands below a frame; the iterations of the Map `name` are told of in the history.
    fn drop_below(&mut self, frame: u64, name: Option<&str>) {
        let below = |f: &Frame| f.parent.filter(|l| l.frame == frame);
        let children: Vec<(u64, u32, u64)> = self
            .run
            .frames
            .iter()
            .filter_map(|(id, f)| Some((*id, below(f)?.index, f.prev)))
            .collect();
        for (id, index, prev) in children {
            self.drop_below(id, None);
            if let Some(mut f) = self.run.frames.remove(&id) {
                self.clear_timers(&mut f);
            }
            self.run.ready.retain(|r| *r != id);
            if let Some(name) = name {
                self.emit(prev, "MapIterationAborted", || iteration(index, name));
            }
        }
    }
}

/// A whole number of a field, in AWS's words when it is none.
pub fn integer(v: &Value, t: &Template) -> Result<i64, Fault> {
    let n = v.as_i64().or_else(|| match (v, t) {
        (Value::String(s), Template::Expr(..)) => s.parse().ok(),
        (v, Template::Jsonata(_)) => v.as_f64().filter(|f| f.fract() == 0.0).map(|f| f as i64),
        _ => None,
    });
    n.ok_or_else(|| match t {
        Template::Expr(e, field) => Fault::runtime(format!(
            "The {field} field refers to value \"{}\" which is not a valid integer: {}",
            v.as_str().map_or_else(|| v.to_string(), str::to_owned),
            shown(e)
        )),
        Template::Jsonata(e) => unexpected(e, "number", v),
        _ => Fault::runtime(format!("{v} is not a valid integer")),
    })
}

pub fn started(length: usize) -> Object<String, Value> {
    Object::from_iter([("length".to_owned(), length.into())])
}

fn iteration(index: u32, name: &str) -> Object<String, Value> {
    Object::from_iter([("name".to_owned(), name.into()), ("index".to_owned(), index.into())])
}
