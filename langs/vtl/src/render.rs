//! The renderer: a template and its variables to text, within limits.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::ast::{Access, Call, Expr, Foreach, Macro, Node, Op, Reference};
use crate::value::{Map, Object};
use crate::{Error, Template, Value, compare, lists, numbers, strings};

/// How much a template may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Nodes and expressions evaluated.
    pub steps: usize,
    /// Bytes of output, and of any one text.
    pub output: usize,
    /// Turns of a single `#foreach`.
    pub turns: usize,
    /// Macros within macros.
    pub depth: usize,
}

impl Default for Limits {
    /// API Gateway's: a thousand turns, ten megabytes.
    fn default() -> Self {
        Limits { steps: 1_000_000, output: 10 << 20, turns: 1000, depth: 20 }
    }
}

impl Template {
    /// Renders the template with `variables`, which it may change as it may change what they hold.
    ///
    /// # Errors
    /// [`Error::Exception`] when a method throws, [`Error::Limit`] when it does too much.
    pub fn render(&self, variables: Vec<(&str, Value)>, limits: &Limits) -> Result<String, Error> {
        let mut r = Renderer {
            limits,
            steps: 0,
            depth: 0,
            out: String::new(),
            variables: variables.into_iter().map(|(k, v)| (k.into(), v)).collect(),
            blocks: HashMap::new(),
            macros: self.macros.clone(),
            loops: None,
        };
        r.nodes(&self.nodes)?;
        Ok(r.out)
    }
}

struct Renderer<'l> {
    limits: &'l Limits,
    steps: usize,
    depth: usize,
    out: String,
    variables: HashMap<Box<str>, Value>,
    /// What `#define` has named.
    blocks: HashMap<Box<str>, Arc<Vec<Node>>>,
    macros: HashMap<Box<str>, Arc<Macro>>,
    /// The innermost loop.
    loops: Option<Rc<Loop>>,
}

#[derive(PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Stop,
}

/// `$foreach`.
struct Loop {
    index: Cell<usize>,
    length: usize,
    stopped: Cell<bool>,
    parent: Option<Rc<Loop>>,
}

impl Object for Loop {
    fn get(&self, name: &str) -> Option<Value> {
        let index = self.index.get();
        Some(match name {
            "index" => index.into(),
            "count" => (index + 1).into(),
            "hasNext" => (index + 1 < self.length).into(),
            "first" => (index == 0).into(),
            "last" => (index + 1 == self.length).into(),
            "parent" => Value::Object(self.parent.clone()? as Rc<dyn Object>),
            "topmost" => {
                let mut top = self.parent.clone()?;
                while let Some(parent) = top.parent.clone() {
                    top = parent;
                }
                Value::Object(top as Rc<dyn Object>)
            }
            _ => return None,
        })
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
        match name {
            "stop" => {
                self.stopped.set(true);
                Ok(Some(Value::text("")))
            }
            "hasNext" | "isFirst" | "isLast" | "getIndex" | "getCount" if arguments.is_empty() => {
                let bare = ["is", "get"].iter().find_map(|p| name.strip_prefix(p)).unwrap_or(name);
                Ok(self.get(&lower_first(bare)))
            }
            _ => Ok(None),
        }
    }

    fn text(&self) -> String {
        "foreach".into()
    }
}

fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |c| c.to_ascii_lowercase().to_string() + chars.as_str())
}

impl Renderer<'_> {
    fn step(&mut self) -> Result<(), Error> {
        self.steps += 1;
        if self.steps > self.limits.steps {
            return Err(Error::Limit("steps"));
        }
        if self.out.len() > self.limits.output {
            return Err(Error::Limit("output"));
        }
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node]) -> Result<Flow, Error> {
        for node in nodes {
            match self.node(node)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &Node) -> Result<Flow, Error> {
        self.step()?;
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Reference(reference) => return self.print(reference),
            Node::Set(target, value) => {
                // A value that is null leaves the variable as it was.
                if let Some(value) = self.value(value)? {
                    self.assign(target, value)?;
                }
            }
            Node::If(branches, otherwise) => {
                for (condition, body) in branches {
                    if self.truth(condition)? {
                        return self.nodes(body);
                    }
                }
                return self.nodes(otherwise);
            }
            Node::Foreach(foreach) => return self.foreach(foreach),
            Node::Call(call) => return self.call_macro(call),
            Node::Define(name, body) => {
                self.blocks.insert(name.clone(), Arc::clone(body));
            }
            Node::Evaluate(source) => {
                let source = self.value(source)?.map(|v| v.render()).unwrap_or_default();
                let known: HashSet<Box<str>> = self.macros.keys().cloned().collect();
                let template = Template::within(&source, &known)?;
                self.deeper()?;
                self.macros.extend(template.macros);
                let flow = self.nodes(&template.nodes)?;
                self.depth -= 1;
                return Ok(flow);
            }
            Node::Break => return Ok(Flow::Break),
            Node::Stop => return Ok(Flow::Stop),
        }
        Ok(Flow::Next)
    }

    fn deeper(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > self.limits.depth { Err(Error::Limit("depth")) } else { Ok(()) }
    }

    /// A reference in text.
    fn print(&mut self, r: &Reference) -> Result<Flow, Error> {
        let block = if r.path.is_empty() { self.blocks.get(&r.name).cloned() } else { None };
        if let Some(block) = block {
            self.deeper()?;
            let flow = self.nodes(&block)?;
            self.depth -= 1;
            return Ok(if flow == Flow::Stop { flow } else { Flow::Next });
        }
        let value = self.reference(r)?;
        let backslashes = |out: &mut String, n| out.extend(std::iter::repeat_n('\\', n));
        match value {
            Some(value) if r.escapes.is_multiple_of(2) => {
                backslashes(&mut self.out, r.escapes / 2);
                match &value {
                    Value::Text(text) => self.out.push_str(text),
                    other => other.render_into(&mut self.out, 0),
                }
            }
            Some(_) => {
                backslashes(&mut self.out, r.escapes / 2);
                self.out.push_str(&r.source);
            }
            None => {
                backslashes(&mut self.out, r.escapes);
                if !r.quiet || r.escapes > 0 {
                    self.out.push_str(&r.source);
                }
            }
        }
        Ok(Flow::Next)
    }

    fn foreach(&mut self, f: &Foreach) -> Result<Flow, Error> {
        let items = match self.value(&f.list)? {
            Some(Value::List(list)) => list.items.borrow().clone(),
            Some(Value::Map(map)) => map.0.borrow().values().cloned().collect(),
            Some(Value::Object(o)) => lists::drain(&*o)?,
            _ => Vec::new(),
        };
        if items.is_empty() {
            return self.nodes(&f.otherwise);
        }
        if items.len() > self.limits.turns {
            return Err(Error::Limit("iterations"));
        }
        let turn = Rc::new(Loop {
            index: Cell::new(0),
            length: items.len(),
            stopped: Cell::new(false),
            parent: self.loops.clone(),
        });
        let outer = self.loops.replace(Rc::clone(&turn));
        let saved: Vec<(&str, Option<Value>)> =
            [&*f.variable, "foreach", "velocityCount", "velocityHasNext"]
                .into_iter()
                .map(|name| (name, self.variables.get(name).cloned()))
                .collect();
        self.variables.insert("foreach".into(), Value::Object(Rc::clone(&turn) as Rc<dyn Object>));
        let mut flow = Flow::Next;
        for (i, item) in items.into_iter().enumerate() {
            turn.index.set(i);
            if item.is_null() {
                self.variables.remove(&f.variable);
            } else {
                self.variables.insert(f.variable.clone(), item);
            }
            self.variables.insert("velocityCount".into(), (i + 1).into());
            self.variables.insert("velocityHasNext".into(), (i + 1 < turn.length).into());
            flow = self.nodes(&f.body)?;
            if flow != Flow::Next || turn.stopped.get() {
                break;
            }
        }
        self.loops = outer;
        self.restore(saved);
        Ok(if flow == Flow::Stop { flow } else { Flow::Next })
    }

    fn restore(&mut self, saved: Vec<(&str, Option<Value>)>) {
        for (name, value) in saved {
            match value {
                Some(v) => self.variables.insert(name.into(), v),
                None => self.variables.remove(name),
            };
        }
    }

    fn call_macro(&mut self, call: &Call) -> Result<Flow, Error> {
        let Some(found) = self.macros.get(&call.name).cloned() else {
            self.out.push_str(&call.source);
            return Ok(Flow::Next);
        };
        let mut values = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            values.push(self.value(argument)?);
        }
        self.deeper()?;
        let saved: Vec<_> =
            found.parameters.iter().map(|p| (&**p, self.variables.get(p).cloned())).collect();
        let mut values = values.into_iter();
        for parameter in &found.parameters {
            match values.next().flatten() {
                Some(v) => self.variables.insert(parameter.clone(), v),
                None => self.variables.remove(parameter),
            };
        }
        let body = match &call.body {
            Some(body) => self.blocks.insert("bodyContent".into(), Arc::clone(body)),
            None => self.blocks.remove("bodyContent"),
        };
        let flow = self.nodes(&found.body)?;
        match body {
            Some(b) => self.blocks.insert("bodyContent".into(), b),
            None => self.blocks.remove("bodyContent"),
        };
        self.restore(saved);
        self.depth -= 1;
        Ok(if flow == Flow::Stop { flow } else { Flow::Next })
    }

    fn truth(&mut self, e: &Expr) -> Result<bool, Error> {
        Ok(self.value(e)?.is_some_and(|v| v.is_true()))
    }

    /// The value of an expression; `None` is `null`.
    fn value(&mut self, e: &Expr) -> Result<Option<Value>, Error> {
        self.step()?;
        Ok(Some(match e {
            Expr::Bool(b) => Value::Bool(*b),
            Expr::Int(n) => Value::Int(*n),
            Expr::Float(f) => Value::Float(*f),
            Expr::Text(t) => Value::text(t),
            Expr::Template(nodes) => {
                let outer = std::mem::take(&mut self.out);
                let flow = self.nodes(nodes);
                let text = std::mem::replace(&mut self.out, outer);
                flow?;
                text.into()
            }
            Expr::Reference(r) => return self.reference(r),
            Expr::List(all) => {
                let mut items = Vec::with_capacity(all.len());
                for e in all {
                    items.push(self.value(e)?.unwrap_or_default());
                }
                Value::list(items)
            }
            Expr::Map(all) => {
                let map = Map::default();
                for (k, v) in all {
                    let key = self.value(k)?.unwrap_or_default().render();
                    let value = self.value(v)?.unwrap_or_default();
                    map.0.borrow_mut().insert(key.into(), value);
                }
                Value::Map(Rc::new(map))
            }
            Expr::Range(ends) => {
                let ends = (self.value(&ends.0)?, self.value(&ends.1)?);
                let (Some(Value::Int(a)), Some(Value::Int(b))) = ends else { return Ok(None) };
                if a.abs_diff(b) >= lists::MOST as u64 {
                    return Err(Error::Limit("iterations"));
                }
                let all: Vec<Value> = if a <= b {
                    (a..=b).map(Value::Int).collect()
                } else {
                    (b..=a).rev().map(Value::Int).collect()
                };
                Value::list(all)
            }
            Expr::Not(e) => Value::Bool(!self.truth(e)?),
            Expr::Negate(e) => match self.value(e)? {
                Some(Value::Int(n)) => Value::Int(n.wrapping_neg()),
                Some(Value::Float(f)) => Value::Float(-f),
                _ => return Ok(None),
            },
            Expr::Binary(Op::And, sides) => {
                Value::Bool(self.truth(&sides.0)? && self.truth(&sides.1)?)
            }
            Expr::Binary(Op::Or, sides) => {
                Value::Bool(self.truth(&sides.0)? || self.truth(&sides.1)?)
            }
            Expr::Binary(op, sides) => {
                let (a, b) = (self.value(&sides.0)?, self.value(&sides.1)?);
                match compare::binary(*op, a, b) {
                    Some(v) => self.bounded(v)?,
                    None => return Ok(None),
                }
            }
        }))
    }

    fn bounded(&self, v: Value) -> Result<Value, Error> {
        match &v {
            Value::Text(t) if t.len() > self.limits.output => Err(Error::Limit("output")),
            _ => Ok(v),
        }
    }

    fn reference(&mut self, r: &Reference) -> Result<Option<Value>, Error> {
        let block = if r.path.is_empty() { self.blocks.get(&r.name).cloned() } else { None };
        if let Some(block) = block {
            let outer = std::mem::take(&mut self.out);
            self.deeper()?;
            let flow = self.nodes(&block);
            self.depth -= 1;
            let text = std::mem::replace(&mut self.out, outer);
            flow?;
            return Ok(Some(text.into()));
        }
        let Some(mut value) = self.variables.get(&r.name).cloned() else { return Ok(None) };
        for access in &r.path {
            self.step()?;
            match self.access(&value, access)? {
                Some(v) if !v.is_null() => value = v,
                _ => return Ok(None),
            }
        }
        Ok(Some(value))
    }

    fn access(&mut self, value: &Value, access: &Access) -> Result<Option<Value>, Error> {
        match access {
            Access::Property(name) => property(value, name),
            Access::Index(e) => {
                let Some(index) = self.value(e)? else { return Ok(None) };
                match (value, index) {
                    (Value::List(_), index) => call(value, "get", &[index]),
                    (Value::Map(map), index) => Ok(map.0.borrow().get(&*index.render()).cloned()),
                    (Value::Object(o), index) => match o.get(&index.render()) {
                        Some(v) => Ok(Some(v)),
                        None => o.call("get", &[index]),
                    },
                    _ => Ok(None),
                }
            }
            Access::Method(name, arguments) => {
                let mut values = Vec::with_capacity(arguments.len());
                for a in arguments {
                    values.push(self.value(a)?.unwrap_or_default());
                }
                match call(value, name, &values)? {
                    Some(v) => self.bounded(v).map(Some),
                    None => Ok(None),
                }
            }
        }
    }

    fn assign(&mut self, target: &Reference, value: Value) -> Result<(), Error> {
        let Some((last, path)) = target.path.split_last() else {
            self.blocks.remove(&target.name);
            self.variables.insert(target.name.clone(), value);
            return Ok(());
        };
        let Some(mut holder) = self.variables.get(&target.name).cloned() else { return Ok(()) };
        for access in path {
            match self.access(&holder, access)? {
                Some(v) if !v.is_null() => holder = v,
                _ => return Ok(()),
            }
        }
        let key = match last {
            Access::Property(name) => Value::text(name),
            Access::Index(e) => match self.value(e)? {
                Some(v) => v,
                None => return Ok(()),
            },
            Access::Method(..) => return Ok(()),
        };
        match (&holder, &key) {
            (Value::Map(map), key) => {
                map.0.borrow_mut().insert(key.render().into(), value);
            }
            (Value::List(_), key @ Value::Int(_)) => {
                call(&holder, "set", &[key.clone(), value])?;
            }
            (Value::Object(o), key) => {
                o.set(&key.render(), value);
            }
            _ => {}
        }
        Ok(())
    }
}

/// `$value.name`: an entry of a map, or a getter.
fn property(value: &Value, name: &str) -> Result<Option<Value>, Error> {
    match value {
        Value::Map(map) => {
            if let Some(v) = map.0.borrow().get(name) {
                return Ok(Some(v.clone()));
            }
            // A map has one getter of its own; what looks like a key comes first.
            Ok((name == "empty").then(|| map.0.borrow().is_empty().into()))
        }
        Value::Object(o) => Ok(o.get(name)),
        Value::List(list) => Ok((name == "empty").then(|| list.items.borrow().is_empty().into())),
        Value::Text(text) => match name {
            "empty" => Ok(Some(text.is_empty().into())),
            "bytes" => {
                Ok(Some(Value::list(text.bytes().map(|b| Value::Int(b as i8 as i64)).collect())))
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Calls a method of any value; `None` when there is none.
pub fn call(value: &Value, name: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    match (name, arguments) {
        ("toString", []) => return Ok(Some(value.render().into())),
        ("equals", [other]) => return Ok(Some(compare::same(value, other, 0).into())),
        _ => {}
    }
    match value {
        Value::Text(text) => strings::call(text, name, arguments),
        Value::List(list) => lists::call(value, list, name, arguments),
        Value::Map(map) => lists::map_call(map, name, arguments),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => numbers::call(value, name, arguments),
        Value::Object(o) => o.call(name, arguments),
        Value::Null => Ok(None),
    }
}

/// What a method throws.
pub fn thrown<T>(method: &str, exception: impl Into<String>) -> Result<T, Error> {
    Err(Error::Exception { method: method.to_owned(), exception: exception.into() })
}

/// A cell that an iterator keeps its place in.
pub type Place = RefCell<usize>;
