//! The service models for callers that write JSON as SDKs have it: names with a capital, text for
//! times and bytes.

use std::borrow::Cow;

use bytes::Bytes;
use fogbank_core::{ApiError, Result, Shapes, Value};
use fogbank_model::{Kind, Member, Operation, Service, Shape};
use jiff::Timestamp;

mod loose;

/// The models.
pub struct Models;

/// The deepest nesting that is followed: some shapes contain themselves.
const DEEPEST: usize = 64;

impl Shapes for Models {
    fn operation(&self, service: &str, action: &str) -> Option<&'static str> {
        let service = fogbank_model::service(service)?;
        let found = service.operations.iter().find(|o| o.name.eq_ignore_ascii_case(action))?;
        Some(found.name)
    }

    fn input(
        &self,
        service: &str,
        operation: &str,
        given: Value,
    ) -> Result<(Value, Option<Bytes>)> {
        let Some((service, op)) = find(service, operation) else { return Ok((given, None)) };
        let Some(shape) = op.input.map(|i| service.shape(i)) else {
            return Ok((Value::Map(Vec::new()), None));
        };
        let mut value = typed(service, shape, given, "", DEEPEST)?;
        let payload = streamed(service, shape).and_then(|name| take(&mut value, name));
        Ok((value, payload))
    }

    fn fit(&self, service: &str, operation: &str, given: Value) -> Result<Value> {
        let Some((service, op)) = find(service, operation) else { return Ok(given) };
        match op.input {
            Some(i) => loose::fit(service, service.shape(i), given, "", DEEPEST),
            None => Ok(Value::Map(Vec::new())),
        }
    }

    fn output(
        &self,
        service: &str,
        operation: &str,
        value: Value,
        payload: Option<Bytes>,
    ) -> Value {
        let Some((service, op)) = find(service, operation) else { return plain(value) };
        let Some(shape) = op.output.map(|o| service.shape(o)) else {
            return Value::Map(Vec::new());
        };
        let mut out = capital(service, shape, value, DEEPEST);
        if let (Some(bytes), Some(name)) = (payload, shape.payload)
            && let Value::Map(m) = &mut out
        {
            m.push((upper(name).into(), text(&bytes)));
        }
        out
    }

    fn error(&self, service: &str, operation: &str, code: &str) -> Option<&'static str> {
        let (service, op) = find(service, operation)?;
        let named = |s: &&Shape| {
            s.name == code || s.error.as_ref().is_some_and(|e| !e.code.is_empty() && e.code == code)
        };
        op.errors.iter().map(|id| service.shape(*id)).find(named).map(|s| s.name)
    }

    fn flaw(&self, service: &str, operation: &str, output: &Value, whole: bool) -> Option<String> {
        let (service, op) = find(service, operation)?;
        let shape = service.shape(op.output?);
        flaw(service, shape, output, "", whole, DEEPEST)
    }
}

fn find(service: &str, operation: &str) -> Option<(&'static Service, &'static Operation)> {
    let service = fogbank_model::service(service)?;
    Some((service, service.operation(operation)?))
}

/// A member by its name with or without a capital.
fn member<'s>(shape: &'s Shape, name: &str) -> Option<&'s Member> {
    shape.member(name).or_else(|| shape.members.iter().find(|m| m.name.eq_ignore_ascii_case(name)))
}

fn streamed(service: &Service, shape: &Shape) -> Option<&'static str> {
    let m = shape.member(shape.payload?)?;
    (m.streaming || service.shape(m.shape).streaming).then_some(m.name)
}

fn take(value: &mut Value, name: &str) -> Option<Bytes> {
    let Value::Map(m) = value else { return None };
    let at = m.iter().position(|(k, _)| k == name)?;
    match m.remove(at).1 {
        Value::Blob(b) => Some(b),
        Value::Str(s) => Some(Bytes::from(s.into_owned())),
        _ => None,
    }
}

fn typed(service: &Service, shape: &Shape, v: Value, at: &str, depth: usize) -> Result<Value> {
    let wrong = |what: &str| {
        ApiError::new("States.Runtime", format!("The value for the field '{at}' must be {what}"))
    };
    let Some(depth) = depth.checked_sub(1) else { return Err(wrong("nested less deeply")) };
    Ok(match (shape.kind, v) {
        (_, Value::Null) => Value::Null,
        (_, v) if shape.document => v,
        (Kind::Structure, Value::Map(given)) => {
            let mut out = Vec::with_capacity(given.len());
            for (name, v) in given {
                let Some(m) = member(shape, &name) else {
                    let message =
                        format!("The field \"{name}\" is not supported by Step Functions");
                    return Err(ApiError::new("States.Runtime", message));
                };
                let v = typed(service, service.shape(m.shape), v, &name, depth)?;
                out.push((Cow::Borrowed(m.name), v));
            }
            Value::Map(out)
        }
        (Kind::Structure, _) => return Err(wrong("an OBJECT")),
        (Kind::List(item, _), Value::List(items)) => {
            let item = service.shape(item);
            let all = items.into_iter().map(|v| typed(service, item, v, at, depth));
            Value::List(all.collect::<Result<_>>()?)
        }
        (Kind::List(..), _) => return Err(wrong("an ARRAY")),
        (Kind::Map { value, .. }, Value::Map(entries)) => {
            let of = service.shape(value);
            let all = entries.into_iter().map(|(k, v)| {
                let v = typed(service, of, v, &k, depth)?;
                Ok((k, v))
            });
            Value::Map(all.collect::<Result<_>>()?)
        }
        (Kind::Map { .. }, _) => return Err(wrong("an OBJECT")),
        (Kind::String, Value::Str(s)) => Value::Str(s),
        (Kind::String, _) => return Err(wrong("a STRING")),
        (Kind::Blob, Value::Str(s)) => Value::Blob(Bytes::from(s.into_owned())),
        (Kind::Blob, Value::Blob(b)) => Value::Blob(b),
        (Kind::Blob, _) => return Err(wrong("a STRING")),
        (Kind::Boolean, Value::Bool(b)) => Value::Bool(b),
        (Kind::Boolean, _) => return Err(wrong("a BOOLEAN")),
        (Kind::Integer | Kind::Long, Value::Int(n)) => Value::Int(n),
        (Kind::Integer | Kind::Long, Value::Float(f)) if f.fract() == 0.0 && f.abs() < 9e15 => {
            Value::Int(f as i64)
        }
        (Kind::Float | Kind::Double, Value::Float(f)) => Value::Float(f),
        (Kind::Float | Kind::Double, Value::Int(n)) => Value::Float(n as f64),
        (Kind::Integer | Kind::Long | Kind::Float | Kind::Double, _) => {
            return Err(wrong("a NUMBER"));
        }
        (Kind::Timestamp(_), Value::Str(s)) => {
            Value::Time(s.parse::<Timestamp>().map_err(|_| wrong("a valid TIMESTAMP"))?)
        }
        (Kind::Timestamp(_), Value::Int(n)) => {
            Value::Time(Timestamp::from_second(n).map_err(|_| wrong("a valid TIMESTAMP"))?)
        }
        (Kind::Timestamp(_), Value::Time(t)) => Value::Time(t),
        (Kind::Timestamp(_), _) => return Err(wrong("a valid TIMESTAMP")),
    })
}

fn capital(service: &Service, shape: &Shape, v: Value, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return plain(v) };
    match (shape.kind, v) {
        (Kind::Structure, Value::Map(m)) => {
            let all = m.into_iter().filter(|(_, v)| *v != Value::Null).map(|(k, v)| {
                let of = shape.member(&k).map(|m| service.shape(m.shape));
                let v = match of {
                    Some(s) => capital(service, s, v, depth),
                    None => plain(v),
                };
                (upper(&k).into(), v)
            });
            Value::Map(all.collect())
        }
        (Kind::List(item, _), Value::List(items)) => {
            let item = service.shape(item);
            Value::List(items.into_iter().map(|v| capital(service, item, v, depth)).collect())
        }
        (Kind::Map { value, .. }, Value::Map(m)) => {
            let of = service.shape(value);
            Value::Map(m.into_iter().map(|(k, v)| (k, capital(service, of, v, depth))).collect())
        }
        (_, v) => plain(v),
    }
}

/// Times and bytes as text, anywhere within.
fn plain(v: Value) -> Value {
    match v {
        Value::Time(t) => Value::from(t.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()),
        Value::Blob(b) => text(&b),
        Value::List(items) => Value::List(items.into_iter().map(plain).collect()),
        Value::Map(m) => Value::Map(m.into_iter().map(|(k, v)| (k, plain(v))).collect()),
        other => other,
    }
}

fn text(b: &[u8]) -> Value {
    Value::from(String::from_utf8_lossy(b).into_owned())
}

fn upper(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |c| c.to_ascii_uppercase().to_string() + chars.as_str())
}

fn flaw(
    service: &Service,
    shape: &Shape,
    v: &Value,
    at: &str,
    whole: bool,
    depth: usize,
) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let must = |what: &str| Some(format!("Field '{at}' must be {what}"));
    match (shape.kind, v) {
        (_, Value::Null) => None,
        (Kind::Structure, Value::Map(given)) => {
            for (name, v) in given {
                if let Some(m) = member(shape, name) {
                    let found = flaw(service, service.shape(m.shape), v, name, whole, depth);
                    if found.is_some() {
                        return found;
                    }
                }
            }
            let missing = |m: &&Member| !given.iter().any(|(k, _)| k.eq_ignore_ascii_case(m.name));
            let first = shape.members.iter().filter(|m| m.required).find(missing);
            let first = first.filter(|_| whole)?;
            Some(format!("Required field '{}' is missing", upper(first.name)))
        }
        (Kind::Structure | Kind::Map { .. }, v) if !matches!(v, Value::Map(_)) => must("an object"),
        (Kind::List(item, _), Value::List(items)) => {
            let item = service.shape(item);
            items.iter().find_map(|v| flaw(service, item, v, at, whole, depth))
        }
        (Kind::List(..), _) => must("an array"),
        (Kind::Map { value, .. }, Value::Map(m)) => {
            let of = service.shape(value);
            m.iter().find_map(|(k, v)| flaw(service, of, v, k, whole, depth))
        }
        (Kind::String, Value::Str(s)) => {
            let fits = shape.values.is_empty() || shape.enumeration().any(|e| e == s);
            (!fits).then(|| format!("Field '{at}' is not an expected value"))
        }
        // A payload may be JSON as it is.
        (Kind::Blob, _) => None,
        (Kind::Timestamp(_), Value::Str(_)) => None,
        (Kind::String | Kind::Timestamp(_), _) => must("a string"),
        (Kind::Boolean, Value::Bool(_)) => None,
        (Kind::Boolean, _) => must("a boolean"),
        (Kind::Integer | Kind::Long, Value::Int(_)) => None,
        (Kind::Float | Kind::Double, Value::Int(_) | Value::Float(_)) => None,
        (Kind::Integer | Kind::Long | Kind::Float | Kind::Double, _) => must("a number"),
        (Kind::Structure | Kind::Map { .. }, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use fogbank_core::map;

    use super::*;

    #[test]
    fn json_of_sdks_becomes_inputs_and_back() {
        assert_eq!(Models.operation("stepfunctions", "startExecution"), Some("StartExecution"));
        assert_eq!(Models.operation("stepfunctions", "nope"), None);
        let (v, body) = Models
            .input(
                "stepfunctions",
                "StartExecution",
                map! {"StateMachineArn" => "a", "Input" => "{}"},
            )
            .unwrap();
        assert_eq!((v, body), (map! {"stateMachineArn" => "a", "input" => "{}"}, None));
        let put = map! {"Bucket" => "b", "Key" => "k", "Body" => "text"};
        let (v, body) = Models.input("s3", "PutObject", put).unwrap();
        assert_eq!(v, map! {"Bucket" => "b", "Key" => "k"});
        assert_eq!(body.unwrap(), "text");
        let bad = Models.input("sqs", "SendMessage", map! {"Nope" => 1}).unwrap_err();
        assert_eq!(bad.message(), "The field \"Nope\" is not supported by Step Functions");
        let out = map! {"executionArn" => "x", "startDate" => Value::Time(Timestamp::UNIX_EPOCH)};
        assert_eq!(
            Models.output("stepfunctions", "StartExecution", out, None),
            map! {"ExecutionArn" => "x", "StartDate" => "1970-01-01T00:00:00.000Z"}
        );
        assert_eq!(
            Models.error("stepfunctions", "StartExecution", "InvalidArn"),
            Some("InvalidArn")
        );
    }

    #[test]
    fn flaws_are_named() {
        let flaw = |v: Value, whole| Models.flaw("stepfunctions", "StartExecution", &v, whole);
        let missing = "Required field 'ExecutionArn' is missing";
        assert_eq!(flaw(map! {}, true).as_deref(), Some(missing));
        assert_eq!(flaw(map! {}, false), None);
        let number = map! {"StartDate" => 1};
        assert_eq!(flaw(number, false).as_deref(), Some("Field 'StartDate' must be a string"));
    }
}
