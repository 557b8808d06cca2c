//! Filters of paths: `[?(@.price < 10 && @.kind == 'x')]`.

use std::cmp::Ordering;

use serde_json::Value;

use super::parse::{Parser, operand};
use super::{Path, Root, Step};

/// A condition on an item.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    Any(Vec<Filter>),
    All(Vec<Filter>),
    Not(Box<Filter>),
    /// It is there, and not null or false.
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A path from the item.
    Item(Path),
    Literal(Value),
}

/// How two sides are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

impl Filter {
    /// Whether it holds for `item`.
    #[must_use]
    pub fn holds(&self, item: &Value) -> bool {
        match self {
            Filter::Any(of) => of.iter().any(|f| f.holds(item)),
            Filter::All(of) => of.iter().all(|f| f.holds(item)),
            Filter::Not(f) => !f.holds(item),
            Filter::Exists(o) => o.value(item).is_some(),
            Filter::Compare(a, how, b) => match (a.value(item), b.value(item)) {
                (Some(a), Some(b)) => how.holds(&a, &b),
                _ => *how == Comparison::NotEqual,
            },
        }
    }
}

impl Operand {
    fn value(&self, item: &Value) -> Option<Value> {
        match self {
            Operand::Literal(v) => Some(v.clone()),
            Operand::Item(path) => match path.select(item) {
                Ok(Value::Array(found)) if !path.is_definite() && found.is_empty() => None,
                found => found.ok(),
            },
        }
    }
}

impl Comparison {
    fn holds(self, a: &Value, b: &Value) -> bool {
        let order = match (a, b) {
            (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
            (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
            _ => None,
        };
        let equal = order.map_or(a == b, Ordering::is_eq);
        match self {
            Comparison::Equal => equal,
            Comparison::NotEqual => !equal,
            Comparison::Less => order.is_some_and(Ordering::is_lt),
            Comparison::LessOrEqual => order.is_some_and(Ordering::is_le),
            Comparison::Greater => order.is_some_and(Ordering::is_gt),
            Comparison::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
            Comparison::In => b.as_array().is_some_and(|b| b.contains(a)),
            Comparison::NotIn => b.as_array().is_some_and(|b| !b.contains(a)),
        }
    }
}

/// `a || b`
pub fn any(p: &mut Parser<'_>, depth: usize) -> Result<Filter, String> {
    let mut of = vec![all(p, depth)?];
    while sign(p, "||") {
        of.push(all(p, depth)?);
    }
    Ok(if of.len() == 1 { of.remove(0) } else { Filter::Any(of) })
}

fn all(p: &mut Parser<'_>, depth: usize) -> Result<Filter, String> {
    let mut of = vec![term(p, depth)?];
    while sign(p, "&&") {
        of.push(term(p, depth)?);
    }
    Ok(if of.len() == 1 { of.remove(0) } else { Filter::All(of) })
}

fn term(p: &mut Parser<'_>, depth: usize) -> Result<Filter, String> {
    let deeper = depth.checked_sub(1).ok_or("the filter nests too deeply")?;
    if sign(p, "!") {
        return Ok(Filter::Not(Box::new(term(p, deeper)?)));
    }
    if sign(p, "(") {
        let inner = any(p, deeper)?;
        return if sign(p, ")") { Ok(inner) } else { Err("a parenthesis is not closed".into()) };
    }
    let left = side(p)?;
    let signs = [
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
        ("in ", Comparison::In),
        ("nin ", Comparison::NotIn),
    ];
    match signs.into_iter().find(|(text, _)| sign(p, text)) {
        Some((_, how)) => Ok(Filter::Compare(left, how, side(p)?)),
        None => Ok(Filter::Exists(left)),
    }
}

fn side(p: &mut Parser<'_>) -> Result<Operand, String> {
    p.space();
    if p.eat("@") || p.eat("$") {
        let from = p.at;
        let steps: Vec<Step> = operand(p)?;
        let text = format!("${}", &p.text[from..p.at]);
        return Ok(Operand::Item(Path { root: Root::Input, steps, text }));
    }
    if p.rest().starts_with(['\'', '"']) {
        return Ok(Operand::Literal(p.quoted()?.into()));
    }
    if sign(p, "[") {
        let mut items = Vec::new();
        while !sign(p, "]") {
            match side(p)? {
                Operand::Literal(v) => items.push(v),
                Operand::Item(_) => return Err("a list holds literals".into()),
            }
            sign(p, ",");
            if p.rest().is_empty() {
                return Err("a list is not closed".into());
            }
        }
        return Ok(Operand::Literal(Value::Array(items)));
    }
    let rest = p.rest();
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(rest.len());
    let word = &rest[..end];
    let literal = match serde_json::from_str(word) {
        Ok(v) => v,
        // A bare word is a text.
        Err(_) if word.starts_with(|c: char| c.is_ascii_alphabetic()) => word.into(),
        Err(_) => return Err(format!("'{rest}' begins with no path or literal")),
    };
    p.at += end;
    Ok(Operand::Literal(literal))
}

fn sign(p: &mut Parser<'_>, text: &str) -> bool {
    p.space();
    p.eat(text)
}
