//! Patterns of policies: `*`, `?` and policy variables, compiled once.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>

use std::borrow::Cow;

/// How a pattern's text is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// `*` and `?` are wildcards; else they stand for themselves.
    pub wild: bool,
    /// `${…}` is a variable (policies of version 2012-10-17).
    pub variables: bool,
    /// What a wildcard may do at a colon.
    pub colons: Colons,
    /// Compare in lower case: the text to match must be lower case already.
    pub lower: bool,
}

/// Where wildcards stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colons {
    /// Nowhere.
    #[default]
    Free,
    /// In the first five parts of an ARN a `*` goes past the colon only when it ends its part.
    Resource,
    /// In the first five parts of an ARN nothing goes past the colon.
    Arn,
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Shape);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Any,
    Exact(Box<str>),
    /// Literal text and then a `*`.
    Prefix(Box<str>),
    Pieces {
        pieces: Box<[Piece]>,
        variables: bool,
        lower: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Variable(Variable),
    /// `*`; `colons` says whether it goes past one.
    Star {
        colons: bool,
    },
    /// `?`
    One {
        colons: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Variable {
    /// Lower case.
    key: Box<str>,
    default: Option<Box<str>>,
}

impl Glob {
    /// Compiles `text`.
    #[must_use]
    pub fn new(text: &str, style: Style) -> Self {
        let mut c = Compiler { pieces: Vec::new(), literal: String::new() };
        c.compile(text, style);
        Glob(shape(c.pieces, style.lower))
    }

    /// Whether it is just `*`.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0 == Shape::Any
    }

    /// Whether it can match only one text: no wildcard and no variable in it.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        matches!(self.0, Shape::Exact(_))
    }

    /// Whether it is an ARN with no wildcard or variable up to and in its account.
    #[must_use]
    pub fn names_an_account(&self) -> bool {
        let first = match &self.0 {
            Shape::Any => return false,
            Shape::Exact(t) | Shape::Prefix(t) => t,
            Shape::Pieces { pieces, .. } => match &pieces[0] {
                Piece::Text(t) => t,
                _ => return false,
            },
        };
        let mut parts = first.splitn(6, ':').skip(4);
        parts.next().is_some_and(|a| !a.is_empty()) && parts.next().is_some()
    }

    /// Whether the whole of `text` matches. `lookup` gives the value of a variable by its
    /// lower-case key; a pattern with an unknown variable and no default matches nothing.
    pub fn matches<'a>(&self, text: &str, lookup: impl Fn(&str) -> Option<Cow<'a, str>>) -> bool {
        match &self.0 {
            Shape::Any => true,
            Shape::Exact(s) => **s == *text,
            Shape::Prefix(s) => text.starts_with(&**s),
            Shape::Pieces { pieces, variables: false, .. } => matches(pieces, &[], text),
            Shape::Pieces { pieces, lower, .. } => {
                let mut values = Vec::new();
                for p in pieces {
                    let Piece::Variable(v) = p else { continue };
                    let value = lookup(&v.key)
                        .or_else(|| v.default.as_deref().map(|d| Cow::Owned(d.to_owned())));
                    match value {
                        Some(s) if *lower => values.push(Cow::Owned(s.to_lowercase())),
                        Some(s) => values.push(s),
                        None => return false,
                    }
                }
                matches(pieces, &values, text)
            }
        }
    }

    /// [`Glob::matches`] for patterns without variables.
    #[must_use]
    pub fn matches_plain(&self, text: &str) -> bool {
        self.matches(text, |_| None)
    }
}

fn shape(mut pieces: Vec<Piece>, lower: bool) -> Shape {
    match pieces.as_mut_slice() {
        [] => Shape::Exact("".into()),
        [Piece::Text(t)] => Shape::Exact(std::mem::take(t)),
        [Piece::Star { colons: true }] => Shape::Any,
        [Piece::Text(t), Piece::Star { colons: true }] => Shape::Prefix(std::mem::take(t)),
        _ => {
            let variables = pieces.iter().any(|p| matches!(p, Piece::Variable(_)));
            Shape::Pieces { pieces: pieces.into(), variables, lower }
        }
    }
}

struct Compiler {
    pieces: Vec<Piece>,
    literal: String,
}

impl Compiler {
    fn compile(&mut self, text: &str, style: Style) {
        let mut rest = text;
        let mut parts = 0; // colons so far
        while let Some(c) = rest.chars().next() {
            if style.variables
                && let Some((body, after)) = variable(rest)
            {
                match body {
                    "*" | "?" | "$" => self.literal.push_str(body),
                    body => {
                        let v = parse_variable(body);
                        self.push(Piece::Variable(v));
                    }
                }
                rest = after;
                continue;
            }
            rest = &rest[c.len_utf8()..];
            let last = rest.is_empty();
            let colons = parts >= 5
                || match style.colons {
                    Colons::Free => true,
                    Colons::Resource => last || rest.starts_with(':'),
                    Colons::Arn => last,
                };
            match c {
                '*' if style.wild => {
                    if self.literal.is_empty()
                        && let Some(Piece::Star { colons: before }) = self.pieces.last_mut()
                    {
                        *before |= colons;
                    } else {
                        self.push(Piece::Star { colons });
                    }
                }
                '?' if style.wild => {
                    let colons = parts >= 5 || style.colons == Colons::Free;
                    self.push(Piece::One { colons });
                }
                c => {
                    parts += usize::from(c == ':');
                    if style.lower {
                        self.literal.extend(c.to_lowercase());
                    } else {
                        self.literal.push(c);
                    }
                }
            }
        }
        self.flush();
    }

    fn push(&mut self, piece: Piece) {
        self.flush();
        self.pieces.push(piece);
    }

    fn flush(&mut self) {
        if !self.literal.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(&mut self.literal).into()));
        }
    }
}

/// `${body}` at the start of `text`, and what follows it.
fn variable(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("${")?.split_once('}').filter(|(body, _)| !body.is_empty())
}

fn parse_variable(body: &str) -> Variable {
    let (key, default) = match body.split_once(',') {
        Some((key, d)) => {
            let d = d.trim();
            (key, d.strip_prefix('\'').and_then(|d| d.strip_suffix('\'')))
        }
        None => (body, None),
    };
    Variable { key: key.trim().to_lowercase().into(), default: default.map(Into::into) }
}

/// Matches from left to right. On a mismatch the last star takes one character more; when that star
/// must not (a colon), the last star that may. That is enough: what a bounded star can cover ends
/// at a colon that every earlier star in front of the same colon also meets.
fn matches(pieces: &[Piece], values: &[Cow<'_, str>], text: &str) -> bool {
    #[derive(Clone, Copy)]
    struct Retry {
        piece: usize,
        value: usize,
        from: usize,
    }
    let (mut at, mut piece, mut value) = (0, 0, 0);
    let (mut free, mut bound): (Option<Retry>, Option<Retry>) = (None, None);
    loop {
        let rest = &text[at..];
        let step = match pieces.get(piece) {
            None if rest.is_empty() => return true,
            None => None,
            Some(Piece::Text(t)) => rest.starts_with(&**t).then_some(t.len()),
            Some(Piece::Variable(_)) => {
                value += 1;
                let v = values.get(value - 1).map_or("", |v| v);
                rest.starts_with(v).then_some(v.len())
            }
            Some(Piece::One { colons }) => {
                rest.chars().next().filter(|c| *colons || *c != ':').map(char::len_utf8)
            }
            Some(Piece::Star { colons }) => {
                let here = Retry { piece: piece + 1, value, from: at };
                if *colons {
                    (free, bound) = (Some(here), None);
                } else {
                    bound = Some(here);
                }
                Some(0)
            }
        };
        if let Some(n) = step {
            at += n;
            piece += 1;
            continue;
        }
        // Go back to a star and let it take one character more.
        let more = |r: &Retry, colons: bool| {
            let c = text[r.from..].chars().next().filter(|c| colons || *c != ':')?;
            Some(Retry { from: r.from + c.len_utf8(), ..*r })
        };
        let retry = if let Some(r) = bound.as_ref().and_then(|r| more(r, false)) {
            bound = Some(r);
            r
        } else if let Some(r) = free.as_ref().and_then(|r| more(r, true)) {
            (free, bound) = (Some(r), None);
            r
        } else {
            return false;
        };
        (at, piece, value) = (retry.from, retry.piece, retry.value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(pattern: &str, text: &str) -> bool {
        let style = Style { wild: true, variables: true, ..Style::default() };
        Glob::new(pattern, style).matches(text, |k| match k {
            "aws:username" => Some(Cow::Borrowed("al*ce")),
            _ => None,
        })
    }

    #[test]
    fn wildcards() {
        for (p, t) in [
            ("*", ""),
            ("*", "a:b"),
            ("a*", "abc"),
            ("a?c", "abc"),
            ("a*c*e", "abcde"),
            ("*.txt", "a.txt.txt"),
            ("**", "x"),
            ("a**b", "ab"),
            ("?", "ሴ"),
            ("", ""),
            ("*a*b*c", "xxaxbxbxc"),
            ("${*}", "*"),
            ("a${?}", "a?"),
            ("${$}{x}", "${x}"),
            ("home/${aws:username}/*", "home/al*ce/x"),
            ("${AWS:UserName}", "al*ce"),
            ("${x, 'team'}/*", "team/1"),
            ("${aws:username, 'none'}", "al*ce"),
            ("${}", "${}"),
            ("${open", "${open"),
            ("*${aws:username}", "xal*al*ce"),
        ] {
            assert!(like(p, t), "{p} ~ {t}");
        }
        for (p, t) in [
            ("", "x"),
            ("a?c", "ac"),
            ("a*c", "ab"),
            ("${*}", "x"),
            ("${aws:username}", "alice"),
            ("${nothing}", ""),
            ("a", "A"),
            ("?", ""),
            ("a*b*c", "acb"),
        ] {
            assert!(!like(p, t), "{p} !~ {t}");
        }
    }

    #[test]
    fn colons_bound_wildcards() {
        let is = |colons, p: &str, t: &str| {
            Glob::new(p, Style { wild: true, colons, ..Style::default() }).matches_plain(t)
        };
        use Colons::{Arn, Resource};
        assert!(is(Resource, "arn:aws:s3:::b/*", "arn:aws:s3:::b/a:b"));
        assert!(is(Resource, "arn:aws:s3:::*/x", "arn:aws:s3:::b/a:b/x"));
        assert!(is(Resource, "arn:aws:sns:*", "arn:aws:sns:us-east-1:1:t"));
        assert!(is(Resource, "arn:aws:sns:*:1:t", "arn:aws:sns:us-east-1:1:t"));
        assert!(!is(Resource, "arn:aws:sns:us*1:t", "arn:aws:sns:us-east-1:1:t"));
        assert!(!is(Arn, "arn:aws:sns:*:t", "arn:aws:sns:us-east-1:1:t"));
        assert!(is(Arn, "arn:aws:sns:*:*:t*", "arn:aws:sns:us-east-1:1:t:sub"));
        assert!(is(Arn, "arn:aws:*:*:1:*a", "arn:aws:sns:us-east-1:1:ba"));
        assert!(!is(Arn, "arn:aws:?:x:1:a", "arn:aws:::x:1:a"));
        assert!(is(Arn, "*", "arn:aws:sns:us-east-1:1:t"));
    }

    #[test]
    fn hostile_patterns_end_soon() {
        let p = "*a".repeat(2000) + "b";
        assert!(!like(&p, &"a".repeat(20_000)));
    }
}
