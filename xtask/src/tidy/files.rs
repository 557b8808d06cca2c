//! Rules about files: length, module docs, names, and words that do not belong here.

use anyhow::Result;

use super::Findings;

/// Past this a file does two things.
const LINES_MAX: usize = 800;
const LINES_WARN: usize = 500;

/// Text that betrays the machine it was written on.
const MACHINE_WORDS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// Long by nature: made by programs, or someone else's text.
const GENERATED: &[&str] = &["Cargo.lock", "COMPAT.md", "LICENSE", "models/"];

/// Checks the named files, relative to the repository's root.
///
/// # Errors
/// When a file cannot be read.
pub fn check(names: &[String], found: &mut Findings) -> Result<()> {
    for name in names.iter().filter(|n| !GENERATED.iter().any(|g| n.starts_with(g))) {
        // What is no text is a picture or an archive.
        let Ok(text) = String::from_utf8(std::fs::read(name)?) else { continue };
        for word in MACHINE_WORDS.iter().filter(|w| text.contains(**w)) {
            found.errors.push(format!("{name}: names a path of one machine ({word}…)"));
        }
        if name.ends_with(".rs") {
            source(name, &text, found);
        }
    }
    Ok(())
}

fn source(name: &str, text: &str, found: &mut Findings) {
    let lines = text.lines().count();
    if lines > LINES_MAX {
        found.errors.push(format!("{name}: {lines} lines; split it by what its parts do"));
    } else if lines > LINES_WARN {
        found.warnings.push(format!("{name}: {lines} lines"));
    }
    if !text.starts_with("//! ") {
        found.errors.push(format!("{name}: starts without a `//!` sentence of purpose"));
    }
    if text.starts_with("//! Placeholder") {
        found.warnings.push(format!("{name}: a placeholder"));
    }
    if name.ends_with("/mod.rs") {
        found.errors.push(format!("{name}: `foo.rs` and `foo/`, not `foo/mod.rs`"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(name: &str, text: &str) -> usize {
        let mut found = Findings::default();
        source(name, text, &mut found);
        found.errors.len()
    }

    #[test]
    fn sources() {
        assert_eq!(errors("a.rs", "//! A.\n"), 0);
        assert_eq!(errors("a.rs", "use b;\n"), 1);
        assert_eq!(errors("a/mod.rs", "//! A.\n"), 1);
        assert_eq!(errors("a.rs", &("//! A.\n".to_owned() + &"\n".repeat(LINES_MAX))), 1);
    }
}
