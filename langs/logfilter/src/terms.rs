//! Patterns of terms: `a "b c" -d`, `?a ?b`, `%regex%`.

use regex_lite::Regex;

use crate::lex::quoted;
use crate::{Error, error};

#[derive(Clone, Debug, Default)]
pub struct Terms {
    must: Vec<Term>,
    must_not: Vec<Term>,
    /// Asked only where nothing else is: beside other terms AWS ignores them.
    any: Vec<Term>,
}

#[derive(Clone, Debug)]
enum Term {
    Text(String),
    Regex(Regex),
}

impl Term {
    fn is_in(&self, message: &str) -> bool {
        match self {
            Term::Text(t) => message.contains(t.as_str()),
            Term::Regex(r) => r.is_match(message),
        }
    }
}

impl Terms {
    pub fn parse(text: &str) -> Result<Terms, Error> {
        let mut found = Terms::default();
        let mut rest = text.trim_start();
        while let Some(c) = rest.chars().next() {
            let sign = Some(c).filter(|c| matches!(c, '?' | '-'));
            let body = if sign.is_some() { &rest[1..] } else { rest };
            let (term, after) = term(body)?;
            match sign {
                Some('?') => found.any.push(term),
                Some(_) => found.must_not.push(term),
                None => found.must.push(term),
            }
            rest = after.trim_start();
        }
        Ok(found)
    }

    pub fn matches(&self, message: &str) -> bool {
        if self.must.is_empty() && self.must_not.is_empty() {
            return self.any.is_empty() || self.any.iter().any(|t| t.is_in(message));
        }
        self.must.iter().all(|t| t.is_in(message))
            && !self.must_not.iter().any(|t| t.is_in(message))
    }
}

fn term(text: &str) -> Result<(Term, &str), Error> {
    match text.chars().next() {
        Some('"') => {
            let (inside, after) = quoted(text)?;
            Ok((Term::Text(inside), after))
        }
        Some('%') => {
            let Some(end) = text[1..].find('%') else {
                return error("a regular expression has no end");
            };
            match Regex::new(&text[1..=end]) {
                Ok(r) => Ok((Term::Regex(r), &text[end + 2..])),
                Err(e) => error(format!("the regular expression cannot be read: {e}")),
            }
        }
        None => error("a term is missing at the end"),
        Some(_) => {
            let end = text.find(char::is_whitespace).unwrap_or(text.len());
            let word = &text[..end];
            let plain = |c: char| c.is_alphanumeric() || c == '_';
            match word.chars().find(|c| !plain(*c)) {
                _ if word.is_empty() => error("a term is missing"),
                // AWS asks for quotes; of what it lets through without them, these are seen.
                Some(c) if !"*.:/-=@#+".contains(c) => {
                    error(format!("'{word}' must stand in double quotes, because of '{c}'"))
                }
                _ => Ok((Term::Text(word.to_owned()), &text[end..])),
            }
        }
    }
}
