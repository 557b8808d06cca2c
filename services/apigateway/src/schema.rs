//! JSON schema, draft 4: what models say and request validators check.
//!
//! <https://datatracker.ietf.org/doc/html/draft-zyp-json-schema-04>

use regex_lite::Regex;
use serde_json::Value;

/// A schema that has been read.
#[derive(Clone, Debug)]
pub struct Schema {
    root: Value,
}

/// How deep schemas and documents may go.
const DEPTH: usize = 64;
/// How many steps a validation may take: references can go round in circles.
const STEPS: usize = 200_000;

const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

impl Schema {
    /// # Errors
    /// A sentence on what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let root: Value =
            serde_json::from_str(text).map_err(|_| "Unable to parse model schema".to_owned())?;
        if !root.is_object() {
            return Err("Model schema must be an object".to_owned());
        }
        inspect(&root, 0)?;
        Ok(Schema { root })
    }

    /// Whether a document fits. `others` finds the models that references name.
    #[must_use]
    pub fn fits(&self, document: &Value, others: &dyn Fn(&str) -> Option<Schema>) -> bool {
        let mut run = Run { root: &self.root, others, steps: 0 };
        run.fits(&self.root, document, 0)
    }
}

/// Refuses what could never be used.
fn inspect(schema: &Value, depth: usize) -> Result<(), String> {
    if depth > DEPTH {
        return Err("Model schema is too deep".to_owned());
    }
    let Value::Object(map) = schema else { return Ok(()) };
    let known = |t: &Value| t.as_str().is_some_and(|t| TYPES.contains(&t));
    match map.get("type") {
        None => {}
        Some(Value::Array(all)) if all.iter().all(known) => {}
        Some(t) if known(t) => {}
        Some(t) => return Err(format!("Unsupported type in model schema: {t}")),
    }
    if let Some(p) = map.get("pattern").and_then(Value::as_str) {
        Regex::new(p).map_err(|_| format!("Invalid pattern in model schema: {p}"))?;
    }
    for name in ["properties", "patternProperties", "definitions"] {
        match map.get(name) {
            None => {}
            Some(Value::Object(all)) => {
                for (key, s) in all {
                    if name == "patternProperties" && Regex::new(key).is_err() {
                        return Err(format!("Invalid pattern in model schema: {key}"));
                    }
                    inspect(s, depth + 1)?;
                }
            }
            Some(_) => return Err(format!("{name} must be an object")),
        }
    }
    for name in ["allOf", "anyOf", "oneOf"] {
        match map.get(name) {
            None => {}
            Some(Value::Array(all)) => {
                for s in all {
                    inspect(s, depth + 1)?;
                }
            }
            Some(_) => return Err(format!("{name} must be an array")),
        }
    }
    for name in ["items", "not", "additionalProperties", "additionalItems"] {
        match map.get(name) {
            Some(Value::Array(all)) => {
                for s in all {
                    inspect(s, depth + 1)?;
                }
            }
            Some(s) => inspect(s, depth + 1)?,
            None => {}
        }
    }
    Ok(())
}

struct Run<'a> {
    root: &'a Value,
    others: &'a dyn Fn(&str) -> Option<Schema>,
    steps: usize,
}

impl Run<'_> {
    fn fits(&mut self, schema: &Value, v: &Value, depth: usize) -> bool {
        self.steps += 1;
        if depth > DEPTH || self.steps > STEPS {
            return false;
        }
        let Value::Object(s) = schema else { return schema != &Value::Bool(false) };
        if let Some(reference) = s.get("$ref").and_then(Value::as_str) {
            return self.refers(reference, v, depth + 1);
        }
        let typed = match s.get("type") {
            None => true,
            Some(Value::Array(all)) => all.iter().any(|t| is_type(t, v)),
            Some(t) => is_type(t, v),
        };
        typed
            && s.get("enum")
                .and_then(Value::as_array)
                .is_none_or(|all| all.iter().any(|e| equal(e, v)))
            && self.combined(s, v, depth)
            && match v {
                Value::Number(n) => number(s, n.as_f64().unwrap_or_default()),
                Value::String(text) => string(s, text),
                Value::Array(items) => self.array(s, items, depth),
                Value::Object(members) => self.object(s, members, depth),
                _ => true,
            }
    }

    fn refers(&mut self, reference: &str, v: &Value, depth: usize) -> bool {
        if let Some(pointer) = reference.strip_prefix('#') {
            let root = self.root;
            return root.pointer(pointer).is_some_and(|s| self.fits(s, v, depth));
        }
        // Other models are named by the URL of the API that has them.
        let name = reference.rsplit('/').next().unwrap_or_default();
        let Some(other) = (self.others)(name) else { return false };
        let mut run = Run { root: &other.root, others: self.others, steps: self.steps };
        let fits = run.fits(&other.root, v, depth);
        self.steps = run.steps;
        fits
    }

    fn combined(&mut self, s: &serde_json::Map<String, Value>, v: &Value, depth: usize) -> bool {
        let mut count = |name: &str| {
            let all = s.get(name).and_then(Value::as_array)?;
            Some((all.iter().filter(|s| self.fits(s, v, depth + 1)).count(), all.len()))
        };
        count("allOf").is_none_or(|(n, all)| n == all)
            && count("anyOf").is_none_or(|(n, _)| n > 0)
            && count("oneOf").is_none_or(|(n, _)| n == 1)
            && s.get("not").is_none_or(|not| !self.fits(not, v, depth + 1))
    }

    fn array(&mut self, s: &serde_json::Map<String, Value>, items: &[Value], depth: usize) -> bool {
        let n = items.len() as u64;
        if size(s, "minItems").is_some_and(|m| n < m) || size(s, "maxItems").is_some_and(|m| n > m)
        {
            return false;
        }
        if s.get("uniqueItems") == Some(&Value::Bool(true)) {
            for (i, a) in items.iter().enumerate() {
                self.steps += i;
                if self.steps > STEPS || items[..i].iter().any(|b| equal(a, b)) {
                    return false;
                }
            }
        }
        match s.get("items") {
            Some(Value::Array(schemas)) => items.iter().enumerate().all(|(i, v)| {
                match (schemas.get(i), s.get("additionalItems")) {
                    (Some(schema), _) => self.fits(schema, v, depth + 1),
                    (None, Some(more)) => self.fits(more, v, depth + 1),
                    (None, None) => true,
                }
            }),
            Some(schema) => items.iter().all(|v| self.fits(schema, v, depth + 1)),
            None => true,
        }
    }

    fn object(
        &mut self,
        s: &serde_json::Map<String, Value>,
        members: &serde_json::Map<String, Value>,
        depth: usize,
    ) -> bool {
        let n = members.len() as u64;
        if size(s, "minProperties").is_some_and(|m| n < m)
            || size(s, "maxProperties").is_some_and(|m| n > m)
        {
            return false;
        }
        let required = s.get("required").and_then(Value::as_array);
        let there = |name: &Value| name.as_str().is_none_or(|n| members.contains_key(n));
        if required.is_some_and(|all| !all.iter().all(there)) {
            return false;
        }
        if let Some(Value::Object(dependencies)) = s.get("dependencies") {
            for (name, needs) in dependencies.iter().filter(|(n, _)| members.contains_key(*n)) {
                let fits = match needs {
                    Value::Array(all) => all.iter().all(there),
                    schema => self.fits(schema, &Value::Object(members.clone()), depth + 1),
                };
                if !fits {
                    let _ = name;
                    return false;
                }
            }
        }
        let properties = s.get("properties").and_then(Value::as_object);
        let patterns = s.get("patternProperties").and_then(Value::as_object);
        members.iter().all(|(name, v)| {
            let mut known = false;
            if let Some(schema) = properties.and_then(|p| p.get(name)) {
                known = true;
                if !self.fits(schema, v, depth + 1) {
                    return false;
                }
            }
            for (pattern, schema) in patterns.into_iter().flatten() {
                if Regex::new(pattern).is_ok_and(|r| r.is_match(name)) {
                    known = true;
                    if !self.fits(schema, v, depth + 1) {
                        return false;
                    }
                }
            }
            known || s.get("additionalProperties").is_none_or(|more| self.fits(more, v, depth + 1))
        })
    }
}

fn size(s: &serde_json::Map<String, Value>, name: &str) -> Option<u64> {
    s.get(name).and_then(Value::as_u64)
}

fn is_type(t: &Value, v: &Value) -> bool {
    match t.as_str() {
        Some("array") => v.is_array(),
        Some("boolean") => v.is_boolean(),
        Some("integer") => v.is_i64() || v.is_u64() || v.as_f64().is_some_and(|f| f.fract() == 0.0),
        Some("null") => v.is_null(),
        Some("number") => v.is_number(),
        Some("object") => v.is_object(),
        Some("string") => v.is_string(),
        _ => false,
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn number(s: &serde_json::Map<String, Value>, n: f64) -> bool {
    let bound = |name: &str| s.get(name).and_then(Value::as_f64);
    let exclusive = |name: &str| s.get(name) == Some(&Value::Bool(true));
    let low =
        bound("minimum").is_none_or(|m| if exclusive("exclusiveMinimum") { n > m } else { n >= m });
    let high =
        bound("maximum").is_none_or(|m| if exclusive("exclusiveMaximum") { n < m } else { n <= m });
    let multiple = bound("multipleOf").is_none_or(|m| {
        let ratio = n / m;
        m > 0.0 && (ratio - ratio.round()).abs() < 1e-9
    });
    low && high && multiple
}

fn string(s: &serde_json::Map<String, Value>, text: &str) -> bool {
    let n = text.chars().count() as u64;
    size(s, "minLength").is_none_or(|m| n >= m)
        && size(s, "maxLength").is_none_or(|m| n <= m)
        && s.get("pattern")
            .and_then(Value::as_str)
            .is_none_or(|p| Regex::new(p).is_ok_and(|r| r.is_match(text)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_fit_or_do_not() {
        let none = |_: &str| None;
        for (schema, document, expected) in [
            (json!({"type": "object", "required": ["a"]}), json!({"a": 1}), true),
            (json!({"type": "object", "required": ["a"]}), json!({"b": 1}), false),
            (json!({"type": "object"}), json!([]), false),
            (
                json!({"properties": {"a": {"type": "integer", "minimum": 1}}}),
                json!({"a": 0}),
                false,
            ),
            (json!({"properties": {"a": {"type": ["integer", "null"]}}}), json!({"a": null}), true),
            (
                json!({"additionalProperties": false, "properties": {"a": {}}}),
                json!({"b": 1}),
                false,
            ),
            (json!({"patternProperties": {"^x": {"type": "string"}}}), json!({"x1": 1}), false),
            (
                json!({"type": "array", "items": {"type": "string"}, "minItems": 1}),
                json!([]),
                false,
            ),
            (json!({"type": "array", "uniqueItems": true}), json!([1, 1.0]), false),
            (
                json!({"items": [{"type": "string"}], "additionalItems": false}),
                json!(["a", 1]),
                false,
            ),
            (json!({"enum": ["a", "b"]}), json!("c"), false),
            (json!({"type": "string", "pattern": "^a", "maxLength": 2}), json!("ab"), true),
            (json!({"type": "string", "pattern": "^a", "maxLength": 2}), json!("abc"), false),
            (json!({"oneOf": [{"type": "string"}, {"maxLength": 1}]}), json!("a"), false),
            (json!({"not": {"type": "string"}}), json!("a"), false),
            (json!({"type": "integer"}), json!(1.0), true),
            (json!({"maximum": 5, "exclusiveMaximum": true}), json!(5), false),
            (json!({"multipleOf": 0.1}), json!(0.3), true),
            (
                json!({"definitions": {"d": {"type": "string"}}, "properties": {"a": {"$ref": "#/definitions/d"}}}),
                json!({"a": 1}),
                false,
            ),
            (json!({"$ref": "#"}), json!(1), false),
            (json!({"dependencies": {"a": ["b"]}}), json!({"a": 1}), false),
        ] {
            let read = Schema::parse(&schema.to_string()).unwrap();
            assert_eq!(read.fits(&document, &none), expected, "{schema} {document}");
        }
        let other =
            |name: &str| (name == "M").then(|| Schema::parse(r#"{"type":"string"}"#).unwrap());
        let schema = r#"{"$ref":"https://apigateway.amazonaws.com/restapis/x/models/M"}"#;
        assert!(Schema::parse(schema).unwrap().fits(&json!("s"), &other));
        assert!(!Schema::parse(schema).unwrap().fits(&json!(1), &other));
        for bad in ["", "[]", r#"{"type":"text"}"#, r#"{"pattern":"("}"#, r#"{"properties":[]}"#] {
            assert!(Schema::parse(bad).is_err(), "{bad}");
        }
    }
}
