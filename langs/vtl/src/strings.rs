//! The methods of `java.lang.String`. Positions count UTF-16 units, as Java's do.

use regex_lite::{Captures, Regex};

use crate::format;
use crate::render::thrown;
use crate::{Error, Value};

type Answer = Result<Option<Value>, Error>;

/// A text in units of UTF-16, for the methods that count.
struct Units(Vec<u16>);

impl Units {
    fn of(text: &str) -> Self {
        Units(text.encode_utf16().collect())
    }

    fn part(&self, from: usize, to: usize) -> String {
        String::from_utf16_lossy(&self.0[from..to])
    }
}

/// How many units a text has.
fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// Where `at` bytes into a text are in its units.
fn units(text: &str, at: usize) -> i64 {
    length(&text[..at]) as i64
}

/// Where a unit begins in a text's bytes; its end for what is past it.
fn bytes(text: &str, unit: i64) -> usize {
    let Ok(unit) = usize::try_from(unit) else { return 0 };
    let mut seen = 0;
    for (at, c) in text.char_indices() {
        if seen >= unit {
            return at;
        }
        seen += c.len_utf16();
    }
    text.len()
}

/// Calls a method of a string.
pub fn call(text: &str, name: &str, arguments: &[Value]) -> Answer {
    let size = || length(text) as i64;
    Ok(Some(match (name, arguments) {
        ("length", []) => Value::Int(size()),
        ("isEmpty", []) => text.is_empty().into(),
        ("isBlank", []) => text.trim().is_empty().into(),
        ("trim", []) => text.trim_matches(|c: char| c <= ' ').into(),
        ("strip", []) => text.trim().into(),
        ("stripLeading", []) => text.trim_start().into(),
        ("stripTrailing", []) => text.trim_end().into(),
        ("toUpperCase", [] | [_]) => text.to_uppercase().into(),
        ("toLowerCase", [] | [_]) => text.to_lowercase().into(),
        ("intern" | "toString", []) => text.into(),
        ("substring" | "subSequence", [Value::Int(from)]) => {
            return substring(text, name, *from, size());
        }
        ("substring" | "subSequence", [Value::Int(from), Value::Int(to)]) => {
            return substring(text, name, *from, *to);
        }
        ("charAt", [Value::Int(at)]) => return substring(text, name, *at, at.saturating_add(1)),
        ("codePointAt", [Value::Int(at)]) => {
            let c = text[bytes(text, *at)..].chars().next();
            match c.filter(|_| *at >= 0 && *at < size()) {
                Some(c) => Value::Int(i64::from(u32::from(c))),
                None => return out_of_bounds(name, *at),
            }
        }
        ("indexOf", [what]) => found(text, text.find(&*needle(what))),
        ("indexOf", [what, Value::Int(from)]) => {
            let start = bytes(text, *from);
            found(text, text[start..].find(&*needle(what)).map(|i| i + start))
        }
        ("lastIndexOf", [what]) => found(text, text.rfind(&*needle(what))),
        ("lastIndexOf", [what, Value::Int(from)]) => {
            let what = needle(what);
            let end = (bytes(text, *from) + what.len()).min(text.len());
            let end = (end..=text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(end);
            found(text, text[..end].rfind(&*what))
        }
        ("contains", [what]) => text.contains(&*needle(what)).into(),
        ("startsWith", [Value::Text(what)]) => text.starts_with(&**what).into(),
        ("startsWith", [Value::Text(what), Value::Int(from)]) => {
            (*from >= 0 && text[bytes(text, *from)..].starts_with(&**what)).into()
        }
        ("endsWith", [Value::Text(what)]) => text.ends_with(&**what).into(),
        ("equalsIgnoreCase", [Value::Text(o)]) => (text.to_lowercase() == o.to_lowercase()).into(),
        ("compareTo", [Value::Text(o)]) => Value::Int(difference(text, o)),
        ("compareToIgnoreCase", [Value::Text(o)]) => {
            Value::Int(difference(&text.to_lowercase(), &o.to_lowercase()))
        }
        ("contentEquals", [o]) => (text == &*o.render()).into(),
        ("concat", [Value::Text(o)]) => [text, o].concat().into(),
        ("repeat", [Value::Int(n)]) => {
            let n = usize::try_from(*n).unwrap_or_default();
            if text.len().saturating_mul(n) > 16 << 20 {
                return Err(Error::Limit("output"));
            }
            text.repeat(n).into()
        }
        ("replace", [old, new]) => {
            let (old, new) = (needle(old), needle(new));
            if old.is_empty() && text.len().saturating_mul(new.len() + 1) > 16 << 20 {
                return Err(Error::Limit("output"));
            }
            text.replace(&*old, &new).into()
        }
        ("replaceAll", [Value::Text(pattern), Value::Text(new)]) => {
            return replace(text, name, pattern, new, usize::MAX);
        }
        ("replaceFirst", [Value::Text(pattern), Value::Text(new)]) => {
            return replace(text, name, pattern, new, 1);
        }
        ("matches", [Value::Text(pattern)]) => {
            regex(name, &format!("^(?:{pattern})$"))?.is_match(text).into()
        }
        ("split", [Value::Text(pattern)]) => return split(text, pattern, 0),
        ("split", [Value::Text(pattern), Value::Int(limit)]) => {
            return split(text, pattern, *limit);
        }
        ("lines", []) => Value::list(text.lines().map(Value::text).collect()),
        ("toCharArray", []) => {
            let units = Units::of(text);
            let all = (0..units.0.len()).map(|i| units.part(i, i + 1).into());
            Value::list(all.collect())
        }
        ("getBytes", [] | [_]) => {
            Value::list(text.bytes().map(|b| Value::Int(i64::from(b as i8))).collect())
        }
        ("format" | "formatted", all) => {
            // `"".format("%s", x)` is the static one; `"%s".formatted(x)` its own.
            let (pattern, rest) = match (name, all) {
                ("format", [Value::Text(p), rest @ ..]) => (&**p, rest),
                ("formatted", rest) => (text, rest),
                _ => return Ok(None),
            };
            // An array stands for all arguments.
            let rest = match rest {
                [Value::List(list)] => list.items.borrow().clone(),
                other => other.to_vec(),
            };
            format::format(pattern, &rest)?.into()
        }
        ("valueOf" | "copyValueOf", [v]) => v.render().into(),
        ("join", [Value::Text(by), Value::List(list)]) => {
            let all: Vec<String> = list.items.borrow().iter().map(Value::render).collect();
            all.join(by).into()
        }
        ("hashCode", []) => {
            let hash = |h: i32, u| h.wrapping_mul(31).wrapping_add(i32::from(u));
            Value::Int(i64::from(text.encode_utf16().fold(0, hash)))
        }
        _ => return Ok(None),
    }))
}

/// An argument that is a text or a `char`, which is a text here.
fn needle(v: &Value) -> std::borrow::Cow<'_, str> {
    match v {
        Value::Text(s) => (&**s).into(),
        Value::Int(c) => u32::try_from(*c)
            .ok()
            .and_then(char::from_u32)
            .map_or_else(String::new, String::from)
            .into(),
        other => other.render().into(),
    }
}

fn found(text: &str, at: Option<usize>) -> Value {
    Value::Int(at.map_or(-1, |i| units(text, i)))
}

fn substring(text: &str, name: &str, from: i64, to: i64) -> Answer {
    let size = length(text) as i64;
    if from < 0 || to > size || from > to {
        return out_of_bounds(name, if from < 0 || from > size { from } else { to });
    }
    if text.is_ascii() {
        return Ok(Some(text[from as usize..to as usize].into()));
    }
    Ok(Some(Units::of(text).part(from as usize, to as usize).into()))
}

fn out_of_bounds(name: &str, at: i64) -> Answer {
    thrown(
        name,
        format!("java.lang.StringIndexOutOfBoundsException: String index out of range: {at}"),
    )
}

fn difference(a: &str, b: &str) -> i64 {
    let (a, b) = (Units::of(a).0, Units::of(b).0);
    for (x, y) in a.iter().zip(&b) {
        if x != y {
            return i64::from(*x) - i64::from(*y);
        }
    }
    a.len() as i64 - b.len() as i64
}

/// A pattern of Java's, kept for the next time: templates ask for the same few.
fn regex(name: &str, pattern: &str) -> Result<Regex, Error> {
    thread_local! {
        static KNOWN: std::cell::RefCell<Vec<(Box<str>, Regex)>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    let kept =
        KNOWN.with_borrow(|k| k.iter().find(|(p, _)| **p == *pattern).map(|(_, r)| r.clone()));
    if let Some(regex) = kept {
        return Ok(regex);
    }
    match Regex::new(pattern) {
        Ok(regex) => {
            KNOWN.with_borrow_mut(|k| {
                if k.len() >= 32 {
                    k.remove(0);
                }
                k.push((pattern.into(), regex.clone()));
            });
            Ok(regex)
        }
        Err(e) => thrown(name, format!("java.util.regex.PatternSyntaxException: {e}")),
    }
}

fn replace(text: &str, name: &str, pattern: &str, new: &str, most: usize) -> Answer {
    let regex = regex(name, pattern)?;
    let mut out = String::with_capacity(text.len());
    let mut last = 0;
    for captures in regex.captures_iter(text).take(most) {
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&text[last..whole.start()]);
        expand(&mut out, name, new, &captures)?;
        last = whole.end();
        if out.len() > 16 << 20 {
            return Err(Error::Limit("output"));
        }
    }
    out.push_str(&text[last..]);
    Ok(Some(out.into()))
}

/// Java's replacement: `$1` and `${name}` are groups, a backslash takes the next as it is.
fn expand(out: &mut String, method: &str, new: &str, captures: &Captures<'_>) -> Result<(), Error> {
    let mut chars = new.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c) => out.push(c),
                None => {
                    return thrown(
                        method,
                        "java.lang.IllegalArgumentException: character to be escaped is missing",
                    );
                }
            },
            '$' => {
                if chars.next_if_eq(&'{').is_some() {
                    let name: String = chars.by_ref().take_while(|c| *c != '}').collect();
                    out.push_str(captures.name(&name).map_or("", |m| m.as_str()));
                    continue;
                }
                let Some(mut group) = chars.peek().and_then(|c| c.to_digit(10)) else {
                    return thrown(
                        method,
                        "java.lang.IllegalArgumentException: Illegal group reference",
                    );
                };
                chars.next();
                while let Some(next) = chars.peek().and_then(|c| c.to_digit(10)) {
                    let more = group * 10 + next;
                    if more as usize >= captures.len() {
                        break;
                    }
                    group = more;
                    chars.next();
                }
                if group as usize >= captures.len() {
                    return thrown(
                        method,
                        format!("java.lang.IndexOutOfBoundsException: No group {group}"),
                    );
                }
                out.push_str(captures.get(group as usize).map_or("", |m| m.as_str()));
            }
            c => out.push(c),
        }
    }
    Ok(())
}

fn split(text: &str, pattern: &str, limit: i64) -> Answer {
    let regex = regex("split", pattern)?;
    let most = usize::try_from(limit).ok().filter(|n| *n > 0).unwrap_or(usize::MAX);
    let mut parts: Vec<&str> = Vec::new();
    let mut last = 0;
    for found in regex.find_iter(text) {
        if parts.len() + 1 >= most || parts.len() >= crate::lists::MOST {
            break;
        }
        // Nothing before the text is no part.
        if found.end() == 0 || found.is_empty() && found.start() == text.len() {
            continue;
        }
        parts.push(&text[last..found.start()]);
        last = found.end();
    }
    parts.push(&text[last..]);
    if limit == 0 && parts.len() > 1 {
        while parts.len() > 1 && parts.last().is_some_and(|p| p.is_empty()) {
            parts.pop();
        }
        if parts.len() == 1 && parts[0].is_empty() && !text.is_empty() {
            parts.pop();
        }
    }
    Ok(Some(Value::list(parts.into_iter().map(Value::text).collect())))
}
