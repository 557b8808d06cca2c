//! The order of resources: which must be there before which.

use std::collections::{BTreeMap, BTreeSet};

use crate::refs::{Reference, references};
use crate::{Error, Result, Template};

/// For each resource the others that it needs.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// What each resource depends on: by `DependsOn`, `Ref`, `Fn::GetAtt` and `Fn::Sub`.
///
/// # Errors
/// Functions whose arguments have the wrong form.
pub fn dependencies(t: &Template) -> Result<Graph> {
    let mut graph = Graph::new();
    for (name, r) in &t.resources {
        let mut needs: BTreeSet<String> =
            r.depends_on.iter().filter(|d| t.resources.contains_key(*d)).cloned().collect();
        let metadata = [&r.metadata, &r.update_policy, &r.creation_policy].into_iter().flatten();
        for v in r.properties.values().chain(metadata) {
            for reference in references(v)? {
                let target = match reference {
                    Reference::Name(n) | Reference::Attribute(n, _) => n,
                    Reference::Condition(_) => continue,
                };
                if t.resources.contains_key(&target) {
                    needs.insert(target);
                }
            }
        }
        graph.insert(name.clone(), needs);
    }
    Ok(graph)
}

/// Refuses a template whose resources wait for each other.
///
/// # Errors
/// `Circular dependency between resources: [A, B]`.
pub(crate) fn check(t: &Template) -> Result<()> {
    let graph = dependencies(t)?;
    let mut left = graph.clone();
    // What nobody holds back any more is taken away, until nothing is or nothing can be.
    loop {
        let free: Vec<String> =
            left.iter().filter(|(_, n)| n.is_empty()).map(|(k, _)| k.clone()).collect();
        if free.is_empty() {
            break;
        }
        for f in &free {
            left.remove(f);
        }
        for needs in left.values_mut() {
            needs.retain(|n| !free.contains(n));
        }
    }
    // What only waits for a circle is no part of it.
    loop {
        let needed: BTreeSet<String> = left.values().flatten().cloned().collect();
        let before = left.len();
        left.retain(|k, _| needed.contains(k));
        if left.len() == before {
            break;
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = left.keys().map(String::as_str).collect();
    Err(Error(format!("Circular dependency between resources: [{}]", names.join(", "))))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn circles_are_named() {
        let of = |b: Value| {
            json!({"Resources": {
                "A": {"Type": "T", "Properties": {"X": {"Ref": "B"}}},
                "B": {"Type": "T", "Properties": {"X": b}},
                "C": {"Type": "T", "DependsOn": ["A"]},
            }})
        };
        let e = Template::new(&of(json!({"Fn::Sub": "${A.Arn}"}))).unwrap_err();
        assert_eq!(e.to_string(), "Circular dependency between resources: [A, B]");
        let t = Template::new(&of(json!(1))).unwrap();
        let g = dependencies(&t).unwrap();
        assert_eq!(g["C"], BTreeSet::from(["A".to_owned()]));
        assert_eq!(g["A"], BTreeSet::from(["B".to_owned()]));
    }
}
