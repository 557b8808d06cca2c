//! The parser of expressions: literals, references and operators.

use crate::Error;
use crate::ast::{Expr, Op};
use crate::parse::Parser;

/// Operators from the loosest to the tightest.
const LEVELS: &[&[(&str, Op)]] = &[
    &[("||", Op::Or), ("or", Op::Or)],
    &[("&&", Op::And), ("and", Op::And)],
    &[("==", Op::Equal), ("!=", Op::NotEqual), ("eq", Op::Equal), ("ne", Op::NotEqual)],
    &[
        ("<=", Op::LessOrEqual),
        (">=", Op::GreaterOrEqual),
        ("<", Op::Less),
        (">", Op::Greater),
        ("le", Op::LessOrEqual),
        ("ge", Op::GreaterOrEqual),
        ("lt", Op::Less),
        ("gt", Op::Greater),
    ],
    &[("+", Op::Add), ("-", Op::Subtract)],
    &[("*", Op::Multiply), ("/", Op::Divide), ("%", Op::Remainder)],
];

impl Parser<'_> {
    pub fn expression(&mut self) -> Result<Expr, Error> {
        self.deeper()?;
        let e = self.level(0);
        self.shallower();
        e
    }

    fn level(&mut self, level: usize) -> Result<Expr, Error> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.level(level + 1)?;
        let mut count = 0;
        loop {
            self.space();
            let found = operators.iter().find(|(sign, _)| {
                self.rest().strip_prefix(sign).is_some_and(|after| {
                    let word = sign.starts_with(|c: char| c.is_ascii_alphabetic());
                    !(word && after.starts_with(|c: char| c.is_ascii_alphanumeric()))
                })
            });
            let Some((sign, op)) = found else { return Ok(left) };
            count += 1;
            if count > 1000 {
                return Err(Error::Limit("nesting"));
            }
            self.at += sign.len();
            let right = self.level(level + 1)?;
            left = Expr::Binary(*op, Box::new((left, right)));
        }
    }

    fn unary(&mut self) -> Result<Expr, Error> {
        self.space();
        if !self.rest().starts_with("!=") && self.take("!") {
            return self.nested(Expr::Not);
        }
        let not = self.rest().strip_prefix("not");
        if not.is_some_and(|r| r.starts_with([' ', '\t', '('])) {
            self.at += 3;
            return self.nested(Expr::Not);
        }
        let minus = self.rest().strip_prefix('-');
        if minus.is_some_and(|r| !r.starts_with(|c: char| c.is_ascii_digit() || c == '.')) {
            self.at += 1;
            return self.nested(Expr::Negate);
        }
        self.primary()
    }

    fn nested(&mut self, make: fn(Box<Expr>) -> Expr) -> Result<Expr, Error> {
        self.deeper()?;
        let e = self.unary()?;
        self.shallower();
        Ok(make(Box::new(e)))
    }

    fn primary(&mut self) -> Result<Expr, Error> {
        let rest = self.rest();
        match rest.chars().next() {
            Some('$') => match self.reference(0)? {
                Some(r) => Ok(Expr::Reference(Box::new(r))),
                None => self.fail("expected a reference"),
            },
            Some('(') => {
                self.at += 1;
                let e = self.expression()?;
                self.expect(")")?;
                Ok(e)
            }
            Some('\'') => Ok(Expr::Text(self.quoted('\'')?.into())),
            Some('"') => {
                let text = self.quoted('"')?;
                if text.contains(['$', '#']) {
                    Ok(Expr::Template(self.inside(&text)?))
                } else {
                    Ok(Expr::Text(text.into()))
                }
            }
            Some('[') => self.list(),
            Some('{') => self.map(),
            Some(c) if c.is_ascii_digit() || c == '-' || c == '.' => self.number(),
            _ => {
                for (word, value) in [("true", true), ("false", false)] {
                    if let Some(after) = rest.strip_prefix(word)
                        && !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                    {
                        self.at += word.len();
                        return Ok(Expr::Bool(value));
                    }
                }
                self.fail("expected an expression")
            }
        }
    }

    /// A quoted text. A quote inside is written twice; backslashes stand for themselves.
    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let Some(end) = rest.find(quote) else { return self.fail(format!("expected {quote}")) };
            out.push_str(&rest[..end]);
            self.at += end + 1;
            if !self.rest().starts_with(quote) {
                return Ok(out);
            }
            out.push(quote);
            self.at += 1;
        }
    }

    fn number(&mut self) -> Result<Expr, Error> {
        let rest = self.rest();
        let digits = |s: &str| s.len() - s.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let sign = usize::from(rest.starts_with('-'));
        let mut end = sign + digits(&rest[sign..]);
        let mut float = false;
        // `1..5` is a range, `1.get` would be a method.
        if let Some(after) = rest[end..].strip_prefix('.')
            && after.starts_with(|c: char| c.is_ascii_digit())
        {
            end += 1 + digits(after);
            float = true;
        }
        if let Some(after) = rest[end..].strip_prefix(['e', 'E'])
            && (float || end > sign)
        {
            let minus = usize::from(after.starts_with(['-', '+']));
            let n = digits(&after[minus..]);
            if n > 0 {
                end += 1 + minus + n;
                float = true;
            }
        }
        let text = &rest[..end];
        let value = if float {
            text.parse().ok().map(Expr::Float)
        } else {
            text.parse().ok().map(Expr::Int).or_else(|| text.parse().ok().map(Expr::Float))
        };
        match value {
            Some(v) => {
                self.at += end;
                Ok(v)
            }
            None => self.fail("expected a number"),
        }
    }

    fn list(&mut self) -> Result<Expr, Error> {
        self.at += 1;
        self.space();
        if self.take("]") {
            return Ok(Expr::List(Vec::new()));
        }
        let first = self.expression()?;
        self.space();
        if self.take("..") {
            let last = self.expression()?;
            self.expect("]")?;
            return Ok(Expr::Range(Box::new((first, last))));
        }
        self.take(",");
        let mut all = vec![first];
        all.extend(self.arguments("]")?);
        Ok(Expr::List(all))
    }

    fn map(&mut self) -> Result<Expr, Error> {
        self.at += 1;
        let mut all = Vec::new();
        loop {
            self.space();
            if self.take("}") {
                return Ok(Expr::Map(all));
            }
            if !all.is_empty() {
                self.expect(",")?;
            }
            let key = self.expression()?;
            self.space();
            if !self.take(":") && !self.take("=") {
                return self.fail("expected ':'");
            }
            all.push((key, self.expression()?));
        }
    }
}
