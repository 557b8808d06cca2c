//! `AWS::LanguageExtensions`: `Fn::ForEach`, expanded before anything else looks at a template.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-foreach.html>
//!
//! Its other functions (`Fn::Length`, `Fn::ToJsonString`, defaults of `Fn::FindInMap`) are evaluated
//! where they stand.

use serde_json::{Map, Value};

use crate::template::plain;
use crate::{Error, MAX_DEPTH, MAX_NODES, Result};

/// The transform's name.
pub const NAME: &str = "AWS::LanguageExtensions";

/// Expands every `Fn::ForEach::…` of a template. `list` evaluates what a loop runs over when that is
/// a function (a reference to a parameter).
///
/// # Errors
/// Loops of the wrong form, or that make too much.
pub fn expand(template: &Value, list: &dyn Fn(&Value) -> Result<Vec<String>>) -> Result<Value> {
    Expand { list, nodes: 0 }.value(template, 0)
}

struct Expand<'a> {
    list: &'a dyn Fn(&Value) -> Result<Vec<String>>,
    nodes: usize,
}

impl Expand<'_> {
    fn value(&mut self, v: &Value, depth: usize) -> Result<Value> {
        self.nodes += 1;
        if self.nodes > MAX_NODES || depth > MAX_DEPTH {
            return Err(Error::template("Fn::ForEach makes too much"));
        }
        match v {
            Value::Array(items) => {
                let all: Result<Vec<_>> = items.iter().map(|v| self.value(v, depth + 1)).collect();
                Ok(Value::Array(all?))
            }
            Value::Object(m) => {
                let mut out = Map::new();
                for (k, v) in m {
                    if k.starts_with("Fn::ForEach::") {
                        self.each(k, v, &mut out, depth)?;
                    } else {
                        out.insert(k.clone(), self.value(v, depth + 1)?);
                    }
                }
                Ok(Value::Object(out))
            }
            scalar => Ok(scalar.clone()),
        }
    }

    fn each(
        &mut self,
        name: &str,
        v: &Value,
        out: &mut Map<String, Value>,
        depth: usize,
    ) -> Result<()> {
        let Some([Value::String(variable), over, Value::Object(body)]) =
            v.as_array().map(Vec::as_slice)
        else {
            return Err(Error::template(format_args!(
                "{name} requires an identifier, a collection and an output template"
            )));
        };
        let items = match over {
            Value::Array(all) if all.iter().all(|v| !v.is_object()) => {
                all.iter().map(plain).collect()
            }
            Value::Array(all) => {
                let mut items = Vec::new();
                for v in all {
                    items.extend(if v.is_object() { (self.list)(v)? } else { vec![plain(v)] });
                }
                items
            }
            function => (self.list)(function)?,
        };
        for item in items {
            for (k, v) in body {
                let filled = Value::Object(Map::from_iter([(
                    fill(k, variable, &item),
                    replace(v, variable, &item),
                )]));
                let Value::Object(done) = self.value(&filled, depth + 1)? else { continue };
                for (k, v) in done {
                    if out.insert(k.clone(), v).is_some() {
                        return Err(Error::template(format_args!(
                            "{name} makes {k} more than once"
                        )));
                    }
                }
            }
        }
        Ok(())
    }
}

/// `${X}` and `&{X}` in a text; the latter keeps letters and digits only.
fn fill(text: &str, variable: &str, item: &str) -> String {
    let bare: String = item.chars().filter(char::is_ascii_alphanumeric).collect();
    text.replace(&format!("${{{variable}}}"), item).replace(&format!("&{{{variable}}}"), &bare)
}

fn replace(v: &Value, variable: &str, item: &str) -> Value {
    match v {
        Value::String(s) => Value::from(fill(s, variable, item)),
        Value::Array(items) => items.iter().map(|v| replace(v, variable, item)).collect(),
        Value::Object(m) => {
            if m.len() == 1 && m.get("Ref").and_then(Value::as_str) == Some(variable) {
                return Value::from(item);
            }
            let all = m.iter().map(|(k, v)| (fill(k, variable, item), replace(v, variable, item)));
            Value::Object(all.collect())
        }
        scalar => scalar.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn loops_are_written_out() {
        let t = json!({"Resources": {
            "Fn::ForEach::Topics": ["Name", {"Ref": "Names"}, {
                "Topic&{Name}": {"Type": "AWS::SNS::Topic", "Properties": {
                    "TopicName": {"Ref": "Name"},
                    "Tag": {"Fn::Sub": "t-${Name}"},
                    "Fn::ForEach::Flags": ["F", ["A", "B"], {"${F}": "${Name}"}],
                }},
            }],
        }});
        let got = expand(&t, &|v| {
            assert_eq!(v, &json!({"Ref": "Names"}));
            Ok(vec!["a-1".into(), "b".into()])
        })
        .unwrap();
        let one = &got["Resources"]["Topica1"]["Properties"];
        assert_eq!(
            one,
            &json!({"TopicName": "a-1", "Tag": {"Fn::Sub": "t-a-1"}, "A": "a-1", "B": "a-1"})
        );
        assert!(got["Resources"]["Topicb"].is_object());
        let wrong = json!({"Fn::ForEach::X": ["Name"]});
        assert!(expand(&wrong, &|_| Ok(vec![])).is_err());
    }
}
