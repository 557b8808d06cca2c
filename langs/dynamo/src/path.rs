//! Document paths: `a.b[3].c`.

use std::fmt;

use crate::{Attr, Item};

/// A way from an item to one of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub root: String,
    pub rest: Vec<Step>,
}

/// One step into a map or a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Name(String),
    Index(usize),
}

impl Path {
    /// A top-level attribute.
    pub fn top(name: impl Into<String>) -> Self {
        Path { root: name.into(), rest: Vec::new() }
    }

    /// The value it leads to.
    #[must_use]
    pub fn find<'a>(&self, item: &'a Item) -> Option<&'a Attr> {
        self.rest.iter().try_fold(item.get(&self.root)?, |at, step| match (at, step) {
            (Attr::M(map), Step::Name(name)) => map.get(name),
            (Attr::L(list), Step::Index(i)) => list.get(*i),
            _ => None,
        })
    }

    /// Whether one leads through the other, or to the same place.
    #[must_use]
    pub fn overlaps(&self, other: &Path) -> bool {
        self.root == other.root && self.rest.iter().zip(&other.rest).all(|(a, b)| a == b)
    }

    /// Whether they need one place to be both a map and a list.
    #[must_use]
    pub fn conflicts(&self, other: &Path) -> bool {
        let differ = self.rest.iter().zip(&other.rest).find(|(a, b)| a != b);
        self.root == other.root
            && matches!(
                differ,
                Some((Step::Name(_), Step::Index(_)) | (Step::Index(_), Step::Name(_)))
            )
    }
}

/// For messages: `[a, b, [3]]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}", self.root)?;
        for step in &self.rest {
            match step {
                Step::Name(name) => write!(f, ", {name}")?,
                Step::Index(i) => write!(f, ", [{i}]")?,
            }
        }
        f.write_str("]")
    }
}

/// Checks that no two of `paths` touch each other.
///
/// # Errors
/// AWS's sentence about the first two that do.
pub fn check_apart(paths: &[&Path]) -> crate::Result<()> {
    for (i, one) in paths.iter().enumerate() {
        for two in &paths[i + 1..] {
            let how = match (one.overlaps(two), one.conflicts(two)) {
                (true, _) => "overlap",
                (_, true) => "conflict",
                _ => continue,
            };
            return Err(crate::Error::new(format!(
                "Two document paths {how} with each other; must remove or rewrite one of these \
                 paths; path one: {one}, path two: {two}"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_meet_or_pass() {
        let p = |root: &str, rest: &[Step]| Path { root: root.into(), rest: rest.to_vec() };
        let (b, i) = (Step::Name("b".into()), Step::Index(1));
        let a = p("a", &[]);
        let (ab, ai) = (p("a", std::slice::from_ref(&b)), p("a", std::slice::from_ref(&i)));
        assert!(a.overlaps(&ab) && ab.overlaps(&a) && !ab.overlaps(&ai));
        assert!(ab.conflicts(&ai) && !a.conflicts(&ab));
        let told = check_apart(&[&a, &ab]).unwrap_err().to_string();
        assert!(told.ends_with("path one: [a], path two: [a, b]"), "{told}");
        let item: Item = [("a".into(), Attr::L(vec![Attr::Null, Attr::Bool(true)]))].into();
        assert_eq!(ai.find(&item), Some(&Attr::Bool(true)));
        assert_eq!(ab.find(&item), None);
    }
}
