//! Patterns over JSON events: `{ $.a = 1 && ($.b = "x*" || $.c IS NULL) }`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::condition::{Condition, Tree, Words, at};
use crate::lex::{Token, words};
use crate::{Error, error};

#[derive(Clone, Debug)]
pub struct Json(Tree<Leaf>);

#[derive(Clone, Debug)]
struct Leaf {
    selector: Selector,
    asks: Asks,
}

#[derive(Clone, Debug)]
enum Asks {
    Compare(Condition),
    IsNull,
    IsTrue,
    IsFalse,
    NotExists,
    Exists,
}

/// `$.a.b[0]`, and as it was written.
#[derive(Clone, Debug)]
struct Selector {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Member(String),
    Item(usize),
    /// `[*]`: any item.
    Any,
}

impl Json {
    pub fn parse(text: &str) -> Result<Json, Error> {
        let Some(inside) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) else {
            return error("a brace has no end");
        };
        let words = words(inside)?;
        let mut reader = Words::new(&words);
        let tree = reader.tree(&leaf)?;
        match reader.peek() {
            None => Ok(Json(tree)),
            rest => error(format!("&& or || is missing{}", at(rest))),
        }
    }

    pub fn matches(&self, message: &str) -> bool {
        let Some(event) = event(message) else { return false };
        self.0.holds(&|leaf: &Leaf| leaf.holds(&event))
    }

    pub fn extract(&self, message: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let Some(event) = event(message) else { return found };
        self.0.each(&mut |leaf: &Leaf| {
            if let Some(text) = leaf.selector.find(&event).first().and_then(|v| shown(v)) {
                found.insert(leaf.selector.text.clone(), text);
            }
        });
        found
    }
}

/// What a selector means in a message.
pub fn value(message: &str, selector: &str) -> Option<String> {
    let selector = Selector::parse(selector).ok()?;
    selector.find(&event(message)?).first().and_then(|v| shown(v))
}

pub fn is_selector(text: &str) -> bool {
    Selector::parse(text).is_ok()
}

fn event(message: &str) -> Option<Value> {
    let text = message.trim_start();
    if !text.starts_with('{') {
        return None; // most events are no JSON: not worth a parser
    }
    serde_json::from_str(text).ok()
}

fn shown(v: &Value) -> Option<String> {
    match v {
        Value::String(s) => Some(s.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

fn leaf(words: &mut Words<'_>) -> Result<Leaf, Error> {
    let selector = match words.next() {
        Some(Token::Selector(text)) => Selector::parse(text)?,
        other => return error(format!("a selector like $.name is missing{}", at(other))),
    };
    let asks = if words.take_word("IS") {
        match words.next() {
            Some(Token::Word(w)) if w.eq_ignore_ascii_case("NULL") => Asks::IsNull,
            Some(Token::Word(w)) if w.eq_ignore_ascii_case("TRUE") => Asks::IsTrue,
            Some(Token::Word(w)) if w.eq_ignore_ascii_case("FALSE") => Asks::IsFalse,
            other => return error(format!("NULL, TRUE or FALSE is missing{}", at(other))),
        }
    } else if words.take_word("NOT") {
        if !words.take_word("EXISTS") {
            return error("EXISTS is missing after NOT");
        }
        Asks::NotExists
    } else if words.take_word("EXISTS") {
        Asks::Exists
    } else {
        Asks::Compare(words.condition()?)
    };
    Ok(Leaf { selector, asks })
}

impl Leaf {
    fn holds(&self, event: &Value) -> bool {
        let found = self.selector.find(event);
        let any = |f: &dyn Fn(&Value) -> bool| found.iter().any(|v| f(v));
        match &self.asks {
            Asks::IsNull => any(&Value::is_null),
            Asks::IsTrue => any(&|v| *v == Value::Bool(true)),
            Asks::IsFalse => any(&|v| *v == Value::Bool(false)),
            Asks::NotExists => found.is_empty(),
            Asks::Exists => !found.is_empty(),
            Asks::Compare(c) => any(&|v| match v {
                Value::String(s) => c.holds(s),
                Value::Number(n) => c.holds(&n.to_string()),
                Value::Bool(b) => c.holds(if *b { "true" } else { "false" }),
                _ => false,
            }),
        }
    }
}

impl Selector {
    fn parse(text: &str) -> Result<Selector, Error> {
        let bad = || Error(format!("'{text}' is no selector"));
        let mut rest = text.strip_prefix('$').ok_or_else(bad)?;
        let mut steps = Vec::new();
        while let Some(c) = rest.chars().next() {
            match c {
                '.' => {
                    let end = rest[1..].find(['.', '[']).map_or(rest.len(), |n| n + 1);
                    if end == 1 {
                        return Err(bad());
                    }
                    steps.push(Step::Member(rest[1..end].to_owned()));
                    rest = &rest[end..];
                }
                '[' => {
                    let end = rest.find(']').ok_or_else(bad)?;
                    let inside = rest[1..end].trim();
                    steps.push(match inside.trim_matches('"') {
                        name if name.len() + 2 == inside.len() => Step::Member(name.to_owned()),
                        "*" => Step::Any,
                        n => Step::Item(n.parse().map_err(|_| bad())?),
                    });
                    rest = &rest[end + 1..];
                }
                _ => return Err(bad()),
            }
        }
        if steps.is_empty() { Err(bad()) } else { Ok(Selector { text: text.to_owned(), steps }) }
    }

    fn find<'a>(&self, event: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![event];
        for step in &self.steps {
            found = match step {
                Step::Member(name) => found.into_iter().filter_map(|v| v.get(name)).collect(),
                Step::Item(n) => found.into_iter().filter_map(|v| v.get(*n)).collect(),
                Step::Any => found.into_iter().filter_map(Value::as_array).flatten().collect(),
            };
        }
        found
    }
}
