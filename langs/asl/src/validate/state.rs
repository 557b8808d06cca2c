//! Checks of a state, by its type.

use std::collections::HashSet;

use serde_json::{Map as Object, Value};

use super::{Checker, Here};
use crate::choice::{comparison, timestamp, type_test};
use crate::jsonata;
use crate::resource::{Pattern, Resource};

const COMMON: &[&str] = &["Type", "Comment", "QueryLanguage"];
const TYPES: &[&str] = &["Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"];
/// The deepest nesting of choice rules.
const DEEPEST_RULE: usize = 60;

type Fields = Object<String, Value>;

impl Checker {
    pub fn state(&mut self, here: &Here, v: &Value, outer: &HashSet<String>) {
        let Some(o) = v.as_object() else {
            return self.schema(&here.path, "Value is not of type object".into());
        };
        let here = &Here { jsonata: self.query_language(here, o), ..here.clone() };
        let Some(kind) = o.get("Type").and_then(Value::as_str).filter(|t| TYPES.contains(t)) else {
            return match o.get("Type") {
                None => self.required(here, o, &["Type"]),
                Some(_) => {
                    let message =
                        format!("Value is not one of allowed values [{}]", TYPES.join(", "));
                    self.schema(&here.at("Type").path, message);
                }
            };
        };
        self.allowed(here, o, kind);
        self.text(here, o, "Comment");
        self.boolean(here, o, "End");
        self.text(here, o, "Next");
        if matches!(kind, "Task" | "Pass" | "Wait" | "Parallel" | "Map") {
            self.transition(here, o);
        }
        self.assign(here, o.get("Assign"));
        if here.jsonata {
            for name in ["Arguments", "Output", "ItemSelector"] {
                if let Some(v) = o.get(name) {
                    self.payload(&here.at(name), v);
                }
            }
        } else {
            self.path(here, o, "InputPath", true);
            self.path(here, o, "OutputPath", true);
            self.reference_path(here, o, "ResultPath");
            for name in ["Parameters", "ResultSelector", "ItemSelector"] {
                if let Some(v) = o.get(name) {
                    self.payload(&here.at(name), v);
                }
            }
        }
        self.handlers(here, o);
        match kind {
            "Task" => self.task(here, o),
            "Choice" => self.choices(here, o),
            "Wait" => self.wait(here, o),
            "Fail" => self.fail(here, o),
            "Parallel" => self.parallel(here, o, outer),
            "Map" => self.map_state(here, o, outer),
            _ => {}
        }
    }

    /// The fields that a state of this type may have.
    fn allowed(&mut self, here: &Here, o: &Fields, kind: &str) {
        let mut all = COMMON.to_vec();
        let (both, paths, ata): (&[&str], &[&str], &[&str]) = match kind {
            "Pass" => (
                &["Next", "End", "Assign"],
                &["InputPath", "OutputPath", "ResultPath", "Parameters", "Result"],
                &["Output"],
            ),
            "Task" => (
                &[
                    "Next",
                    "End",
                    "Assign",
                    "Resource",
                    "Credentials",
                    "Retry",
                    "Catch",
                    "TimeoutSeconds",
                    "HeartbeatSeconds",
                ],
                &[
                    "InputPath",
                    "OutputPath",
                    "ResultPath",
                    "ResultSelector",
                    "Parameters",
                    "TimeoutSecondsPath",
                    "HeartbeatSecondsPath",
                ],
                &["Output", "Arguments"],
            ),
            "Choice" => {
                (&["Choices", "Default", "Assign"], &["InputPath", "OutputPath"], &["Output"])
            }
            "Wait" => (
                &["Next", "End", "Assign", "Seconds", "Timestamp"],
                &["InputPath", "OutputPath", "SecondsPath", "TimestampPath"],
                &["Output"],
            ),
            "Succeed" => (&[], &["InputPath", "OutputPath"], &["Output"]),
            "Fail" => (&["Error", "Cause"], &["ErrorPath", "CausePath"], &[]),
            "Parallel" => (
                &["Next", "End", "Assign", "Branches", "Retry", "Catch"],
                &["InputPath", "OutputPath", "ResultPath", "ResultSelector", "Parameters"],
                &["Output", "Arguments"],
            ),
            _ => (
                &[
                    "Next",
                    "End",
                    "Assign",
                    "ItemProcessor",
                    "Iterator",
                    "ItemSelector",
                    "ItemReader",
                    "ItemBatcher",
                    "ResultWriter",
                    "MaxConcurrency",
                    "ToleratedFailureCount",
                    "ToleratedFailurePercentage",
                    "Label",
                    "Retry",
                    "Catch",
                ],
                &[
                    "InputPath",
                    "OutputPath",
                    "ResultPath",
                    "ResultSelector",
                    "Parameters",
                    "ItemsPath",
                    "MaxConcurrencyPath",
                    "ToleratedFailureCountPath",
                    "ToleratedFailurePercentagePath",
                ],
                &["Output", "Items"],
            ),
        };
        all.extend(both);
        all.extend(if here.jsonata { ata } else { paths });
        self.fields(here, o, &all);
    }

    fn transition(&mut self, here: &Here, o: &Fields) {
        let end = o.get("End") == Some(&Value::Bool(true));
        if o.contains_key("Next") && end {
            self.schema(
                &here.path,
                "Only one of the following fields is allowed: [Next, End]".into(),
            );
        } else if !o.contains_key("Next") && !end {
            self.schema(
                &here.path,
                "Exactly one of the following fields is required: [Next, End]".into(),
            );
        }
    }

    fn handlers(&mut self, here: &Here, o: &Fields) {
        for (list, retry) in [("Retry", true), ("Catch", false)] {
            let Some(v) = o.get(list) else { continue };
            let at = here.at(list);
            let Some(all) = v.as_array() else {
                self.schema(&at.path, "Value is not of type array".into());
                continue;
            };
            for (i, h) in all.iter().enumerate() {
                let at = at.item(i);
                let Some(h) = h.as_object() else {
                    self.schema(&at.path, "Value is not of type object".into());
                    continue;
                };
                self.error_equals(&at, h, i + 1 == all.len());
                if retry {
                    self.fields(
                        &at,
                        h,
                        &[
                            "ErrorEquals",
                            "IntervalSeconds",
                            "MaxAttempts",
                            "BackoffRate",
                            "MaxDelaySeconds",
                            "JitterStrategy",
                            "Comment",
                        ],
                    );
                    let plain = &Here { jsonata: false, ..at };
                    self.number(plain, h, "IntervalSeconds", (1.0, 99_999_999.0), true);
                    self.number(plain, h, "MaxAttempts", (0.0, 99_999_999.0), true);
                    self.number(plain, h, "MaxDelaySeconds", (1.0, 31_622_400.0), true);
                    self.number(plain, h, "BackoffRate", (1.0, f64::MAX), false);
                    self.choice_of(plain, h, "JitterStrategy", &["FULL", "NONE"]);
                } else {
                    let own: &[&str] = if here.jsonata { &["Output"] } else { &["ResultPath"] };
                    let all = [&["ErrorEquals", "Next", "Comment", "Assign"], own].concat();
                    self.fields(&at, h, &all);
                    self.required(&at, h, &["Next"]);
                    self.text(&at, h, "Next");
                    self.assign(&at, h.get("Assign"));
                    self.reference_path(&at, h, "ResultPath");
                    if let Some(v) = h.get("Output") {
                        self.payload(&at.at("Output"), v);
                    }
                }
            }
        }
    }

    fn error_equals(&mut self, at: &Here, h: &Fields, last: bool) {
        let Some(v) = h.get("ErrorEquals") else {
            return self.required(at, h, &["ErrorEquals"]);
        };
        let here = at.at("ErrorEquals");
        let Some(names) = v.as_array() else {
            return self.schema(&here.path, "Value is not of type array".into());
        };
        if names.is_empty() {
            return self.schema(&here.path, "Value cannot be empty".into());
        }
        if names.iter().any(|n| !n.is_string()) {
            return self.schema(&here.path, "Value is not of type string".into());
        }
        let all = names.iter().any(|n| n == crate::fault::ALL);
        if all && names.len() > 1 {
            self.schema(&here.path, "States.ALL must appear alone".into());
        } else if all && !last {
            self.schema(&here.path, "States.ALL must appear in the last element".into());
        }
    }

    fn task(&mut self, here: &Here, o: &Fields) {
        self.required(here, o, &["Resource"]);
        for (name, path) in
            [("TimeoutSeconds", "TimeoutSecondsPath"), ("HeartbeatSeconds", "HeartbeatSecondsPath")]
        {
            self.exclusive(here, o, &[name, path]);
            self.integer(here, o, name, 1.0, 99_999_999.0);
            self.path(here, o, path, false);
        }
        let seconds = |n: &str| o.get(n).and_then(Value::as_f64);
        if let (Some(h), Some(t)) = (seconds("HeartbeatSeconds"), seconds("TimeoutSeconds"))
            && h >= t
        {
            self.schema(
                &here.at("HeartbeatSeconds").path,
                "HeartbeatSeconds must be smaller than TimeoutSeconds".into(),
            );
        }
        self.credentials(here, o);
        let Some(v) = o.get("Resource") else { return };
        let at = here.at("Resource");
        let Some(arn) = v.as_str() else {
            return self.schema(&at.path, "Value is not of type string".into());
        };
        let Some(resource) = Resource::parse(arn) else {
            return self.schema(&at.path, "Value is not a valid resource ARN".into());
        };
        if !self.options.express {
            return;
        }
        let unsupported = match (&resource, resource.pattern()) {
            (Resource::Activity(_), _) => Some("Activity ARN"),
            (_, Pattern::Sync | Pattern::Sync2) => Some("'.sync' service integration"),
            (_, Pattern::Callback) => Some("'.waitForTaskToken' service integration"),
            _ => None,
        };
        if let Some(what) = unsupported {
            self.schema(&at.path, format!("Express state machine does not support {what}"));
        }
    }

    fn credentials(&mut self, here: &Here, o: &Fields) {
        let Some(v) = o.get("Credentials") else { return };
        let at = here.at("Credentials");
        let Some(c) = v.as_object() else {
            return self.schema(&at.path, "Value is not of type object".into());
        };
        // What else stands here is the task's error when it runs.
        let _ = c;
        self.payload(&at, v);
    }

    fn choices(&mut self, here: &Here, o: &Fields) {
        self.required(here, o, &["Choices"]);
        self.text(here, o, "Default");
        let Some(v) = o.get("Choices") else { return };
        let at = here.at("Choices");
        let Some(all) = v.as_array() else {
            return self.schema(&at.path, "Value is not of type array".into());
        };
        if all.is_empty() {
            return self.schema(&at.path, "Value cannot be empty".into());
        }
        for (i, c) in all.iter().enumerate() {
            let at = at.item(i);
            let Some(c) = c.as_object() else {
                self.schema(&at.path, "Value is not of type object".into());
                continue;
            };
            self.required(&at, c, &["Next"]);
            self.text(&at, c, "Next");
            self.assign(&at, c.get("Assign"));
            if here.jsonata {
                self.fields(&at, c, &["Condition", "Next", "Assign", "Output", "Comment"]);
                self.required(&at, c, &["Condition"]);
                if let Some(v) = c.get("Condition").filter(|v| !v.is_boolean()) {
                    self.expression(&at.at("Condition"), v);
                }
                if let Some(v) = c.get("Output") {
                    self.payload(&at.at("Output"), v);
                }
            } else {
                self.rule(&at, c, true, DEEPEST_RULE);
            }
        }
    }

    fn rule(&mut self, at: &Here, c: &Fields, top: bool, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else {
            return self.schema(&at.path, "The rules nest too deeply".into());
        };
        let besides: &[&str] =
            if top { &["Next", "Assign", "Comment"] } else { &["Comment", "Variable"] };
        let rest: Vec<(&String, &Value)> =
            c.iter().filter(|(k, _)| !besides.contains(&k.as_str()) && *k != "Variable").collect();
        let [(name, v)] = rest[..] else {
            return self.schema(&at.path, "Exactly one comparison operator is required".into());
        };
        let inside = at.at(name);
        match name.as_str() {
            "And" | "Or" => match v.as_array() {
                Some(all) if !all.is_empty() => {
                    for (i, r) in all.iter().enumerate() {
                        self.inner_rule(&inside.item(i), r, depth);
                    }
                }
                _ => self.schema(&inside.path, "Value must be a non-empty array".into()),
            },
            "Not" => self.inner_rule(&inside, v, depth),
            name => {
                match c.get("Variable") {
                    Some(p) => self.plain_path(&at.at("Variable"), p),
                    None => self.required(at, c, &["Variable"]),
                }
                self.operand(&inside, name, v);
            }
        }
    }

    fn inner_rule(&mut self, at: &Here, r: &Value, depth: usize) {
        match r.as_object() {
            Some(r) => self.rule(at, r, false, depth),
            None => self.schema(&at.path, "Value is not of type object".into()),
        }
    }

    fn operand(&mut self, at: &Here, name: &str, v: &Value) {
        use crate::choice::Of;
        if type_test(name).is_some() {
            if !v.is_boolean() {
                self.schema(&at.path, "Value is not of type boolean".into());
            }
            return;
        }
        if name == "StringMatches" {
            if !v.is_string() {
                self.schema(&at.path, "Value is not of type string".into());
            }
            return;
        }
        let Some((of, _, path)) = comparison(name) else {
            return self.schema(&at.path, "Field is not supported".into());
        };
        if path {
            return self.plain_path(at, v);
        }
        let (fits, wanted) = match of {
            Of::Text => (v.is_string(), "string"),
            Of::Number => (v.is_number(), "number"),
            Of::Boolean => (v.is_boolean(), "boolean"),
            Of::Timestamp => (v.as_str().is_some_and(|s| timestamp(s).is_some()), "timestamp"),
        };
        if !fits && wanted == "timestamp" {
            self.schema(&at.path, "String does not match RFC3339 timestamp".into());
        } else if !fits {
            self.schema(&at.path, format!("Value is not of type {wanted}"));
        }
    }

    fn wait(&mut self, here: &Here, o: &Fields) {
        if here.jsonata {
            self.one(here, o, &["Seconds", "Timestamp"]);
        } else {
            self.one(here, o, &["Seconds", "Timestamp", "SecondsPath", "TimestampPath"]);
        }
        self.integer(here, o, "Seconds", 0.0, 99_999_999.0);
        self.path(here, o, "SecondsPath", false);
        self.path(here, o, "TimestampPath", false);
        let Some(v) = o.get("Timestamp") else { return };
        let at = here.at("Timestamp");
        match v.as_str() {
            Some(s) if here.jsonata && jsonata::unwrap(s).is_some() => self.jsonata_text(&at, v),
            Some(s) if timestamp(s).is_some() => {}
            _ => self.schema(&at.path, "String does not match RFC3339 timestamp".into()),
        }
    }

    fn fail(&mut self, here: &Here, o: &Fields) {
        for (name, path) in [("Error", "ErrorPath"), ("Cause", "CausePath")] {
            self.text(here, o, name);
            self.exclusive(here, o, &[name, path]);
            self.path(here, o, path, false);
            if let Some(v) = o.get(name).filter(|_| here.jsonata) {
                self.jsonata_text(&here.at(name), v);
            }
        }
    }

    fn parallel(&mut self, here: &Here, o: &Fields, outer: &HashSet<String>) {
        self.required(here, o, &["Branches"]);
        let Some(v) = o.get("Branches") else { return };
        let at = here.at("Branches");
        let Some(all) = v.as_array() else {
            return self.schema(&at.path, "Value is not of type array".into());
        };
        if all.is_empty() {
            return self.schema(&at.path, "Value cannot be empty".into());
        }
        for (i, b) in all.iter().enumerate() {
            let at = at.item(i);
            match b.as_object() {
                Some(b) => {
                    self.fields(&at, b, &["Comment", "QueryLanguage", "StartAt", "States"]);
                    self.scope(&at, b, outer, false);
                }
                None => self.schema(&at.path, "Value is not of type object".into()),
            }
        }
    }

    fn map_state(&mut self, here: &Here, o: &Fields, outer: &HashSet<String>) {
        self.exclusive(here, o, &["ItemProcessor", "Iterator"]);
        self.exclusive(here, o, &["ItemSelector", "Parameters"]);
        if here.jsonata {
            if let Some(v) = o.get("Items").filter(|v| !v.is_array()) {
                self.expression(&here.at("Items"), v);
            } else if let Some(v) = o.get("Items") {
                self.payload(&here.at("Items"), v);
            }
        }
        self.path(here, o, "ItemsPath", false);
        let counts = [
            ("MaxConcurrency", f64::MAX),
            ("ToleratedFailureCount", f64::MAX),
            ("ToleratedFailurePercentage", 100.0),
        ];
        for (name, most) in counts {
            let path = format!("{name}Path");
            self.exclusive(here, o, &[name, &path]);
            self.number(here, o, name, (0.0, most), !name.ends_with("Percentage"));
            self.path(here, o, &path, false);
        }
        let (name, v) = match (o.get("ItemProcessor"), o.get("Iterator")) {
            (Some(v), _) => ("ItemProcessor", v),
            (None, Some(v)) => ("Iterator", v),
            (None, None) => return self.required(here, o, &["ItemProcessor"]),
        };
        let at = here.at(name);
        let Some(p) = v.as_object() else {
            return self.schema(&at.path, "Value is not of type object".into());
        };
        self.fields(&at, p, &["Comment", "QueryLanguage", "ProcessorConfig", "StartAt", "States"]);
        let config = p.get("ProcessorConfig").and_then(Value::as_object);
        let mut distributed = config.is_none_or(|c| !c.contains_key("Mode"))
            && ["ItemReader", "ItemBatcher", "ResultWriter"].iter().any(|f| o.contains_key(*f));
        if let Some(c) = config {
            let at = at.at("ProcessorConfig");
            distributed |= c.get("Mode").is_some_and(|m| m == "DISTRIBUTED");
            self.choice_of(&at, c, "Mode", &["INLINE", "DISTRIBUTED"]);
            self.choice_of(&at, c, "ExecutionType", &["STANDARD", "EXPRESS"]);
            if distributed {
                self.required(&at, c, &["ExecutionType"]);
            }
        }
        if distributed && self.options.express {
            let message = "Express state machine does not support 'DISTRIBUTED' Map state";
            self.schema(&at.path, message.into());
        }
        self.distributed(here, o, distributed);
        let before = self.options;
        if config
            .is_some_and(|c| distributed && c.get("ExecutionType").is_some_and(|t| t == "EXPRESS"))
        {
            self.options.express = true;
        }
        self.scope(&at, p, outer, distributed);
        self.options = before;
    }

    fn distributed(&mut self, here: &Here, o: &Fields, distributed: bool) {
        for name in ["ItemReader", "ItemBatcher", "ResultWriter"] {
            let Some(v) = o.get(name) else { continue };
            let at = here.at(name);
            if !distributed {
                self.schema(&at.path, "Field is only supported in 'DISTRIBUTED' mode".into());
            }
            let Some(f) = v.as_object() else {
                self.schema(&at.path, "Value is not of type object".into());
                continue;
            };
            for payload in ["Parameters", "Arguments", "BatchInput"] {
                if let Some(v) = f.get(payload) {
                    self.payload(&at.at(payload), v);
                }
            }
            let config = f.get("ReaderConfig").and_then(Value::as_object);
            if let Some(c) = config {
                let at = at.at("ReaderConfig");
                self.exclusive(&at, c, &["MaxItems", "MaxItemsPath"]);
                self.choice_of(
                    &at,
                    c,
                    "InputType",
                    &["CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"],
                );
                self.choice_of(&at, c, "CSVHeaderLocation", &["FIRST_ROW", "GIVEN"]);
                self.path(&at, c, "MaxItemsPath", false);
            }
            for name in ["MaxItemsPerBatch", "MaxInputBytesPerBatch"] {
                let path = format!("{name}Path");
                self.exclusive(&at, f, &[name, &path]);
                self.number(&at, f, name, (1.0, f64::MAX), true);
                self.path(&at, f, &path, false);
            }
        }
        if let Some(label) = o.get("Label").and_then(Value::as_str)
            && (label.chars().count() > 40 || label.contains([' ', '/', ':', '*', '?', '"', '\\']))
        {
            self.schema(&here.at("Label").path, "Value is not a valid label".into());
        }
    }
}
