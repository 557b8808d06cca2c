//! Choice rules: comparisons of a JSONPath state, and their combinations.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html>

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::Value;

use crate::fault::Fault;
use crate::intrinsic::Expr;
use crate::path::{Path, Root};
use crate::template::{Names, Template};

/// A rule without its `Next`.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Test(Path, Test),
    /// JSONata's `Condition`.
    Condition(Template),
}

/// A comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    Order(Of, Sign, Operand),
    /// `*` stands for any characters.
    Matches(String),
    Is(Type, bool),
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Text,
    Number,
    Boolean,
    Timestamp,
}

/// How it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Equals,
    Less,
    Greater,
    LessEquals,
    GreaterEquals,
}

/// What it is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    Literal(Value),
    Path(Path),
}

/// What `IsNull` and its like ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Null,
    Present,
    Numeric,
    String,
    Boolean,
    Timestamp,
}

/// The deepest nesting of rules.
const DEEPEST: usize = 64;

/// The comparison of this name: what it compares, how, and whether with a path.
#[must_use]
pub fn comparison(name: &str) -> Option<(Of, Sign, bool)> {
    let (name, path) = name.strip_suffix("Path").map_or((name, false), |n| (n, true));
    let of = [
        ("String", Of::Text),
        ("Numeric", Of::Number),
        ("Boolean", Of::Boolean),
        ("Timestamp", Of::Timestamp),
    ];
    let (of, sign) = of.into_iter().find_map(|(p, of)| Some((of, name.strip_prefix(p)?)))?;
    let sign = match sign {
        "Equals" => Sign::Equals,
        _ if of == Of::Boolean => return None,
        "LessThan" => Sign::Less,
        "GreaterThan" => Sign::Greater,
        "LessThanEquals" => Sign::LessEquals,
        "GreaterThanEquals" => Sign::GreaterEquals,
        _ => return None,
    };
    Some((of, sign, path))
}

/// The type test of this name.
#[must_use]
pub fn type_test(name: &str) -> Option<Type> {
    Some(match name {
        "IsNull" => Type::Null,
        "IsPresent" => Type::Present,
        "IsNumeric" => Type::Numeric,
        "IsString" => Type::String,
        "IsBoolean" => Type::Boolean,
        "IsTimestamp" => Type::Timestamp,
        _ => return None,
    })
}

impl Rule {
    /// Reads a rule of a JSONPath state.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(v: &Value) -> Result<Rule, String> {
        Rule::nested(v, DEEPEST)
    }

    fn nested(v: &Value, depth: usize) -> Result<Rule, String> {
        let deeper = depth.checked_sub(1).ok_or("the rules nest too deeply")?;
        let object = v.as_object().ok_or("a rule is an object")?;
        for (name, v) in object {
            let all = || -> Result<Vec<Rule>, String> {
                let items = v.as_array().ok_or("And and Or hold a list of rules")?;
                items.iter().map(|r| Rule::nested(r, deeper)).collect()
            };
            match name.as_str() {
                "And" => return Ok(Rule::And(all()?)),
                "Or" => return Ok(Rule::Or(all()?)),
                "Not" => return Ok(Rule::Not(Box::new(Rule::nested(v, deeper)?))),
                _ => {}
            }
        }
        let variable = object.get("Variable").and_then(Value::as_str);
        let variable = Path::parse(variable.ok_or("Variable is missing")?)?;
        for (name, v) in object {
            if let Some(t) = type_test(name) {
                let wanted = v.as_bool().ok_or_else(|| format!("{name} is true or false"))?;
                return Ok(Rule::Test(variable, Test::Is(t, wanted)));
            }
            if name == "StringMatches" {
                let pattern = v.as_str().ok_or("StringMatches is a string")?;
                return Ok(Rule::Test(variable, Test::Matches(pattern.to_owned())));
            }
            if let Some((of, sign, path)) = comparison(name) {
                let operand = if path {
                    Operand::Path(Path::parse(v.as_str().unwrap_or_default())?)
                } else {
                    Operand::Literal(v.clone())
                };
                return Ok(Rule::Test(variable, Test::Order(of, sign, operand)));
            }
        }
        Err("a rule has a comparison".into())
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// A path that leads nowhere, or a condition that is neither true nor false.
    pub fn holds(&self, names: &Names<'_>) -> Result<bool, Fault> {
        match self {
            Rule::And(all) => {
                for r in all {
                    if !r.holds(names)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Rule::Or(any) => {
                for r in any {
                    if r.holds(names)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Rule::Not(r) => Ok(!r.holds(names)?),
            Rule::Condition(t) => match (t.value(names)?, t) {
                (Value::Bool(b), _) => Ok(b),
                (v, Template::Jsonata(e)) => Err(crate::template::unexpected(e, "boolean", &v)),
                (v, _) => Err(Fault::runtime(format!("A Condition must be boolean, not {v}"))),
            },
            Rule::Test(path, Test::Is(t, wanted)) => {
                let found = names.select(path).ok();
                let found = match found {
                    Some(Value::Array(a)) if !path.is_definite() && a.is_empty() => None,
                    found => found,
                };
                if *t == Type::Present {
                    return Ok(found.is_some() == *wanted);
                }
                let v = found.ok_or_else(|| unreachable_path(path))?;
                Ok(t.holds(&v) == *wanted)
            }
            Rule::Test(path, test) => {
                let v = value(names, path)?;
                Ok(match test {
                    Test::Matches(pattern) => v.as_str().is_some_and(|s| matches(pattern, s)),
                    Test::Order(of, sign, Operand::Literal(with)) => of.holds(*sign, &v, with),
                    Test::Order(of, sign, Operand::Path(p)) => {
                        of.holds(*sign, &v, &value(names, p)?)
                    }
                    Test::Is(..) => false,
                })
            }
        }
    }

    /// The expressions within it, for what wants to know the variables that are read.
    pub fn each(&self, visit: &mut dyn FnMut(&Template)) {
        match self {
            Rule::And(all) | Rule::Or(all) => all.iter().for_each(|r| r.each(visit)),
            Rule::Not(r) => r.each(visit),
            Rule::Condition(t) => t.each(visit),
            Rule::Test(path, test) => {
                let mut show = |p: &Path| {
                    if p.root != Root::Input {
                        visit(&Template::Expr(Box::new(Expr::Path(p.clone())), String::new()));
                    }
                };
                show(path);
                if let Test::Order(_, _, Operand::Path(p)) = test {
                    show(p);
                }
            }
        }
    }
}

fn value(names: &Names<'_>, path: &Path) -> Result<Value, Fault> {
    names.select(path).map_err(|_| unreachable_path(path))
}

fn unreachable_path(path: &Path) -> Fault {
    Fault::runtime(format!(
        "Invalid path '{}': The choice state's condition path references an invalid value.",
        path.text
    ))
}

impl Of {
    fn holds(self, sign: Sign, a: &Value, b: &Value) -> bool {
        let order = match (self, a, b) {
            (Of::Text, Value::String(a), Value::String(b)) => Some(a.cmp(b)),
            (Of::Number, Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
            (Of::Boolean, Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            (Of::Timestamp, Value::String(a), Value::String(b)) => {
                timestamp(a).zip(timestamp(b)).map(|(a, b)| a.cmp(&b))
            }
            _ => None,
        };
        order.is_some_and(|o| match sign {
            Sign::Equals => o == Ordering::Equal,
            Sign::Less => o == Ordering::Less,
            Sign::Greater => o == Ordering::Greater,
            Sign::LessEquals => o != Ordering::Greater,
            Sign::GreaterEquals => o != Ordering::Less,
        })
    }
}

impl Type {
    fn holds(self, v: &Value) -> bool {
        match self {
            Type::Null => v.is_null(),
            Type::Present => true,
            Type::Numeric => v.is_number(),
            Type::String => v.is_string(),
            Type::Boolean => v.is_boolean(),
            Type::Timestamp => v.as_str().is_some_and(|s| timestamp(s).is_some()),
        }
    }
}

/// A timestamp of RFC 3339's ISO 8601: a capital `T`, and a capital `Z` or an offset.
#[must_use]
pub fn timestamp(s: &str) -> Option<Timestamp> {
    let b = s.as_bytes();
    let zone = s.ends_with('Z') || b.len() > 6 && matches!(b[b.len() - 6], b'+' | b'-');
    if b.len() < 20 || b[10] != b'T' || !zone {
        return None;
    }
    s.parse().ok()
}

/// `StringMatches`: `*` stands for any characters, `\\*` and `\\\\` for themselves.
#[must_use]
pub fn matches(pattern: &str, s: &str) -> bool {
    enum Part {
        Any,
        One(char),
    }
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '*' => Part::Any,
            '\\' => Part::One(chars.next().unwrap_or('\\')),
            c => Part::One(c),
        });
    }
    let text: Vec<char> = s.chars().collect();
    let (mut p, mut t, mut back) = (0, 0, None);
    while t < text.len() {
        match parts.get(p) {
            Some(Part::One(c)) if *c == text[t] => (p, t) = (p + 1, t + 1),
            Some(Part::Any) => {
                back = Some((p, t));
                p += 1;
            }
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    (p, t) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    parts[p..].iter().all(|part| matches!(part, Part::Any))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_timestamps() {
        for (pattern, s, want) in [
            ("log-*.txt", "log-1.txt", true),
            ("*", "", true),
            ("a*b*c", "aXbYbc", true),
            ("a*b*c", "aXbY", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
        ] {
            assert_eq!(matches(pattern, s), want, "{pattern} {s}");
        }
        assert!(timestamp("2016-03-14T01:59:00Z").is_some());
        assert!(timestamp("2016-03-14T01:59:00.123+02:00").is_some());
        for bad in ["2016-03-14 01:59:00Z", "2016-13-14T01:59:00Z", "2016-03-14T01:59:00", "x"] {
            assert!(timestamp(bad).is_none(), "{bad}");
        }
    }
}
