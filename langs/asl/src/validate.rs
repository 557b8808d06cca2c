//! What is wrong with a definition, as ValidateStateMachineDefinition tells it.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html>

use std::collections::{HashMap, HashSet};

use serde_json::{Map as Object, Value};

mod fields;
mod graph;
mod json;
mod payload;
mod state;

pub use json::parse;

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub warning: bool,
    /// `SCHEMA_VALIDATION_FAILED`
    pub code: &'static str,
    pub message: String,
    /// `/States/A/Next`
    pub location: String,
}

pub const SCHEMA: &str = "SCHEMA_VALIDATION_FAILED";
pub const TARGET: &str = "MISSING_TRANSITION_TARGET";
pub const TERMINAL: &str = "MISSING_END_STATE";
pub const DUPLICATE: &str = "DUPLICATE_STATE_NAME";
pub const NO_JSON: &str = "INVALID_JSON_DESCRIPTION";

/// The deepest nesting of Parallel and Map states.
const DEEPEST: usize = 30;
/// The most findings: the rest would not be read.
const MOST: usize = 500;

/// What a definition is checked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// An Express machine, which may do less.
    pub express: bool,
}

impl std::fmt::Display for Diagnostic {
    /// As it stands in the message of `InvalidDefinition`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} at {}", self.code, self.message, self.location)
    }
}

/// Checks a definition.
#[must_use]
pub fn check(text: &str, options: Options) -> Vec<Diagnostic> {
    match parse(text) {
        Ok(v) => check_value(&v, options),
        Err(d) => vec![d],
    }
}

/// Checks a definition that was read already.
#[must_use]
pub fn check_value(v: &Value, options: Options) -> Vec<Diagnostic> {
    let mut c = Checker { options, found: Vec::new(), names: HashMap::new() };
    let Some(o) = v.as_object() else {
        c.schema("", "Value is not of type object".into());
        return c.found;
    };
    let here = Here { path: String::new(), jsonata: fields::language(v, false), depth: DEEPEST };
    c.fields(
        &here,
        o,
        &["Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"],
    );
    c.scope(&here, o, &HashSet::new(), false);
    c.found
}

/// Where the checker is.
#[derive(Clone, Debug)]
struct Here {
    /// Empty at the root.
    path: String,
    jsonata: bool,
    depth: usize,
}

impl Here {
    fn at(&self, step: &str) -> Here {
        Here { path: format!("{}/{step}", self.path), ..self.clone() }
    }

    fn item(&self, i: usize) -> Here {
        Here { path: format!("{}[{i}]", self.path), ..self.clone() }
    }
}

struct Checker {
    options: Options,
    found: Vec<Diagnostic>,
    /// The state names seen, and where.
    names: HashMap<String, String>,
}

impl Checker {
    fn find(&mut self, code: &'static str, path: &str, message: String) {
        if self.found.len() < MOST {
            let location = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
            self.found.push(Diagnostic { warning: false, code, message, location });
        }
    }

    fn schema(&mut self, path: &str, message: String) {
        self.find(SCHEMA, path, message);
    }

    /// States that belong together: the machine's, a branch's or a processor's.
    fn scope(
        &mut self,
        here: &Here,
        o: &Object<String, Value>,
        outer: &HashSet<String>,
        distributed: bool,
    ) {
        let missing: Vec<&str> =
            ["States", "StartAt"].into_iter().filter(|f| !o.contains_key(*f)).collect();
        if !missing.is_empty() {
            self.schema(&here.path, format!("These fields are required: [{}]", missing.join(", ")));
        }
        if here.depth == 0 {
            return self.schema(&here.path, "The states nest too deeply".into());
        }
        self.integer(here, o, "TimeoutSeconds", 1.0, 99_999_999.0);
        self.text(here, o, "Comment");
        let jsonata = self.query_language(here, o);
        if let Some(v) = o.get("Version")
            && v != "1.0"
        {
            self.schema(
                &here.at("Version").path,
                "Value is not one of allowed values [1.0]".into(),
            );
        }
        let Some(states) = o.get("States") else { return };
        let inside = Here { jsonata, depth: here.depth - 1, ..here.at("States") };
        let Some(states) = states.as_object() else {
            return self.schema(&inside.path, "Value is not of type object".into());
        };
        if states.is_empty() {
            return self.schema(&inside.path, "Value cannot be empty".into());
        }
        let mut own = if distributed { HashSet::new() } else { outer.clone() };
        let assigned: HashSet<String> = states.values().flat_map(payload::assigned).collect();
        for (name, state) in states {
            let at = inside.at(name);
            if name.chars().count() > 80 || name.is_empty() {
                self.schema(&at.path, "State name must have length between 1 and 80".into());
            }
            if let Some(before) = self.names.insert(name.clone(), at.path.clone()) {
                let message = format!("Duplicate State name: {name} at {before}");
                self.find(DUPLICATE, &at.path, message);
            }
            for variable in payload::assigned(state).filter(|v| own.contains(v)) {
                let message = format!(
                    "Cannot assign to the variable '{variable}': it is assigned in an outer scope"
                );
                self.schema(&at.at("Assign").path, message);
            }
        }
        own.extend(assigned);
        for (name, state) in states {
            self.state(&inside.at(name), state, &own);
        }
        self.graph(here, o.get("StartAt"), states);
    }
}

#[cfg(test)]
mod tests;
