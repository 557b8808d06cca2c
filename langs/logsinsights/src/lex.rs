//! The words of a query.

use crate::{Error, invalid};

#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub kind: Kind,
    /// Where it begins and ends in the query.
    pub at: (usize, usize),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A name or keyword; `@message`, `a.b`.
    Word(String),
    /// A name in backticks.
    Name(String),
    Text(String),
    Number(f64),
    /// `5m`: milliseconds.
    Span(i64),
    Regex(String),
    Sign(&'static str),
}

const SIGNS: &[&str] = &[
    "!=", "<=", ">=", "=~", "|", "(", ")", "[", "]", ",", "=", "<", ">", "+", "-", "*", "/", "%",
    "^",
];

pub fn tokens(text: &str) -> Result<Vec<Token>, Error> {
    let mut found: Vec<Token> = Vec::new();
    let mut i = 0;
    while let Some(c) = text[i..].chars().next() {
        let rest = &text[i..];
        let begin = i;
        let kind = match c {
            c if c.is_whitespace() => {
                i += c.len_utf8();
                continue;
            }
            '#' => {
                i += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            '"' | '\'' | '`' => {
                let (inside, n) = quoted(rest, c)?;
                i += n;
                if c == '`' { Kind::Name(inside) } else { Kind::Text(inside) }
            }
            // After a value it divides; elsewhere it begins a regular expression.
            '/' if parses(&found) || !found.last().is_some_and(|t| ends_value(&t.kind)) => {
                let (inside, n) = regex(rest)?;
                i += n;
                Kind::Regex(inside)
            }
            c if c.is_ascii_digit() => {
                let (kind, n) = number(rest)?;
                i += n;
                kind
            }
            c if c.is_alphabetic() || c == '_' || c == '@' || c == '$' => {
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || "_@.$:".contains(c)))
                    .unwrap_or(rest.len());
                i += end;
                Kind::Word(rest[..end].to_owned())
            }
            _ => match SIGNS.iter().find(|s| rest.starts_with(**s)) {
                Some(s) => {
                    i += s.len();
                    Kind::Sign(s)
                }
                None => return invalid(format!("unexpected symbol found {c} at position {i}")),
            },
        };
        found.push(Token { kind, at: (begin, i) });
    }
    Ok(found)
}

/// Whether the last command is a `parse` that still waits for its pattern.
fn parses(found: &[Token]) -> bool {
    let begin = found.iter().rposition(|t| t.kind == Kind::Sign("|")).map_or(0, |i| i + 1);
    let command = &found[begin..];
    matches!(command.first(), Some(Token { kind: Kind::Word(w), .. }) if w.eq_ignore_ascii_case("parse"))
        && !command.iter().any(|t| matches!(t.kind, Kind::Regex(_) | Kind::Text(_)))
}

fn ends_value(kind: &Kind) -> bool {
    match kind {
        Kind::Word(w) => !["like", "not", "and", "or", "parse", "in"].contains(&&*w.to_lowercase()),
        Kind::Name(_) | Kind::Number(_) => true,
        Kind::Sign(s) => *s == ")" || *s == "]",
        _ => false,
    }
}

fn quoted(text: &str, quote: char) -> Result<(String, usize), Error> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((out, i + 1)),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, c)) if c == quote || c == '\\' => out.push(c),
                Some((_, c)) => out.extend(['\\', c]),
                None => break,
            },
            c => out.push(c),
        }
    }
    invalid("a quotation has no end")
}

fn regex(text: &str) -> Result<(String, usize), Error> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            '/' => {
                let ignore = text[i + 1..].starts_with('i');
                let n = i + 1 + usize::from(ignore);
                return Ok((if ignore { format!("(?i){out}") } else { out }, n));
            }
            '\\' => match chars.next() {
                Some((_, '/')) => out.push('/'),
                Some((_, c)) => out.extend(['\\', c]),
                None => break,
            },
            c => out.push(c),
        }
    }
    invalid("a regular expression has no end")
}

fn number(text: &str) -> Result<(Kind, usize), Error> {
    let n = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let Ok(value) = text[..n].parse::<f64>() else {
        return invalid(format!("'{}' is no number", &text[..n]));
    };
    let letters = text[n..].find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len() - n);
    let unit = match &text[n..n + letters] {
        "" => return Ok((Kind::Number(value), n)),
        "ms" | "msec" => 1.0,
        "s" | "sec" | "second" | "seconds" => 1000.0,
        "m" | "min" | "minute" | "minutes" => 60_000.0,
        "h" | "hr" | "hour" | "hours" => 3_600_000.0,
        "d" | "day" | "days" => 86_400_000.0,
        "w" | "week" | "weeks" => 604_800_000.0,
        other => return invalid(format!("'{other}' is no unit of time")),
    };
    Ok((Kind::Span((value * unit) as i64), n + letters))
}
