//! Reading patterns, with AWS's sentences about those that are none.

use serde_json::{Map, Value};

use crate::condition::{Bound, Condition};
use crate::glob::Glob;
use crate::network::Network;
use crate::pattern::{Fields, Node};
use crate::{Dialect, Error, MAX_DEPTH};

type Result<T> = std::result::Result<T, Error>;

fn bad<T>(text: impl Into<String>) -> Result<T> {
    Err(Error(text.into()))
}

pub fn pattern(json: &Value, dialect: Dialect) -> Result<Fields> {
    match json.as_object() {
        Some(map) if map.is_empty() && dialect == Dialect::EventBridge => {
            bad("Empty objects are not allowed")
        }
        Some(map) => fields(map, dialect, 0),
        None if dialect == Dialect::Sns => bad("Filter policy must be a JSON object"),
        None => bad("Filter is not an object"),
    }
}

fn fields(map: &Map<String, Value>, dialect: Dialect, depth: usize) -> Result<Fields> {
    if depth > MAX_DEPTH {
        return bad("The pattern is nested too deeply");
    }
    let mut out = Fields::default();
    for (name, value) in map {
        match value {
            // Only a list of objects is an alternative: there may be a field of this name.
            Value::Array(items) if name == "$or" && is_alternative(items) => {
                let all = items.iter().filter_map(Value::as_object);
                out.any.push(all.map(|m| fields(m, dialect, depth + 1)).collect::<Result<_>>()?);
            }
            Value::Array(items) if items.is_empty() => return bad("Empty arrays are not allowed"),
            Value::Array(items) => {
                let all = items.iter().map(|i| condition(i, dialect)).collect::<Result<_>>()?;
                out.named.push((name.clone(), Node::Leaf(all)));
            }
            Value::Object(m) if m.is_empty() => return bad("Empty objects are not allowed"),
            Value::Object(m) => {
                out.named.push((name.clone(), Node::Fields(fields(m, dialect, depth + 1)?)));
            }
            _ => return bad(format!("\"{name}\" must be an object or an array")),
        }
    }
    Ok(out)
}

fn is_alternative(items: &[Value]) -> bool {
    let operator = |m: &Map<String, Value>| m.len() == 1 && m.keys().any(|k| is_operator(k));
    items.len() >= 2
        && items.iter().all(|i| i.as_object().is_some_and(|m| !operator(m) && !m.is_empty()))
}

fn is_operator(name: &str) -> bool {
    const ALL: [&str; 8] = [
        "prefix",
        "suffix",
        "equals-ignore-case",
        "wildcard",
        "anything-but",
        "numeric",
        "cidr",
        "exists",
    ];
    ALL.contains(&name)
}

fn condition(v: &Value, dialect: Dialect) -> Result<Condition> {
    match v {
        Value::Array(_) => bad("Match value must be String, number, true, false, or null"),
        Value::Object(m) => match (m.len(), m.iter().next()) {
            (1, Some((name, v))) => operator(name, v, dialect),
            (0, _) | (_, None) => bad("Empty objects are not allowed"),
            _ => bad("Only one key allowed in match expression"),
        },
        scalar => Ok(Condition::Is(scalar.clone())),
    }
}

fn operator(name: &str, v: &Value, dialect: Dialect) -> Result<Condition> {
    match name {
        "prefix" | "suffix" => affix(name, v),
        "equals-ignore-case" => Ok(Condition::IsIgnoringCase(text(name, v)?.to_lowercase())),
        "wildcard" if dialect == Dialect::EventBridge => wildcard(v),
        "anything-but" => anything_but(v, dialect),
        "numeric" => numeric(v, dialect),
        "exists" => match v {
            Value::Bool(b) => Ok(Condition::Exists(*b)),
            _ => bad("exists match pattern must be either true or false."),
        },
        "cidr" => match Network::parse(text(name, v)?) {
            Some(n) => Ok(Condition::Cidr(n)),
            None => bad(format!("Malformed CIDR, one '/' required: {v}")),
        },
        _ => bad(format!("Unrecognized match type {name}")),
    }
}

fn text<'a>(name: &str, v: &'a Value) -> Result<&'a str> {
    v.as_str().ok_or_else(|| Error(format!("{name} match pattern must be a string")))
}

/// A text, or `{"equals-ignore-case": text}`.
fn affix(name: &str, v: &Value) -> Result<Condition> {
    let (v, ignoring) = match v.as_object() {
        Some(m) if m.len() == 1 && m.contains_key("equals-ignore-case") => {
            (&m["equals-ignore-case"], true)
        }
        Some(_) => return bad(format!("Unsupported anything-but pattern: {v}")),
        None => (v, false),
    };
    let t = text(name, v)?;
    if t.is_empty() {
        return bad("Null prefix/suffix not allowed");
    }
    let (t, lower) = (t.to_owned(), t.to_lowercase());
    Ok(match (name, ignoring) {
        ("prefix", false) => Condition::Prefix(t),
        ("prefix", true) => Condition::PrefixIgnoringCase(lower),
        (_, false) => Condition::Suffix(t),
        (_, true) => Condition::SuffixIgnoringCase(lower),
    })
}

fn wildcard(v: &Value) -> Result<Condition> {
    match Glob::parse(text("wildcard", v)?) {
        Some(glob) => Ok(Condition::Wildcard(glob)),
        None => bad("Consecutive wildcard characters or an invalid escape character in wildcard"),
    }
}

fn anything_but(v: &Value, dialect: Dialect) -> Result<Condition> {
    let none = match v {
        Value::Object(m) => match (m.len(), m.iter().next()) {
            (1, Some((name, v))) => {
                let one = |v: &Value| match name.as_str() {
                    "prefix" | "suffix" => affix(name, v),
                    "equals-ignore-case" => operator(name, v, dialect),
                    "wildcard" if dialect == Dialect::EventBridge => wildcard(v),
                    _ => bad(format!("Unsupported anything-but pattern: {name}")),
                };
                each(v, one)?
            }
            _ => return bad("Only one key allowed in match expression"),
        },
        v => each(v, |v| match v {
            Value::String(_) | Value::Number(_) => Ok(Condition::Is(v.clone())),
            _ => bad("Inside anything but list, start|null|boolean is not supported."),
        })?,
    };
    let numbers = none.iter().filter(|c| matches!(c, Condition::Is(Value::Number(_)))).count();
    if numbers > 0 && numbers < none.len() {
        return bad(
            "Inside anything but list, either all values are number or string, mixed type is not supported",
        );
    }
    Ok(Condition::AnythingBut(none))
}

/// One or a list, which must hold something.
fn each(v: &Value, one: impl Fn(&Value) -> Result<Condition>) -> Result<Vec<Condition>> {
    match v {
        Value::Array(all) if all.is_empty() => bad("Empty arrays are not allowed"),
        Value::Array(all) => all.iter().map(one).collect(),
        v => Ok(vec![one(v)?]),
    }
}

fn numeric(v: &Value, dialect: Dialect) -> Result<Condition> {
    let most = if dialect == Dialect::Sns { 1e9 } else { 5e9 };
    let Some(items) = v.as_array() else { return bad("Value of numeric must be an array.") };
    if items.is_empty() {
        return bad("Invalid member in numeric match: ]");
    }
    let mut bounds = Vec::new();
    for pair in items.chunks(2) {
        let Some(op) = pair[0].as_str() else {
            return bad(format!("Invalid member in numeric match: {}", pair[0]));
        };
        let Some(n) = pair.get(1).and_then(Value::as_f64) else {
            return bad(format!("Value of {op} must be numeric"));
        };
        if n.abs() > most {
            return bad(format!("Value must be between -{most} and {most}, inclusive"));
        }
        bounds.push(match op {
            "=" => Bound::Equal(n),
            "<" => Bound::Less(n),
            "<=" => Bound::LessOrEqual(n),
            ">" => Bound::Greater(n),
            ">=" => Bound::GreaterOrEqual(n),
            _ => return bad(format!("Unrecognized numeric range operator: {op}")),
        });
    }
    match bounds[..] {
        [_] => {}
        [
            Bound::Greater(low) | Bound::GreaterOrEqual(low),
            Bound::Less(high) | Bound::LessOrEqual(high),
        ] => {
            if low >= high {
                return bad("Bottom must be less than top");
            }
        }
        _ => return bad("Too many elements in numeric expression"),
    }
    Ok(Condition::Numeric(bounds))
}
