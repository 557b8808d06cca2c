//! Validation against the model's constraints, in the words AWS uses.
//!
//! `1 validation error detected: Value 'x' at 'roleName' failed to satisfy constraint: …`

use std::fmt::Write;

use fogbank_core::{ApiError, Result, Value};
use fogbank_model::{Kind, Location, Protocol, Shape};

use crate::Call;
use crate::pattern::matches;

/// Texts longer than this are not matched against patterns: the length constraint is what counts.
const MAX_MATCHED: usize = 16 << 10;

/// Checks an input.
///
/// # Errors
/// One error that lists all that is wrong, under the code the service uses.
pub fn validate(call: &Call, input: &Value) -> Result<()> {
    let Some(shape) = call.operation.input.map(|i| call.service.shape(i)) else { return Ok(()) };
    let mut v = Validation { call, found: Vec::new(), path: String::new() };
    if call.protocol == Protocol::RestXml {
        // S3 and its like check in their handlers, each in words of its own; what the schema
        // requires of a document they check here.
        return v.documents(shape, input);
    }
    if let ("sqs", Some(name)) = (call.service.id, missing(shape, input)) {
        let text = format!("The request must contain the parameter {name}.");
        return Err(ApiError::new("MissingParameter", text).status(400));
    }
    // Nearly all input is valid: first without keeping track of where we are.
    if fits(call, shape, input) {
        return Ok(());
    }
    v.check(shape, input);
    if v.found.is_empty() {
        return Ok(());
    }
    let (n, s) = (v.found.len(), if v.found.len() == 1 { "" } else { "s" });
    let text = format!("{n} validation error{s} detected: {}", v.found.join("; "));
    Err(ApiError::new(code(call), text).status(400))
}

/// The code under which a service reports invalid input.
fn code(call: &Call) -> &'static str {
    match (call.service.id, call.protocol) {
        ("logs" | "cognito-idp", _) => "InvalidParameterException",
        ("sns", _) => "InvalidParameter",
        ("ec2", _) | ("sqs", _) => "InvalidParameterValue",
        ("apigateway" | "apigatewayv2" | "amplify", _) => "BadRequestException",
        ("eks", _) => "InvalidParameterException",
        (_, Protocol::Query) => "ValidationError",
        _ => "ValidationException",
    }
}

/// The first member at the top that is required and not there.
fn missing(shape: &Shape, input: &Value) -> Option<&'static str> {
    let absent = |m: &&fogbank_model::Member| m.required && input.get(m.name).is_none();
    shape.members.iter().find(absent).map(|m| m.name)
}

struct Validation<'a> {
    call: &'a Call,
    found: Vec<String>,
    path: String,
}

impl Validation<'_> {
    fn fail(&mut self, shape: &Shape, v: Option<&Value>, why: &str) {
        let mut text = String::from("Value ");
        match v {
            _ if shape.sensitive => {}
            None => text.push_str("null "),
            Some(v) => {
                text.push('\'');
                shown(&mut text, v);
                text.push_str("' ");
            }
        }
        let _ = write!(text, "at '{}' failed to satisfy constraint: {why}", self.path);
        self.found.push(text);
    }

    fn within(&mut self, step: &str, f: impl FnOnce(&mut Self)) {
        let n = self.path.len();
        if n > 0 {
            self.path.push('.');
        }
        self.path.push_str(step);
        f(self);
        self.path.truncate(n);
    }

    fn check(&mut self, shape: &Shape, v: &Value) {
        match (shape.kind, v) {
            (Kind::Structure, Value::Map(entries)) => {
                for m in shape.members.iter().filter(|m| m.required) {
                    let streamed = Some(m.name) == shape.payload && self.call.streams_input();
                    if !streamed && v.get(m.name).is_none() && !m.idempotency_token {
                        let of = self.call.service.shape(m.shape);
                        self.within(&lower(m.name), |s| {
                            s.fail(of, None, "Member must not be null");
                        });
                    }
                }
                for (k, v) in entries {
                    if let Some(m) = shape.member(k) {
                        let of = self.call.service.shape(m.shape);
                        self.within(&lower(m.name), |s| s.check(of, v));
                    }
                }
            }
            (Kind::List(item, _), Value::List(items)) => {
                self.bounds(shape, v, items.len() as f64, Measure::Length);
                let of = self.call.service.shape(item);
                for (i, item) in items.iter().enumerate() {
                    self.within(&format!("{}.member", i + 1), |s| s.check(of, item));
                }
            }
            (Kind::Map { key, value, .. }, Value::Map(entries)) => {
                self.bounds(shape, v, entries.len() as f64, Measure::Length);
                let (k_shape, v_shape) =
                    (self.call.service.shape(key), self.call.service.shape(value));
                for (k, v) in entries {
                    self.check(k_shape, &Value::Str(k.clone()));
                    self.within(&format!("{k}.member"), |s| s.check(v_shape, v));
                }
            }
            (Kind::String, Value::Str(s)) => self.string(shape, v, s),
            (Kind::Blob, Value::Blob(b)) => self.bounds(shape, v, b.len() as f64, Measure::Length),
            (Kind::Integer | Kind::Long, Value::Int(n)) => {
                self.bounds(shape, v, *n as f64, Measure::Value);
            }
            (Kind::Float | Kind::Double, Value::Float(n)) => {
                self.bounds(shape, v, *n, Measure::Value);
            }
            _ => {}
        }
    }

    fn string(&mut self, shape: &Shape, v: &Value, s: &str) {
        if !shape.values.is_empty() {
            if !shape.enumeration().any(|e| e == s) {
                let set = shape.values.replace('|', ", ");
                self.fail(shape, Some(v), &format!("Member must satisfy enum value set: [{set}]"));
            }
            return;
        }
        self.bounds(shape, v, length(s), Measure::Length);
        if !shape.pattern.is_empty() && s.len() <= MAX_MATCHED && !matches(shape.pattern, s) {
            let why = format!("Member must satisfy regular expression pattern: {}", shape.pattern);
            self.fail(shape, Some(v), &why);
        }
    }

    fn bounds(&mut self, shape: &Shape, v: &Value, n: f64, m: Measure) {
        let what = match m {
            Measure::Length => "length",
            Measure::Value => "value",
        };
        if let Some(max) = shape.max.filter(|max| n > *max) {
            self.fail(
                shape,
                Some(v),
                &format!("Member must have {what} less than or equal to {max}"),
            );
        }
        if let Some(min) = shape.min.filter(|min| n < *min) {
            self.fail(
                shape,
                Some(v),
                &format!("Member must have {what} greater than or equal to {min}"),
            );
        }
    }

    /// What S3's schema requires inside a document: a missing element is a malformed document.
    fn documents(&mut self, shape: &Shape, input: &Value) -> Result<()> {
        for m in &shape.members {
            let body = m.location == Location::Body;
            let streamed = Some(m.name) == shape.payload && self.call.streams_input();
            let of = self.call.service.shape(m.shape);
            let structured = matches!(of.kind, Kind::Structure | Kind::List(..));
            match input.get(m.name) {
                Some(v) if body && structured && !complete(self.call, of, v) => {
                    return Err(crate::malformed(
                        Protocol::RestXml,
                        format!("{} lacks an element", m.name),
                    ));
                }
                None if m.required && body && !streamed => {
                    let body = Some(m.name) == shape.payload;
                    return Err(if body {
                        ApiError::new("MissingRequestBodyError", "Request Body is empty")
                            .status(400)
                    } else {
                        crate::malformed(Protocol::RestXml, format!("{} is missing", m.name))
                    });
                }
                None if m.required && m.location == Location::Uri => {
                    return Err(
                        ApiError::new("InvalidRequest", format!("Missing {}", m.name)).status(400)
                    );
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether [`Validation::check`] would find nothing.
fn fits(call: &Call, shape: &Shape, v: &Value) -> bool {
    let within =
        |n: f64| shape.max.is_none_or(|max| n <= max) && shape.min.is_none_or(|min| n >= min);
    match (shape.kind, v) {
        (Kind::Structure, Value::Map(entries)) => {
            let streamed = |name| Some(name) == shape.payload && call.streams_input();
            let there = |name: &str| v.get(name).is_some();
            shape
                .members
                .iter()
                .all(|m| !m.required || m.idempotency_token || there(m.name) || streamed(m.name))
                && entries.iter().all(|(k, v)| {
                    shape.member(k).is_none_or(|m| fits(call, call.service.shape(m.shape), v))
                })
        }
        (Kind::List(item, _), Value::List(items)) => {
            let of = call.service.shape(item);
            within(items.len() as f64) && items.iter().all(|i| fits(call, of, i))
        }
        (Kind::Map { key, value, .. }, Value::Map(entries)) => {
            let (k_shape, v_shape) = (call.service.shape(key), call.service.shape(value));
            within(entries.len() as f64)
                && entries.iter().all(|(k, v)| text_fits(k_shape, k) && fits(call, v_shape, v))
        }
        (Kind::String, Value::Str(s)) => text_fits(shape, s),
        (Kind::Blob, Value::Blob(b)) => within(b.len() as f64),
        (Kind::Integer | Kind::Long, Value::Int(n)) => within(*n as f64),
        (Kind::Float | Kind::Double, Value::Float(n)) => within(*n),
        _ => true,
    }
}

fn text_fits(shape: &Shape, s: &str) -> bool {
    if shape.kind != Kind::String {
        return true;
    }
    if !shape.values.is_empty() {
        return shape.enumeration().any(|e| e == s);
    }
    let bounded = shape.max.is_some() || shape.min.is_some();
    let n = if bounded { length(s) } else { 0.0 };
    shape.max.is_none_or(|max| n <= max)
        && shape.min.is_none_or(|min| n >= min)
        && (shape.pattern.is_empty() || s.len() > MAX_MATCHED || matches(shape.pattern, s))
}

/// AWS counts UTF-16 units, as Java does; for nearly all names that is the same.
fn length(s: &str) -> f64 {
    if s.is_ascii() { s.len() as f64 } else { s.encode_utf16().count() as f64 }
}

#[derive(Clone, Copy)]
enum Measure {
    Length,
    Value,
}

fn complete(call: &Call, shape: &Shape, v: &Value) -> bool {
    match (shape.kind, v) {
        (Kind::Structure, Value::Map(entries)) => {
            shape.members.iter().all(|m| !m.required || v.get(m.name).is_some())
                && entries.iter().all(|(k, v)| {
                    shape.member(k).is_none_or(|m| complete(call, call.service.shape(m.shape), v))
                })
        }
        (Kind::List(item, _), Value::List(items)) => {
            items.iter().all(|i| complete(call, call.service.shape(item), i))
        }
        _ => true,
    }
}

/// `RoleName` -> `roleName`: how the messages name members.
fn lower(name: &str) -> String {
    let mut c = name.chars();
    c.next().map(|f| f.to_lowercase().chain(c).collect()).unwrap_or_default()
}

/// A value as AWS prints it in messages; long ones are cut.
fn shown(out: &mut String, v: &Value) {
    let start = out.len();
    match v {
        Value::Str(s) => out.push_str(s),
        Value::Int(n) => {
            let _ = write!(out, "{n}");
        }
        Value::Float(n) => {
            let _ = write!(out, "{n}");
        }
        Value::Bool(b) => {
            let _ = write!(out, "{b}");
        }
        Value::Blob(_) => out.push_str("java.nio.HeapByteBuffer"),
        Value::List(items) => {
            out.push('[');
            for (i, v) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                shown(out, v);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (i, (k, v)) in entries.iter().enumerate() {
                let _ = write!(out, "{}{k}=", if i > 0 { ", " } else { "" });
                shown(out, v);
            }
            out.push('}');
        }
        Value::Time(t) => {
            let _ = write!(out, "{t}");
        }
        Value::Null => out.push_str("null"),
    }
    if out.len() - start > 1024 {
        let mut cut = start + 1024;
        while !out.is_char_boundary(cut) {
            cut -= 1;
        }
        out.truncate(cut);
    }
}
