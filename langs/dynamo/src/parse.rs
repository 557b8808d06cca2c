//! What the parsers of all expressions share: a cursor, names, values, paths.

use crate::lex::{Kind, Token, syntax_error, tokens};
use crate::reserved::is_reserved;
use crate::{Attr, Error, Path, Result, Scope, Step};

/// How many operators and functions an expression may have.
const MAX_OPERATORS: usize = 300;
/// How deeply brackets, NOT and functions may nest: each level is a level of our stack.
const MAX_NESTING: usize = 160;
/// How many steps a path may have.
const MAX_PATH: usize = 32;

pub struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
    pub scope: &'a Scope,
    operators: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub fn new(text: &'a str, scope: &'a Scope) -> Result<Self> {
        Ok(Parser { text, tokens: tokens(text)?, at: 0, scope, operators: 0, depth: 0 })
    }

    pub fn peek(&self) -> Token<'a> {
        self.tokens[self.at]
    }

    /// The token behind the next.
    pub fn second(&self) -> &'a str {
        self.tokens.get(self.at + 1).map_or("", |t| t.text)
    }

    pub fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        if token.kind != Kind::End {
            self.at += 1;
        }
        token
    }

    /// Where it is, to come back to.
    pub fn place(&self) -> usize {
        self.at
    }

    /// The text of the token at `place`.
    pub fn token_text(&self, place: usize) -> &'a str {
        self.tokens.get(place).map_or("", |t| t.text)
    }

    /// Takes `mark` if it is next.
    pub fn eat(&mut self, mark: &str) -> bool {
        let found = self.peek().kind == Kind::Mark && self.peek().text == mark;
        self.at += usize::from(found);
        found
    }

    /// Takes the keyword `word` if it is next.
    pub fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    pub fn is_word(&self, word: &str) -> bool {
        let t = self.peek();
        t.kind == Kind::Word && t.text.eq_ignore_ascii_case(word)
    }

    pub fn expect(&mut self, mark: &str) -> Result<()> {
        if self.eat(mark) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub fn unexpected(&self) -> Error {
        syntax_error(self.text, &self.tokens, self.at)
    }

    pub fn end(&self) -> Result<()> {
        if self.peek().kind == Kind::End { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Counts an operator or a level of nesting.
    pub fn operator(&mut self) -> Result<()> {
        self.operators += 1;
        if self.operators > MAX_OPERATORS {
            return Err(Error::new(format!(
                "The expression contains too many operators; operator count: {}",
                self.operators
            )));
        }
        Ok(())
    }

    /// Parses what nests in itself, one level deeper.
    pub fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(Error::new("The expression is nested too deeply"));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// A `:value`.
    pub fn value(&mut self) -> Result<Attr> {
        let token = self.peek();
        if token.kind != Kind::Value {
            return Err(self.unexpected());
        }
        self.at += 1;
        self.scope.value(token.text)
    }

    /// A document path.
    pub fn path(&mut self) -> Result<Path> {
        let root = self.name()?;
        let mut rest = Vec::new();
        loop {
            if self.eat(".") {
                rest.push(Step::Name(self.name()?));
            } else if self.eat("[") {
                let token = self.peek();
                if token.kind != Kind::Integer {
                    return Err(self.unexpected());
                }
                let Ok(index) = token.text.parse::<u32>() else {
                    return Err(Error::new(format!(
                        "List index is not within the allowable range; index: [{}]",
                        token.text
                    )));
                };
                self.at += 1;
                self.expect("]")?;
                rest.push(Step::Index(index as usize));
            } else {
                break;
            }
        }
        if rest.len() >= MAX_PATH {
            return Err(Error::new(format!(
                "The document path has too many nesting levels; nesting levels: {}",
                rest.len() + 1
            )));
        }
        Ok(Path { root, rest })
    }

    fn name(&mut self) -> Result<String> {
        let token = self.peek();
        match token.kind {
            Kind::Word if is_reserved(token.text) => Err(Error::new(format!(
                "Attribute name is a reserved keyword; reserved keyword: {}",
                token.text
            ))),
            Kind::Word => {
                self.at += 1;
                Ok(token.text.to_owned())
            }
            Kind::Name => {
                self.at += 1;
                self.scope.name(token.text)
            }
            _ => Err(self.unexpected()),
        }
    }
}

/// A function got the wrong number of operands.
pub fn wrong_count(function: &str, count: usize) -> Error {
    Error::new(format!(
        "Incorrect number of operands for operator or function; operator or function: {function}, \
         number of operands: {count}"
    ))
}

/// An operator got a constant of a wrong type.
pub fn wrong_type(operator: &str, kind: &str) -> Error {
    Error::new(format!(
        "Incorrect operand type for operator or function; operator or function: {operator}, \
         operand type: {kind}"
    ))
}
