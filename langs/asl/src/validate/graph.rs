//! Checks of how the states of a scope lead to one another.

use std::collections::HashSet;

use serde_json::{Map as Object, Value};

use super::{Checker, Here, TARGET, TERMINAL};

impl Checker {
    pub fn graph(&mut self, here: &Here, start: Option<&Value>, states: &Object<String, Value>) {
        let start = start.and_then(Value::as_str);
        match start {
            Some(s) if !states.contains_key(s) => {
                let at = here.at("StartAt").path;
                self.find(TARGET, &at, format!("Missing 'StartAt' target: {s}"));
            }
            _ => {}
        }
        for (name, state) in states {
            for (at, target) in targets(state) {
                if !states.contains_key(target) {
                    let path = format!("{}/States/{name}/{at}", here.path);
                    let field = at.rsplit('/').next().unwrap_or_default();
                    self.find(TARGET, &path, format!("Missing '{field}' target: {target}"));
                }
            }
        }
        let Some(start) = start.filter(|s| states.contains_key(*s)) else { return };
        let mut reached: HashSet<&str> = HashSet::from([start]);
        let mut next = vec![start];
        while let Some(name) = next.pop() {
            let leads = states.get(name).map(targets).unwrap_or_default();
            for (_, target) in leads {
                if states.contains_key(target) && reached.insert(target) {
                    next.push(target);
                }
            }
        }
        for name in states.keys().filter(|n| !reached.contains(n.as_str())) {
            let at = format!("{}/States/{name}", here.path);
            self.find(TARGET, &at, format!("State \"{name}\" is not reachable."));
        }
        if !reached.iter().any(|n| states.get(*n).is_some_and(ends)) {
            self.find(TERMINAL, &here.at("States").path, "No terminal state found".into());
        }
    }
}

/// Whether the scope may end with this state. One that leads nowhere by mistake is told of as such.
fn ends(state: &Value) -> bool {
    let kind = state.get("Type").and_then(Value::as_str);
    matches!(kind, Some("Succeed" | "Fail")) || state.get("End") == Some(&Value::Bool(true))
}

/// Where a state leads, and in which field.
fn targets(state: &Value) -> Vec<(String, &str)> {
    let mut out = Vec::new();
    for name in ["Next", "Default"] {
        if let Some(t) = state.get(name).and_then(Value::as_str) {
            out.push((name.to_owned(), t));
        }
    }
    for list in ["Choices", "Catch"] {
        for (i, inner) in
            state.get(list).and_then(Value::as_array).into_iter().flatten().enumerate()
        {
            if let Some(t) = inner.get("Next").and_then(Value::as_str) {
                out.push((format!("{list}[{i}]/Next"), t));
            }
        }
    }
    out
}
