//! Definitions: kept by the hash of their text, compiled once per process.

use std::sync::Arc;

use bytes::Bytes;
use fogbank_asl::Definition;
use fogbank_asl::validate::{self, Diagnostic, Options};
use fogbank_core::{ApiError, Result};
use fogbank_store::{Key, Tx};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use crate::Sfn;
use crate::record::DEFINITIONS;

/// Compiled definitions by hash. What a hash stands for never changes.
pub struct Definitions(Cache<String, Arc<Compiled>>);

/// A definition as text and compiled.
pub struct Compiled {
    pub text: String,
    pub definition: Definition,
    /// The ARNs of the activities that it names.
    pub activities: Vec<String>,
}

const KEPT: usize = 1000;

impl Default for Definitions {
    fn default() -> Self {
        Definitions(Cache::new(KEPT))
    }
}

impl Sfn {
    /// The definition of a hash.
    pub async fn definition(&self, hash: &str) -> Result<Arc<Compiled>> {
        if let Some(found) = self.definitions.0.get(hash) {
            return Ok(found);
        }
        let stored = self.store.get(&DEFINITIONS, &Key::new().str(hash)).await?;
        let lost = || ApiError::internal(format!("the definition {hash} is not there"));
        let text = String::from_utf8_lossy(&stored.ok_or_else(lost)?).into_owned();
        let made = Arc::new(compile(text)?);
        self.definitions.0.insert(hash.to_owned(), Arc::clone(&made));
        Ok(made)
    }
}

/// Puts a definition's text where its hash finds it; the hash.
pub fn keep(tx: &mut Tx, text: &str) -> String {
    let hash = hex::encode(Sha256::digest(text.as_bytes()));
    tx.put(&DEFINITIONS, &Key::new().str(&hash), &Bytes::copy_from_slice(text.as_bytes()));
    hash
}

/// Compiles a definition.
pub fn compile(text: String) -> Result<Compiled> {
    let definition = Definition::parse(&text).map_err(|why| invalid(&why))?;
    let mut activities = Vec::new();
    for state in definition.scopes.iter().flat_map(|s| s.states.values()) {
        if let fogbank_asl::definition::Kind::Task(t) = &state.kind
            && let fogbank_asl::Resource::Activity(arn) = &t.resource
        {
            activities.push(arn.clone());
        }
    }
    Ok(Compiled { text, definition, activities })
}

/// Refuses a definition that is wrong, as CreateStateMachine does.
pub fn check(text: &str, express: bool) -> Result<()> {
    let found = validate::check(text, Options { express });
    let errors: Vec<&Diagnostic> = found.iter().filter(|d| !d.warning).collect();
    if errors.is_empty() {
        return compile(text.to_owned()).map(|_| ());
    }
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Err(invalid(&lines.join(", ")))
}

pub fn invalid(why: &str) -> ApiError {
    ApiError::new("InvalidDefinition", format!("Invalid State Machine Definition: '{why}'"))
}
