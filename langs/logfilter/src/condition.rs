//! A comparison with a value, and how comparisons are joined.

use regex_lite::Regex;

use crate::lex::Token;
use crate::{Error, error};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Op {
    pub fn of(sign: &str) -> Option<Op> {
        Some(match sign {
            "=" => Op::Equal,
            "!=" => Op::Unequal,
            "<" => Op::Less,
            "<=" => Op::AtMost,
            ">" => Op::More,
            ">=" => Op::AtLeast,
            _ => return None,
        })
    }
}

/// `op value`.
#[derive(Clone, Debug)]
pub struct Condition {
    op: Op,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    /// The number, if it is one, and the text with its wildcards.
    Text {
        text: String,
        number: Option<f64>,
    },
    Regex(Regex),
}

impl Condition {
    pub fn new(op: Op, value: &Token) -> Result<Condition, Error> {
        let ordered = !matches!(op, Op::Equal | Op::Unequal);
        let value = match value {
            Token::Regex(_) if ordered => return error("a regular expression is = or !="),
            Token::Regex(r) => match Regex::new(r) {
                Ok(r) => Value::Regex(r),
                Err(e) => return error(format!("the regular expression cannot be read: {e}")),
            },
            Token::Text(text) => Value::Text { text: text.clone(), number: None },
            Token::Word(text) => {
                let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
                Value::Text { text: text.clone(), number }
            }
            other => return error(format!("a value is missing before {other:?}")),
        };
        if ordered && !matches!(value, Value::Text { number: Some(_), .. }) {
            return error("only numbers are less or more than another");
        }
        Ok(Condition { op, value })
    }

    /// Whether it holds of a text, which may be a number.
    pub fn holds(&self, text: &str) -> bool {
        let equal = match (&self.value, self.op) {
            (Value::Regex(r), _) => r.is_match(text),
            (Value::Text { number: Some(n), text: pattern }, op) => match text.parse::<f64>() {
                Ok(x) => {
                    return match op {
                        Op::Equal => x == *n,
                        Op::Unequal => x != *n,
                        Op::Less => x < *n,
                        Op::AtMost => x <= *n,
                        Op::More => x > *n,
                        Op::AtLeast => x >= *n,
                    };
                }
                Err(_) => wild(pattern, text),
            },
            (Value::Text { text: pattern, .. }, _) => wild(pattern, text),
        };
        match self.op {
            Op::Equal => equal,
            Op::Unequal => !equal,
            _ => false,
        }
    }
}

/// Whether `text` is `pattern`, in which `*` stands for anything.
fn wild(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Comparisons joined by `&&`, which binds closer, and `||`.
#[derive(Clone, Debug)]
pub enum Tree<T> {
    Leaf(T),
    All(Vec<Tree<T>>),
    Any(Vec<Tree<T>>),
}

impl<T> Tree<T> {
    pub fn holds(&self, leaf: &impl Fn(&T) -> bool) -> bool {
        match self {
            Tree::Leaf(t) => leaf(t),
            Tree::All(all) => all.iter().all(|t| t.holds(leaf)),
            Tree::Any(any) => any.iter().any(|t| t.holds(leaf)),
        }
    }

    pub fn each<'a>(&'a self, see: &mut impl FnMut(&'a T)) {
        match self {
            Tree::Leaf(t) => see(t),
            Tree::All(some) | Tree::Any(some) => some.iter().for_each(|t| t.each(see)),
        }
    }
}

/// Words being read.
pub struct Words<'a> {
    words: &'a [Token],
    depth: usize,
}

/// How deep parentheses may go.
const DEEPEST: usize = 64;

impl<'a> Words<'a> {
    pub fn new(words: &'a [Token]) -> Self {
        Words { words, depth: 0 }
    }

    pub fn peek(&self) -> Option<&'a Token> {
        self.words.first()
    }

    /// The one behind the next.
    pub fn second(&self) -> Option<&'a Token> {
        self.words.get(1)
    }

    pub fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    /// Takes this sign, if it is next.
    pub fn take(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
        if is {
            self.next();
        }
        is
    }

    /// Takes this word, if it is next, however it is written.
    pub fn take_word(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word));
        if is {
            self.next();
        }
        is
    }

    /// The next sign that compares.
    pub fn op(&mut self) -> Result<Op, Error> {
        match self.next() {
            Some(Token::Sign(s)) if Op::of(s).is_some() => Ok(Op::of(s).unwrap_or(Op::Equal)),
            other => error(format!("a comparison is missing{}", at(other))),
        }
    }

    /// A comparison behind what it is about.
    pub fn condition(&mut self) -> Result<Condition, Error> {
        let op = self.op()?;
        match self.next() {
            Some(value) => Condition::new(op, value),
            None => error("a value is missing at the end"),
        }
    }

    /// `a || b && (c || d)`.
    pub fn tree<T>(
        &mut self,
        leaf: &impl Fn(&mut Self) -> Result<T, Error>,
    ) -> Result<Tree<T>, Error> {
        let mut any = vec![self.all(leaf)?];
        while self.take("||") {
            any.push(self.all(leaf)?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Tree::Any(any) })
    }

    fn all<T>(&mut self, leaf: &impl Fn(&mut Self) -> Result<T, Error>) -> Result<Tree<T>, Error> {
        let mut all = vec![self.one(leaf)?];
        while self.take("&&") {
            all.push(self.one(leaf)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Tree::All(all) })
    }

    fn one<T>(&mut self, leaf: &impl Fn(&mut Self) -> Result<T, Error>) -> Result<Tree<T>, Error> {
        if !self.take("(") {
            return leaf(self).map(Tree::Leaf);
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return error("the parentheses go too deep");
        }
        let inner = self.tree(leaf)?;
        self.depth -= 1;
        if self.take(")") { Ok(inner) } else { error("a parenthesis has no end") }
    }
}

pub fn at(token: Option<&Token>) -> String {
    match token {
        None => " at the end".into(),
        Some(Token::Sign(s)) => format!(" before '{s}'"),
        Some(Token::Word(w) | Token::Text(w) | Token::Regex(w) | Token::Selector(w)) => {
            format!(" before '{w}'")
        }
    }
}
