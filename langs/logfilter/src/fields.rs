//! Patterns over events of words between blanks: `[ip, user, ..., status = 4*, bytes > 100]`.

use std::collections::BTreeMap;

use crate::condition::{Condition, Tree, Words, at};
use crate::lex::{Token, words};
use crate::{Error, error};

#[derive(Clone, Debug)]
pub struct Fields {
    /// The names of the fields; `None` for the dots that stand for any number of them.
    names: Vec<Option<String>>,
    conditions: Vec<Tree<Leaf>>,
}

/// A condition on the field at a position of `names`.
#[derive(Clone, Debug)]
struct Leaf {
    name: String,
    condition: Condition,
}

impl Fields {
    pub fn parse(text: &str) -> Result<Fields, Error> {
        let Some(inside) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) else {
            return error("a bracket has no end");
        };
        let words = words(inside)?;
        let mut reader = Words::new(&words);
        let mut fields = Fields { names: Vec::new(), conditions: Vec::new() };
        loop {
            fields.field(&mut reader)?;
            if reader.peek().is_none() {
                break;
            }
            if !reader.take(",") {
                return error(format!("a comma is missing{}", at(reader.peek())));
            }
        }
        if fields.names.iter().filter(|n| n.is_none()).count() > 1 {
            return error("... may stand once");
        }
        for (i, tree) in fields.conditions.iter().enumerate() {
            let mut unknown = None;
            tree.each(&mut |leaf: &Leaf| {
                if fields.position(&leaf.name).is_none() {
                    unknown = Some(leaf.name.clone());
                }
            });
            if let Some(name) = unknown {
                return error(format!("condition {} is about '{name}', which is no field", i + 1));
            }
        }
        Ok(fields)
    }

    /// `name`, `name = value && name != value`, `...`.
    fn field(&mut self, words: &mut Words<'_>) -> Result<(), Error> {
        match words.peek() {
            // An unnamed field, for its position only.
            None | Some(Token::Sign(",")) => {
                self.names.push(Some(format!("{}", self.names.len() + 1)));
                return Ok(());
            }
            Some(Token::Word(w)) if w == "..." => {
                words.next();
                self.names.push(None);
                return Ok(());
            }
            Some(Token::Word(name)) if matches!(words.second(), None | Some(Token::Sign(","))) => {
                words.next();
                self.names.push(Some(name.clone()));
                return Ok(());
            }
            _ => {}
        }
        let tree = words.tree(&leaf)?;
        let mut first = None;
        tree.each(&mut |leaf: &Leaf| {
            first.get_or_insert_with(|| leaf.name.clone());
        });
        self.names.push(first);
        self.conditions.push(tree);
        Ok(())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n.as_deref() == Some(name))
    }

    pub fn names(&self, reference: &str) -> bool {
        reference.strip_prefix('$').is_some_and(|n| self.position(n).is_some())
    }

    pub fn matches(&self, message: &str) -> bool {
        let Some(found) = self.assign(message) else { return false };
        self.conditions.iter().all(|tree| {
            tree.holds(&|leaf: &Leaf| {
                let at = self.position(&leaf.name);
                let field = at.and_then(|i| found[i].as_deref());
                field.is_some_and(|f| leaf.condition.holds(f))
            })
        })
    }

    pub fn extract(&self, message: &str) -> BTreeMap<String, String> {
        let Some(found) = self.assign(message) else { return BTreeMap::new() };
        let named = self.names.iter().zip(found);
        named.filter_map(|(n, f)| Some((format!("${}", n.as_ref()?), f?))).collect()
    }

    /// The fields of a message by the position of their name; `None` when their number differs.
    fn assign(&self, message: &str) -> Option<Vec<Option<String>>> {
        let mut fields = split(message);
        let open = self.names.iter().position(Option::is_none);
        let Some(open) = open else {
            return (fields.len() == self.names.len())
                .then(|| fields.into_iter().map(Some).collect());
        };
        let behind = self.names.len() - open - 1;
        if fields.len() < open + behind {
            return None;
        }
        let tail = fields.split_off(fields.len() - behind);
        let head = fields.into_iter().take(open).map(Some);
        Some(head.chain([None]).chain(tail.into_iter().map(Some)).collect())
    }
}

fn leaf(words: &mut Words<'_>) -> Result<Leaf, Error> {
    match words.next() {
        Some(Token::Word(name)) => Ok(Leaf { name: name.clone(), condition: words.condition()? }),
        other => error(format!("the name of a field is missing{}", at(other))),
    }
}

/// Words between blanks; what stands in quotes or brackets is one.
fn split(message: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = message.trim_start();
    while let Some(c) = rest.chars().next() {
        let close = match c {
            '"' => Some('"'),
            '[' => Some(']'),
            _ => None,
        };
        let inside = close.and_then(|close| {
            let end = rest[1..].find(close)? + 1;
            let after = &rest[end + 1..];
            // Only where the closing sign ends the word.
            (after.is_empty() || after.starts_with(char::is_whitespace)).then_some((1, end, after))
        });
        let (from, to, after) = inside.unwrap_or_else(|| {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            (0, end, &rest[end..])
        });
        found.push(rest[from..to].to_owned());
        rest = after.trim_start();
    }
    found
}
