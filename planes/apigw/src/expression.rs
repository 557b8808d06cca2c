//! Texts with variables: `$context.requestId`, `${request.header.x}`, `$stageVariables.name`.

use serde_json::Value;

/// Where a variable's value comes from.
pub trait Scope {
    /// The value of a dotted name (`context.requestId`); `None` when there is none.
    fn get(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Scope for F {
    fn get(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// A text that has been read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(String),
}

impl Template {
    /// Reads a text. A dollar sign before anything that is no name of one of `roots` stands for
    /// itself.
    #[must_use]
    pub fn parse(text: &str, roots: &[&str]) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            plain.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let found = match after.strip_prefix('{') {
                Some(inner) => inner.find('}').map(|end| (&inner[..end], end + 2)),
                None => {
                    let name = name_of(after);
                    Some((name, name.len()))
                }
            };
            let known = |name: &str| {
                let root = name.split('.').next().unwrap_or_default();
                roots.contains(&root)
            };
            match found.filter(|(name, _)| known(name)) {
                Some((name, length)) => {
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Variable(name.to_owned()));
                    rest = &after[length..];
                }
                None => {
                    plain.push('$');
                    rest = after;
                }
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Template(pieces)
    }

    /// The text with its variables' values; `missing` stands for those that have none.
    #[must_use]
    pub fn render(&self, scope: &dyn Scope, missing: &str) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(t) => out.push_str(t),
                Piece::Variable(name) => match scope.get(name) {
                    Some(v) => out.push_str(&v),
                    None => out.push_str(missing),
                },
            }
        }
        out
    }

    /// The value of a text that is one variable; `None` when that has none. Other texts always
    /// have a value.
    #[must_use]
    pub fn value(&self, scope: &dyn Scope) -> Option<String> {
        match &self.0[..] {
            [Piece::Variable(name)] => scope.get(name),
            _ => Some(self.render(scope, "")),
        }
    }

    /// The variables in it.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|p| match p {
            Piece::Variable(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }
}

/// The longest name at the start of a text: words of letters, digits, `_` and `-` joined by dots.
fn name_of(text: &str) -> &str {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut end = 0;
    loop {
        let word = text[end..].find(|c: char| !fits(c)).map_or(text.len(), |n| end + n);
        if word == end {
            return text[..end].trim_end_matches('.');
        }
        end = word;
        if !text[end..].starts_with('.') {
            return &text[..end];
        }
        end += 1;
    }
}

/// The text of a member of a JSON document by a dotted path (`a.b.0`): strings as they are, the
/// rest as JSON.
#[must_use]
pub fn json_text(value: &Value, path: &str) -> Option<String> {
    let mut at = value;
    for step in path.split('.').filter(|s| !s.is_empty()) {
        at = match at {
            Value::Array(list) => list.get(step.parse::<usize>().ok()?)?,
            other => other.get(step)?,
        };
    }
    match at {
        Value::Null => None,
        Value::String(s) => Some(s.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in() {
        let roots = ["context", "stageVariables", "request"];
        let scope = |name: &str| match name {
            "context.requestId" => Some("r1".to_owned()),
            "context.identity.sourceIp" => Some("::1".to_owned()),
            "stageVariables.v" => Some("V".to_owned()),
            _ => None,
        };
        for (text, expected) in [
            ("$context.requestId", "r1"),
            (
                "{\"id\":\"$context.requestId\",\"ip\":\"$context.identity.sourceIp\"}",
                "{\"id\":\"r1\",\"ip\":\"::1\"}",
            ),
            ("$context.requestId.", "r1."),
            ("a${stageVariables.v}b$stageVariables.v", "aVbV"),
            ("$context.nothing $other.x $ $$ ${", "- $other.x $ $$ ${"),
            ("", ""),
        ] {
            assert_eq!(Template::parse(text, &roots).render(&scope, "-"), expected, "{text}");
        }
        assert_eq!(Template::parse("$context.x", &roots).value(&scope), None);
        assert_eq!(Template::parse("x$context.x", &roots).value(&scope).unwrap(), "x");
    }

    #[test]
    fn members_of_documents() {
        let v = serde_json::json!({"a": {"b": [1, "x", null]}});
        assert_eq!(json_text(&v, "a.b.1").unwrap(), "x");
        assert_eq!(json_text(&v, "a.b").unwrap(), "[1,\"x\",null]");
        assert_eq!(json_text(&v, "a.b.2"), None);
        assert_eq!(json_text(&v, "a.c"), None);
    }
}
