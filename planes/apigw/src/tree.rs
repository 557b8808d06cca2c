//! Paths to what answers them: literals before variables before the rest of the path.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

/// A path template in parts: `/pets/{id}/{proxy+}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub segments: Vec<Kind>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Literal(String),
    /// `{id}`: one segment.
    Variable(String),
    /// `{proxy+}`: one segment or more.
    Greedy(String),
}

impl Pattern {
    /// Reads a template; `None` when a brace stands where none may, or something follows the
    /// greedy variable.
    #[must_use]
    pub fn parse(template: &str) -> Option<Self> {
        let path = template.strip_prefix('/')?;
        let mut segments = Vec::new();
        let parts: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
        let last = parts.len();
        for (i, part) in parts.into_iter().enumerate() {
            segments.push(Self::segment(part, i + 1 == last)?);
        }
        Some(Pattern { segments })
    }

    fn segment(part: &str, last: bool) -> Option<Kind> {
        let Some(inner) = part.strip_prefix('{') else {
            return (!part.contains(['{', '}'])).then(|| Kind::Literal(part.to_owned()));
        };
        let inner = inner.strip_suffix('}')?;
        let (name, greedy) = inner.strip_suffix('+').map_or((inner, false), |n| (n, true));
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.:$".contains(c);
        if name.is_empty() || !name.chars().all(fits) || greedy && !last {
            return None;
        }
        Some(if greedy { Kind::Greedy(name.to_owned()) } else { Kind::Variable(name.to_owned()) })
    }
}

/// What answers paths; the most specific first.
#[derive(Debug)]
pub struct Tree<T> {
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    literals: HashMap<String, Node<T>>,
    variable: Option<Box<Node<T>>>,
    here: Vec<Leaf<T>>,
    greedy: Vec<Leaf<T>>,
}

#[derive(Debug)]
struct Leaf<T> {
    /// The variables' names, in order.
    names: Vec<String>,
    value: T,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Node { literals: HashMap::new(), variable: None, here: Vec::new(), greedy: Vec::new() }
    }
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Tree { root: Node::default() }
    }
}

impl<T> Tree<T> {
    /// Adds what answers the paths of a template. Where several answer the same, the first that
    /// fits does.
    pub fn insert(&mut self, pattern: &Pattern, value: T) {
        let mut names = Vec::new();
        let mut node = &mut self.root;
        for segment in &pattern.segments {
            match segment {
                Kind::Literal(text) => node = node.literals.entry(text.clone()).or_default(),
                Kind::Variable(name) => {
                    names.push(name.clone());
                    node = node.variable.get_or_insert_default();
                }
                Kind::Greedy(name) => {
                    names.push(name.clone());
                    node.greedy.push(Leaf { names, value });
                    return;
                }
            }
        }
        node.here.push(Leaf { names, value });
    }

    /// The first that answers `path` (as received, with its leading slash) and that `fits`, with
    /// its variables decoded.
    pub fn find<'t, R>(
        &'t self,
        path: &str,
        fits: impl Fn(&'t T) -> Option<R>,
    ) -> Option<(R, Vec<(&'t str, String)>)> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let parts: Vec<String> = if path.is_empty() {
            Vec::new()
        } else {
            let decode = |p: &str| percent_decode_str(p).decode_utf8_lossy().into_owned();
            path.split('/').map(decode).collect()
        };
        let mut values = Vec::new();
        let (found, names) = self.root.find(&parts, &mut values, &fits)?;
        Some((found, names.iter().map(String::as_str).zip(values).collect()))
    }
}

impl<T> Node<T> {
    fn find<'t, R>(
        &'t self,
        parts: &[String],
        values: &mut Vec<String>,
        fits: &impl Fn(&'t T) -> Option<R>,
    ) -> Option<(R, &'t [String])> {
        let Some((first, rest)) = parts.split_first() else {
            return self.here.iter().find_map(|l| fits(&l.value).map(|r| (r, &l.names[..])));
        };
        if let Some(node) = self.literals.get(first)
            && let Some(found) = node.find(rest, values, fits)
        {
            return Some(found);
        }
        if let Some(node) = &self.variable
            && !first.is_empty()
        {
            values.push(first.clone());
            if let Some(found) = node.find(rest, values, fits) {
                return Some(found);
            }
            values.pop();
        }
        let found = self.greedy.iter().find_map(|l| fits(&l.value).map(|r| (r, &l.names[..])))?;
        let all = parts.join("/");
        if all.is_empty() {
            return None;
        }
        values.push(all);
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_answers() {
        let mut tree = Tree::default();
        for (method, path) in [
            ("GET", "/pets/dog/1"),
            ("GET", "/pets/dog/{id}"),
            ("GET", "/pets/{proxy+}"),
            ("ANY", "/{proxy+}"),
            ("GET", "/"),
            ("GET", "/a b/{x}/c"),
        ] {
            tree.insert(&Pattern::parse(path).unwrap(), (method, path));
        }
        let find = |method: &str, path: &str| {
            let fits =
                |(m, p): &(&'static str, &'static str)| (*m == "ANY" || *m == method).then_some(*p);
            tree.find(path, fits).map(|(p, v)| {
                (p, v.into_iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join(","))
            })
        };
        for (method, path, expected) in [
            ("GET", "/pets/dog/1", Some(("/pets/dog/1", ""))),
            ("GET", "/pets/dog/2", Some(("/pets/dog/{id}", "id=2"))),
            ("GET", "/pets/cat/1", Some(("/pets/{proxy+}", "proxy=cat/1"))),
            ("POST", "/test/5", Some(("/{proxy+}", "proxy=test/5"))),
            ("POST", "/pets/dog/1", Some(("/{proxy+}", "proxy=pets/dog/1"))),
            ("GET", "/", Some(("/", ""))),
            ("POST", "/", None),
            ("GET", "/a%20b/%7Bx/c", Some(("/a b/{x}/c", "x={x"))),
            ("GET", "/pets/dog/1/", Some(("/pets/{proxy+}", "proxy=dog/1/"))),
        ] {
            let got = find(method, path);
            assert_eq!(got.as_ref().map(|(p, v)| (*p, v.as_str())), expected, "{method} {path}");
        }
    }

    #[test]
    fn templates() {
        for (template, ok) in [
            ("/", true),
            ("/a/{b}/{c+}", true),
            ("/{a+}/b", false),
            ("/a{b}", false),
            ("/{}", false),
            ("a", false),
            ("/{a", false),
        ] {
            assert_eq!(Pattern::parse(template).is_some(), ok, "{template}");
        }
    }
}
