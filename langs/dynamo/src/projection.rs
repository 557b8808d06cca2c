//! Projections: the parts of an item that a reader wants.

use std::collections::BTreeMap;

use crate::parse::Parser;
use crate::path::check_apart;
use crate::{Attr, Item, Path, Result, Scope, Step};

/// A tree of the wanted paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Projection {
    top: BTreeMap<String, Node>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    whole: bool,
    names: BTreeMap<String, Node>,
    places: BTreeMap<usize, Node>,
}

impl Projection {
    /// Parses a projection expression.
    ///
    /// # Errors
    /// AWS's sentence, without the parameter's name.
    pub fn parse(text: &str, scope: &Scope) -> Result<Self> {
        let mut p = Parser::new(text, scope)?;
        let mut paths = vec![p.path()?];
        while p.eat(",") {
            paths.push(p.path()?);
        }
        p.end()?;
        check_apart(&paths.iter().collect::<Vec<_>>())?;
        Ok(Projection::of(paths.iter()))
    }

    /// The projection to `paths`.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut all = Projection::default();
        for path in paths {
            let mut node = all.top.entry(path.root.clone()).or_default();
            for step in &path.rest {
                node = match step {
                    Step::Name(name) => node.names.entry(name.clone()).or_default(),
                    Step::Index(i) => node.places.entry(*i).or_default(),
                };
            }
            node.whole = true;
        }
        all
    }

    /// The projection to whole top-level attributes.
    pub fn top<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let whole = |name: &str| (name.to_owned(), Node { whole: true, ..Node::default() });
        Projection { top: names.into_iter().map(whole).collect() }
    }

    /// The top-level attributes it touches.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.top.keys().map(String::as_str)
    }

    /// What it leaves of `item`.
    #[must_use]
    pub fn apply(&self, item: &Item) -> Item {
        pick(&self.top, item)
    }
}

fn pick(wanted: &BTreeMap<String, Node>, from: &Item) -> Item {
    let found =
        wanted.iter().filter_map(|(name, node)| Some((name.clone(), node.apply(from.get(name)?)?)));
    found.collect()
}

impl Node {
    fn apply(&self, value: &Attr) -> Option<Attr> {
        if self.whole {
            return Some(value.clone());
        }
        match value {
            Attr::M(map) => Some(pick(&self.names, map)).filter(|m| !m.is_empty()).map(Attr::M),
            Attr::L(list) => {
                let picked = self.places.iter().filter_map(|(i, n)| n.apply(list.get(*i)?));
                Some(picked.collect::<Vec<_>>()).filter(|l| !l.is_empty()).map(Attr::L)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_picked() {
        let n = |i: i64| Attr::N(i.into());
        let m: Item = [("x".to_owned(), n(1)), ("y".to_owned(), n(2))].into();
        let list = Attr::L(vec![n(0), Attr::M(m.clone()), n(2)]);
        let item: Item =
            [("a".to_owned(), n(5)), ("m".to_owned(), Attr::M(m)), ("l".to_owned(), list)].into();
        let picked = |text: &str| Projection::parse(text, &Scope::default()).unwrap().apply(&item);
        assert_eq!(picked("a, zz"), [("a".to_owned(), n(5))].into());
        let x: Item = [("x".to_owned(), n(1))].into();
        assert_eq!(picked("m.x, m.zz"), [("m".to_owned(), Attr::M(x.clone()))].into());
        assert_eq!(
            picked("l[2], l[1].x, l[9]"),
            [("l".to_owned(), Attr::L(vec![Attr::M(x), n(2)]))].into()
        );
        assert_eq!(picked("a.b, m[0]"), Item::new());
        for (text, why) in [
            ("a, a", "overlap"),
            ("m, m.x", "path one: [m], path two: [m, x]"),
            ("m.x, m[0]", "conflict"),
            ("a,", "Syntax error"),
            ("a b", "Syntax error"),
        ] {
            let told = Projection::parse(text, &Scope::default()).unwrap_err().to_string();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
