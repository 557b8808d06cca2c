//! Template text, JSON or YAML, to one value in which every function has its long form.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

use crate::{Error, MAX_DEPTH, MAX_NODES, Result};

/// Reads a template: JSON when it begins with a brace, else YAML with CloudFormation's tags.
///
/// # Errors
/// `Template format error: JSON not well-formed. (line 1, column 2)` and the like.
pub fn read(text: &str) -> Result<Value> {
    let value = if text.trim_start().starts_with('{') {
        match serde_json::from_str(text) {
            Ok(v) => v,
            // A flow mapping is YAML too.
            Err(e) => yaml(text).map_err(|_| {
                let (line, column) = (e.line(), e.column());
                Error::format(format_args!("JSON not well-formed. (line {line}, column {column})"))
            })?,
        }
    } else {
        yaml(text)?
    };
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(Error::format("unsupported structure.")),
    }
}

fn yaml(text: &str) -> Result<Value> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| malformed(e.marker()))?;
        builder.take(event).map_err(|e| match e {
            Fault::Malformed => malformed(&span.start),
            Fault::Error(e) => e,
        })?;
        if builder.done {
            break;
        }
    }
    builder.root.ok_or_else(|| Error::format("unsupported structure."))
}

fn malformed(at: &Marker) -> Error {
    let (line, column) = (at.line(), at.col() + 1);
    Error::format(format_args!("YAML not well-formed. (line {line}, column {column})"))
}

enum Fault {
    Malformed,
    Error(Error),
}

/// What an unfinished collection is waiting for.
enum Open {
    List(Vec<Value>),
    Map { entries: Map<String, Value>, merged: Map<String, Value>, key: Option<String> },
}

/// Builds the value of the first document.
#[derive(Default)]
struct Builder {
    open: Vec<(Open, usize, Option<String>)>,
    anchors: HashMap<usize, Value>,
    nodes: usize,
    root: Option<Value>,
    done: bool,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), Fault> {
        self.nodes += 1;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = name(tag.as_deref());
                let is_key = matches!(self.open.last(), Some((Open::Map { key: None, .. }, ..)));
                let value = if style == ScalarStyle::Plain && tag.is_none() && !is_key {
                    plain(&text)
                } else {
                    Value::from(text.into_owned())
                };
                self.finish(value, anchor, tag)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Open::List(Vec::new()), anchor, name(tag.as_deref()))
            }
            Event::MappingStart(anchor, tag) => {
                let map = Open::Map { entries: Map::new(), merged: Map::new(), key: None };
                self.open(map, anchor, name(tag.as_deref()))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some((open, anchor, tag)) = self.open.pop() else { return Ok(()) };
                let value = match open {
                    Open::List(items) => Value::Array(items),
                    Open::Map { entries, merged: mut all, .. } => {
                        all.extend(entries);
                        Value::Object(all)
                    }
                };
                self.finish(value, anchor, tag)
            }
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned().ok_or(Fault::Malformed)?;
                self.nodes += count(&value);
                self.finish(value, 0, None)
            }
            Event::DocumentEnd => {
                self.done = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open, anchor: usize, tag: Option<String>) -> Result<(), Fault> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Fault::Error(Error::format("the template is nested too deeply")));
        }
        self.open.push((open, anchor, tag));
        Ok(())
    }

    fn finish(&mut self, value: Value, anchor: usize, tag: Option<String>) -> Result<(), Fault> {
        if self.nodes > MAX_NODES {
            return Err(Fault::Error(Error::format("the template is too large")));
        }
        let value = match tag {
            Some(tag) => long_form(&tag, value).map_err(Fault::Error)?,
            None => value,
        };
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some((Open::List(items), ..)) => items.push(value),
            Some((Open::Map { entries, merged, key }, ..)) => match key.take() {
                None => *key = Some(key_text(value).ok_or(Fault::Malformed)?),
                Some(k) if k == "<<" => merge(merged, value).ok_or(Fault::Malformed)?,
                Some(k) => {
                    if entries.contains_key(&k) {
                        return Err(Fault::Error(Error::format(format_args!(
                            "duplicate key '{k}'"
                        ))));
                    }
                    entries.insert(k, value);
                }
            },
        }
        Ok(())
    }
}

fn count(v: &Value) -> usize {
    1 + match v {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 0usize,
    }
}

/// YAML's merge key: entries that are not there yet.
fn merge(into: &mut Map<String, Value>, from: Value) -> Option<()> {
    match from {
        Value::Object(map) => {
            for (k, v) in map {
                into.entry(k).or_insert(v);
            }
            Some(())
        }
        Value::Array(maps) => maps.into_iter().try_for_each(|m| merge(into, m)),
        _ => None,
    }
}

fn key_text(v: Value) -> Option<String> {
    match v {
        Value::String(s) => Some(s),
        _ => None,
    }
}

/// The name of a tag of ours (`!Ref`, `!GetAtt`); YAML's own only say what is text.
fn name(tag: Option<&Tag>) -> Option<String> {
    let tag = tag?;
    if tag.is_yaml_core_schema() {
        return (tag.suffix == "str").then(String::new);
    }
    Some(tag.suffix.trim_start_matches('!').to_owned())
}

/// `!Ref x` as `{"Ref": "x"}`.
fn long_form(tag: &str, value: Value) -> Result<Value> {
    let function = match tag {
        "" => return Ok(value),
        "Ref" | "Condition" => tag.to_owned(),
        _ if tag.starts_with("Fn::") => tag.to_owned(),
        _ => format!("Fn::{tag}"),
    };
    let value = match (tag, value) {
        // `!GetAtt a.b.c`: the resource, and an attribute with the dots that are left.
        ("GetAtt", Value::String(s)) => match s.split_once('.') {
            Some((resource, attribute)) => Value::from(vec![resource, attribute]),
            None => Value::String(s),
        },
        (_, v) => v,
    };
    Ok(Value::Object(Map::from_iter([(function, value)])))
}

/// A plain scalar: YAML 1.1's words as CloudFormation reads them. What looks like a date, a version
/// or a number with a leading zero stays text.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit())
        && !(digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0."));
    if numeric && digits.bytes().all(|b| b.is_ascii_digit()) {
        if let Ok(n) = text.parse::<i64>() {
            return Value::from(n);
        }
    } else if numeric
        && digits.matches('.').count() == 1
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && let Some(n) = text.parse().ok().and_then(Number::from_f64)
    {
        return Value::Number(n);
    }
    Value::from(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn short_forms_become_long() {
        let text = "
AWSTemplateFormatVersion: 2010-09-09
Resources:
  Q:
    Type: AWS::SQS::Queue
    Condition: Big
    Properties:
      QueueName: !Sub 'q-${AWS::Region}'
      Arn: !GetAtt Other.Arn.Sub
      List: !Join [ ',', [ !Ref A, !ImportValue x ] ]
      Id: 012345678901
      N: 30
      F: 1.5
      On: yes
      Text: !!str 7
      Version: '2012-10-17'
      Cond: !If [ Big, !Condition Small, !Base64 { 'Fn::Sub': x } ]
";
        let got = read(text).unwrap();
        let p = &got["Resources"]["Q"]["Properties"];
        assert_eq!(got["AWSTemplateFormatVersion"], "2010-09-09");
        assert_eq!(p["QueueName"], json!({"Fn::Sub": "q-${AWS::Region}"}));
        assert_eq!(p["Arn"], json!({"Fn::GetAtt": ["Other", "Arn.Sub"]}));
        assert_eq!(p["List"], json!({"Fn::Join": [",", [{"Ref": "A"}, {"Fn::ImportValue": "x"}]]}));
        assert_eq!(p["Id"], "012345678901");
        assert_eq!((&p["N"], &p["F"]), (&json!(30), &json!(1.5)));
        assert_eq!((&p["On"], &p["Text"]), (&json!(true), &json!("7")));
        assert_eq!(p["Cond"]["Fn::If"][1], json!({"Condition": "Small"}));
        assert_eq!(p["Cond"]["Fn::If"][2], json!({"Fn::Base64": {"Fn::Sub": "x"}}));
    }

    #[test]
    fn anchors_and_merges_are_followed() {
        let text = "a: &x {k: 1, l: 2}\nb: *x\nc: {<<: *x, l: 3}";
        let got = read(text).unwrap();
        assert_eq!(got["b"], got["a"]);
        assert_eq!(got["c"], json!({"k": 1, "l": 3}));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for (text, message) in [
            ("{\"a\": ", "Template format error: JSON not well-formed. (line 1, column 6)"),
            ("a: [1", "Template format error: YAML not well-formed."),
            ("just text", "Template format error: unsupported structure."),
            ("", "Template format error: unsupported structure."),
            ("[1]", "Template format error: unsupported structure."),
            ("a: 1\na: 2", "Template format error: "),
        ] {
            let got = read(text).unwrap_err().to_string();
            assert!(got.starts_with(message), "{text:?}: {got}");
        }
        let deep = "[".repeat(5000);
        assert!(read(&format!("a: {deep}")).is_err());
        // Aliases that double at each line are bounded.
        let mut bomb = String::from("a0: &a0 [x, x]\n");
        for i in 1..40 {
            bomb += &format!("a{i}: &a{i} [*a{0}, *a{0}]\n", i - 1);
        }
        assert!(read(&bomb).is_err());
    }
}
