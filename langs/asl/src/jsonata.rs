//! JSONata expressions: `{% $states.input.name %}`, with the functions that Step Functions adds.
//!
//! Compiled expressions and converted inputs are kept per thread, since the engine's values belong
//! to one. Evaluation is bounded in time, depth, the length of sequences and the size of its result.
//! <https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html>

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError, EvaluatorOptions};
use jsonata_core::parser;
use jsonata_core::value::JValue;
use serde_json::Value;

use crate::world::World;

mod convert;
mod functions;
mod scan;

/// The bounds of one evaluation.
const MILLISECONDS: u64 = 1000;
const DEEPEST: usize = 1500;
const LONGEST_SEQUENCE: usize = 500_000;
/// How many compiled expressions a thread keeps.
const KEPT: usize = 4096;
/// How many converted inputs a thread keeps.
const RECENT: usize = 4;

/// An expression, with where it stands (`Output/result`).
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    pub source: Arc<str>,
    pub location: String,
    /// The variables it may read: every `$name` in it.
    names: Vec<String>,
    uses: scan::Uses,
}

/// What an expression may read.
pub struct Names<'a> {
    pub input: &'a Arc<Value>,
    pub result: Option<&'a Value>,
    pub error: Option<&'a Value>,
    pub context: &'a dyn Fn() -> Value,
    pub variable: &'a dyn Fn(&str) -> Option<Arc<Value>>,
    pub world: &'a Arc<dyn World + Send + Sync>,
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    Undefined,
    /// A function or a regular expression, which no JSON can hold.
    NoJson,
    /// The result is larger than a state's output may be.
    TooLarge,
    /// The engine's code and words.
    Threw(String),
}

thread_local! {
    static COMPILED: RefCell<HashMap<Arc<str>, Rc<AstNode>>> = RefCell::default();
    static INPUTS: RefCell<Vec<(Arc<Value>, JValue)>> = RefCell::default();
}

/// The expression within `{% … %}`; `None` for any other text.
#[must_use]
pub fn unwrap(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("{%")?.strip_suffix("%}")?;
    Some(inner.trim())
}

impl Expression {
    /// Takes an expression, without its `{% %}`. Its syntax is checked by [`Expression::check`].
    #[must_use]
    pub fn new(source: &str, location: &str) -> Self {
        Expression {
            source: source.into(),
            location: location.to_owned(),
            names: scan::names(source),
            uses: scan::uses(source),
        }
    }

    /// Checks the syntax.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(source: &str) -> Result<(), String> {
        if source.len() > 65_536 || scan::depth(source) > 128 {
            return Err("the expression nests too deeply or is too long".into());
        }
        parser::parse(source).map(|_| ()).map_err(|e| e.to_string())
    }

    /// The variables that it may read, `states` left out.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether it may take long: it defines functions or ranges.
    #[must_use]
    pub fn is_heavy(&self) -> bool {
        self.uses.heavy
    }

    /// Whether it may read the context object.
    #[must_use]
    pub fn uses_context(&self) -> bool {
        self.uses.context
    }

    /// Its value.
    ///
    /// # Errors
    /// When it has none.
    pub fn value(&self, names: &Names<'_>) -> Result<Value, Failure> {
        let ast = compiled(&self.source)?;
        let mut context = Context::new();
        if self.uses.states {
            context.bind("states".to_owned(), self.states(names));
        }
        for name in &self.names {
            if let Some(value) = (names.variable)(name) {
                context.bind(name.clone(), converted(&value));
            }
        }
        let mut evaluator = Evaluator::with_options(
            context,
            EvaluatorOptions {
                timeout_ms: Some(MILLISECONDS),
                max_stack_depth: Some(DEEPEST),
                max_sequence_length: Some(LONGEST_SEQUENCE),
                ..EvaluatorOptions::default()
            },
        );
        if self.uses.functions {
            functions::add(&mut evaluator, names.world).map_err(|e| threw(&e))?;
        }
        let found = evaluator.evaluate(&ast, &JValue::Undefined).map_err(|e| threw(&e))?;
        convert::to_json(&found)
    }

    fn states(&self, names: &Names<'_>) -> JValue {
        let mut states = indexmap::IndexMap::with_capacity(4);
        let uses = &self.uses;
        if uses.input {
            states.insert("input".to_owned(), converted(names.input));
        }
        if uses.context {
            states.insert("context".to_owned(), convert::from_json(&(names.context)()));
        }
        if let Some(result) = names.result.filter(|_| uses.result) {
            states.insert("result".to_owned(), convert::from_json(result));
        }
        if let Some(error) = names.error.filter(|_| uses.error) {
            states.insert("errorOutput".to_owned(), convert::from_json(error));
        }
        JValue::object(states)
    }
}

fn compiled(source: &Arc<str>) -> Result<Rc<AstNode>, Failure> {
    COMPILED.with_borrow_mut(|kept| {
        if let Some(found) = kept.get(source) {
            return Ok(Rc::clone(found));
        }
        let ast = Rc::new(parser::parse(source).map_err(|e| Failure::Threw(e.to_string()))?);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(Arc::clone(source), Rc::clone(&ast));
        Ok(ast)
    })
}

/// A shared value as the engine's; the last few are kept.
fn converted(value: &Arc<Value>) -> JValue {
    INPUTS.with_borrow_mut(|recent| {
        if let Some((_, found)) = recent.iter().find(|(v, _)| Arc::ptr_eq(v, value)) {
            return found.clone();
        }
        let made = convert::from_json(value);
        if recent.len() >= RECENT {
            recent.remove(0);
        }
        recent.push((Arc::clone(value), made.clone()));
        made
    })
}

fn threw(e: &EvaluatorError) -> Failure {
    Failure::Threw(e.message().to_owned())
}

#[cfg(test)]
mod tests;
