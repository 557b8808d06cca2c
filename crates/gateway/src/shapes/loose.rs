//! Input from properties as templates have them: `"30"` for 30, `true` for `"true"`, an object for
//! the text of a document.

use std::borrow::Cow;
use std::fmt::Write;

use fogbank_core::{ApiError, Result, Value};
use fogbank_model::{Kind, Service, Shape};

use super::member;

/// Fits a value to a shape.
pub fn fit(service: &Service, shape: &Shape, v: Value, at: &str, depth: usize) -> Result<Value> {
    let wrong = |what: &str| {
        let message = format!("#/{at}: expected type: {what}");
        ApiError::new("ValidationException", message).status(400)
    };
    let Some(depth) = depth.checked_sub(1) else { return Err(wrong("a flatter value")) };
    if shape.document {
        return Ok(v);
    }
    Ok(match (shape.kind, v) {
        (_, Value::Null) => Value::Null,
        (Kind::Structure, Value::Map(given)) => {
            let mut out = Vec::with_capacity(given.len());
            for (name, v) in given.into_iter().filter(|(_, v)| *v != Value::Null) {
                let path = if at.is_empty() { name.to_string() } else { format!("{at}/{name}") };
                let Some(m) = member(shape, &name) else {
                    let message = format!("#/{at}: extraneous key [{name}] is not permitted");
                    return Err(ApiError::new("ValidationException", message).status(400));
                };
                let v = fit(service, service.shape(m.shape), v, &path, depth)?;
                out.push((Cow::Borrowed(m.name), v));
            }
            Value::Map(out)
        }
        (Kind::Structure, _) => return Err(wrong("JSONObject")),
        (Kind::List(item, _), v) => {
            let item = service.shape(item);
            let items = match v {
                Value::List(items) => items,
                one => vec![one],
            };
            let items = items.into_iter().filter(|v| *v != Value::Null);
            let all =
                items.enumerate().map(|(n, v)| fit(service, item, v, &format!("{at}/{n}"), depth));
            Value::List(all.collect::<Result<_>>()?)
        }
        (Kind::Map { value, .. }, Value::Map(entries)) => {
            let of = service.shape(value);
            let entries = entries.into_iter().filter(|(_, v)| *v != Value::Null);
            let all = entries.map(|(k, v)| {
                let v = fit(service, of, v, &format!("{at}/{k}"), depth)?;
                Ok((k, v))
            });
            Value::Map(all.collect::<Result<_>>()?)
        }
        (Kind::Map { .. }, _) => return Err(wrong("JSONObject")),
        (Kind::String, Value::Str(s)) => Value::Str(s),
        (Kind::String, Value::Int(n)) => n.to_string().into(),
        (Kind::String, Value::Float(n)) => n.to_string().into(),
        (Kind::String, Value::Bool(b)) => b.to_string().into(),
        (Kind::String, v) => {
            let mut text = String::new();
            json(&mut text, &v);
            text.into()
        }
        (Kind::Integer | Kind::Long, Value::Int(n)) => Value::Int(n),
        (Kind::Integer | Kind::Long, Value::Float(n)) if n.fract() == 0.0 => Value::Int(n as i64),
        (Kind::Integer | Kind::Long, Value::Str(s)) => {
            Value::Int(s.trim().parse().map_err(|_| wrong("Integer"))?)
        }
        (Kind::Integer | Kind::Long, _) => return Err(wrong("Integer")),
        (Kind::Float | Kind::Double, Value::Float(n)) => Value::Float(n),
        (Kind::Float | Kind::Double, Value::Int(n)) => Value::Float(n as f64),
        (Kind::Float | Kind::Double, Value::Str(s)) => {
            Value::Float(s.trim().parse().map_err(|_| wrong("Number"))?)
        }
        (Kind::Float | Kind::Double, _) => return Err(wrong("Number")),
        (Kind::Boolean, Value::Bool(b)) => Value::Bool(b),
        (Kind::Boolean, Value::Str(s)) => match s.as_ref() {
            "true" | "True" => Value::Bool(true),
            "false" | "False" => Value::Bool(false),
            _ => return Err(wrong("Boolean")),
        },
        (Kind::Boolean, _) => return Err(wrong("Boolean")),
        (Kind::Blob, Value::Str(s)) => Value::Blob(s.into_owned().into()),
        (Kind::Blob, Value::Blob(b)) => Value::Blob(b),
        (Kind::Blob, _) => return Err(wrong("String")),
        (Kind::Timestamp(_), Value::Str(s)) => {
            Value::Time(s.parse().map_err(|_| wrong("Timestamp"))?)
        }
        (Kind::Timestamp(_), v @ Value::Time(_)) => v,
        (Kind::Timestamp(_), _) => return Err(wrong("Timestamp")),
    })
}

/// The JSON text of a document.
fn json(out: &mut String, v: &Value) {
    let _ = match v {
        Value::Null => write!(out, "null"),
        Value::Bool(b) => write!(out, "{b}"),
        Value::Int(n) => write!(out, "{n}"),
        Value::Float(n) => write!(out, "{n}"),
        Value::Time(t) => write!(out, "\"{t}\""),
        Value::Blob(b) => write!(out, "{}", serde_json::json!(String::from_utf8_lossy(b))),
        Value::Str(s) => write!(out, "{}", serde_json::json!(s)),
        Value::List(items) => {
            out.push('[');
            for (i, v) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                json(out, v);
            }
            write!(out, "]")
        }
        Value::Map(m) => {
            out.push('{');
            for (i, (k, v)) in m.iter().enumerate() {
                let _ = write!(out, "{}{}:", if i > 0 { "," } else { "" }, serde_json::json!(k));
                json(out, v);
            }
            write!(out, "}}")
        }
    };
}

#[cfg(test)]
mod tests {
    use fogbank_core::{Shapes, map};

    use super::super::Models;

    #[test]
    fn texts_and_numbers_are_taken_for_what_they_mean() {
        let given = map! {
            "LogGroupName" => "g", "RetentionInDays" => "7",
        };
        let got = Models.fit("logs", "PutRetentionPolicy", given).unwrap();
        assert_eq!(got, map! {"logGroupName" => "g", "retentionInDays" => 7});
        let given = map! {"QueueName" => "q", "Attributes" => map! {"DelaySeconds" => 5, "Policy" => map! {"a" => 1}}};
        let got = Models.fit("sqs", "CreateQueue", given).unwrap();
        let attributes = got.get("Attributes").unwrap();
        assert_eq!(attributes.str("DelaySeconds"), Some("5"));
        assert_eq!(attributes.str("Policy"), Some("{\"a\":1}"));
        let wrong = map! {"QueueName" => "q", "Nope" => 1};
        assert!(Models.fit("sqs", "CreateQueue", wrong).unwrap_err().message().contains("Nope"));
    }
}
