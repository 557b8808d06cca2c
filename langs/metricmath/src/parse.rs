//! From text to a tree.

use crate::{Error, invalid};

#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Number(f64),
    Text(String),
    Id(String),
    List(Vec<Node>),
    Call(String, Vec<Node>),
    Negative(Box<Node>),
    Binary(&'static str, Box<Node>, Box<Node>),
}

impl Node {
    pub fn names(&self, found: &mut Vec<String>) {
        match self {
            Node::Id(id) if !found.contains(id) => found.push(id.clone()),
            Node::List(some) | Node::Call(_, some) => some.iter().for_each(|n| n.names(found)),
            Node::Negative(n) => n.names(found),
            Node::Binary(_, a, b) => {
                a.names(found);
                b.names(found);
            }
            _ => {}
        }
    }

    pub fn uses_all(&self) -> bool {
        match self {
            Node::Call(name, some) => name == "METRICS" || some.iter().any(Node::uses_all),
            Node::List(some) => some.iter().any(Node::uses_all),
            Node::Negative(n) => n.uses_all(),
            Node::Binary(_, a, b) => a.uses_all() || b.uses_all(),
            _ => false,
        }
    }
}

/// Loosest first; each row binds closer than the one before.
const BINARY: &[&[&str]] =
    &[&["||"], &["&&"], &["==", "!=", ">=", "<=", ">", "<"], &["+", "-"], &["*", "/"], &["^"]];
/// How deep an expression may go.
const DEEPEST: usize = 64;

pub fn parse(text: &str) -> Result<Node, Error> {
    let mut p = Parser { rest: text.trim_start(), depth: 0 };
    let node = p.binary(0)?;
    if p.rest.is_empty() { Ok(node) } else { invalid(format!("unexpected '{}'", p.near())) }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn near(&self) -> String {
        self.rest.chars().take(12).collect()
    }

    fn take(&mut self, sign: &str) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn binary(&mut self, level: usize) -> Result<Node, Error> {
        let Some(signs) = BINARY.get(level) else { return self.unary() };
        self.depth += 1;
        if self.depth > DEEPEST * BINARY.len() {
            return invalid("the expression goes too deep");
        }
        let mut left = self.binary(level + 1)?;
        while let Some(sign) = signs.iter().find(|s| self.rest.starts_with(**s)) {
            self.take(sign);
            let right = self.binary(level + 1)?;
            left = Node::Binary(sign, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, Error> {
        if self.take("-") {
            self.depth += 1;
            if self.depth > DEEPEST * BINARY.len() {
                return invalid("the expression goes too deep");
            }
            let of = self.unary()?;
            self.depth -= 1;
            return Ok(Node::Negative(Box::new(of)));
        }
        if self.take("(") {
            let inner = self.binary(0)?;
            return if self.take(")") { Ok(inner) } else { invalid("')' is missing") };
        }
        if self.take("[") {
            return Ok(Node::List(self.list("]")?));
        }
        match self.rest.chars().next() {
            Some(q @ ('"' | '\'')) => match self.rest[1..].find(q) {
                Some(end) => {
                    let text = self.rest[1..=end].to_owned();
                    self.rest = self.rest[end + 2..].trim_start();
                    Ok(Node::Text(text))
                }
                None => invalid("a text has no end"),
            },
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_ascii_alphabetic() => {
                let word = self.word();
                if self.take("(") {
                    return Ok(Node::Call(word, self.list(")")?));
                }
                Ok(Node::Id(word))
            }
            None => invalid("something is missing at the end"),
            Some(_) => invalid(format!("unexpected '{}'", self.near())),
        }
    }

    fn number(&mut self) -> Result<Node, Error> {
        let digits = |s: &str| s.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let mut n = digits(self.rest);
        let tail = &self.rest[n..];
        if let Some(exponent) = tail.strip_prefix(['e', 'E']) {
            let sign = usize::from(exponent.starts_with(['+', '-']));
            let more = digits(&exponent[sign..]);
            if more > 0 {
                n += 1 + sign + more;
            }
        }
        let text = &self.rest[..n];
        let Ok(number) = text.parse() else { return invalid(format!("'{text}' is no number")) };
        self.rest = self.rest[n..].trim_start();
        Ok(Node::Number(number))
    }

    fn word(&mut self) -> String {
        let n = self.rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let word = self.rest[..n].to_owned();
        self.rest = self.rest[n..].trim_start();
        word
    }

    fn list(&mut self, close: &str) -> Result<Vec<Node>, Error> {
        let mut items = Vec::new();
        if self.take(close) {
            return Ok(items);
        }
        loop {
            items.push(self.binary(0)?);
            if self.take(close) {
                return Ok(items);
            }
            if !self.take(",") {
                return invalid(format!("',' or '{close}' is missing"));
            }
        }
    }
}
