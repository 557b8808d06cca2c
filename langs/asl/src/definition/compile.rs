//! From JSON to [`Definition`].

use std::collections::HashMap;

use serde_json::{Map as Object, Value};

use super::{
    Batcher, Catcher, Choice, Definition, Distributed, Io, Kind, Map, Place, Reader, Retrier,
    Scope, State, Task, Wait, Writer,
};
use crate::choice::Rule;
use crate::path::{Path, Root};
use crate::resource::Resource;
use crate::template::Template;

type Result<T> = std::result::Result<T, String>;

/// The deepest nesting of Parallel and Map states.
const DEEPEST: usize = 32;

pub fn definition(v: &Value) -> Result<Definition> {
    let mut c = Compiler { scopes: Vec::new(), heavy: false, contextual: false };
    c.scope(v, is_jsonata(v, false), DEEPEST)?;
    // Scopes were filled in from the inside out; each has a place.
    let scopes: Option<Vec<Scope>> = c.scopes.into_iter().collect();
    Ok(Definition {
        scopes: scopes.ok_or("a scope is missing")?,
        timeout: v.get("TimeoutSeconds").and_then(Value::as_u64),
        comment: v.get("Comment").and_then(Value::as_str).map(str::to_owned),
        heavy: c.heavy,
        contextual: c.contextual,
    })
}

struct Compiler {
    scopes: Vec<Option<Scope>>,
    heavy: bool,
    contextual: bool,
}

impl Compiler {
    fn scope(&mut self, v: &Value, jsonata: bool, depth: usize) -> Result<u32> {
        let deeper = depth.checked_sub(1).ok_or("the states nest too deeply")?;
        let number = u32::try_from(self.scopes.len()).map_err(|e| e.to_string())?;
        self.scopes.push(None);
        let start_at = text(v, "StartAt").ok_or("StartAt is missing")?;
        let states = v.get("States").and_then(Value::as_object).ok_or("States is missing")?;
        let mut compiled = HashMap::with_capacity(states.len());
        for (name, state) in states {
            let made = self.state(name, state, jsonata, deeper);
            compiled.insert(name.clone(), made.map_err(|why| format!("{name}: {why}"))?);
        }
        self.scopes[number as usize] = Some(Scope { start_at, states: compiled });
        Ok(number)
    }

    fn state(&mut self, name: &str, v: &Value, above: bool, depth: usize) -> Result<State> {
        let jsonata = is_jsonata(v, above);
        let o = v.as_object().ok_or("a state is an object")?;
        let f = Fields { o, jsonata };
        let kind = match text(v, "Type").unwrap_or_default().as_str() {
            "Pass" => Kind::Pass { result: o.get("Result").filter(|_| !jsonata).cloned() },
            "Succeed" => Kind::Succeed,
            "Fail" => Kind::Fail { error: f.value("Error")?, cause: f.value("Cause")? },
            "Choice" => self.choice(&f)?,
            "Wait" => Kind::Wait(match (f.value("Seconds")?, f.value("Timestamp")?) {
                (Some(t), _) => Wait::Seconds(t),
                (None, Some(t)) => Wait::Timestamp(t),
                (None, None) => return Err("a Wait needs to know how long".into()),
            }),
            "Task" => Kind::Task(Box::new(task(&f)?)),
            "Parallel" => {
                let branches = o.get("Branches").and_then(Value::as_array);
                let branches = branches.ok_or("Branches is missing")?;
                let made = branches.iter().map(|b| self.scope(b, is_jsonata(b, above), depth));
                Kind::Parallel(made.collect::<Result<_>>()?)
            }
            "Map" => Kind::Map(Box::new(self.map(&f, above, depth)?)),
            other => return Err(format!("there is no state type '{other}'")),
        };
        let parameters = match &kind {
            Kind::Map(_) => None,
            _ => f.payload(if jsonata { "Arguments" } else { "Parameters" })?,
        };
        let state = State {
            name: name.to_owned(),
            kind,
            jsonata,
            next: text(v, "Next"),
            input_path: f.io("InputPath")?,
            output_path: f.io("OutputPath")?,
            parameters,
            result_selector: f.payload("ResultSelector")?.filter(|_| !jsonata),
            result_path: place(o.get("ResultPath"))?,
            assign: f.payload("Assign")?,
            output: f.payload("Output")?.filter(|_| jsonata),
            retry: list(o, "Retry").iter().map(retrier).collect(),
            catch: list(o, "Catch").iter().map(|c| catcher(c, jsonata)).collect::<Result<_>>()?,
        };
        self.note(&state);
        Ok(state)
    }

    /// Notes whether evaluating it may take long.
    fn note(&mut self, state: &State) {
        state.each(&mut |t| match t {
            Template::Jsonata(e) => {
                self.heavy |= e.is_heavy();
                self.contextual |= e.uses_context();
            }
            Template::Expr(e, _) => {
                let mut paths = Vec::new();
                e.paths(&mut paths);
                self.contextual |= paths.iter().any(|p| p.root == Root::Context);
            }
            _ => {}
        });
    }

    fn choice(&mut self, f: &Fields<'_>) -> Result<Kind> {
        let mut choices = Vec::new();
        for (i, c) in list(f.o, "Choices").iter().enumerate() {
            let inner = Fields { o: c.as_object().ok_or("a choice is an object")?, ..*f };
            let rule = match (f.jsonata, c.get("Condition")) {
                (true, Some(v)) => {
                    Rule::Condition(Template::jsonata(v, &format!("Choices[{i}]/Condition")))
                }
                _ => Rule::parse(c)?,
            };
            choices.push(Choice {
                rule,
                next: text(c, "Next").ok_or("a choice leads somewhere")?,
                assign: inner.payload("Assign")?,
                output: inner.payload("Output")?,
            });
        }
        Ok(Kind::Choice { choices, default: f.text("Default") })
    }

    fn map(&mut self, f: &Fields<'_>, above: bool, depth: usize) -> Result<Map> {
        let processor = f.o.get("ItemProcessor").or_else(|| f.o.get("Iterator"));
        let processor = processor.ok_or("ItemProcessor is missing")?;
        let config = processor.get("ProcessorConfig");
        let setting = |name: &str| config.and_then(|c| c.get(name)).and_then(Value::as_str);
        // What only a distributed Map has makes it one, unless it says otherwise.
        let fields = ["ItemReader", "ItemBatcher", "ResultWriter"];
        let distributed = match setting("Mode") {
            Some(mode) => mode == "DISTRIBUTED",
            None => fields.iter().any(|n| f.o.contains_key(*n)),
        };
        let items = match (f.jsonata, f.o.get("Items"), f.text("ItemsPath")) {
            (true, Some(v), _) => Some(Template::jsonata(v, "Items")),
            (false, _, Some(p)) => Some(Template::path(&p, "ItemsPath")?),
            _ => None,
        };
        let selector = match f.payload("ItemSelector")? {
            None if !f.jsonata => f.payload("Parameters")?,
            found => found,
        };
        Ok(Map {
            items,
            selector,
            max_concurrency: f.value("MaxConcurrency")?,
            processor: self.scope(processor, is_jsonata(processor, above), depth)?,
            tolerated_count: f.value("ToleratedFailureCount")?,
            tolerated_percentage: f.value("ToleratedFailurePercentage")?,
            distributed: distributed
                .then(|| {
                    Ok::<_, String>(Distributed {
                        express: setting("ExecutionType") == Some("EXPRESS"),
                        label: f.text("Label"),
                        reader: f.within("ItemReader").map(|f| reader(&f)).transpose()?,
                        batcher: f.within("ItemBatcher").map(|f| batcher(&f)).transpose()?,
                        writer: f.within("ResultWriter").map(|f| writer(&f)).transpose()?,
                    })
                })
                .transpose()?,
        })
    }
}

/// The fields of an object, read as its query language has them.
#[derive(Clone, Copy)]
struct Fields<'a> {
    o: &'a Object<String, Value>,
    jsonata: bool,
}

impl<'a> Fields<'a> {
    fn text(&self, name: &str) -> Option<String> {
        self.o.get(name).and_then(Value::as_str).map(str::to_owned)
    }

    fn within(&self, name: &str) -> Option<Fields<'a>> {
        Some(Fields { o: self.o.get(name)?.as_object()?, jsonata: self.jsonata })
    }

    /// A payload template.
    fn payload(&self, name: &str) -> Result<Option<Template>> {
        let Some(v) = self.o.get(name) else { return Ok(None) };
        Ok(Some(if self.jsonata { Template::jsonata(v, name) } else { Template::paths(v)? }))
    }

    /// A single value: a literal, `{% %}`, or the path in the field that ends in `Path`.
    fn value(&self, name: &str) -> Result<Option<Template>> {
        if self.jsonata {
            return Ok(self.o.get(name).map(|v| Template::jsonata(v, name)));
        }
        let path = format!("{name}Path");
        match self.o.get(&path).and_then(Value::as_str) {
            Some(p) => Template::path(p, &path).map(Some),
            None => Ok(self.o.get(name).cloned().map(Template::Literal)),
        }
    }

    fn io(&self, name: &str) -> Result<Io> {
        Ok(match self.o.get(name) {
            None => Io::Whole,
            Some(Value::String(p)) if p == "$" => Io::Whole,
            Some(Value::String(p)) => Io::Path(Template::path(p, name)?),
            Some(_) => Io::Nothing,
        })
    }
}

fn task(f: &Fields<'_>) -> Result<Task> {
    let arn = f.text("Resource").ok_or("Resource is missing")?;
    let role = match f.within("Credentials") {
        None => None,
        Some(c) if f.jsonata => {
            let role = c.o.get("RoleArn").unwrap_or(&Value::Null);
            Some(Template::jsonata(role, "Credentials/RoleArn"))
        }
        Some(c) => match c.text("RoleArn.$") {
            Some(p) => Some(Template::path(&p, "RoleArn.$")?),
            // Credentials without a role are no role: the task fails.
            None => Some(Template::Literal(c.o.get("RoleArn").cloned().unwrap_or_default())),
        },
    };
    Ok(Task {
        resource: Resource::parse(&arn).ok_or_else(|| format!("'{arn}' is no resource"))?,
        arn,
        timeout: f.value("TimeoutSeconds")?,
        heartbeat: f.value("HeartbeatSeconds")?,
        role,
    })
}

fn retrier(v: &Value) -> Retrier {
    let number = |name: &str| v.get(name).and_then(Value::as_f64);
    Retrier {
        errors: errors(v),
        interval: number("IntervalSeconds").unwrap_or(1.0),
        max_attempts: number("MaxAttempts").map_or(3, |n| n as u32),
        backoff: number("BackoffRate").unwrap_or(2.0),
        max_delay: number("MaxDelaySeconds"),
        jitter: v.get("JitterStrategy").and_then(Value::as_str) == Some("FULL"),
    }
}

fn catcher(v: &Value, jsonata: bool) -> Result<Catcher> {
    let f = Fields { o: v.as_object().ok_or("a catcher is an object")?, jsonata };
    Ok(Catcher {
        errors: errors(v),
        next: f.text("Next").ok_or("a catcher leads somewhere")?,
        result_path: place(f.o.get("ResultPath"))?,
        assign: f.payload("Assign")?,
        output: f.payload("Output")?,
    })
}

fn reader(f: &Fields<'_>) -> Result<Reader> {
    let empty = Object::new();
    let config = f.within("ReaderConfig").unwrap_or(Fields { o: &empty, jsonata: f.jsonata });
    let texts = |name: &str| {
        list(config.o, name).iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Ok(Reader {
        resource: f.text("Resource").unwrap_or_default(),
        parameters: f.payload(if f.jsonata { "Arguments" } else { "Parameters" })?,
        input_type: config.text("InputType"),
        header_location: config.text("CSVHeaderLocation"),
        headers: texts("CSVHeaders"),
        delimiter: config.text("CSVDelimiter"),
        max_items: config.value("MaxItems")?,
        pointer: config.text("ItemsPointer"),
    })
}

fn batcher(f: &Fields<'_>) -> Result<Batcher> {
    Ok(Batcher {
        max_items: f.value("MaxItemsPerBatch")?,
        max_bytes: f.value("MaxInputBytesPerBatch")?,
        input: f.payload("BatchInput")?,
    })
}

fn writer(f: &Fields<'_>) -> Result<Writer> {
    let config = f.within("WriterConfig");
    let setting = |name: &str, default: &str| {
        config.and_then(|c| c.text(name)).unwrap_or_else(|| default.to_owned())
    };
    Ok(Writer {
        resource: f.text("Resource"),
        parameters: f.payload(if f.jsonata { "Arguments" } else { "Parameters" })?,
        transformation: setting("Transformation", "NONE"),
        output_type: setting("OutputType", "JSON"),
    })
}

fn place(v: Option<&Value>) -> Result<Place> {
    Ok(match v {
        None => Place::Whole,
        Some(Value::String(p)) if p == "$" => Place::Whole,
        Some(Value::String(p)) => Place::At(Path::parse(p)?),
        Some(_) => Place::Nothing,
    })
}

fn errors(v: &Value) -> Vec<String> {
    let all = v.get("ErrorEquals").and_then(Value::as_array);
    all.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn list<'a>(o: &'a Object<String, Value>, name: &str) -> &'a [Value] {
    o.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text(v: &Value, name: &str) -> Option<String> {
    v.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn is_jsonata(v: &Value, above: bool) -> bool {
    v.get("QueryLanguage").and_then(Value::as_str).map_or(above, |l| l == "JSONata")
}

impl State {
    /// Each expression of the state.
    pub fn each(&self, visit: &mut dyn FnMut(&Template)) {
        let mut show = |t: &Option<Template>| {
            if let Some(t) = t {
                t.each(visit);
            }
        };
        for t in [&self.parameters, &self.result_selector, &self.assign, &self.output] {
            show(t);
        }
        for c in &self.catch {
            show(&c.assign);
            show(&c.output);
        }
        match &self.kind {
            Kind::Fail { error, cause } => [error, cause].into_iter().for_each(&mut show),
            Kind::Choice { choices, .. } => {
                for c in choices {
                    show(&c.assign);
                    show(&c.output);
                }
            }
            Kind::Task(t) => [&t.timeout, &t.heartbeat, &t.role].into_iter().for_each(&mut show),
            Kind::Map(m) => {
                let all = [&m.items, &m.selector, &m.max_concurrency];
                all.into_iter().for_each(&mut show);
                [&m.tolerated_count, &m.tolerated_percentage].into_iter().for_each(&mut show);
            }
            _ => {}
        }
        if let Kind::Choice { choices, .. } = &self.kind {
            choices.iter().for_each(|c| c.rule.each(visit));
        }
        if let Kind::Wait(Wait::Seconds(t) | Wait::Timestamp(t)) = &self.kind {
            t.each(visit);
        }
        for io in [&self.input_path, &self.output_path] {
            if let Io::Path(t) = io {
                t.each(visit);
            }
        }
    }
}
