//! The values that stand in PartiQL's statements.

use super::{Kind, Parser};
use crate::{Attr, Error, Item, Result};

impl Parser<'_> {
    pub(super) fn value(&mut self) -> Result<Attr> {
        self.nested(Self::value_inside)
    }

    fn value_inside(&mut self) -> Result<Attr> {
        if self.eat("?") {
            let next = self.parameters.get(self.used).cloned();
            self.used += 1;
            return next.ok_or_else(|| {
                Error::new("Number of parameters in request and statement don't match.")
            });
        }
        if self.eat("[") {
            return Ok(Attr::L(self.several("]")?));
        }
        if self.eat("<<") {
            return set(self.several(">>")?);
        }
        if self.eat("{") {
            return self.map();
        }
        if self.eat("-") {
            return self.number("-");
        }
        if self.eat("+") {
            return self.number("");
        }
        for (word, v) in
            [("true", Attr::Bool(true)), ("false", Attr::Bool(false)), ("null", Attr::Null)]
        {
            if self.eat_word(word) {
                return Ok(v);
            }
        }
        match self.peek().kind {
            Kind::Text => Ok(Attr::S(self.next().text)),
            Kind::Number => self.number(""),
            _ => Err(self.unexpected()),
        }
    }

    fn number(&mut self, sign: &str) -> Result<Attr> {
        if self.peek().kind != Kind::Number {
            return Err(self.unexpected());
        }
        Ok(Attr::N(format!("{sign}{}", self.next().text).parse()?))
    }

    fn several(&mut self, close: &str) -> Result<Vec<Attr>> {
        let mut items = Vec::new();
        while !self.eat(close) {
            if !items.is_empty() {
                self.expect(",")?;
            }
            items.push(self.value()?);
        }
        Ok(items)
    }

    fn map(&mut self) -> Result<Attr> {
        let mut map = Item::new();
        while !self.eat("}") {
            if !map.is_empty() {
                self.expect(",")?;
            }
            let name = match self.peek().kind {
                Kind::Text | Kind::Quoted | Kind::Word => self.next().text,
                _ => return Err(self.unexpected()),
            };
            self.expect(":")?;
            let v = self.value()?;
            map.insert(name, v);
        }
        Ok(Attr::M(map))
    }
}

/// A set, whose type is its members'.
fn set(items: Vec<Attr>) -> Result<Attr> {
    fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
        all.sort();
        all.dedup();
        all
    }
    let wrong = || Error::new("Set values must be strings, numbers or binaries of one type");
    let all = |kind: &str| items.iter().all(|i| i.kind() == kind);
    if items.is_empty() {
        return Err(wrong());
    }
    let (texts, numbers, blobs) = (all("S"), all("N"), all("B"));
    let (mut s, mut n, mut b) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        match item {
            Attr::S(x) => s.push(x),
            Attr::N(x) => n.push(x),
            Attr::B(x) => b.push(x),
            _ => return Err(wrong()),
        }
    }
    match (texts, numbers, blobs) {
        (true, ..) => Ok(Attr::Ss(sorted(s))),
        (_, true, _) => Ok(Attr::Ns(sorted(n))),
        (.., true) => Ok(Attr::Bs(sorted(b))),
        _ => Err(wrong()),
    }
}
