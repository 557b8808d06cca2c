//! Checks of payload templates and of `Assign`.

use serde_json::Value;

use super::fields::types;
use super::{Checker, Here};
use crate::intrinsic::Expr;

/// The variables that a state assigns, its choices and catchers included.
pub fn assigned(state: &Value) -> impl Iterator<Item = String> {
    let below = |name: &str| state.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut all = vec![state.get("Assign").cloned()];
    for inner in below("Choices").into_iter().chain(below("Catch")) {
        all.push(inner.get("Assign").cloned());
    }
    all.into_iter()
        .flatten()
        .filter_map(|a| match a {
            Value::Object(o) => Some(o),
            _ => None,
        })
        .flat_map(|o| {
            o.into_iter().map(|(k, _)| k.strip_suffix(".$").map_or(k.clone(), str::to_owned))
        })
        .collect::<Vec<_>>()
        .into_iter()
}

impl Checker {
    /// A payload template, in the query language of where it stands.
    pub fn payload(&mut self, here: &Here, v: &Value) {
        if here.jsonata {
            self.jsonata_payload(here, v);
        } else {
            self.paths_payload(here, v);
        }
    }

    fn jsonata_payload(&mut self, here: &Here, v: &Value) {
        match v {
            Value::String(_) => self.jsonata_text(here, v),
            Value::Object(o) => o.iter().for_each(|(k, v)| self.jsonata_payload(&here.at(k), v)),
            Value::Array(a) => {
                a.iter().enumerate().for_each(|(i, v)| self.jsonata_payload(&here.item(i), v));
            }
            _ => {}
        }
    }

    fn paths_payload(&mut self, here: &Here, v: &Value) {
        match v {
            Value::Object(o) => {
                for (k, v) in o {
                    let at = here.at(k);
                    let Some(bare) = k.strip_suffix(".$") else {
                        self.paths_payload(&at, v);
                        continue;
                    };
                    if o.contains_key(bare) {
                        let message = format!("The field '{bare}' and '{k}' are duplicates");
                        self.schema(&at.path, message);
                    }
                    let parsed = v.as_str().map(Expr::parse);
                    if !matches!(parsed, Some(Ok(ref e)) if types(e).is_ok()) {
                        let message = format!(
                            "The value for the field '{k}' must be a valid JSONPath or a valid \
                             intrinsic function call"
                        );
                        self.schema(&here.path, message);
                    }
                }
            }
            Value::Array(a) => {
                a.iter().enumerate().for_each(|(i, v)| self.paths_payload(&here.item(i), v));
            }
            _ => {}
        }
    }

    /// `Assign`: an object whose names are identifiers.
    pub fn assign(&mut self, here: &Here, v: Option<&Value>) {
        let Some(v) = v else { return };
        let at = here.at("Assign");
        let Some(o) = v.as_object() else {
            return self.schema(&at.path, "Value is not of type object".into());
        };
        for name in o.keys() {
            let bare = if here.jsonata { name } else { name.strip_suffix(".$").unwrap_or(name) };
            let fine = bare.chars().count() <= 80
                && bare.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
                && bare.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
                && bare != "states";
            if !fine {
                self.schema(&at.at(name).path, format!("'{bare}' is not a valid variable name"));
            }
        }
        self.payload(&at, v);
    }
}
