//! Update expressions: SET, REMOVE, ADD and DELETE.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html>

use crate::lex::Kind;
use crate::parse::{Parser, wrong_count, wrong_type};
use crate::path::check_apart;
use crate::{Attr, Error, Item, Number, Path, Result, Scope, Step};

/// What is to change in an item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    pub set: Vec<(Path, Value)>,
    pub remove: Vec<Path>,
    pub add: Vec<(Path, Attr)>,
    pub delete: Vec<(Path, Attr)>,
}

/// What SET gives a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Path(Path),
    Constant(Attr),
    IfMissing(Path, Box<Value>),
    Append(Box<Value>, Box<Value>),
    Plus(Box<Value>, Box<Value>),
    Minus(Box<Value>, Box<Value>),
}

enum Change {
    Set(Attr),
    Remove,
}

impl Update {
    /// Parses an update expression.
    ///
    /// # Errors
    /// AWS's sentence, without the parameter's name.
    pub fn parse(text: &str, scope: &Scope) -> Result<Self> {
        let mut p = Parser::new(text, scope)?;
        let mut update = Update::default();
        let mut seen: Vec<&str> = Vec::new();
        loop {
            let Some(section) =
                ["SET", "REMOVE", "ADD", "DELETE"].into_iter().find(|w| p.is_word(w))
            else {
                return Err(p.unexpected());
            };
            p.take();
            if seen.contains(&section) {
                return Err(Error::new(format!(
                    "The \"{section}\" section can only be used once in an update expression;"
                )));
            }
            seen.push(section);
            loop {
                update.action(section, &mut p)?;
                if !p.eat(",") {
                    break;
                }
            }
            if p.peek().kind == Kind::End {
                break;
            }
        }
        check_apart(&update.paths().collect::<Vec<_>>())?;
        Ok(update)
    }

    fn action(&mut self, section: &str, p: &mut Parser<'_>) -> Result<()> {
        let path = p.path()?;
        match section {
            "SET" => {
                p.expect("=")?;
                self.set.push((path, value(p)?));
            }
            "REMOVE" => self.remove.push(path),
            "ADD" => {
                let v = p.value()?;
                check_operand(&v, section, v.is_set() || matches!(v, Attr::N(_)))?;
                self.add.push((path, v));
            }
            _ => {
                let v = p.value()?;
                check_operand(&v, section, v.is_set())?;
                self.delete.push((path, v));
            }
        }
        Ok(())
    }

    /// Every path that it changes.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let set = self.set.iter().map(|(p, _)| p);
        let sets = self.add.iter().chain(&self.delete).map(|(p, _)| p);
        set.chain(&self.remove).chain(sets)
    }

    /// Shows `see` every path that it reads.
    pub fn reads<'a>(&'a self, see: &mut impl FnMut(&'a Path)) {
        fn value<'a>(v: &'a Value, see: &mut impl FnMut(&'a Path)) {
            match v {
                Value::Path(p) => see(p),
                Value::Constant(_) => {}
                Value::IfMissing(p, v) => {
                    see(p);
                    value(v, see);
                }
                Value::Append(a, b) | Value::Plus(a, b) | Value::Minus(a, b) => {
                    value(a, see);
                    value(b, see);
                }
            }
        }
        self.set.iter().for_each(|(_, v)| value(v, see));
    }

    /// The item as it becomes. All values are those of the item before.
    ///
    /// # Errors
    /// AWS's sentence when the item does not fit the update.
    pub fn apply(&self, old: &Item) -> Result<Item> {
        let mut changes: Vec<(&Path, Change)> = Vec::new();
        for (path, v) in &self.set {
            changes.push((path, Change::Set(v.compute(old)?.into_owned())));
        }
        for (path, v) in &self.add {
            changes.push((path, Change::Set(add(path.find(old), v)?)));
        }
        let mut removals: Vec<(&Path, Change)> =
            self.remove.iter().map(|p| (p, Change::Remove)).collect();
        for (path, v) in &self.delete {
            match path.find(old) {
                None => {}
                Some(found) => match subtract(found, v)? {
                    Some(left) => changes.push((path, Change::Set(left))),
                    None => removals.push((path, Change::Remove)),
                },
            }
        }
        let mut item = old.clone();
        changes.sort_by(|a, b| a.0.rest.cmp(&b.0.rest));
        // Positions are those of the item before: from the back, they stay so.
        removals.sort_by(|a, b| b.0.rest.cmp(&a.0.rest));
        for (path, change) in changes.into_iter().chain(removals) {
            put(&mut item, path, change)?;
        }
        Ok(item)
    }
}

fn check_operand(v: &Attr, section: &str, allowed: bool) -> Result<()> {
    if allowed {
        return Ok(());
    }
    Err(Error::new(format!(
        "Incorrect operand type for operator or function; operator: {section}, operand type: {}, \
         typeSet: ALLOWED_FOR_{section}_OPERAND",
        v.kind_word()
    )))
}

fn value(p: &mut Parser<'_>) -> Result<Value> {
    let left = term(p)?;
    let sign = p.peek().text;
    if !(p.peek().kind == Kind::Mark && matches!(sign, "+" | "-")) {
        return Ok(left);
    }
    p.take();
    p.operator()?;
    let right = term(p)?;
    for side in [&left, &right] {
        if let Value::Constant(v) = side
            && !matches!(v, Attr::N(_))
        {
            return Err(wrong_type(sign, v.kind()));
        }
    }
    let (left, right) = (Box::new(left), Box::new(right));
    Ok(if sign == "+" { Value::Plus(left, right) } else { Value::Minus(left, right) })
}

fn term(p: &mut Parser<'_>) -> Result<Value> {
    if p.peek().kind == Kind::Value {
        return Ok(Value::Constant(p.value()?));
    }
    if p.eat("(") {
        p.operator()?;
        let inner = p.nested(value)?;
        p.expect(")")?;
        return Ok(inner);
    }
    if !(p.peek().kind == Kind::Word && p.second() == "(") {
        return Ok(Value::Path(p.path()?));
    }
    let name = p.take().text;
    p.operator()?;
    if !matches!(name, "if_not_exists" | "list_append") {
        let known = [
            "attribute_exists",
            "attribute_not_exists",
            "attribute_type",
            "begins_with",
            "contains",
            "size",
        ];
        return Err(Error::new(if known.contains(&name) {
            format!("The function is not allowed in an update expression; function: {name}")
        } else {
            format!("Invalid function name; function: {name}")
        }));
    }
    p.expect("(")?;
    let mut operands = Vec::new();
    if !p.eat(")") {
        operands.push(p.nested(term)?);
        while p.eat(",") {
            operands.push(p.nested(term)?);
        }
        p.expect(")")?;
    }
    let count = operands.len();
    let (Some(second), Some(first), true) = (operands.pop(), operands.pop(), count == 2) else {
        return Err(wrong_count(name, count));
    };
    if name == "if_not_exists" {
        let Value::Path(path) = first else {
            return Err(Error::new(format!(
                "Operator or function requires a document path; operator or function: {name}"
            )));
        };
        return Ok(Value::IfMissing(path, Box::new(second)));
    }
    for side in [&first, &second] {
        match side {
            Value::Constant(v) if !matches!(v, Attr::L(_)) => {
                return Err(wrong_type(name, v.kind()));
            }
            Value::Append(..) => {
                return Err(Error::new(format!(
                    "The function is not allowed to be used this way in an expression; function: {name}"
                )));
            }
            _ => {}
        }
    }
    Ok(Value::Append(Box::new(first), Box::new(second)))
}

impl Value {
    fn compute<'a>(&'a self, item: &'a Item) -> Result<std::borrow::Cow<'a, Attr>> {
        use std::borrow::Cow;
        Ok(match self {
            Value::Constant(v) => Cow::Borrowed(v),
            Value::Path(path) => Cow::Borrowed(path.find(item).ok_or_else(|| {
                Error::new(
                    "The provided expression refers to an attribute that does not exist in the item",
                )
            })?),
            Value::IfMissing(path, otherwise) => match path.find(item) {
                Some(found) => Cow::Borrowed(found),
                None => otherwise.compute(item)?,
            },
            Value::Append(a, b) => match (a.compute(item)?.into_owned(), &*b.compute(item)?) {
                (Attr::L(mut a), Attr::L(b)) => {
                    a.extend_from_slice(b);
                    Cow::Owned(Attr::L(a))
                }
                _ => return Err(incorrect()),
            },
            Value::Plus(a, b) | Value::Minus(a, b) => {
                let (Attr::N(a), Attr::N(b)) = (&*a.compute(item)?, &*b.compute(item)?) else {
                    return Err(incorrect());
                };
                let plus = matches!(self, Value::Plus(..));
                Cow::Owned(Attr::N(if plus { a.plus(*b)? } else { a.minus(*b)? }))
            }
        })
    }
}

/// ADD: numbers are summed, sets are united.
///
/// # Errors
/// When the two do not fit.
pub fn add(old: Option<&Attr>, v: &Attr) -> Result<Attr> {
    fn united<T: Ord + Clone>(a: &[T], b: &[T]) -> Vec<T> {
        let mut all = [a, b].concat();
        all.sort();
        all.dedup();
        all
    }
    Ok(match (old, v) {
        (None, v) => v.clone(),
        (Some(Attr::N(a)), Attr::N(b)) => Attr::N(Number::plus(*a, *b)?),
        (Some(Attr::Ss(a)), Attr::Ss(b)) => Attr::Ss(united(a, b)),
        (Some(Attr::Ns(a)), Attr::Ns(b)) => Attr::Ns(united(a, b)),
        (Some(Attr::Bs(a)), Attr::Bs(b)) => Attr::Bs(united(a, b)),
        _ => return Err(incorrect()),
    })
}

/// DELETE: what is left of a set; `None` when nothing is.
///
/// # Errors
/// When the two are not sets of one type.
pub fn subtract(old: &Attr, v: &Attr) -> Result<Option<Attr>> {
    fn left<T: PartialEq + Clone>(a: &[T], b: &[T]) -> Option<Vec<T>> {
        let left: Vec<T> = a.iter().filter(|x| !b.contains(x)).cloned().collect();
        (!left.is_empty()).then_some(left)
    }
    Ok(match (old, v) {
        (Attr::Ss(a), Attr::Ss(b)) => left(a, b).map(Attr::Ss),
        (Attr::Ns(a), Attr::Ns(b)) => left(a, b).map(Attr::Ns),
        (Attr::Bs(a), Attr::Bs(b)) => left(a, b).map(Attr::Bs),
        _ => return Err(incorrect()),
    })
}

fn put(item: &mut Item, path: &Path, change: Change) -> Result<()> {
    let invalid =
        || Error::new("The document path provided in the update expression is invalid for update");
    let Some((last, way)) = path.rest.split_last() else {
        match change {
            Change::Set(v) => item.insert(path.root.clone(), v),
            Change::Remove => item.remove(&path.root),
        };
        return Ok(());
    };
    let mut at = item.get_mut(&path.root).ok_or_else(invalid)?;
    for step in way {
        at = match (at, step) {
            (Attr::M(map), Step::Name(name)) => map.get_mut(name),
            (Attr::L(list), Step::Index(i)) => list.get_mut(*i),
            _ => None,
        }
        .ok_or_else(invalid)?;
    }
    match (at, last, change) {
        (Attr::M(map), Step::Name(name), Change::Set(v)) => {
            map.insert(name.clone(), v);
        }
        (Attr::M(map), Step::Name(name), Change::Remove) => {
            map.remove(name);
        }
        (Attr::L(list), Step::Index(i), Change::Set(v)) => match list.get_mut(*i) {
            Some(place) => *place = v,
            None => list.push(v),
        },
        (Attr::L(list), Step::Index(i), Change::Remove) => {
            if *i < list.len() {
                list.remove(*i);
            }
        }
        _ => return Err(invalid()),
    }
    Ok(())
}

fn incorrect() -> Error {
    Error::new("An operand in the update expression has an incorrect data type")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(t: &str) -> Attr {
        Attr::N(t.parse().unwrap())
    }
    fn s(t: &str) -> Attr {
        Attr::S(t.into())
    }
    fn item() -> Item {
        let m: Item = [("x".to_owned(), n("1"))].into();
        [
            ("a", n("5")),
            ("l", Attr::L(vec![n("0"), n("1"), n("2")])),
            ("m", Attr::M(m)),
            ("t", Attr::Ss(vec!["p".into(), "q".into()])),
        ]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v))
        .collect()
    }
    fn scope() -> Scope {
        let values = [
            (":one", n("1")),
            (":s", s("text")),
            (":list", Attr::L(vec![n("9")])),
            (":p", Attr::Ss(vec!["p".into()])),
            (":pq", Attr::Ss(vec!["p".into(), "q".into()])),
            (":ns", Attr::Ns(vec![1.into()])),
        ];
        Scope::new(None, Some(values.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()))
            .unwrap()
    }
    fn run(text: &str) -> Result<Item> {
        Update::parse(text, &scope())?.apply(&item())
    }
    fn at(text: &str, path: &str) -> Option<Attr> {
        let item = run(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let scope = Scope::default();
        Parser::new(path, &scope).unwrap().path().unwrap().find(&item).cloned()
    }

    #[test]
    fn updates_do_what_they_say() {
        for (text, path, expected) in [
            ("SET a = a + :one", "a", Some(n("6"))),
            ("set a = a - :one", "a", Some(n("4"))),
            ("SET b = if_not_exists(b, :one) + :one", "b", Some(n("2"))),
            ("SET a = if_not_exists(a, :one)", "a", Some(n("5"))),
            ("SET l = list_append(l, :list)", "l[3]", Some(n("9"))),
            ("SET l = list_append(:list, l)", "l[0]", Some(n("9"))),
            ("SET l[1] = :s", "l[1]", Some(s("text"))),
            ("SET l[99] = :s", "l[3]", Some(s("text"))),
            ("SET m.y = :s", "m.y", Some(s("text"))),
            ("SET a = m.x, m.x = a", "a", Some(n("1"))),
            ("SET a = m.x, m.x = a", "m.x", Some(n("5"))),
            ("REMOVE l[0], l[1]", "l[0]", Some(n("2"))),
            ("REMOVE a", "a", None),
            ("REMOVE m.zz, l[77]", "m.x", Some(n("1"))),
            ("ADD a :one", "a", Some(n("6"))),
            ("ADD c :one", "c", Some(n("1"))),
            ("ADD u :p", "u", Some(Attr::Ss(vec!["p".into()]))),
            ("DELETE t :p", "t", Some(Attr::Ss(vec!["q".into()]))),
            ("DELETE t :pq", "t", None),
            ("DELETE zz :p", "zz", None),
            ("SET a = :one REMOVE m ADD b :one DELETE t :p", "b", Some(n("1"))),
        ] {
            assert_eq!(at(text, path), expected, "{text} at {path}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (text, why) in [
            ("SET a = b", "refers to an attribute that does not exist in the item"),
            ("SET zz.y = :one", "document path provided in the update expression is invalid"),
            ("SET a.y = :one", "document path provided in the update expression is invalid"),
            ("REMOVE zz.y", "document path provided in the update expression is invalid"),
            ("SET a = m + :one", "An operand in the update expression has an incorrect data type"),
            ("SET a = a + :s", "operator or function: +, operand type: S"),
            ("SET a = list_append(:s, l)", "operator or function: list_append, operand type: S"),
            ("SET a = size(l)", "not allowed in an update expression; function: size"),
            ("SET a = foo(l)", "Invalid function name; function: foo"),
            ("SET a = if_not_exists(a, :one + :one)", "Syntax error; token: \"+\""),
            (
                "SET l = list_append(list_append(l, l), l)",
                "not allowed to be used this way in an expression; function: list_append",
            ),
            ("SET a = if_not_exists(a)", "number of operands: 1"),
            (
                "SET a = :one, a = :one",
                "overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]",
            ),
            ("SET m.x = :one REMOVE m[0]", "conflict with each other"),
            ("SET a = :one SET b = :one", "The \"SET\" section can only be used once"),
            ("ADD a :s", "operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"),
            (
                "DELETE t :one",
                "operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND",
            ),
            ("ADD t :one", "incorrect data type"),
            ("ADD t :ns", "incorrect data type"),
            ("SET", "Syntax error; token: \"<EOF>\""),
            ("a = :one", "Syntax error; token: \"a\""),
            ("SET a = :one,", "Syntax error"),
            ("", "The expression can not be empty;"),
        ] {
            let told = run(text).unwrap_err().to_string();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
