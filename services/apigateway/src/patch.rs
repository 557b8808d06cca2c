//! Patch operations: what the `Update…` operations take, laid over a document.
//!
//! Every document has rules: which paths there are and what stands at them. A path that no rule has
//! is refused as AWS refuses it.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html>

use fogbank_core::Result;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::bad_request;

/// A patch operation.
#[derive(Clone, Debug, Deserialize)]
pub struct Operation {
    #[serde(default)]
    pub op: Option<String>,
    #[serde(default)]
    pub path: Option<String>,
    #[serde(default)]
    pub value: Option<String>,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Bool,
    Int,
    Float,
    /// A list of texts; the path ends with the text, or with nothing and the value is the text.
    Item,
    /// An entry of a map of texts.
    Entry,
    /// An entry of a map of booleans.
    Flag,
}

/// A path, with `*` for any segment, and what stands there.
pub type Rule = (&'static str, Kind);

/// The segments of a path, unescaped.
pub fn segments(path: &str) -> Vec<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').map(|s| s.replace("~1", "/").replace("~0", "~")).collect()
}

/// `document` with the operations done to it.
pub fn apply<T>(document: &T, operations: &[Operation], rules: &[Rule]) -> Result<T>
where
    T: Serialize + DeserializeOwned,
{
    let fault = |e: serde_json::Error| fogbank_core::ApiError::internal(e.to_string());
    let mut value = serde_json::to_value(document).map_err(fault)?;
    for operation in operations {
        one(&mut value, operation, rules)?;
    }
    serde_json::from_value(value).map_err(|e| bad_request(format!("Invalid patch value: {e}")))
}

fn one(document: &mut Value, operation: &Operation, rules: &[Rule]) -> Result<()> {
    let op = operation.op.as_deref().unwrap_or("replace");
    let path = operation.path.as_deref().unwrap_or_default();
    let parts = segments(path);
    let fits = |rule: &&Rule| {
        let pattern: Vec<&str> = rule.0.trim_start_matches('/').split('/').collect();
        let same = pattern.len() == parts.len()
            && pattern.iter().zip(&parts).all(|(p, s)| *p == "*" || p == s);
        // The whole of a list or map, or a list whose item is in the value.
        let whole = pattern.len() == parts.len() + 1
            && matches!(rule.1, Kind::Item | Kind::Entry | Kind::Flag)
            && pattern.iter().zip(&parts).all(|(p, s)| *p == "*" || p == s);
        same || whole
    };
    let Some((pattern, kind)) = rules.iter().find(fits) else {
        let known: Vec<&str> = rules.iter().map(|(p, _)| *p).collect();
        return Err(bad_request(format!(
            "Invalid patch path  '{path}' specified for op '{op}'. Must be one of: [{}]",
            known.join(", ")
        )));
    };
    if !matches!(op, "add" | "remove" | "replace") {
        return Err(bad_request(format!(
            "Invalid patch operation specified. Must be 'add'|'remove'|'replace', was '{op}' for \
             path '{path}'"
        )));
    }
    let length = pattern.trim_start_matches('/').split('/').count();
    let value = operation.value.as_deref().unwrap_or_default();
    if *kind == Kind::Item {
        let (list, text) = match parts.split_last() {
            Some((last, list)) if parts.len() == length => (list, last.as_str()),
            _ => (&parts[..], value),
        };
        return item(slot(document, list)?, op, text, value);
    }
    if parts.len() < length {
        // The whole of a map can only be emptied.
        if op != "remove" && !value.is_empty() {
            return Err(bad_request(format!("Invalid patch path: {path}")));
        }
        *slot(document, &parts)? = Value::Object(Map::new());
        return Ok(());
    }
    let Some((last, before)) = parts.split_last() else {
        return Err(bad_request("Invalid patch path"));
    };
    let holder = slot(document, before)?;
    if holder.is_null() {
        *holder = Value::Object(Map::new());
    }
    let Value::Object(holder) = holder else { return Err(bad_request("Invalid patch path")) };
    if op == "remove" {
        holder.remove(last);
        return Ok(());
    }
    let invalid = || bad_request(format!("Invalid value '{value}' for path '{path}'"));
    let new = match kind {
        Kind::Bool | Kind::Flag => match value {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return Err(invalid()),
        },
        Kind::Int => Value::from(value.parse::<i64>().map_err(|_| invalid())?),
        Kind::Float => Value::from(value.parse::<f64>().map_err(|_| invalid())?),
        _ => Value::from(value),
    };
    holder.insert(last.clone(), new);
    Ok(())
}

/// What stands at a path, made `null` where nothing does.
fn slot<'d>(document: &'d mut Value, path: &[String]) -> Result<&'d mut Value> {
    let mut at = document;
    for part in path {
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(map) = at else { return Err(bad_request("Invalid patch path")) };
        at = map.entry(part.clone()).or_insert(Value::Null);
    }
    Ok(at)
}

/// An operation on a list of texts.
fn item(at: &mut Value, op: &str, text: &str, value: &str) -> Result<()> {
    if at.is_null() {
        *at = Value::Array(Vec::new());
    }
    let Value::Array(list) = at else { return Err(bad_request("Invalid patch path")) };
    match op {
        "remove" if text.is_empty() => list.clear(),
        "remove" => list.retain(|v| v.as_str() != Some(text)),
        // An item becomes another, or the list becomes the value.
        "replace" if text != value => {
            for v in list.iter_mut().filter(|v| v.as_str() == Some(text)) {
                *v = value.into();
            }
        }
        "replace" => {
            let all = text.split(',').map(str::trim).filter(|t| !t.is_empty());
            *list = all.map(Value::from).collect();
        }
        _ if list.iter().any(|v| v.as_str() == Some(text)) => {}
        _ => list.push(text.into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RULES: &[Rule] = &[
        ("/name", Kind::Text),
        ("/on", Kind::Bool),
        ("/size", Kind::Int),
        ("/types/*", Kind::Item),
        ("/endpoint/types/*", Kind::Item),
        ("/map/*", Kind::Entry),
        ("/flags/*", Kind::Flag),
        ("/deep/rate", Kind::Float),
    ];

    #[test]
    fn operations() {
        let start = json!({"name": "a", "types": ["x"], "map": {"k": "v"}, "size": 1});
        let run = |op: &str, path: &str, value: Option<&str>| {
            let operation = Operation {
                op: Some(op.into()),
                path: Some(path.into()),
                value: value.map(str::to_owned),
            };
            apply(&start, &[operation], RULES).map(|mut v| v.as_object_mut().map(std::mem::take))
        };
        for (op, path, value, expected) in [
            ("replace", "/name", Some("b"), json!({"name": "b"})),
            ("remove", "/name", None, json!({"name": null})),
            ("replace", "/on", Some("true"), json!({"on": true})),
            ("replace", "/size", Some("5"), json!({"size": 5})),
            ("add", "/types/image~1png", None, json!({"types": ["x", "image/png"]})),
            ("add", "/types", Some("y"), json!({"types": ["x", "y"]})),
            ("remove", "/types/x", None, json!({"types": []})),
            ("replace", "/types/x", Some("z"), json!({"types": ["z"]})),
            ("add", "/endpoint/types/EDGE", None, json!({"endpoint": {"types": ["EDGE"]}})),
            ("add", "/map/a.b~1c", Some("w"), json!({"map": {"k": "v", "a.b/c": "w"}})),
            ("remove", "/map/k", None, json!({"map": {}})),
            ("remove", "/map", None, json!({"map": {}})),
            ("add", "/flags/f", Some("false"), json!({"flags": {"f": false}})),
            ("replace", "/deep/rate", Some("1.5"), json!({"deep": {"rate": 1.5}})),
        ] {
            let got = run(op, path, value).unwrap().unwrap();
            for (name, v) in expected.as_object().unwrap() {
                assert_eq!(got.get(name).unwrap_or(&Value::Null), v, "{op} {path}");
            }
        }
        for (op, path, value) in [
            ("replace", "/nope", Some("1")),
            ("replace", "/on", Some("yes")),
            ("replace", "/size", Some("x")),
            ("copy", "/name", Some("x")),
            ("replace", "/map", Some("x")),
            ("replace", "", Some("x")),
        ] {
            assert!(run(op, path, value).is_err(), "{op} {path}");
        }
    }
}
