//! The words of the two bracketed kinds of pattern.

use crate::{Error, error};

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// `(`, `)`, `,`, `&&`, `||`, `=`, `!=`, `<`, `<=`, `>`, `>=`.
    Sign(&'static str),
    /// A bare word: a name, a number, a value with `*`.
    Word(String),
    /// In double quotes.
    Text(String),
    /// Between percent signs.
    Regex(String),
    /// `$.a.b[0]`, `$["a b"]`.
    Selector(String),
}

const SIGNS: &[&str] = &["&&", "||", "!=", "<=", ">=", "=", "<", ">", "(", ")", ","];

/// The words of `text`, without its outer brackets.
pub fn words(text: &str) -> Result<Vec<Token>, Error> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        if let Some(sign) = SIGNS.iter().find(|s| rest.starts_with(**s)) {
            found.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if c == '"' {
            let (inside, after) = quoted(rest)?;
            found.push(Token::Text(inside));
            rest = after;
        } else if c == '%' {
            let Some(end) = rest[1..].find('%') else {
                return error("a regular expression has no end");
            };
            found.push(Token::Regex(rest[1..=end].to_owned()));
            rest = &rest[end + 2..];
        } else {
            let n = bare(rest)?;
            let word = rest[..n].to_owned();
            found.push(if c == '$' { Token::Selector(word) } else { Token::Word(word) });
            rest = &rest[n..];
        }
        rest = rest.trim_start();
    }
    Ok(found)
}

/// The inside of a quoted text and what follows it. `\"` and `\\` stand for themselves.
pub fn quoted(text: &str) -> Result<(String, &str), Error> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Ok((out, &text[i + 1..])),
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\\'))) => out.push(c),
                Some((_, c)) => out.extend(['\\', c]),
                None => break,
            },
            c => out.push(c),
        }
    }
    error("a quotation has no end")
}

/// The length of a bare word. Brackets in it (`$.a[0]`, `$["a b"]`) are part of it.
fn bare(text: &str) -> Result<usize, Error> {
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '[' => {
                let Some(end) = text[i..].find(']') else { return error("a bracket has no end") };
                while chars.clone().next().is_some_and(|(j, _)| j <= i + end) {
                    chars.next();
                }
            }
            c if c.is_whitespace() || "(),=<>!&|\"%".contains(c) => {
                if i == 0 {
                    return error(format!("unexpected '{c}'"));
                }
                return Ok(i);
            }
            _ => {}
        }
    }
    Ok(text.len())
}
