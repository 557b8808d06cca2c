//! Wildcards: `*` stands for any text; `\*` and `\\` for themselves.

/// A text with wildcards, cut at them: what stands between must appear in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Vec<String>);

impl Glob {
    /// `None` for two wildcards in a row, or a backslash before anything else.
    pub fn parse(text: &str) -> Option<Glob> {
        let (mut parts, mut chars, mut starred) = (vec![String::new()], text.chars(), false);
        while let Some(c) = chars.next() {
            let literal = match c {
                '*' if starred => return None,
                '*' => {
                    starred = true;
                    parts.push(String::new());
                    continue;
                }
                '\\' => chars.next().filter(|c| matches!(c, '*' | '\\'))?,
                c => c,
            };
            starred = false;
            parts.last_mut()?.push(literal);
        }
        Some(Glob(parts))
    }

    pub fn matches(&self, text: &str) -> bool {
        let Some((first, rest)) = self.0.split_first() else { return false };
        let Some((last, middle)) = rest.split_last() else { return text == first };
        let Some(text) = text.strip_prefix(first.as_str()) else { return false };
        let Some(mut text) = text.strip_suffix(last.as_str()) else { return false };
        for part in middle {
            // The first place will do: more is left for those that follow.
            let Some((_, after)) = text.split_once(part.as_str()) else { return false };
            text = after;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn wildcards() {
        for (glob, text, expected) in [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("a*", "a", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*a", "a", false),
            ("*", "", true),
            ("*b*", "abc", true),
            ("*/x/*.png", "a/x/b/x/c.png", true),
            ("*ab*ab*", "ab", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            (r"a\\*", r"a\b", true),
        ] {
            assert_eq!(Glob::parse(glob).unwrap().matches(text), expected, "{glob} {text}");
        }
        for bad in ["a**", r"a\b", "\\"] {
            assert_eq!(Glob::parse(bad), None, "{bad}");
        }
    }
}
