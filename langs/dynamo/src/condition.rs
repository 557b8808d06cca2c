//! Conditions: condition expressions, filters, and what PartiQL's WHERE and the older parameters
//! become.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html>

use std::cmp::Ordering;

use crate::lex::Kind;
use crate::parse::{Parser, wrong_count, wrong_type};
use crate::{Attr, Error, Item, Number, Path, Result, Scope};

/// A condition over an item.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Compare(Comparison, Operand, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(Path),
    Missing(Path),
    /// The attribute has a type, as the API spells it.
    Type(Operand, String),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    Path(Path),
    Value(Attr),
    Size(Box<Operand>),
}

/// An operand's value: in the item, in the expression, or computed.
enum Found<'a> {
    Here(&'a Attr),
    Made(Attr),
}

impl Found<'_> {
    fn get(&self) -> &Attr {
        match self {
            Found::Here(a) => a,
            Found::Made(a) => a,
        }
    }
}

impl Operand {
    fn find<'a>(&'a self, item: &'a Item) -> Option<Found<'a>> {
        match self {
            Operand::Path(path) => path.find(item).map(Found::Here),
            Operand::Value(value) => Some(Found::Here(value)),
            Operand::Size(of) => {
                let length = of.find(item)?.get().length()?;
                Some(Found::Made(Attr::N(Number::from(length as i64))))
            }
        }
    }

    fn constant(&self) -> Option<&Attr> {
        match self {
            Operand::Value(v) => Some(v),
            _ => None,
        }
    }
}

impl Comparison {
    fn holds(self, a: &Attr, b: &Attr) -> bool {
        match self {
            Comparison::Eq => a == b,
            Comparison::Ne => a != b,
            Comparison::Lt => a.compare(b) == Some(Ordering::Less),
            Comparison::Le => a.compare(b).is_some_and(Ordering::is_le),
            Comparison::Gt => a.compare(b) == Some(Ordering::Greater),
            Comparison::Ge => a.compare(b).is_some_and(Ordering::is_ge),
        }
    }

    fn of(mark: &str) -> Option<Self> {
        Some(match mark {
            "=" => Comparison::Eq,
            "<>" => Comparison::Ne,
            "<" => Comparison::Lt,
            "<=" => Comparison::Le,
            ">" => Comparison::Gt,
            ">=" => Comparison::Ge,
            _ => return None,
        })
    }
}

impl Condition {
    /// Parses a condition expression.
    ///
    /// # Errors
    /// AWS's sentence, without the parameter's name.
    pub fn parse(text: &str, scope: &Scope) -> Result<Self> {
        let mut p = Parser::new(text, scope)?;
        let condition = or(&mut p)?;
        p.end()?;
        Ok(condition)
    }

    /// Whether `item` fulfils it. An item that does not exist is an empty one.
    #[must_use]
    pub fn holds(&self, item: &Item) -> bool {
        match self {
            Condition::And(a, b) => a.holds(item) && b.holds(item),
            Condition::Or(a, b) => a.holds(item) || b.holds(item),
            Condition::Not(c) => !c.holds(item),
            Condition::Compare(how, a, b) => match (a.find(item), b.find(item)) {
                (Some(a), Some(b)) => how.holds(a.get(), b.get()),
                _ => *how == Comparison::Ne,
            },
            Condition::Between(a, low, high) => {
                match (a.find(item), low.find(item), high.find(item)) {
                    (Some(a), Some(low), Some(high)) => {
                        Comparison::Ge.holds(a.get(), low.get())
                            && Comparison::Le.holds(a.get(), high.get())
                    }
                    _ => false,
                }
            }
            Condition::In(a, list) => a.find(item).is_some_and(|a| {
                list.iter().any(|b| b.find(item).is_some_and(|b| a.get() == b.get()))
            }),
            Condition::Exists(path) => path.find(item).is_some(),
            Condition::Missing(path) => path.find(item).is_none(),
            Condition::Type(o, kind) => o.find(item).is_some_and(|a| a.get().kind() == kind),
            Condition::BeginsWith(a, b) => match (a.find(item), b.find(item)) {
                (Some(a), Some(b)) => a.get().begins_with(b.get()),
                _ => false,
            },
            Condition::Contains(a, b) => match (a.find(item), b.find(item)) {
                (Some(a), Some(b)) => a.get().contains(b.get()),
                _ => false,
            },
        }
    }

    /// Shows `see` every path in it.
    pub fn paths<'a>(&'a self, see: &mut impl FnMut(&'a Path)) {
        fn operand<'a>(o: &'a Operand, see: &mut impl FnMut(&'a Path)) {
            match o {
                Operand::Path(p) => see(p),
                Operand::Size(of) => operand(of, see),
                Operand::Value(_) => {}
            }
        }
        match self {
            Condition::And(a, b) | Condition::Or(a, b) => {
                a.paths(see);
                b.paths(see);
            }
            Condition::Not(c) => c.paths(see),
            Condition::Compare(_, a, b)
            | Condition::BeginsWith(a, b)
            | Condition::Contains(a, b) => {
                operand(a, see);
                operand(b, see);
            }
            Condition::Between(a, b, c) => [a, b, c].into_iter().for_each(|o| operand(o, see)),
            Condition::In(a, list) => {
                operand(a, see);
                list.iter().for_each(|o| operand(o, see));
            }
            Condition::Type(o, _) => operand(o, see),
            Condition::Exists(p) | Condition::Missing(p) => see(p),
        }
    }
}

fn or(p: &mut Parser<'_>) -> Result<Condition> {
    let mut left = and(p)?;
    while p.eat_word("OR") {
        p.operator()?;
        left = Condition::Or(Box::new(left), Box::new(and(p)?));
    }
    Ok(left)
}

fn and(p: &mut Parser<'_>) -> Result<Condition> {
    let mut left = not(p)?;
    while p.eat_word("AND") {
        p.operator()?;
        left = Condition::And(Box::new(left), Box::new(not(p)?));
    }
    Ok(left)
}

fn not(p: &mut Parser<'_>) -> Result<Condition> {
    if p.eat_word("NOT") {
        p.operator()?;
        return Ok(Condition::Not(Box::new(p.nested(not)?)));
    }
    if p.eat("(") {
        let (start, twice) = (p.place(), p.peek().text == "(");
        let inner = p.nested(or)?;
        p.expect(")")?;
        if twice && closes_at(p, start) {
            return Err(Error::new("The expression has redundant parentheses;"));
        }
        return Ok(inner);
    }
    comparison(p)
}

/// Whether the bracket that opens at token `start` closes right before the one just closed.
fn closes_at(p: &Parser<'_>, start: usize) -> bool {
    let mut depth = 0;
    for at in start..p.place() - 1 {
        match p.token_text(at) {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 2 == p.place();
        }
    }
    false
}

fn comparison(p: &mut Parser<'_>) -> Result<Condition> {
    if p.peek().kind == Kind::Word && p.second() == "(" && p.peek().text != "size" {
        return function(p);
    }
    let left = operand(p)?;
    if let Some(how) = Comparison::of(p.peek().text).filter(|_| p.peek().kind == Kind::Mark) {
        let mark = p.take().text;
        p.operator()?;
        let right = operand(p)?;
        if !matches!(how, Comparison::Eq | Comparison::Ne) {
            check_scalar(mark, &left)?;
            check_scalar(mark, &right)?;
        }
        check_distinct(mark, &left, &right)?;
        return Ok(Condition::Compare(how, left, right));
    }
    if p.eat_word("BETWEEN") {
        p.operator()?;
        let low = operand(p)?;
        if !p.eat_word("AND") {
            return Err(p.unexpected());
        }
        let high = operand(p)?;
        for o in [&left, &low, &high] {
            check_scalar("BETWEEN", o)?;
        }
        check_bounds(&low, &high)?;
        return Ok(Condition::Between(left, low, high));
    }
    if p.eat_word("IN") {
        p.operator()?;
        p.expect("(")?;
        let mut list = vec![operand(p)?];
        while p.eat(",") {
            list.push(operand(p)?);
        }
        p.expect(")")?;
        if list.len() > 100 {
            return Err(Error::new(format!(
                "The IN operator is provided with too many operands; number of operands: {}",
                list.len()
            )));
        }
        for o in &list {
            check_distinct("IN", &left, o)?;
        }
        return Ok(Condition::In(left, list));
    }
    if let Operand::Size(_) = left {
        return Err(Error::new(
            "The function is not allowed to be used this way in an expression; function: size",
        ));
    }
    Err(p.unexpected())
}

fn function(p: &mut Parser<'_>) -> Result<Condition> {
    let name = p.take().text;
    p.operator()?;
    p.expect("(")?;
    let known = match name {
        "attribute_exists" | "attribute_not_exists" => 1,
        "attribute_type" | "begins_with" | "contains" => 2,
        "if_not_exists" | "list_append" => {
            return Err(Error::new(format!(
                "The function is not allowed in a condition expression; function: {name}"
            )));
        }
        _ => return Err(Error::new(format!("Invalid function name; function: {name}"))),
    };
    let mut operands = Vec::new();
    if !p.eat(")") {
        operands.push(operand(p)?);
        while p.eat(",") {
            operands.push(operand(p)?);
        }
        p.expect(")")?;
    }
    if operands.len() != known {
        return Err(wrong_count(name, operands.len()));
    }
    let needs_path = || {
        Error::new(format!(
            "Operator or function requires a document path; operator or function: {name}"
        ))
    };
    let second = if known == 2 { operands.pop() } else { None };
    let Some(first) = operands.pop() else { return Err(wrong_count(name, 0)) };
    match (name, second) {
        ("attribute_type", Some(second)) => {
            let kind = match second {
                Operand::Value(Attr::S(kind)) => kind,
                Operand::Value(other) => return Err(wrong_type(name, other.kind())),
                _ => return Err(wrong_type(name, "{path}")),
            };
            const KINDS: &str = "B,NULL,SS,BOOL,L,BS,N,NS,S,M";
            if !KINDS.split(',').any(|k| k == kind) {
                return Err(Error::new(format!(
                    "Invalid attribute type name found; type: {kind}, valid types: {{{KINDS}}}"
                )));
            }
            Ok(Condition::Type(first, kind))
        }
        ("begins_with", Some(second)) => {
            for o in [&first, &second] {
                if let Some(v) = o.constant()
                    && !matches!(v, Attr::S(_) | Attr::B(_))
                {
                    return Err(wrong_type(name, v.kind()));
                }
            }
            check_distinct(name, &first, &second)?;
            Ok(Condition::BeginsWith(first, second))
        }
        (_, Some(second)) => {
            if let Some(v) = first.constant()
                && !(matches!(v, Attr::S(_) | Attr::B(_) | Attr::L(_)) || v.is_set())
            {
                return Err(wrong_type(name, v.kind()));
            }
            check_distinct(name, &first, &second)?;
            Ok(Condition::Contains(first, second))
        }
        _ => {
            let Operand::Path(path) = first else { return Err(needs_path()) };
            Ok(if name == "attribute_exists" {
                Condition::Exists(path)
            } else {
                Condition::Missing(path)
            })
        }
    }
}

fn operand(p: &mut Parser<'_>) -> Result<Operand> {
    if p.peek().kind == Kind::Value {
        return Ok(Operand::Value(p.value()?));
    }
    if p.peek().kind == Kind::Word && p.second() == "(" {
        let name = p.take().text;
        if name != "size" {
            return Err(match name {
                "attribute_exists"
                | "attribute_not_exists"
                | "attribute_type"
                | "begins_with"
                | "contains" => Error::new(format!(
                    "The function is not allowed to be used this way in an expression; function: {name}"
                )),
                "if_not_exists" | "list_append" => Error::new(format!(
                    "The function is not allowed in a condition expression; function: {name}"
                )),
                _ => Error::new(format!("Invalid function name; function: {name}")),
            });
        }
        p.operator()?;
        p.expect("(")?;
        if p.eat(")") {
            return Err(wrong_count(name, 0));
        }
        let of = p.nested(operand)?;
        let mut count = 1;
        while p.eat(",") {
            operand(p)?;
            count += 1;
        }
        p.expect(")")?;
        if count != 1 {
            return Err(wrong_count(name, count));
        }
        if let Operand::Value(v) = &of
            && v.length().is_none()
        {
            return Err(wrong_type(name, v.kind()));
        }
        if let Operand::Size(_) = of {
            return Err(Error::new(
                "The function is not allowed to be used this way in an expression; function: size",
            ));
        }
        return Ok(Operand::Size(Box::new(of)));
    }
    Ok(Operand::Path(p.path()?))
}

fn check_scalar(operator: &str, o: &Operand) -> Result<()> {
    match o.constant() {
        Some(v) if !v.is_scalar() => Err(wrong_type(operator, v.kind())),
        _ => Ok(()),
    }
}

fn check_distinct(operator: &str, first: &Operand, other: &Operand) -> Result<()> {
    match (first, other) {
        (Operand::Path(a), Operand::Path(b)) if a == b => Err(Error::new(format!(
            "The first operand must be distinct from the remaining operands for this operator or \
             function; operator: {operator}, first operand: {a}"
        ))),
        _ => Ok(()),
    }
}

/// Constant bounds must fit each other.
fn check_bounds(low: &Operand, high: &Operand) -> Result<()> {
    let (Some(low), Some(high)) = (low.constant(), high.constant()) else { return Ok(()) };
    let what = match low.compare(high) {
        None => "same data type for lower and upper bounds",
        Some(Ordering::Greater) => "upper bound to be greater than or equal to lower bound",
        _ => return Ok(()),
    };
    Err(Error::new(format!(
        "The BETWEEN operator requires {what}; lower bound operand: AttributeValue: {low}, upper \
         bound operand: AttributeValue: {high}"
    )))
}

#[cfg(test)]
mod tests;
