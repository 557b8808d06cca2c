//! JSONPath as Step Functions takes it: paths into the input (`$`), the context object (`$$`) and
//! variables (`$name`), with filters, slices and recursive descent.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html>

use serde_json::Value;

mod filter;
mod parse;

pub use filter::Filter;

/// What a path starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// `$`
    Input,
    /// `$$`
    Context,
    /// `$name`
    Variable(String),
}

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    pub root: Root,
    pub steps: Vec<Step>,
    pub text: String,
}

/// One step down.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Name(String),
    Index(i64),
    Names(Vec<String>),
    Indexes(Vec<i64>),
    Slice(Option<i64>, Option<i64>),
    Wildcard,
    /// `..`: what follows is looked for at every depth.
    Descend,
    Filter(Filter),
    /// `.length()` and its like, as the last step.
    Function(Function),
}

/// A function at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Length,
    Min,
    Max,
    Avg,
    Sum,
    Keys,
}

/// Why a definite path leads nowhere, in AWS's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(pub String);

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Path, String> {
        parse::path(text)
    }

    /// Whether it names at most one value.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        self.steps.iter().all(|s| matches!(s, Step::Name(_) | Step::Index(_) | Step::Function(_)))
    }

    /// Whether it is a reference path, as `ResultPath` needs one: names and positions only.
    #[must_use]
    pub fn is_reference(&self) -> bool {
        self.steps.iter().all(|s| match s {
            Step::Name(_) => true,
            Step::Index(i) => *i >= 0,
            _ => false,
        })
    }

    /// What it leads to from `root`: one value for a definite path, a list of all otherwise.
    ///
    /// # Errors
    /// When a definite path leads nowhere.
    pub fn select(&self, root: &Value) -> Result<Value, Missing> {
        if self.is_definite() {
            return self.one(root);
        }
        let mut found = vec![root];
        let mut steps = self.steps.iter().peekable();
        while let Some(step) = steps.next() {
            if let Step::Function(f) = step {
                let list = Value::Array(found.into_iter().cloned().collect());
                return f.apply(&list).ok_or_else(|| self.nowhere(self.steps.len()));
            }
            let mut next = Vec::new();
            if *step == Step::Descend {
                let into: Vec<&Value> = found.iter().flat_map(|v| everything(v)).collect();
                match steps.next() {
                    Some(step) => into.iter().for_each(|v| step.children(v, &mut next)),
                    None => next = into,
                }
            } else {
                found.iter().for_each(|v| step.children(v, &mut next));
            }
            found = next;
        }
        Ok(Value::Array(found.into_iter().cloned().collect()))
    }

    /// Whether it leads somewhere.
    #[must_use]
    pub fn exists(&self, root: &Value) -> bool {
        match self.select(root) {
            Ok(Value::Array(found)) if !self.is_definite() => !found.is_empty(),
            found => found.is_ok(),
        }
    }

    fn one(&self, root: &Value) -> Result<Value, Missing> {
        let mut at = root;
        for (i, step) in self.steps.iter().enumerate() {
            let found = match (step, at) {
                (Step::Name(n), Value::Object(o)) => o.get(n),
                (Step::Index(i), Value::Array(a)) => position(*i, a.len()).and_then(|i| a.get(i)),
                (Step::Function(f), v) => return f.apply(v).ok_or_else(|| self.nowhere(i)),
                _ => None,
            };
            at = found.ok_or_else(|| self.nowhere(i))?;
        }
        Ok(at.clone())
    }

    fn nowhere(&self, at: usize) -> Missing {
        if at + 1 < self.steps.len() {
            Missing(format!("Missing property in path {}", self.bracketed(at + 1)))
        } else {
            Missing(format!("No results for path: {}", self.bracketed(self.steps.len())))
        }
    }

    /// The first `n` steps in bracket notation: `$['a'][0]`.
    fn bracketed(&self, n: usize) -> String {
        let mut out = String::from("$");
        for step in &self.steps[..n] {
            match step {
                Step::Name(n) => out.push_str(&format!("['{n}']")),
                Step::Index(i) => out.push_str(&format!("[{i}]")),
                Step::Wildcard => out.push_str("[*]"),
                Step::Descend => out.push_str(".."),
                _ => out.push_str("[?]"),
            }
        }
        out
    }
}

impl Step {
    fn children<'v>(&self, v: &'v Value, out: &mut Vec<&'v Value>) {
        match (self, v) {
            (Step::Name(n), Value::Object(o)) => out.extend(o.get(n)),
            (Step::Names(names), Value::Object(o)) => {
                out.extend(names.iter().filter_map(|n| o.get(n)));
            }
            (Step::Wildcard, Value::Object(o)) => out.extend(o.values()),
            (Step::Wildcard, Value::Array(a)) => out.extend(a),
            (Step::Index(i), Value::Array(a)) => {
                out.extend(position(*i, a.len()).and_then(|i| a.get(i)));
            }
            (Step::Indexes(all), Value::Array(a)) => {
                out.extend(all.iter().filter_map(|i| a.get(position(*i, a.len())?)));
            }
            (Step::Slice(from, to), Value::Array(a)) => {
                let bound = |i: i64| {
                    let n = i64::try_from(a.len()).unwrap_or(i64::MAX);
                    usize::try_from(if i < 0 { i + n } else { i }.clamp(0, n)).unwrap_or(0)
                };
                let (from, to) = (bound(from.unwrap_or(0)), to.map_or(a.len(), bound));
                out.extend(a.get(from..to.max(from)).unwrap_or_default());
            }
            (Step::Filter(f), Value::Array(a)) => out.extend(a.iter().filter(|v| f.holds(v))),
            (Step::Filter(f), Value::Object(_)) if f.holds(v) => out.push(v),
            _ => {}
        }
    }
}

impl Function {
    fn apply(self, v: &Value) -> Option<Value> {
        if self == Function::Keys {
            return Some(v.as_object()?.keys().cloned().map(Value::from).collect());
        }
        if self == Function::Length {
            return match v {
                Value::Array(a) => Some(a.len().into()),
                Value::Object(o) => Some(o.len().into()),
                Value::String(s) => Some(s.chars().count().into()),
                _ => None,
            };
        }
        let numbers: Vec<f64> = v.as_array()?.iter().filter_map(Value::as_f64).collect();
        if numbers.is_empty() {
            return None;
        }
        let sum: f64 = numbers.iter().sum();
        let n = match self {
            Function::Min => numbers.iter().copied().fold(f64::INFINITY, f64::min),
            Function::Max => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Function::Avg => sum / numbers.len() as f64,
            _ => sum,
        };
        serde_json::Number::from_f64(n).map(Value::Number)
    }
}

/// A value and everything below it.
fn everything(v: &Value) -> Vec<&Value> {
    let mut out = vec![v];
    match v {
        Value::Array(a) => out.extend(a.iter().flat_map(everything)),
        Value::Object(o) => out.extend(o.values().flat_map(everything)),
        _ => {}
    }
    out
}

/// A position counted from the end when negative.
fn position(i: i64, n: usize) -> Option<usize> {
    let n = i64::try_from(n).ok()?;
    usize::try_from(if i < 0 { i + n } else { i }).ok()
}

/// Puts `value` where the reference path leads, making what is not there.
///
/// # Errors
/// What stands in the way.
pub fn put(path: &Path, root: Value, value: Value) -> Result<Value, String> {
    let mut out = root;
    let mut at = &mut out;
    for step in &path.steps {
        match step {
            Step::Name(name) => {
                if at.is_null() {
                    *at = Value::Object(serde_json::Map::new());
                }
                let Value::Object(o) = at else {
                    return Err(format!("Unable to apply step \"{name}\" to input {at}"));
                };
                at = o.entry(name.clone()).or_insert(Value::Null);
                // What stands in the way of a longer path is replaced, as AWS does.
                if !(at.is_object() || at.is_array()) {
                    *at = Value::Null;
                }
            }
            Step::Index(i) => {
                let shown = at.to_string();
                let found = at.as_array_mut().and_then(|a| {
                    let i = position(*i, a.len())?;
                    a.get_mut(i)
                });
                at = found
                    .ok_or_else(|| format!("Unable to apply step \"{i}\" to input {shown}"))?;
            }
            _ => return Err(format!("{} is no reference path", path.text)),
        }
    }
    *at = value;
    Ok(out)
}

#[cfg(test)]
mod tests;
