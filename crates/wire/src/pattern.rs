//! The models' patterns: Java's regular expressions, compiled at their first use.

use std::collections::HashMap;
use std::sync::{OnceLock, RwLock};

use regex_lite::{Regex, RegexBuilder};

/// Whether the whole text matches, as Java's `matches` has it. The few patterns beyond our engine
/// (look-around, repetitions in the ten thousands) match everything: they are for handlers to check.
pub fn matches(pattern: &'static str, text: &str) -> bool {
    static COMPILED: OnceLock<RwLock<HashMap<usize, Option<Regex>>>> = OnceLock::new();
    let all = COMPILED.get_or_init(RwLock::default);
    // Patterns live in the binary, so that their address is their identity.
    let key = pattern.as_ptr() as usize;
    if let Ok(map) = all.read()
        && let Some(r) = map.get(&key)
    {
        return r.as_ref().is_none_or(|r| r.is_match(text));
    }
    let compiled = compile(pattern);
    let fits = compiled.as_ref().is_none_or(|r| r.is_match(text));
    if let Ok(mut map) = all.write() {
        map.insert(key, compiled);
    }
    fits
}

fn compile(pattern: &str) -> Option<Regex> {
    let whole = format!("^(?:{})$", translate(pattern));
    RegexBuilder::new(&whole).size_limit(1 << 20).build().ok()
}

/// Java's dialect to ours. Unicode classes become their ASCII part plus everything outside ASCII:
/// exact for ASCII text, lenient beyond it.
fn translate(text: &str) -> String {
    const OTHER: &str = r"\x{80}-\x{10FFFF}";
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (class, len) = unicode_class(rest);
        if let Some(ascii) = class {
            let in_brackets = open_bracket(&out);
            if !in_brackets {
                out.push('[');
            }
            out.push_str(ascii);
            if !rest.starts_with(r"\p{ASCII}") && !rest.starts_with(r"\p{Print}") {
                out.push_str(OTHER);
            }
            if !in_brackets {
                out.push(']');
            }
            rest = &rest[len..];
        } else if rest.starts_with(r"\uD800\uDC00-\uDBFF\uDFFF") {
            out.push_str(r"\x{10000}-\x{10FFFF}");
            rest = &rest[r"\uD800\uDC00-\uDBFF\uDFFF".len()..];
        } else {
            let n = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            let (pair, tail) = rest.split_at(n);
            match pair {
                // Escapes that Java allows and we do not know.
                r"\/" | r"\:" | r"\@" | r"\=" | r"\_" | r"\," | r"\;" | r"\%" | r"\!" | r"\'"
                | r#"\""# | r"\<" | r"\>" | r"\`" | r"\ " => out.push_str(&pair[1..]),
                _ => out.push_str(pair),
            }
            rest = tail;
            // A class cannot begin a range; Java takes the hyphen for itself.
            if matches!(pair, r"\w" | r"\d" | r"\s") && tail.starts_with('-') && open_bracket(&out)
            {
                out.push('\\');
            }
        }
    }
    out.push_str(rest);
    out
}

/// The ASCII part of `\p{…}` at the start of `text`, and how long that is.
fn unicode_class(text: &str) -> (Option<&'static str>, usize) {
    const CLASSES: [(&str, &str); 15] = [
        (r"\p{ASCII}", r"\x00-\x7F"),
        (r"\p{Print}", r"\x20-\x7E"),
        (r"\p{L}", "A-Za-z"),
        (r"\p{IsLetter}", "A-Za-z"),
        (r"\p{Alpha}", "A-Za-z"),
        (r"\p{Alnum}", "A-Za-z0-9"),
        (r"\p{N}", "0-9"),
        (r"\p{Nd}", "0-9"),
        (r"\p{Z}", " "),
        (r"\p{Zs}", " "),
        (r"\p{M}", ""),
        (r"\p{S}", r"$+<=>\^`|~"),
        (r"\p{P}", r##"!"#%&'()*,\-./:;?@\[\\\]_{}"##),
        (r"\p{C}", r"\x00-\x1F\x7F"),
        (r"\p{Cc}", r"\x00-\x1F\x7F"),
    ];
    let hit = CLASSES.iter().find(|(name, _)| text.starts_with(name));
    hit.map_or((None, 0), |(name, ascii)| (Some(*ascii), name.len()))
}

/// Whether `prefix` ends inside a bracketed class.
fn open_bracket(prefix: &str) -> bool {
    let mut open = false;
    let mut chars = prefix.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '[' => open = true,
            ']' => open = false,
            _ => {}
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_texts_match() {
        let p = r"[\w+=,.@-]+";
        assert!(matches(p, "a.b@c") && !matches(p, "a b") && !matches(p, "") && !matches(p, "a\n"));
    }

    #[test]
    fn javas_classes_are_understood() {
        let tag = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*";
        assert!(compile(tag).is_some() && matches(tag, "Größe 1:/=+-@") && !matches(tag, "a;b"));
        let policy = r"[\u0009\u000A\u000D\u0020-\u00FF]+";
        assert!(compile(policy).is_some() && matches(policy, "{\n}") && !matches(policy, "\u{1}"));
        let wide = r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*";
        assert!(compile(wide).is_some() && matches(wide, "😀"));
    }

    #[test]
    fn what_cannot_be_compiled_matches() {
        let p = "(?!aws:).+";
        assert!(compile(p).is_none() && matches(p, "aws:x"));
    }

    /// The patterns left to the handlers: this number may only shrink.
    #[test]
    fn few_patterns_are_left_out() {
        let mut seen = std::collections::BTreeSet::new();
        let shapes = fogbank_model::heads().iter().flat_map(|h| &h.service().shapes);
        seen.extend(shapes.map(|s| s.pattern).filter(|p| !p.is_empty()));
        let out: Vec<_> = seen.iter().filter(|p| compile(p).is_none()).collect();
        assert!(
            seen.len() > 500 && out.len() <= LEFT_OUT,
            "{} of {}: {out:#?}",
            out.len(),
            seen.len()
        );
    }

    const LEFT_OUT: usize = 34;
}
