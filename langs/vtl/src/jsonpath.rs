//! JSONPath over the values of templates, as the Jayway library reads it.
//!
//! What it finds in a document is the document's own: a list from `$.items` is the list, not a
//! copy. A path that can match many (`..`, `*`, filters, slices) gives a list.
//!
//! <https://github.com/json-path/JsonPath>

use std::cell::RefCell;
use std::rc::Rc;

use crate::Value;
use crate::compare::{binary, same};
use crate::value::List;

/// A path that has been parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    steps: Vec<Step>,
    /// It names one thing at most.
    definite: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Names(Vec<Box<str>>),
    Indices(Vec<i64>),
    Slice(Option<i64>, Option<i64>),
    All,
    /// `..`: what follows, at any depth.
    Deep,
    Filter(Box<Filter>),
    Function(Function),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Length,
    Keys,
    Min,
    Max,
    Sum,
    Average,
}

#[derive(Clone, Debug, PartialEq)]
enum Filter {
    Or(Vec<Filter>),
    And(Vec<Filter>),
    Not(Box<Filter>),
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    /// From the item, or from the root.
    Path(bool, Path),
    Text(Box<str>),
    Number(f64),
    Bool(bool),
    Null,
    Many(Vec<Operand>),
    Regex(Box<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Matches,
    Contains,
    Empty,
    Size,
}

/// How deep a path or a document may go.
const DEPTH: usize = 64;
/// How many things a path may find.
const MOST: usize = 100_000;

impl Path {
    /// Parses a path. One without `$` begins at the root all the same.
    ///
    /// # Errors
    /// A sentence on what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let mut p = Parser { rest: text, depth: 0 };
        if !p.take("$") && !text.starts_with(['.', '[']) {
            // `name` is `$.name`.
            let steps = p.name().map(|n| vec![Step::Names(vec![n])]);
            let mut path = p.path()?;
            let Some(mut steps) = steps else { return Err(format!("Illegal path: {text}")) };
            steps.append(&mut path.steps);
            path.steps = steps;
            return if p.rest.is_empty() { Ok(path) } else { Err(format!("Illegal path: {text}")) };
        }
        let path = p.path()?;
        if p.rest.is_empty() { Ok(path) } else { Err(format!("Illegal character in path: {text}")) }
    }

    /// What the path finds; `None` when a definite path finds nothing.
    #[must_use]
    pub fn find(&self, root: &Value) -> Option<Value> {
        let mut found = vec![root.clone()];
        for (i, step) in self.steps.iter().enumerate() {
            if let Step::Function(f) = step {
                let before = if self.prefix(i) { found.pop()? } else { list(found) };
                found = vec![f.apply(&before)?];
                continue;
            }
            let mut next = Vec::new();
            for v in &found {
                step.apply(v, root, &mut next);
            }
            next.truncate(MOST);
            found = next;
        }
        if self.definite || matches!(self.steps.last(), Some(Step::Function(_))) {
            found.into_iter().next()
        } else {
            Some(list(found))
        }
    }

    /// Whether the first `n` steps are definite.
    fn prefix(&self, n: usize) -> bool {
        self.steps[..n].iter().all(Step::is_definite)
    }
}

fn list(items: Vec<Value>) -> Value {
    Value::List(Rc::new(List { items: RefCell::new(items), json: true }))
}

impl Step {
    fn is_definite(&self) -> bool {
        match self {
            Step::Names(n) => n.len() == 1,
            Step::Indices(i) => i.len() == 1,
            Step::Function(_) => true,
            _ => false,
        }
    }

    fn apply(&self, v: &Value, root: &Value, out: &mut Vec<Value>) {
        match (self, v) {
            (Step::Names(names), Value::Map(map)) => {
                let map = map.0.borrow();
                out.extend(names.iter().filter_map(|n| map.get(&**n).cloned()));
            }
            (Step::Indices(at), Value::List(list)) => {
                let items = list.items.borrow();
                let length = items.len() as i64;
                let one = |i: &i64| {
                    let i = if *i < 0 { length + i } else { *i };
                    usize::try_from(i).ok().and_then(|i| items.get(i)).cloned()
                };
                out.extend(at.iter().filter_map(one));
            }
            (Step::Slice(from, to), Value::List(list)) => {
                let items = list.items.borrow();
                let length = items.len() as i64;
                let end = |i: i64| (if i < 0 { length + i } else { i }).clamp(0, length) as usize;
                let (a, b) = (from.map_or(0, end), to.map_or(items.len(), end));
                if a < b {
                    out.extend_from_slice(&items[a..b]);
                }
            }
            (Step::All, Value::List(list)) => out.extend(list.items.borrow().iter().cloned()),
            (Step::All, Value::Map(map)) => out.extend(map.0.borrow().values().cloned()),
            (Step::Deep, v) => deep(v, out, 0),
            (Step::Filter(f), Value::List(list)) => {
                let items = list.items.borrow();
                out.extend(items.iter().filter(|i| f.holds(i, root)).cloned());
            }
            (Step::Filter(f), item @ Value::Map(_)) if f.holds(item, root) => {
                out.push(item.clone());
            }
            _ => {}
        }
    }
}

fn deep(v: &Value, out: &mut Vec<Value>, depth: usize) {
    if depth > DEPTH || out.len() > MOST {
        return;
    }
    out.push(v.clone());
    match v {
        Value::List(list) => list.items.borrow().iter().for_each(|i| deep(i, out, depth + 1)),
        Value::Map(map) => map.0.borrow().values().for_each(|i| deep(i, out, depth + 1)),
        _ => {}
    }
}

impl Function {
    fn apply(self, v: &Value) -> Option<Value> {
        let numbers = || match v {
            Value::List(list) => {
                let items = list.items.borrow();
                let all = items.iter().filter_map(crate::compare::number).collect::<Vec<_>>();
                (!all.is_empty()).then_some(all)
            }
            _ => None,
        };
        Some(match self {
            Function::Length => match v {
                Value::List(list) => list.items.borrow().len().into(),
                Value::Map(map) => map.0.borrow().len().into(),
                Value::Text(s) => s.encode_utf16().count().into(),
                _ => return None,
            },
            Function::Keys => match v {
                Value::Map(map) => list(map.0.borrow().keys().map(Value::text).collect()),
                _ => return None,
            },
            Function::Min => Value::Float(numbers()?.into_iter().fold(f64::INFINITY, f64::min)),
            Function::Max => Value::Float(numbers()?.into_iter().fold(f64::NEG_INFINITY, f64::max)),
            Function::Sum => Value::Float(numbers()?.into_iter().sum()),
            Function::Average => {
                let all = numbers()?;
                Value::Float(all.iter().sum::<f64>() / all.len() as f64)
            }
        })
    }
}

impl Filter {
    fn holds(&self, item: &Value, root: &Value) -> bool {
        match self {
            Filter::Or(all) => all.iter().any(|f| f.holds(item, root)),
            Filter::And(all) => all.iter().all(|f| f.holds(item, root)),
            Filter::Not(f) => !f.holds(item, root),
            Filter::Exists(Operand::Path(at_item, path)) => {
                let found = path.find(if *at_item { item } else { root });
                match found {
                    Some(Value::List(l)) if !path.definite => !l.items.borrow().is_empty(),
                    other => other.is_some(),
                }
            }
            Filter::Exists(_) => true,
            Filter::Compare(a, comparison, b) => {
                let left = a.value(item, root);
                match (comparison, b) {
                    (Comparison::Matches, Operand::Regex(pattern)) => {
                        let text = left.unwrap_or_default();
                        let Some(text) = text.as_text() else { return false };
                        regex_lite::Regex::new(&format!("^(?:{pattern})$"))
                            .is_ok_and(|r| r.is_match(text))
                    }
                    _ => comparison.holds(left.as_ref(), b.value(item, root).as_ref()),
                }
            }
        }
    }
}

impl Comparison {
    fn holds(self, a: Option<&Value>, b: Option<&Value>) -> bool {
        use crate::ast::Op;
        let ordered = |op| matches!(binary(op, a.cloned(), b.cloned()), Some(Value::Bool(true)));
        let equal = |a: Option<&Value>, b: Option<&Value>| match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                let numbers = (crate::compare::number(a), crate::compare::number(b));
                if let (Some(x), Some(y)) = numbers { x == y } else { same(a, b, 0) }
            }
            _ => false,
        };
        let contains = |list: Option<&Value>, v: Option<&Value>| match list {
            Some(Value::List(l)) => l.items.borrow().iter().any(|i| equal(Some(i), v)),
            Some(Value::Text(t)) => v.and_then(Value::as_text).is_some_and(|v| t.contains(v)),
            _ => false,
        };
        match self {
            Comparison::Equal => equal(a, b),
            Comparison::NotEqual => !equal(a, b),
            Comparison::Less => ordered(Op::Less),
            Comparison::LessOrEqual => ordered(Op::LessOrEqual),
            Comparison::Greater => ordered(Op::Greater),
            Comparison::GreaterOrEqual => ordered(Op::GreaterOrEqual),
            Comparison::In => contains(b, a),
            Comparison::NotIn => !contains(b, a),
            Comparison::Contains => contains(a, b),
            Comparison::Empty | Comparison::Size => {
                let length = a.and_then(|v| Function::Length.apply(v));
                match (length, b) {
                    (Some(Value::Int(n)), Some(Value::Bool(empty))) => (n == 0) == *empty,
                    (Some(Value::Int(n)), Some(size)) => {
                        crate::compare::number(size) == Some(n as f64)
                    }
                    _ => false,
                }
            }
            Comparison::Matches => false,
        }
    }
}

impl Operand {
    fn value(&self, item: &Value, root: &Value) -> Option<Value> {
        match self {
            Operand::Path(at_item, path) => path.find(if *at_item { item } else { root }),
            Operand::Text(t) => Some(Value::text(t)),
            Operand::Number(f) if f.fract() == 0.0 && f.abs() < 1e15 => Some(Value::Int(*f as i64)),
            Operand::Number(f) => Some(Value::Float(*f)),
            Operand::Bool(b) => Some(Value::Bool(*b)),
            Operand::Null | Operand::Regex(_) => Some(Value::Null),
            Operand::Many(all) => {
                Some(list(all.iter().map(|o| o.value(item, root).unwrap_or_default()).collect()))
            }
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn fail<T>(&self) -> Result<T, String> {
        Err(format!(
            "Could not parse the path at '{}'",
            self.rest.chars().take(20).collect::<String>()
        ))
    }

    /// The steps from here on, as far as they go.
    fn path(&mut self) -> Result<Path, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("The path is too deep".to_owned());
        }
        let mut steps = Vec::new();
        loop {
            if self.take("..") {
                steps.push(Step::Deep);
                if self.rest.starts_with('[') {
                    steps.push(self.bracket()?);
                } else {
                    steps.push(self.dotted()?);
                }
            } else if self.take(".") {
                steps.push(self.dotted()?);
            } else if self.rest.starts_with('[') {
                steps.push(self.bracket()?);
            } else {
                break;
            }
            if steps.len() > 1000 {
                return Err("The path is too long".to_owned());
            }
        }
        self.depth -= 1;
        let definite = steps.iter().all(Step::is_definite);
        Ok(Path { steps, definite })
    }

    fn name(&mut self) -> Option<Box<str>> {
        let stop = |c: char| {
            matches!(
                c,
                '.' | '[' | ']' | '(' | ')' | ' ' | ',' | '=' | '!' | '<' | '>' | '&' | '|' | '~'
            )
        };
        let end = self.rest.find(stop).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() {
            return None;
        }
        self.rest = rest;
        Some(name.into())
    }

    fn dotted(&mut self) -> Result<Step, String> {
        if self.take("*") {
            return Ok(Step::All);
        }
        let Some(name) = self.name() else { return self.fail() };
        if !self.take("()") {
            return Ok(Step::Names(vec![name]));
        }
        Ok(Step::Function(match &*name {
            "length" | "size" => Function::Length,
            "keys" => Function::Keys,
            "min" => Function::Min,
            "max" => Function::Max,
            "sum" => Function::Sum,
            "avg" => Function::Average,
            _ => return Err(format!("Function with name: {name} does not exist.")),
        }))
    }

    fn bracket(&mut self) -> Result<Step, String> {
        self.rest = &self.rest[1..];
        self.space();
        let step = if self.take("*") {
            Step::All
        } else if self.take("?") {
            self.space();
            let braced = self.take("(");
            let filter = self.filter()?;
            self.space();
            if braced && !self.take(")") {
                return self.fail();
            }
            Step::Filter(Box::new(filter))
        } else if self.rest.starts_with(['\'', '"']) {
            let mut names = Vec::new();
            loop {
                self.space();
                names.push(self.quoted()?);
                self.space();
                if !self.take(",") {
                    break;
                }
            }
            Step::Names(names)
        } else {
            self.indices()?
        };
        self.space();
        if self.take("]") { Ok(step) } else { self.fail() }
    }

    fn indices(&mut self) -> Result<Step, String> {
        let first = self.integer();
        self.space();
        if self.take(":") {
            let last = self.integer();
            return Ok(Step::Slice(first, last));
        }
        let Some(first) = first else { return self.fail() };
        let mut all = vec![first];
        while self.take(",") {
            match self.integer() {
                Some(n) => all.push(n),
                None => return self.fail(),
            }
            self.space();
        }
        Ok(Step::Indices(all))
    }

    fn integer(&mut self) -> Option<i64> {
        self.space();
        let sign = usize::from(self.rest.starts_with('-'));
        let digits = self.rest[sign..].find(|c: char| !c.is_ascii_digit());
        let end = digits.map_or(self.rest.len(), |n| n + sign);
        let n = self.rest[..end].parse().ok()?;
        self.rest = &self.rest[end..];
        Some(n)
    }

    fn quoted(&mut self) -> Result<Box<str>, String> {
        let Some(quote) = self.rest.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
            return self.fail();
        };
        let mut out = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => {
                    if let Some((_, c)) = chars.next() {
                        out.push(c);
                    }
                }
                c if c == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(out.into());
                }
                c => out.push(c),
            }
        }
        self.fail()
    }

    fn filter(&mut self) -> Result<Filter, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("The filter is too deep".to_owned());
        }
        let mut any = vec![self.conjunction()?];
        self.space();
        while self.take("||") {
            any.push(self.conjunction()?);
            self.space();
        }
        self.depth -= 1;
        Ok(if any.len() == 1 { any.remove(0) } else { Filter::Or(any) })
    }

    fn conjunction(&mut self) -> Result<Filter, String> {
        let mut all = vec![self.term()?];
        self.space();
        while self.take("&&") {
            all.push(self.term()?);
            self.space();
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Filter::And(all) })
    }

    fn term(&mut self) -> Result<Filter, String> {
        self.space();
        if self.take("!") {
            self.depth += 1;
            if self.depth > DEPTH {
                return Err("The filter is too deep".to_owned());
            }
            let term = self.term()?;
            self.depth -= 1;
            return Ok(Filter::Not(Box::new(term)));
        }
        if self.take("(") {
            let filter = self.filter()?;
            self.space();
            return if self.take(")") { Ok(filter) } else { self.fail() };
        }
        let left = self.operand()?;
        self.space();
        const SIGNS: [(&str, Comparison); 13] = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
            ("=~", Comparison::Matches),
            ("in ", Comparison::In),
            ("in[", Comparison::In),
            ("nin ", Comparison::NotIn),
            ("contains ", Comparison::Contains),
            ("empty ", Comparison::Empty),
            ("size ", Comparison::Size),
        ];
        for (sign, comparison) in SIGNS {
            if self.rest.starts_with(sign) {
                self.rest = &self.rest[sign.trim_end_matches('[').len()..];
                self.space();
                return Ok(Filter::Compare(left, comparison, self.operand()?));
            }
        }
        Ok(Filter::Exists(left))
    }

    fn operand(&mut self) -> Result<Operand, String> {
        self.space();
        for (sign, at_item) in [("@", true), ("$", false)] {
            if self.take(sign) {
                return Ok(Operand::Path(at_item, self.path()?));
            }
        }
        for (word, operand) in [
            ("true", Operand::Bool(true)),
            ("false", Operand::Bool(false)),
            ("null", Operand::Null),
        ] {
            if self.take(word) {
                return Ok(operand);
            }
        }
        match self.rest.chars().next() {
            Some('\'' | '"') => self.quoted().map(Operand::Text),
            Some('/') => {
                let Some(end) = self.rest[1..].find('/') else { return self.fail() };
                let pattern = &self.rest[1..=end];
                self.rest = &self.rest[end + 2..];
                let insensitive = self.take("i");
                let flags = if insensitive { "(?i)" } else { "" };
                Ok(Operand::Regex(format!("{flags}{pattern}").into()))
            }
            Some('[') => {
                self.rest = &self.rest[1..];
                self.depth += 1;
                if self.depth > DEPTH {
                    return self.fail();
                }
                let mut all = Vec::new();
                loop {
                    self.space();
                    if self.take("]") {
                        self.depth -= 1;
                        return Ok(Operand::Many(all));
                    }
                    if !all.is_empty() && !self.take(",") {
                        return self.fail();
                    }
                    all.push(self.operand()?);
                }
            }
            _ => {
                let fits = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
                let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
                match self.rest[..end].parse() {
                    Ok(n) => {
                        self.rest = &self.rest[end..];
                        Ok(Operand::Number(n))
                    }
                    Err(_) => self.fail(),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let root = Value::parse_json(
            br#"{"store":{"book":[{"t":"A","p":8.5,"c":"x"},{"t":"B","p":12,"isbn":"1"},{"t":"C","p":9}],"bike":{"p":20}},"a.b":1,"n":null,"e":[]}"#,
        )
        .unwrap();
        for (path, expected) in [
            ("$.store.bike.p", "20"),
            ("$['a.b']", "1"),
            ("store.bike.p", "20"),
            ("$.store.book[0].t", "\"A\""),
            ("$.store.book[-1].t", "\"C\""),
            ("$.store.book[*].t", r#"["A","B","C"]"#),
            ("$.store.book[0,2].t", r#"["A","C"]"#),
            ("$.store.book[0:2].t", r#"["A","B"]"#),
            ("$.store.book[1:].t", r#"["B","C"]"#),
            ("$..p", "[8.5,12,9,20]"),
            ("$.store.book[?(@.isbn)].t", r#"["B"]"#),
            ("$.store.book[?(@.p < 10 && @.t != 'A')].t", r#"["C"]"#),
            ("$.store.book[?(@.p > 10 || @.c == 'x')].t", r#"["A","B"]"#),
            ("$.store.book[?(@.t in ['A','B'])].p", "[8.5,12]"),
            ("$.store.book[?(@.t =~ /[bc]/i)].t", r#"["B","C"]"#),
            ("$.store.book[?(!@.isbn)].t", r#"["A","C"]"#),
            ("$.store.book[?(@.p < $.store.bike.p)].t", r#"["A","B","C"]"#),
            ("$.store.book.length()", "3"),
            ("$.store.book[*].p.max()", "12.0"),
            ("$.store.bike.keys()", r#"["p"]"#),
            ("$.store.bike['p','q']", "[20]"),
            ("$.n", "null"),
            ("$.e", "[]"),
            ("$.store.book[?(@.nope)]", "[]"),
        ] {
            let found = Path::parse(path).unwrap_or_else(|e| panic!("{path}: {e}")).find(&root);
            assert_eq!(found.map(|v| v.to_json()).as_deref(), Some(expected), "{path}");
        }
        for path in ["$.nope", "$.store.book[9]", "$.store.bike.p.x", "$.a[0]"] {
            assert!(Path::parse(path).unwrap().find(&root).is_none(), "{path}");
        }
        for path in ["$.", "$[", "$.a[", "$['a", "$.a[?(@.x ==)]", "$.a b", "", "$.a[?((((@.x]"] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
        let deep = "[?(".repeat(1000);
        assert!(Path::parse(&format!("${deep}")).is_err());
    }
}
