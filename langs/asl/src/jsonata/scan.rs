//! What an expression mentions, found in its text: so that only what it may read is converted.

use super::functions;

/// What an expression mentions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    pub states: bool,
    pub input: bool,
    pub result: bool,
    pub error: bool,
    pub context: bool,
    /// A function that Step Functions adds.
    pub functions: bool,
    /// Functions of its own, or ranges.
    pub heavy: bool,
}

/// Every `$name` in the text, once, without `states`. Those within string literals too: harmless.
pub fn names(source: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for (name, _) in mentioned(source) {
        if name != "states" && !out.iter().any(|n| n == name) {
            out.push(name.to_owned());
        }
    }
    out
}

pub fn uses(source: &str) -> Uses {
    let mut uses = Uses {
        heavy: source.contains("function") || source.contains('λ') || source.contains(".."),
        ..Uses::default()
    };
    for (name, rest) in mentioned(source) {
        if functions::NAMES.contains(&name) {
            uses.functions = true;
        }
        if name != "states" {
            continue;
        }
        uses.states = true;
        let member = rest.strip_prefix('.').unwrap_or_default();
        let end = member.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(member.len());
        match &member[..end] {
            "input" => uses.input = true,
            "result" => uses.result = true,
            "errorOutput" => uses.error = true,
            "context" => uses.context = true,
            _ => {
                (uses.input, uses.result) = (true, true);
                (uses.error, uses.context) = (true, true);
            }
        }
    }
    uses
}

/// How deeply its brackets nest.
pub fn depth(source: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    for c in source.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn mentioned(source: &str) -> impl Iterator<Item = (&str, &str)> {
    source.match_indices('$').filter_map(|(i, _)| {
        let rest = &source[i + 1..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        (end > 0).then(|| rest.split_at(end))
    })
}
