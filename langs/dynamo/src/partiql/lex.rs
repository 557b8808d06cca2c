//! The tokens of PartiQL.

use crate::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Word,
    /// `"name"`.
    Quoted,
    /// `'text'`.
    Text,
    Number,
    Mark,
    End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lexed {
    pub kind: Kind,
    /// Without quotes.
    pub text: String,
}

pub fn lex(text: &str) -> Result<Vec<Lexed>> {
    let b = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < b.len() {
        let run = |from: usize, test: fn(u8) -> bool| {
            from + b[from..].iter().take_while(|c| test(**c)).count()
        };
        let digit = |c: u8| c.is_ascii_digit();
        let (kind, end) = match b[at] {
            c if c.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'-' if b.get(at + 1) == Some(&b'-') => {
                at = run(at, |c| c != b'\n');
                continue;
            }
            q @ (b'\'' | b'"') => {
                let (content, end) = quoted(text, at, q)?;
                let kind = if q == b'\'' { Kind::Text } else { Kind::Quoted };
                found.push(Lexed { kind, text: content });
                at = end;
                continue;
            }
            c if c.is_ascii_alphabetic() || c == b'_' => {
                (Kind::Word, run(at, |c| c.is_ascii_alphanumeric() || c == b'_'))
            }
            c if c.is_ascii_digit() => {
                let mut end = run(at, digit);
                if b.get(end) == Some(&b'.') && b.get(end + 1).is_some_and(u8::is_ascii_digit) {
                    end = run(end + 1, digit);
                }
                if matches!(b.get(end), Some(b'e' | b'E')) {
                    let sign = usize::from(matches!(b.get(end + 1), Some(b'+' | b'-')));
                    let power = run(end + 1 + sign, digit);
                    end = if power > end + 1 + sign { power } else { end };
                }
                (Kind::Number, end)
            }
            _ => {
                let two = b.get(at..at + 2).unwrap_or_default();
                let long = matches!(two, b"<=" | b">=" | b"<>" | b"!=" | b"<<" | b">>");
                let one = text[at..].chars().next().map_or(1, char::len_utf8);
                (Kind::Mark, at + if long { 2 } else { one })
            }
        };
        found.push(Lexed { kind, text: text[at..end].to_owned() });
        at = end;
    }
    found.push(Lexed { kind: Kind::End, text: String::new() });
    Ok(found)
}

/// What is between two quotes, in which a quote is written twice, and where it ends.
fn quoted(text: &str, start: usize, quote: u8) -> Result<(String, usize)> {
    let mark = char::from(quote);
    let mut content = String::new();
    let mut at = start + 1;
    loop {
        let Some(found) = text[at..].find(mark) else {
            return Err(Error::new(
                "Statement wasn't well formed, can't be processed: Unterminated quotation",
            ));
        };
        content.push_str(&text[at..at + found]);
        at += found + 1;
        if text.as_bytes().get(at) != Some(&quote) {
            return Ok((content, at));
        }
        content.push(mark);
        at += 1;
    }
}
