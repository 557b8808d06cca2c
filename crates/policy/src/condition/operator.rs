//! The names of condition operators: quantifier, comparison, negation and `IfExists`.

use super::Order;

/// A parsed operator name such as `ForAllValues:StringNotLikeIfExists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    pub family: Family,
    /// `…Not…`: the comparison below, turned round.
    pub negated: bool,
    /// `…IfExists`: holds when the key is absent.
    pub if_exists: bool,
    pub quantifier: Quantifier,
}

/// What is compared, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Text,
    TextIgnoreCase,
    Like,
    Number(Order),
    Date(Order),
    Bool,
    Binary,
    Ip,
    Arn,
    Null,
}

/// How a key with several values is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// As a key with one value.
    Single,
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

impl Operator {
    /// `None` when there is no such operator. Names are compared without regard to case.
    pub fn parse(name: &str) -> Option<Operator> {
        let lower = name.to_ascii_lowercase();
        let (quantifier, rest) = if let Some(r) = lower.strip_prefix("forallvalues:") {
            (Quantifier::All, r)
        } else if let Some(r) = lower.strip_prefix("foranyvalue:") {
            (Quantifier::Any, r)
        } else {
            (Quantifier::Single, &*lower)
        };
        let (rest, if_exists) = match rest.strip_suffix("ifexists") {
            Some(r) => (r, true),
            None => (rest, false),
        };
        use Order::{Equal, Greater, GreaterEqual, Less, LessEqual};
        let (family, negated) = match rest {
            "stringequals" => (Family::Text, false),
            "stringnotequals" => (Family::Text, true),
            "stringequalsignorecase" => (Family::TextIgnoreCase, false),
            "stringnotequalsignorecase" => (Family::TextIgnoreCase, true),
            "stringlike" => (Family::Like, false),
            "stringnotlike" => (Family::Like, true),
            "numericequals" => (Family::Number(Equal), false),
            "numericnotequals" => (Family::Number(Equal), true),
            "numericlessthan" => (Family::Number(Less), false),
            "numericlessthanequals" => (Family::Number(LessEqual), false),
            "numericgreaterthan" => (Family::Number(Greater), false),
            "numericgreaterthanequals" => (Family::Number(GreaterEqual), false),
            "dateequals" => (Family::Date(Equal), false),
            "datenotequals" => (Family::Date(Equal), true),
            "datelessthan" => (Family::Date(Less), false),
            "datelessthanequals" => (Family::Date(LessEqual), false),
            "dategreaterthan" => (Family::Date(Greater), false),
            "dategreaterthanequals" => (Family::Date(GreaterEqual), false),
            "bool" => (Family::Bool, false),
            "binaryequals" => (Family::Binary, false),
            "ipaddress" => (Family::Ip, false),
            "notipaddress" => (Family::Ip, true),
            "arnequals" | "arnlike" => (Family::Arn, false),
            "arnnotequals" | "arnnotlike" => (Family::Arn, true),
            "null" if !if_exists => (Family::Null, false),
            _ => return None,
        };
        Some(Operator { family, negated, if_exists, quantifier })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_whole() {
        let o = Operator::parse("ForAllValues:StringNotLikeIfExists").unwrap();
        assert_eq!((o.family, o.negated, o.if_exists), (Family::Like, true, true));
        assert_eq!(o.quantifier, Quantifier::All);
        for bad in ["", "String", "StringEqual", "NullIfExists", "ForSome:Bool", "IfExists"] {
            assert_eq!(Operator::parse(bad), None, "{bad}");
        }
    }
}
