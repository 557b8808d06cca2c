//! Ranges: which keys of a table a scan sees, and in which direction.

use crate::engine::Span;
use crate::key::{Key, open_text, successor};
use crate::table::MAX_KEY;

/// A range of keys. Bounds narrow it; [`Range::after`] continues a scan, whichever its direction.
#[derive(Clone, Debug, Default)]
pub struct Range {
    /// Inclusive.
    from: Vec<u8>,
    /// Exclusive; `None` is the end of the table.
    to: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
    reverse: bool,
}

impl Range {
    /// The whole table.
    #[must_use]
    pub fn all() -> Self {
        Range::default()
    }

    /// The keys that begin with the parts of `prefix`, and `prefix` itself.
    #[must_use]
    pub fn prefix(prefix: &Key) -> Self {
        Range { from: prefix.as_bytes().to_vec(), to: Some(below(prefix)), ..Range::default() }
    }

    /// The keys that begin with the parts of `parent` and whose next part is a text that begins
    /// with `text`: S3's `Prefix`.
    #[must_use]
    pub fn starting(parent: &Key, text: &str) -> Self {
        let from = [parent.as_bytes(), &open_text(text)].concat();
        Range { to: successor(&from), from, ..Range::default() }
    }

    /// Nothing before `key`.
    #[must_use]
    pub fn from(mut self, key: &Key) -> Self {
        self.raise(key.as_bytes().to_vec());
        self
    }

    /// Nothing at or past `key`.
    #[must_use]
    pub fn to(mut self, key: &Key) -> Self {
        self.lower(key.as_bytes().to_vec());
        self
    }

    /// Continues behind `key`, in the direction of the scan.
    #[must_use]
    pub fn after(mut self, key: &Key) -> Self {
        self.after = Some(key.as_bytes().to_vec());
        self
    }

    /// Nothing before the end of the keys that begin with the parts of `prefix`: skips `prefix`
    /// and all below it.
    #[must_use]
    pub fn past(mut self, prefix: &Key) -> Self {
        self.raise(below(prefix));
        self
    }

    /// Nothing before the end of [`Range::starting`]`(parent, text)`: skips a common prefix.
    #[must_use]
    pub fn past_starting(mut self, parent: &Key, text: &str) -> Self {
        let prefix = [parent.as_bytes(), &open_text(text)].concat();
        // The tag of a text is never 0xFF: there is always a successor.
        self.raise(successor(&prefix).unwrap_or(prefix));
        self
    }

    /// Largest key first.
    #[must_use]
    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }

    fn raise(&mut self, from: Vec<u8>) {
        if from > self.from {
            self.from = from;
        }
    }

    fn lower(&mut self, to: Vec<u8>) {
        if self.to.as_ref().is_none_or(|old| to < *old) {
            self.to = Some(to);
        }
    }

    /// The range in the engine's one key space, below the table's prefix.
    pub(crate) fn span(mut self, table: &[u8]) -> Span {
        if let Some(mut after) = self.after.take() {
            if self.reverse {
                self.lower(after);
            } else {
                after.push(0);
                self.raise(after);
            }
        }
        let lo = [table, &self.from].concat();
        let hi = match &self.to {
            Some(to) => [table, to].concat(),
            None => successor(table).unwrap_or_default(),
        };
        Span { lo: bounded(lo), hi: bounded(hi), reverse: self.reverse }
    }
}

/// The end of the keys that begin with all parts of `prefix`. Not the successor of its bytes: that
/// would take in texts that go on with a NUL, whose escape is 0xFF; every tag is less.
fn below(prefix: &Key) -> Vec<u8> {
    [prefix.as_bytes(), &[0xFF]].concat()
}

/// A bound that divides the keys that can be stored as `bound` does, and that engines can take.
fn bounded(mut bound: Vec<u8>) -> Vec<u8> {
    if bound.len() > MAX_KEY {
        bound.truncate(MAX_KEY);
        bound.push(0);
    }
    bound
}
