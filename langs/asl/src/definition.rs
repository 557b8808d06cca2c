//! Definitions, compiled: what a run follows. Only a definition that [`crate::validate`] accepts
//! compiles to what it says; others compile or fail, but never panic.

use std::collections::HashMap;

use serde_json::Value;

use crate::choice::Rule;
use crate::resource::Resource;
use crate::template::Template;

mod compile;

/// A state machine.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The machine itself first, then the branches of its Parallel and the processors of its Map
    /// states, at any depth.
    pub scopes: Vec<Scope>,
    /// Of a whole execution, in seconds.
    pub timeout: Option<u64>,
    pub comment: Option<String>,
    /// Some expression defines functions or ranges: evaluating may take long.
    pub heavy: bool,
    /// Some expression reads the context object.
    pub contextual: bool,
}

/// States that belong together.
#[derive(Clone, Debug)]
pub struct Scope {
    pub start_at: String,
    pub states: HashMap<String, State>,
}

/// A state.
#[derive(Clone, Debug)]
pub struct State {
    pub name: String,
    pub kind: Kind,
    /// JSONata, not JSONPath.
    pub jsonata: bool,
    /// `None` ends the scope.
    pub next: Option<String>,
    pub input_path: Io,
    pub output_path: Io,
    /// `Parameters`, or `Arguments` of a JSONata state.
    pub parameters: Option<Template>,
    pub result_selector: Option<Template>,
    pub result_path: Place,
    pub assign: Option<Template>,
    pub output: Option<Template>,
    pub retry: Vec<Retrier>,
    pub catch: Vec<Catcher>,
}

/// `InputPath` and `OutputPath`.
#[derive(Clone, Debug, PartialEq)]
pub enum Io {
    /// `$`
    Whole,
    /// `null`: an empty object.
    Nothing,
    Path(Template),
}

/// `ResultPath`.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// `$`: the result replaces the input.
    Whole,
    /// `null`: the result is dropped.
    Nothing,
    At(crate::path::Path),
}

/// What a state does.
#[derive(Clone, Debug)]
pub enum Kind {
    Pass {
        result: Option<Value>,
    },
    Succeed,
    Fail {
        error: Option<Template>,
        cause: Option<Template>,
    },
    Choice {
        choices: Vec<Choice>,
        default: Option<String>,
    },
    Wait(Wait),
    Task(Box<Task>),
    /// The scopes of the branches.
    Parallel(Vec<u32>),
    Map(Box<Map>),
}

/// A rule and where it leads.
#[derive(Clone, Debug)]
pub struct Choice {
    pub rule: Rule,
    pub next: String,
    pub assign: Option<Template>,
    pub output: Option<Template>,
}

/// How long a Wait waits.
#[derive(Clone, Debug)]
pub enum Wait {
    Seconds(Template),
    Timestamp(Template),
}

/// What a Task calls, and how long it may take.
#[derive(Clone, Debug)]
pub struct Task {
    pub resource: Resource,
    /// As it is written.
    pub arn: String,
    pub timeout: Option<Template>,
    pub heartbeat: Option<Template>,
    pub role: Option<Template>,
}

/// What a Map goes over, and how.
#[derive(Clone, Debug)]
pub struct Map {
    /// `ItemsPath`, or `Items` of a JSONata state.
    pub items: Option<Template>,
    pub selector: Option<Template>,
    pub max_concurrency: Option<Template>,
    /// The scope of the processor.
    pub processor: u32,
    pub tolerated_count: Option<Template>,
    pub tolerated_percentage: Option<Template>,
    /// Present when each iteration is an execution of its own.
    pub distributed: Option<Distributed>,
}

/// What only a distributed Map has.
#[derive(Clone, Debug, Default)]
pub struct Distributed {
    pub express: bool,
    pub label: Option<String>,
    pub reader: Option<Reader>,
    pub batcher: Option<Batcher>,
    pub writer: Option<Writer>,
}

/// `ItemReader`
#[derive(Clone, Debug)]
pub struct Reader {
    pub resource: String,
    pub parameters: Option<Template>,
    /// `JSON`, `JSONL`, `CSV`, `MANIFEST`, `PARQUET`
    pub input_type: Option<String>,
    /// `FIRST_ROW` or `GIVEN`
    pub header_location: Option<String>,
    pub headers: Vec<String>,
    pub delimiter: Option<String>,
    pub max_items: Option<Template>,
    /// `ItemsPointer`
    pub pointer: Option<String>,
}

/// `ItemBatcher`
#[derive(Clone, Debug)]
pub struct Batcher {
    pub max_items: Option<Template>,
    pub max_bytes: Option<Template>,
    pub input: Option<Template>,
}

/// `ResultWriter`
#[derive(Clone, Debug)]
pub struct Writer {
    pub resource: Option<String>,
    pub parameters: Option<Template>,
    /// `NONE`, `COMPACT` or `FLATTEN`
    pub transformation: String,
    /// `JSON` or `JSONL`
    pub output_type: String,
}

/// `Retry`
#[derive(Clone, Debug)]
pub struct Retrier {
    pub errors: Vec<String>,
    pub interval: f64,
    pub max_attempts: u32,
    pub backoff: f64,
    pub max_delay: Option<f64>,
    pub jitter: bool,
}

/// `Catch`
#[derive(Clone, Debug)]
pub struct Catcher {
    pub errors: Vec<String>,
    pub next: String,
    pub result_path: Place,
    pub assign: Option<Template>,
    pub output: Option<Template>,
}

impl Definition {
    /// Compiles a definition.
    ///
    /// # Errors
    /// What is wrong with it; [`crate::validate::check`] says it better.
    pub fn parse(text: &str) -> Result<Definition, String> {
        let v: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
        compile::definition(&v)
    }

    /// Compiles a single state, as TestState takes one; it is named `StateName`.
    ///
    /// # Errors
    /// As [`Definition::parse`].
    pub fn of_state(state: &Value, name: &str) -> Result<Definition, String> {
        let mut states = serde_json::Map::new();
        states.insert(name.to_owned(), state.clone());
        compile::definition(&serde_json::json!({"StartAt": name, "States": states}))
    }

    /// The state of this name in a scope.
    #[must_use]
    pub fn state(&self, scope: u32, name: &str) -> Option<&State> {
        self.scopes.get(scope as usize)?.states.get(name)
    }

    /// The first state of this name, in whichever scope, and its scope.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(u32, &State)> {
        (0u32..).zip(&self.scopes).find_map(|(i, s)| Some((i, s.states.get(name)?)))
    }
}

impl Kind {
    /// The state's type.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Pass { .. } => "Pass",
            Kind::Succeed => "Succeed",
            Kind::Fail { .. } => "Fail",
            Kind::Choice { .. } => "Choice",
            Kind::Wait(_) => "Wait",
            Kind::Task(_) => "Task",
            Kind::Parallel(_) => "Parallel",
            Kind::Map(_) => "Map",
        }
    }
}
