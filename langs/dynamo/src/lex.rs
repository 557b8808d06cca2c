//! The tokens of expressions.

use crate::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A bare name or a keyword.
    Word,
    /// `#name`.
    Name,
    /// `:value`.
    Value,
    Integer,
    Mark,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    start: usize,
}

/// How long an expression may be, in bytes.
const MAX_LENGTH: usize = 4096;

/// Cuts an expression into tokens; the last one is the end.
pub fn tokens(text: &str) -> Result<Vec<Token<'_>>> {
    if text.trim().is_empty() {
        return Err(Error::new("The expression can not be empty;"));
    }
    if text.len() > MAX_LENGTH {
        return Err(Error::new(format!(
            "Expression size has exceeded the maximum allowed size; expression size: {}",
            text.len()
        )));
    }
    let mut found = Vec::new();
    let b = text.as_bytes();
    let mut at = 0;
    while at < b.len() {
        let start = at;
        let run = |from: usize, test: &dyn Fn(u8) -> bool| {
            from + b[from..].iter().take_while(|c| test(**c)).count()
        };
        let word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
        let kind = match b[at] {
            c if c.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            c if c.is_ascii_alphabetic() => {
                at = run(at, &word);
                Kind::Word
            }
            c if c.is_ascii_digit() => {
                at = run(at, &|c| c.is_ascii_digit());
                Kind::Integer
            }
            c @ (b'#' | b':') => {
                at = run(at + 1, &word);
                if at == start + 1 {
                    return Err(unexpected(text, &text[start..at], start, at));
                }
                if c == b'#' { Kind::Name } else { Kind::Value }
            }
            b'<' | b'>' => {
                let two = &b[at..(at + 2).min(b.len())];
                at += if matches!(two, b"<=" | b">=" | b"<>") { 2 } else { 1 };
                Kind::Mark
            }
            b'(' | b')' | b'[' | b']' | b',' | b'.' | b'=' | b'+' | b'-' => {
                at += 1;
                Kind::Mark
            }
            _ => {
                let end = start + text[start..].chars().next().map_or(1, char::len_utf8);
                return Err(unexpected(text, &text[start..end], start, end));
            }
        };
        found.push(Token { kind, text: &text[start..at], start });
    }
    found.push(Token { kind: Kind::End, text: "<EOF>", start: b.len() });
    Ok(found)
}

fn unexpected(all: &str, token: &str, start: usize, end: usize) -> Error {
    let from = all[..start].trim_end().rfind(char::is_whitespace).map_or(0, |i| i + 1);
    let to = all[end..].find(char::is_whitespace).map_or(all.len(), |i| end + i);
    let near = all.get(from..to).unwrap_or(token);
    Error::new(format!("Syntax error; token: \"{token}\", near: \"{near}\""))
}

/// The error at token `at`, with its neighbours.
pub fn syntax_error(all: &str, tokens: &[Token<'_>], at: usize) -> Error {
    let token = tokens[at];
    let from = tokens[at.saturating_sub(1)].start;
    let to = tokens.get(at + 1).unwrap_or(&token);
    let end = if to.kind == Kind::End { all.len() } else { to.start + to.text.len() };
    let near = all.get(from..end).unwrap_or_default();
    Error::new(format!("Syntax error; token: \"{}\", near: \"{near}\"", token.text))
}
