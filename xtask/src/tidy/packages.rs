//! Rules about other people's packages: licences, and no second major version of one.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use cargo_metadata::Metadata;

use super::Findings;

/// What may be linked into the binary.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BlueOak-1.0.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages with another licence, each looked at: name, licence, why it is acceptable.
const EXCEPTIONS: &[(&str, &str, &str)] =
    &[("xxhash-rust", "BSL-1.0", "Boost: permissive, asks for no notice in binaries; below fjall")];

/// Packages that stand in more than one major version. It may only shrink.
const DUPLICATES: &str = "xtask/duplicates.txt";

/// Every package must be usable under a licence of the list.
pub fn licences(metadata: &Metadata, found: &mut Findings) {
    for p in &metadata.packages {
        match &p.license {
            Some(text) if allowed(text) => {}
            Some(text) if EXCEPTIONS.iter().any(|(n, l, _)| *n == p.name.as_str() && l == text) => {
            }
            text => {
                let text = text.as_deref().unwrap_or("no licence");
                found.errors.push(format!("{} {}: {text}", p.name, p.version));
            }
        }
    }
}

/// Two major versions of a package are compiled twice and do not share types.
///
/// # Errors
/// When the list cannot be read.
pub fn duplicates(metadata: &Metadata, found: &mut Findings) -> Result<()> {
    let text = std::fs::read_to_string(DUPLICATES).context(DUPLICATES)?;
    let known: BTreeSet<&str> =
        text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
    let mut majors: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for p in &metadata.packages {
        let v = &p.version;
        let major = if v.major > 0 { v.major.to_string() } else { format!("0.{}", v.minor) };
        majors.entry(p.name.as_str()).or_default().insert(major);
    }
    let double: BTreeSet<&str> =
        majors.iter().filter(|(_, v)| v.len() > 1).map(|(n, _)| *n).collect();
    for name in double.difference(&known) {
        let versions = majors[name].iter().cloned().collect::<Vec<_>>().join(" and ");
        found.errors.push(format!("{name} stands in versions {versions}; agree on one"));
    }
    for name in known.difference(&double) {
        found.errors.push(format!("{name} stands once now: take it out of {DUPLICATES}"));
    }
    Ok(())
}

/// Evaluates an SPDX expression (`MIT OR (Apache-2.0 AND ISC)`, the old `MIT/Apache-2.0`).
fn allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let ok = any(&mut words);
    ok && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>) -> bool {
    let mut ok = all(words);
    while words.next_if_eq(&"OR").is_some() {
        ok |= all(words);
    }
    ok
}

fn all(words: &mut Words<'_>) -> bool {
    let mut ok = one(words);
    while words.next_if_eq(&"AND").is_some() {
        ok &= one(words);
    }
    ok
}

fn one(words: &mut Words<'_>) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let ok = any(words);
        return words.next() == Some(")") && ok;
    }
    let Some(name) = words.next() else { return false };
    match words.next_if_eq(&"WITH").and_then(|_| words.next()) {
        Some(exception) => LICENCES.contains(&format!("{name} WITH {exception}").as_str()),
        None => LICENCES.contains(&name),
    }
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn expressions() {
        for (text, ok) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0 AND MIT", false),
            ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
            ("Apache-2.0 WITH LLVM-exception OR GPL-2.0", true),
            ("Apache-2.0 WITH Classpath-exception-2.0", false),
            ("MIT OR", true),
            ("(MIT", false),
            ("", false),
        ] {
            assert_eq!(allowed(text), ok, "{text}");
        }
    }
}
