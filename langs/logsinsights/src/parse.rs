//! From words to commands.

use regex_lite::Regex;

use crate::lex::{Kind, Token, tokens};
use crate::{Error, invalid};

#[derive(Clone, Debug)]
pub enum Command {
    /// Adds the fields to what is shown.
    Fields(Vec<Named>),
    /// Shows these only.
    Display(Vec<Named>),
    Filter(Expr),
    Parse {
        from: Expr,
        how: Pattern,
        names: Vec<String>,
    },
    Stats {
        of: Vec<(Aggregate, String)>,
        by: Vec<Named>,
    },
    /// By, and whether the greatest comes first.
    Sort(Vec<(Expr, bool)>),
    Limit(usize),
    Dedup(Vec<Expr>),
}

/// An expression and what it is called.
pub type Named = (Expr, String);

#[derive(Clone, Debug)]
pub enum Pattern {
    /// Texts between which fields stand.
    Glob(Vec<String>),
    Regex(Regex),
}

#[derive(Clone, Debug)]
pub struct Aggregate {
    pub name: String,
    /// Absent in `count(*)`.
    pub of: Option<Expr>,
    /// `pct`'s.
    pub percent: f64,
}

#[derive(Clone, Debug)]
pub enum Expr {
    Field(String),
    Number(f64),
    Text(String),
    Span(i64),
    Call(String, Vec<Expr>),
    Negative(Box<Expr>),
    Not(Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    In(Box<Expr>, Vec<Expr>),
    Like(Box<Expr>, Matcher),
}

#[derive(Clone, Debug)]
pub enum Matcher {
    Text(String),
    Regex(Regex),
}

const AGGREGATES: &[&str] = &[
    "count",
    "count_distinct",
    "sum",
    "avg",
    "min",
    "max",
    "pct",
    "median",
    "stddev",
    "earliest",
    "latest",
    "sortsfirst",
    "sortslast",
];
/// Commands that are not here.
const REFUSED: &[&str] =
    &["pattern", "diff", "unmask", "unnest", "lookup", "join", "source", "filterindex", "anomaly"];
const DEEPEST: usize = 64;

pub fn commands(text: &str) -> Result<Vec<Command>, Error> {
    let tokens = tokens(text)?;
    let mut p = Parser { text, tokens: &tokens, at: 0, depth: 0 };
    let mut found = Vec::new();
    p.take("|");
    loop {
        if p.peek().is_none() && found.is_empty() {
            return Ok(found);
        }
        found.push(p.command()?);
        if p.peek().is_none() {
            return Ok(found);
        }
        if !p.take("|") {
            return p.unexpected();
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Kind> {
        self.tokens.get(self.at).map(|t| &t.kind)
    }

    fn unexpected<T>(&self) -> Result<T, Error> {
        match self.tokens.get(self.at) {
            Some(t) => invalid(format!(
                "unexpected symbol found {} at line 1 and position {}",
                &self.text[t.at.0..t.at.1],
                t.at.0
            )),
            None => invalid("the query ends too early"),
        }
    }

    fn take(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Some(Kind::Sign(s)) if *s == sign);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, sign: &str) -> Result<(), Error> {
        if self.take(sign) { Ok(()) } else { self.unexpected() }
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Kind::Word(w)) if w.eq_ignore_ascii_case(word));
        self.at += usize::from(is);
        is
    }

    fn command(&mut self) -> Result<Command, Error> {
        let Some(Kind::Word(word)) = self.peek() else { return self.unexpected() };
        let word = word.to_lowercase();
        if REFUSED.contains(&word.as_str()) {
            return Err(Error::Unknown(format!("the command {word}")));
        }
        self.at += 1;
        match word.as_str() {
            "fields" => Ok(Command::Fields(self.named()?)),
            "display" => Ok(Command::Display(self.named()?)),
            "filter" | "where" => Ok(Command::Filter(self.expr()?)),
            "parse" => self.parse(),
            "stats" => self.stats(),
            "sort" => self.sort(),
            "limit" | "head" => match self.peek() {
                Some(Kind::Number(n)) if *n >= 1.0 && n.fract() == 0.0 => {
                    self.at += 1;
                    Ok(Command::Limit((*n as usize).min(10_000)))
                }
                _ => self.unexpected(),
            },
            "dedup" => {
                let mut by = vec![self.expr()?];
                while self.take(",") {
                    by.push(self.expr()?);
                }
                Ok(Command::Dedup(by))
            }
            _ => {
                self.at -= 1;
                self.unexpected()
            }
        }
    }

    /// `a, b + 1 as c`.
    fn named(&mut self) -> Result<Vec<Named>, Error> {
        let mut found = Vec::new();
        loop {
            found.push(self.one_named()?);
            if !self.take(",") {
                return Ok(found);
            }
        }
    }

    fn one_named(&mut self) -> Result<Named, Error> {
        let begin = self.at;
        let expr = self.expr()?;
        Ok((expr, self.name_of(begin)?))
    }

    /// What follows `as`, or the text of the words since `begin`.
    fn name_of(&mut self, begin: usize) -> Result<String, Error> {
        if self.take_word("as") {
            return self.name();
        }
        if let (true, Some(Kind::Name(n))) =
            (self.at == begin + 1, self.tokens.get(begin).map(|t| &t.kind))
        {
            return Ok(n.clone());
        }
        let (from, to) = (self.tokens[begin].at.0, self.tokens[self.at - 1].at.1);
        Ok(self.text[from..to].to_owned())
    }

    fn name(&mut self) -> Result<String, Error> {
        match self.peek() {
            Some(Kind::Word(w) | Kind::Name(w)) => {
                self.at += 1;
                Ok(w.clone())
            }
            _ => self.unexpected(),
        }
    }

    fn parse(&mut self) -> Result<Command, Error> {
        let from = match self.peek() {
            Some(Kind::Text(_) | Kind::Regex(_)) => Expr::Field("@message".into()),
            _ => self.expr()?,
        };
        let how = match self.peek() {
            Some(Kind::Text(glob)) => Pattern::Glob(glob.split('*').map(str::to_owned).collect()),
            Some(Kind::Regex(r)) => Pattern::Regex(regex(r)?),
            _ => return self.unexpected(),
        };
        self.at += 1;
        let mut names = Vec::new();
        match &how {
            Pattern::Regex(r) => {
                names.extend(r.capture_names().flatten().map(str::to_owned));
                if names.is_empty() {
                    return invalid("parse with a regular expression needs named groups");
                }
            }
            Pattern::Glob(parts) => {
                if !self.take_word("as") {
                    return self.unexpected();
                }
                loop {
                    names.push(self.name()?);
                    if !self.take(",") {
                        break;
                    }
                }
                if names.len() != parts.len() - 1 {
                    return invalid("parse needs as many names as there are * in its pattern");
                }
            }
        }
        Ok(Command::Parse { from, how, names })
    }

    fn stats(&mut self) -> Result<Command, Error> {
        let mut of = Vec::new();
        loop {
            let begin = self.at;
            let aggregate = self.aggregate()?;
            of.push((aggregate, self.name_of(begin)?));
            if !self.take(",") {
                break;
            }
        }
        let by = if self.take_word("by") { self.named()? } else { Vec::new() };
        Ok(Command::Stats { of, by })
    }

    fn aggregate(&mut self) -> Result<Aggregate, Error> {
        let name = self.name()?.to_lowercase();
        if !AGGREGATES.contains(&name.as_str()) {
            self.at -= 1;
            return self.unexpected();
        }
        self.expect("(")?;
        if name == "count" && (self.take("*") || matches!(self.peek(), Some(Kind::Sign(")")))) {
            self.expect(")")?;
            return Ok(Aggregate { name, of: None, percent: 0.0 });
        }
        let of = Some(self.expr()?);
        let mut percent = 50.0;
        if name == "pct" {
            self.expect(",")?;
            match self.peek() {
                Some(Kind::Number(n)) if (0.0..=100.0).contains(n) => percent = *n,
                _ => return self.unexpected(),
            }
            self.at += 1;
        }
        self.expect(")")?;
        Ok(Aggregate { name, of, percent })
    }

    fn sort(&mut self) -> Result<Command, Error> {
        let mut by = Vec::new();
        loop {
            let expr = self.expr()?;
            // Without a word, the smallest comes first.
            let down = self.take_word("desc");
            if !down {
                self.take_word("asc");
            }
            by.push((expr, down));
            if !self.take(",") {
                return Ok(Command::Sort(by));
            }
        }
    }

    fn expr(&mut self) -> Result<Expr, Error> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return invalid("the query goes too deep");
        }
        let mut left = self.and()?;
        while self.take_word("or") {
            left = Expr::Binary("or", Box::new(left), Box::new(self.and()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, Error> {
        let mut left = self.not()?;
        while self.take_word("and") {
            left = Expr::Binary("and", Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expr, Error> {
        let mut not = false;
        while self.take_word("not") {
            not = !not;
        }
        let inner = self.compare()?;
        Ok(if not { Expr::Not(Box::new(inner)) } else { inner })
    }

    fn compare(&mut self) -> Result<Expr, Error> {
        let left = self.sum()?;
        for sign in ["!=", "<=", ">=", "=", "<", ">"] {
            if self.take(sign) {
                return Ok(Expr::Binary(sign, Box::new(left), Box::new(self.sum()?)));
            }
        }
        let begin = self.at;
        let not = self.take_word("not");
        if self.take_word("like") || !not && self.take("=~") {
            let matcher = match self.peek() {
                Some(Kind::Text(t)) => Matcher::Text(t.clone()),
                Some(Kind::Regex(r)) => Matcher::Regex(regex(r)?),
                _ => return self.unexpected(),
            };
            self.at += 1;
            let like = Expr::Like(Box::new(left), matcher);
            return Ok(if not { Expr::Not(Box::new(like)) } else { like });
        }
        if self.take_word("in") {
            self.expect("[")?;
            let mut items = Vec::new();
            while !self.take("]") {
                items.push(self.expr()?);
                if !self.take(",") && !matches!(self.peek(), Some(Kind::Sign("]"))) {
                    return self.unexpected();
                }
            }
            let found = Expr::In(Box::new(left), items);
            return Ok(if not { Expr::Not(Box::new(found)) } else { found });
        }
        self.at = begin;
        Ok(left)
    }

    fn sum(&mut self) -> Result<Expr, Error> {
        let mut left = self.product()?;
        loop {
            let Some(sign) = ["+", "-"].into_iter().find(|s| self.take(s)) else { return Ok(left) };
            left = Expr::Binary(sign, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Result<Expr, Error> {
        let mut left = self.unary()?;
        loop {
            let sign = ["*", "/", "%", "^"].into_iter().find(|s| self.take(s));
            let Some(sign) = sign else { return Ok(left) };
            left = Expr::Binary(sign, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Result<Expr, Error> {
        let mut negative = false;
        while self.take("-") {
            negative = !negative;
        }
        let inner = self.primary()?;
        Ok(if negative { Expr::Negative(Box::new(inner)) } else { inner })
    }

    fn primary(&mut self) -> Result<Expr, Error> {
        if self.take("(") {
            let inner = self.expr()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let Some(kind) = self.peek() else { return self.unexpected() };
        let expr = match kind {
            Kind::Number(n) => Expr::Number(*n),
            Kind::Span(ms) => Expr::Span(*ms),
            Kind::Text(t) => Expr::Text(t.clone()),
            Kind::Name(n) => Expr::Field(n.clone()),
            Kind::Word(w) => {
                self.at += 1;
                if !self.take("(") {
                    return Ok(Expr::Field(w.clone()));
                }
                let mut arguments = Vec::new();
                while !self.take(")") {
                    arguments.push(self.expr()?);
                    if !self.take(",") && !matches!(self.peek(), Some(Kind::Sign(")"))) {
                        return self.unexpected();
                    }
                }
                let name = w.to_lowercase();
                crate::functions::check(&name, arguments.len())?;
                return Ok(Expr::Call(name, arguments));
            }
            _ => return self.unexpected(),
        };
        self.at += 1;
        Ok(expr)
    }
}

fn regex(text: &str) -> Result<Regex, Error> {
    // Insights writes named groups as (?<name>…), as this engine does.
    Regex::new(text)
        .map_err(|e| Error::Invalid(format!("the regular expression cannot be read: {e}")))
}
