//! Patterns: conditions by name, and whether a document meets them.

use serde_json::Value;

use crate::{Condition, Dialect, Error, parse};

/// A pattern that has been read.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern(pub(crate) Fields);

/// All of these must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fields {
    pub named: Vec<(String, Node)>,
    /// Of each of these lists, one must hold.
    pub any: Vec<Vec<Fields>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Leaf(Vec<Condition>),
    Fields(Fields),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Pattern, Error> {
        let json =
            serde_json::from_str(text).map_err(|e| Error(format!("failed to parse JSON: {e}")))?;
        Pattern::from_json(&json, dialect)
    }

    /// Reads a pattern that is a value already.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(json: &Value, dialect: Dialect) -> Result<Pattern, Error> {
        parse::pattern(json, dialect).map(Pattern)
    }

    /// Whether a document meets the pattern.
    #[must_use]
    pub fn matches(&self, document: &Value) -> bool {
        self.0.hold(document)
    }

    /// Whether it looks below a name at the top, rather than at its value; `None` when it does not
    /// name it. For callers who must read a text as JSON first.
    #[must_use]
    pub fn looks_below(&self, name: &str) -> Option<bool> {
        let (_, node) = self.0.named.iter().find(|(n, _)| n == name)?;
        Some(matches!(node, Node::Fields(_)))
    }

    /// The names at the top, those under `$or` included.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut out = Vec::new();
        self.0.collect_names(&mut out);
        out.sort_unstable();
        out.dedup();
        out
    }

    /// How many combinations of conditions there are: the product over the leaves of the number of
    /// conditions, each times the depth at which it stands if `by_depth`.
    #[must_use]
    pub fn combinations(&self, by_depth: bool) -> usize {
        self.0.combinations(1, by_depth)
    }
}

impl Fields {
    fn hold(&self, document: &Value) -> bool {
        self.named.iter().all(|(name, node)| node.holds(document.get(name)))
            && self.any.iter().all(|any| any.iter().any(|f| f.hold(document)))
    }

    /// Whether it holds where there is no object at all.
    fn hold_for_nothing(&self) -> bool {
        self.named.iter().all(|(_, node)| node.holds(None))
            && self.any.iter().all(|any| any.iter().any(Fields::hold_for_nothing))
    }

    fn collect_names<'a>(&'a self, out: &mut Vec<&'a str>) {
        out.extend(self.named.iter().map(|(n, _)| n.as_str()));
        for fields in self.any.iter().flatten() {
            fields.collect_names(out);
        }
    }

    fn combinations(&self, depth: usize, by_depth: bool) -> usize {
        let named = self.named.iter().map(|(_, node)| match node {
            Node::Leaf(all) => all.len().saturating_mul(if by_depth { depth } else { 1 }),
            Node::Fields(f) => f.combinations(depth + 1, by_depth),
        });
        let any = self
            .any
            .iter()
            .map(|any| any.iter().map(|f| f.combinations(depth, by_depth)).sum::<usize>());
        named.chain(any).fold(1, usize::saturating_mul)
    }
}

impl Node {
    fn holds(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Node::Leaf(all), None) => all.iter().any(Condition::holds_for_nothing),
            (Node::Leaf(all), Some(Value::Array(items))) => {
                // An empty list is nothing.
                items.is_empty() && all.iter().any(Condition::holds_for_nothing)
                    || items.iter().any(|item| self.holds_for(all, item))
            }
            (Node::Leaf(all), Some(v)) => self.holds_for(all, v),
            (Node::Fields(f), None) => f.hold_for_nothing(),
            // One item must meet all that is asked of it.
            (Node::Fields(f), Some(Value::Array(items))) => items.iter().any(|item| f.hold(item)),
            (Node::Fields(f), Some(v @ Value::Object(_))) => f.hold(v),
            (Node::Fields(f), Some(_)) => f.hold_for_nothing(),
        }
    }

    fn holds_for(&self, all: &[Condition], v: &Value) -> bool {
        match v {
            Value::Array(items) => items.iter().any(|item| self.holds_for(all, item)),
            // Only leaves are compared: what is an object has no value of its own.
            Value::Object(_) => all.iter().any(Condition::holds_for_nothing),
            v => all.iter().any(|c| c.holds(v)),
        }
    }
}
