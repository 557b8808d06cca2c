//! Patterns over JSON: what EventBridge's rules, Lambda's event filters and SNS's filter policies are
//! written in. One language, two dialects.
//!
//! A pattern is an object whose leaves are lists of conditions; it matches a document that has, under
//! each of its names, a value (or a list with a value) that one of the conditions holds for.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html>
//!
//! **Invariant:** pure; matching costs no more than the pattern's size times that of what it looks at.

mod condition;
mod glob;
mod network;
mod parse;
mod pattern;

pub use condition::{Bound, Condition};
pub use pattern::Pattern;

/// Whose language it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// EventBridge's rules, and Lambda's filter criteria.
    EventBridge,
    /// SNS's filter policies over a message's attributes or body.
    Sns,
}

/// What is wrong with a pattern, in AWS's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(pub String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// How deeply a pattern may be nested, lists of conditions included.
const MAX_DEPTH: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(dialect: Dialect, pattern: &str, document: &str) -> bool {
        let document = serde_json::from_str(document).unwrap();
        Pattern::parse(pattern, dialect).unwrap().matches(&document)
    }

    #[test]
    fn both_dialects_match() {
        for (pattern, document, expected) in [
            (r#"{"a":["x","y"]}"#, r#"{"a":"y"}"#, true),
            (r#"{"a":["x"]}"#, r#"{"a":"y"}"#, false),
            (r#"{"a":["x"]}"#, r#"{}"#, false),
            (r#"{"a":["x"]}"#, r#"{"a":["z","x"]}"#, true),
            (r#"{"a":["x"],"b":["y"]}"#, r#"{"a":"x"}"#, false),
            (r#"{"a":[1]}"#, r#"{"a":1.0}"#, true),
            (r#"{"a":["1"]}"#, r#"{"a":1}"#, false),
            (r#"{"a":[null,true]}"#, r#"{"a":null}"#, true),
            (r#"{"a":{"b":["x"]}}"#, r#"{"a":{"b":"x","c":1}}"#, true),
            (r#"{"a":{"b":["x"],"c":[1]}}"#, r#"{"a":[{"b":"x"},{"c":1}]}"#, false),
            (r#"{"a":{"b":["x"],"c":[1]}}"#, r#"{"a":[{"b":"z"},{"b":"x","c":1}]}"#, true),
            (r#"{"a":[{"prefix":"ab"}]}"#, r#"{"a":"abc"}"#, true),
            (r#"{"a":[{"prefix":{"equals-ignore-case":"AB"}}]}"#, r#"{"a":"abc"}"#, true),
            (r#"{"a":[{"suffix":"bc"}]}"#, r#"{"a":"abc"}"#, true),
            (r#"{"a":[{"equals-ignore-case":"ABC"}]}"#, r#"{"a":"abc"}"#, true),
            (r#"{"a":[{"anything-but":["x","y"]}]}"#, r#"{"a":"z"}"#, true),
            (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"a":"x"}"#, false),
            (r#"{"a":[{"anything-but":"x"}]}"#, r#"{}"#, false),
            (r#"{"a":[{"anything-but":{"prefix":"x"}}]}"#, r#"{"a":"xy"}"#, false),
            (r#"{"a":[{"anything-but":{"suffix":["x","y"]}}]}"#, r#"{"a":"xz"}"#, true),
            (r#"{"a":[{"numeric":[">",0,"<=",5]}]}"#, r#"{"a":5}"#, true),
            (r#"{"a":[{"numeric":[">",0,"<=",5]}]}"#, r#"{"a":0}"#, false),
            (r#"{"a":[{"numeric":["=",3.5]}]}"#, r#"{"a":3.5}"#, true),
            (r#"{"a":[{"numeric":["=",3]}]}"#, r#"{"a":"3"}"#, false),
            (r#"{"a":[{"exists":true}]}"#, r#"{"a":0}"#, true),
            (r#"{"a":[{"exists":false}]}"#, r#"{"b":0}"#, true),
            (r#"{"a":[{"exists":false}]}"#, r#"{"a":0}"#, false),
            (r#"{"a":{"b":[{"exists":false}]}}"#, r#"{}"#, true),
            (r#"{"a":[{"cidr":"10.0.0.0/24"}]}"#, r#"{"a":"10.0.0.7"}"#, true),
            (r#"{"$or":[{"a":["x"]},{"b":["y"]}]}"#, r#"{"b":"y"}"#, true),
            (r#"{"$or":[{"a":["x"]},{"b":["y"]}],"c":[1]}"#, r#"{"b":"y"}"#, false),
            (r#"{"$or":["x"]}"#, r#"{"$or":"x"}"#, true),
        ] {
            for dialect in [Dialect::EventBridge, Dialect::Sns] {
                assert_eq!(matches(dialect, pattern, document), expected, "{pattern} {document}");
            }
        }
        let (p, d) = (r#"{"a":[{"wildcard":"a*c"}]}"#, r#"{"a":"abc"}"#);
        assert!(matches(Dialect::EventBridge, p, d));
        assert!(Pattern::parse(p, Dialect::Sns).is_err());
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in [
            "",
            "[]",
            r#"{"a":"x"}"#,
            r#"{"a":1}"#,
            r#"{"a":[]}"#,
            r#"{"a":{}}"#,
            r#"{"a":[[1]]}"#,
            r#"{"a":[{"nope":1}]}"#,
            r#"{"a":[{"prefix":1}]}"#,
            r#"{"a":[{"prefix":"x","suffix":"y"}]}"#,
            r#"{"a":[{"anything-but":[]}]}"#,
            r#"{"a":[{"anything-but":[1,"x"]}]}"#,
            r#"{"a":[{"numeric":["<"]}]}"#,
            r#"{"a":[{"numeric":["~",1]}]}"#,
            r#"{"a":[{"numeric":[">",5,"<",1]}]}"#,
            r#"{"a":[{"numeric":["<",5,">",1]}]}"#,
            r#"{"a":[{"exists":"x"}]}"#,
            r#"{"a":[{"cidr":"x"}]}"#,
        ] {
            for dialect in [Dialect::EventBridge, Dialect::Sns] {
                assert!(Pattern::parse(pattern, dialect).is_err(), "{pattern}");
            }
        }
        let deep = format!("{}[1]{}", r#"{"a":"#.repeat(110), "}".repeat(110));
        assert!(Pattern::parse(&deep, Dialect::Sns).is_err());
    }

    #[test]
    fn combinations_are_counted() {
        let p = Pattern::parse(r#"{"a":["1","2","3"],"b":{"c":["1","2"]}}"#, Dialect::Sns).unwrap();
        assert_eq!((p.combinations(false), p.combinations(true)), (6, 12));
        assert_eq!(p.names(), ["a", "b"]);
    }
}
