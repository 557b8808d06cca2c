//! What the placeholders of a request's expressions stand for, and which of them were used.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::{Attr, Error, Result};

/// `ExpressionAttributeNames` and `ExpressionAttributeValues`.
#[derive(Debug, Default)]
pub struct Scope {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, Attr>,
    used_names: RefCell<BTreeSet<String>>,
    used_values: RefCell<BTreeSet<String>>,
}

impl Scope {
    /// Checks the spelling of the placeholders: `#name`, `:value`.
    ///
    /// # Errors
    /// AWS's sentence about the first that is misspelt.
    pub fn new(
        names: Option<BTreeMap<String, String>>,
        values: Option<BTreeMap<String, Attr>>,
    ) -> Result<Self> {
        if names.as_ref().is_some_and(BTreeMap::is_empty) {
            return Err(Error::new("ExpressionAttributeNames must not be empty"));
        }
        if values.as_ref().is_some_and(BTreeMap::is_empty) {
            return Err(Error::new("ExpressionAttributeValues must not be empty"));
        }
        let (names, values) = (names.unwrap_or_default(), values.unwrap_or_default());
        check("ExpressionAttributeNames", '#', names.keys())?;
        check("ExpressionAttributeValues", ':', values.keys())?;
        if names.values().any(|v| v.len() > MAX_NAME) {
            return Err(name_too_large());
        }
        if let Some((k, _)) = names.iter().find(|(_, v)| v.is_empty()) {
            return Err(Error::new(format!(
                "ExpressionAttributeNames contains invalid value: The expression attribute name \
                 must not be empty; key: {k}"
            )));
        }
        Ok(Scope { names, values, ..Scope::default() })
    }

    /// Values without a spelling rule: what PartiQL's parameters become.
    #[must_use]
    pub fn has_any(&self) -> (bool, bool) {
        (!self.names.is_empty(), !self.values.is_empty())
    }

    pub(crate) fn name(&self, placeholder: &str) -> Result<String> {
        let found = self.names.get(placeholder).cloned().ok_or_else(|| {
            Error::new(format!(
                "An expression attribute name used in the document path is not defined; \
                 attribute name: {placeholder}"
            ))
        })?;
        self.used_names.borrow_mut().insert(placeholder.to_owned());
        Ok(found)
    }

    pub(crate) fn value(&self, placeholder: &str) -> Result<Attr> {
        let found = self.values.get(placeholder).cloned().ok_or_else(|| {
            Error::new(format!(
                "An expression attribute value used in expression is not defined; \
                 attribute value: {placeholder}"
            ))
        })?;
        self.used_values.borrow_mut().insert(placeholder.to_owned());
        Ok(found)
    }

    /// Checks that everything that was given was used.
    ///
    /// # Errors
    /// AWS's sentence with the placeholders that were not.
    pub fn check_used(&self) -> Result<()> {
        unused("ExpressionAttributeNames", self.names.keys(), &self.used_names.borrow())?;
        unused("ExpressionAttributeValues", self.values.keys(), &self.used_values.borrow())
    }
}

/// How long an attribute's name may be, in bytes.
pub const MAX_NAME: usize = 65_535;

/// The error for a longer one.
#[must_use]
pub fn name_too_large() -> Error {
    Error::new("Attribute name is too large, must be less than 65536 bytes")
}

fn check<'a>(what: &str, mark: char, keys: impl Iterator<Item = &'a String>) -> Result<()> {
    for key in keys {
        let body = key.strip_prefix(mark).unwrap_or_default();
        if body.is_empty() || !body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(Error::new(format!(
                "{what} contains invalid key: Syntax error; key: \"{key}\""
            )));
        }
        if key.len() > 255 {
            return Err(Error::new(format!(
                "{what} contains invalid key: The expression attribute map contains a key that is \
                 too long; key: \"{key}\""
            )));
        }
    }
    Ok(())
}

fn unused<'a>(
    what: &str,
    keys: impl Iterator<Item = &'a String>,
    used: &BTreeSet<String>,
) -> Result<()> {
    let left: Vec<&str> = keys.filter(|k| !used.contains(*k)).map(String::as_str).collect();
    if left.is_empty() {
        return Ok(());
    }
    let left = left.join(", ");
    Err(Error::new(format!("Value provided in {what} unused in expressions: keys: {{{left}}}")))
}
