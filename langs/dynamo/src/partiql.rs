//! PartiQL, as far as DynamoDB has it: SELECT, INSERT, UPDATE, DELETE and EXISTS.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html>

use crate::condition::{Comparison, Operand};
use crate::{Attr, Condition, Error, Item, Path, Result, Step, Update, update};

mod lex;
mod literal;

use lex::{Kind, Lexed, lex};

/// How long a statement may be.
const MAX_LENGTH: usize = 8192;
/// How deeply it may nest.
const MAX_NESTING: usize = 64;

/// A statement with its parameters filled in.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    Select {
        table: String,
        index: Option<String>,
        /// `None` is `*`.
        what: Option<Vec<Path>>,
        condition: Option<Condition>,
        /// Attribute and whether it descends.
        order: Vec<(String, bool)>,
    },
    Insert {
        table: String,
        item: Item,
    },
    Update {
        table: String,
        update: Update,
        condition: Condition,
        /// `ReturnValues`, as the API spells it.
        returning: Option<&'static str>,
    },
    Delete {
        table: String,
        condition: Condition,
        returning: Option<&'static str>,
    },
    Exists {
        table: String,
        condition: Condition,
    },
}

impl Statement {
    /// The table it is on: a name or an ARN.
    #[must_use]
    pub fn table(&self) -> &str {
        match self {
            Statement::Select { table, .. }
            | Statement::Insert { table, .. }
            | Statement::Update { table, .. }
            | Statement::Delete { table, .. }
            | Statement::Exists { table, .. } => table,
        }
    }

    /// The IAM action that it needs.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Statement::Select { .. } => "PartiQLSelect",
            Statement::Insert { .. } => "PartiQLInsert",
            Statement::Update { .. } => "PartiQLUpdate",
            Statement::Delete { .. } => "PartiQLDelete",
            Statement::Exists { .. } => "ConditionCheckItem",
        }
    }

    /// Whether it only reads.
    #[must_use]
    pub fn reads(&self) -> bool {
        matches!(self, Statement::Select { .. })
    }
}

/// Parses a statement; each `?` takes the next of `parameters`.
///
/// # Errors
/// AWS's sentence.
pub fn parse(text: &str, parameters: &[Attr]) -> Result<Statement> {
    if text.len() > MAX_LENGTH {
        return Err(Error::new("Statement size has exceeded the maximum allowed size"));
    }
    let mut p = Parser { tokens: lex(text)?, at: 0, parameters, used: 0, depth: 0 };
    let statement = p.statement()?;
    p.eat(";");
    if p.peek().kind != Kind::End {
        return Err(p.unexpected());
    }
    if p.used != parameters.len() {
        return Err(Error::new("Number of parameters in request and statement don't match."));
    }
    Ok(statement)
}

struct Parser<'a> {
    tokens: Vec<Lexed>,
    at: usize,
    parameters: &'a [Attr],
    used: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Lexed {
        &self.tokens[self.at]
    }

    fn next(&mut self) -> Lexed {
        let token = self.peek().clone();
        if token.kind != Kind::End {
            self.at += 1;
        }
        token
    }

    fn word(&self, word: &str) -> bool {
        self.peek().kind == Kind::Word && self.peek().text.eq_ignore_ascii_case(word)
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.word(word);
        self.at += usize::from(found);
        found
    }

    fn eat(&mut self, mark: &str) -> bool {
        let found = self.peek().kind == Kind::Mark && self.peek().text == mark;
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, mark: &str) -> Result<()> {
        if self.eat(mark) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.eat_word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> Error {
        let at = self.peek();
        let what = if at.kind == Kind::End { "end of statement" } else { at.text.as_str() };
        Error::new(format!(
            "Statement wasn't well formed, can't be processed: Unexpected term: {what}"
        ))
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(Error::new("Statement is nested too deeply"));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn statement(&mut self) -> Result<Statement> {
        if self.eat_word("SELECT") {
            return self.select();
        }
        if self.eat_word("INSERT") {
            self.expect_word("INTO")?;
            let table = self.name()?;
            self.expect_word("VALUE")?;
            return match self.value()? {
                Attr::M(item) => Ok(Statement::Insert { table, item }),
                _ => Err(Error::new("Unsupported operation: the value to insert must be a tuple")),
            };
        }
        if self.eat_word("UPDATE") {
            return self.update();
        }
        if self.eat_word("DELETE") {
            self.expect_word("FROM")?;
            let table = self.name()?;
            let condition = self.filter()?.ok_or_else(no_where)?;
            let returning = self.returning()?;
            return Ok(Statement::Delete { table, condition, returning });
        }
        if self.eat_word("EXISTS") {
            self.expect("(")?;
            self.expect_word("SELECT")?;
            let Statement::Select { table, condition: Some(condition), .. } = self.select()? else {
                return Err(no_where());
            };
            self.expect(")")?;
            return Ok(Statement::Exists { table, condition });
        }
        Err(self.unexpected())
    }

    fn select(&mut self) -> Result<Statement> {
        let what = if self.eat("*") {
            None
        } else {
            let mut paths = vec![self.path()?];
            while self.eat(",") {
                paths.push(self.path()?);
            }
            Some(paths)
        };
        self.expect_word("FROM")?;
        let table = self.name()?;
        let index = if self.eat(".") { Some(self.name()?) } else { None };
        let condition = self.filter()?;
        let mut order = Vec::new();
        if self.eat_word("ORDER") {
            self.expect_word("BY")?;
            loop {
                let name = self.name()?;
                let descends = self.eat_word("DESC");
                if !descends {
                    self.eat_word("ASC");
                }
                order.push((name, descends));
                if !self.eat(",") {
                    break;
                }
            }
        }
        Ok(Statement::Select { table, index, what, condition, order })
    }

    fn update(&mut self) -> Result<Statement> {
        let table = self.name()?;
        let mut update = Update::default();
        loop {
            if self.eat_word("SET") {
                self.assign(&mut update)?;
                while self.eat(",") {
                    self.assign(&mut update)?;
                }
            } else if self.eat_word("REMOVE") {
                update.remove.push(self.path()?);
                while self.eat(",") {
                    update.remove.push(self.path()?);
                }
            } else {
                break;
            }
        }
        if update.paths().next().is_none() {
            return Err(self.unexpected());
        }
        crate::path::check_apart(&update.paths().collect::<Vec<_>>())?;
        // RETURNING may come before or behind WHERE.
        let early = self.returning()?;
        let condition = self.filter()?.ok_or_else(no_where)?;
        let returning = match early {
            None => self.returning()?,
            early => early,
        };
        Ok(Statement::Update { table, update, condition, returning })
    }

    fn assign(&mut self, update: &mut Update) -> Result<()> {
        let path = self.path()?;
        self.expect("=")?;
        for (function, adds) in [("set_add", true), ("set_delete", false)] {
            if self.word(function) {
                self.next();
                self.expect("(")?;
                let of = self.path()?;
                self.expect(",")?;
                let v = self.value()?;
                self.expect(")")?;
                if of != path || !v.is_set() {
                    return Err(Error::new(format!("Unsupported use of the function {function}")));
                }
                let list = if adds { &mut update.add } else { &mut update.delete };
                list.push((path, v));
                return Ok(());
            }
        }
        let left = self.term()?;
        let v = if self.eat("+") {
            update::Value::Plus(Box::new(left), Box::new(self.term()?))
        } else if self.eat("-") {
            update::Value::Minus(Box::new(left), Box::new(self.term()?))
        } else {
            left
        };
        update.set.push((path, v));
        Ok(())
    }

    fn term(&mut self) -> Result<update::Value> {
        for (function, appends) in [("list_append", true), ("if_not_exists", false)] {
            if self.word(function) && self.tokens.get(self.at + 1).is_some_and(|t| t.text == "(") {
                self.next();
                self.expect("(")?;
                let first = self.nested(Self::term)?;
                self.expect(",")?;
                let second = Box::new(self.nested(Self::term)?);
                self.expect(")")?;
                return match (first, appends) {
                    (first, true) => Ok(update::Value::Append(Box::new(first), second)),
                    (update::Value::Path(path), false) => {
                        Ok(update::Value::IfMissing(path, second))
                    }
                    _ => Err(self.unexpected()),
                };
            }
        }
        if self.at_path() {
            return Ok(update::Value::Path(self.path()?));
        }
        Ok(update::Value::Constant(self.value()?))
    }

    fn returning(&mut self) -> Result<Option<&'static str>> {
        if !self.eat_word("RETURNING") {
            return Ok(None);
        }
        let all = self.eat_word("ALL");
        if !all {
            self.expect_word("MODIFIED")?;
        }
        let old = self.eat_word("OLD");
        if !old {
            self.expect_word("NEW")?;
        }
        self.expect("*")?;
        Ok(Some(match (all, old) {
            (true, true) => "ALL_OLD",
            (true, false) => "ALL_NEW",
            (false, true) => "UPDATED_OLD",
            (false, false) => "UPDATED_NEW",
        }))
    }

    fn filter(&mut self) -> Result<Option<Condition>> {
        if self.eat_word("WHERE") { self.or().map(Some) } else { Ok(None) }
    }

    fn or(&mut self) -> Result<Condition> {
        let mut left = self.and()?;
        while self.eat_word("OR") {
            left = Condition::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Condition> {
        let mut left = self.not()?;
        while self.eat_word("AND") {
            left = Condition::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Condition> {
        if self.eat_word("NOT") {
            return Ok(Condition::Not(Box::new(self.nested(Self::not)?)));
        }
        if self.eat("(") {
            let inner = self.nested(Self::or)?;
            self.expect(")")?;
            return Ok(inner);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Condition> {
        for function in ["begins_with", "contains", "attribute_type"] {
            if self.word(function) && self.tokens.get(self.at + 1).is_some_and(|t| t.text == "(") {
                self.next();
                self.expect("(")?;
                let first = self.operand()?;
                self.expect(",")?;
                let second = self.operand()?;
                self.expect(")")?;
                return match (function, first, second) {
                    ("begins_with", a, b) => Ok(Condition::BeginsWith(a, b)),
                    ("contains", a, b) => Ok(Condition::Contains(a, b)),
                    (_, of, Operand::Value(Attr::S(kind))) => Ok(Condition::Type(of, kind)),
                    _ => Err(self.unexpected()),
                };
            }
        }
        let left = self.operand()?;
        let negated = self.eat_word("NOT");
        let made = if self.eat_word("BETWEEN") {
            let low = self.operand()?;
            self.expect_word("AND")?;
            Condition::Between(left, low, self.operand()?)
        } else if self.eat_word("IN") {
            let close = if self.eat("[") { "]" } else { self.expect("(").map(|()| ")")? };
            let mut list = vec![self.operand()?];
            while self.eat(",") {
                list.push(self.operand()?);
            }
            self.expect(close)?;
            if list.len() > 100 {
                return Err(Error::new("The IN operator is provided with too many operands"));
            }
            Condition::In(left, list)
        } else if negated {
            return Err(self.unexpected());
        } else if self.eat_word("IS") {
            let not = self.eat_word("NOT");
            let Operand::Path(path) = left else { return Err(self.unexpected()) };
            let is = if self.eat_word("MISSING") {
                Condition::Missing(path)
            } else if self.eat_word("NULL") {
                Condition::Type(Operand::Path(path), "NULL".to_owned())
            } else {
                return Err(self.unexpected());
            };
            if not { Condition::Not(Box::new(is)) } else { is }
        } else {
            let how = match self.peek().text.as_str() {
                "=" => Comparison::Eq,
                "<>" | "!=" => Comparison::Ne,
                "<" => Comparison::Lt,
                "<=" => Comparison::Le,
                ">" => Comparison::Gt,
                ">=" => Comparison::Ge,
                _ => return Err(self.unexpected()),
            };
            self.next();
            Condition::Compare(how, left, self.operand()?)
        };
        Ok(if negated { Condition::Not(Box::new(made)) } else { made })
    }

    fn operand(&mut self) -> Result<Operand> {
        if self.word("size") && self.tokens.get(self.at + 1).is_some_and(|t| t.text == "(") {
            self.next();
            self.expect("(")?;
            let of = Operand::Path(self.path()?);
            self.expect(")")?;
            return Ok(Operand::Size(Box::new(of)));
        }
        if self.at_path() {
            return Ok(Operand::Path(self.path()?));
        }
        Ok(Operand::Value(self.value()?))
    }

    /// Whether a path begins here: a word that is no literal, or a quoted name.
    fn at_path(&self) -> bool {
        match self.peek().kind {
            Kind::Quoted => true,
            Kind::Word => !["true", "false", "null"].iter().any(|w| self.word(w)),
            _ => false,
        }
    }

    /// A name of a table, an index or an attribute.
    fn name(&mut self) -> Result<String> {
        match self.peek().kind {
            Kind::Word | Kind::Quoted => Ok(self.next().text),
            _ => Err(self.unexpected()),
        }
    }

    fn path(&mut self) -> Result<Path> {
        let root = self.name()?;
        let mut rest = Vec::new();
        loop {
            if self.eat(".") {
                rest.push(Step::Name(self.name()?));
            } else if self.eat("[") {
                let token = self.next();
                match token.kind {
                    Kind::Number => {
                        let place = token.text.parse().map_err(|_| self.unexpected())?;
                        rest.push(Step::Index(place));
                    }
                    Kind::Text => rest.push(Step::Name(token.text)),
                    _ => return Err(self.unexpected()),
                }
                self.expect("]")?;
            } else {
                return Ok(Path { root, rest });
            }
        }
    }
}

fn no_where() -> Error {
    Error::new("Where clause does not contain a mandatory equality on all key attributes")
}

#[cfg(test)]
mod tests;
