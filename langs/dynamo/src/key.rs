//! Key conditions: which part of one partition a query reads.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html>

use std::collections::BTreeMap;

use crate::condition::{Comparison, Operand};
use crate::{Attr, Condition, Error, Path, Result, Scope};

/// A condition on one key attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyCondition {
    Compare(Comparison, Attr),
    Between(Attr, Attr),
    BeginsWith(Attr),
}

impl KeyCondition {
    /// The values in it.
    pub fn values(&self) -> impl Iterator<Item = &Attr> {
        let (first, second) = match self {
            KeyCondition::Compare(_, a) | KeyCondition::BeginsWith(a) => (a, None),
            KeyCondition::Between(a, b) => (a, Some(b)),
        };
        std::iter::once(first).chain(second)
    }
}

/// Conditions by the attribute they are on.
pub type KeyConditions = BTreeMap<String, KeyCondition>;

/// Parses a key condition expression.
///
/// # Errors
/// AWS's sentence, without the parameter's name.
pub fn parse(text: &str, scope: &Scope) -> Result<KeyConditions> {
    let mut found = KeyConditions::new();
    flatten(Condition::parse(text, scope)?, &mut found)?;
    Ok(found)
}

fn flatten(condition: Condition, found: &mut KeyConditions) -> Result<()> {
    let operator = |name: &str| {
        Err(Error::new(format!("Invalid operator used in KeyConditionExpression: {name}")))
    };
    let (path, one) = match condition {
        Condition::And(a, b) => {
            flatten(*a, found)?;
            return flatten(*b, found);
        }
        Condition::Or(..) => return operator("OR"),
        Condition::Not(_) => return operator("NOT"),
        Condition::In(..) => return operator("IN"),
        Condition::Compare(Comparison::Ne, ..) => return operator("<>"),
        Condition::Exists(_) => return operator("attribute_exists"),
        Condition::Missing(_) => return operator("attribute_not_exists"),
        Condition::Type(..) => return operator("attribute_type"),
        Condition::Contains(..) => return operator("contains"),
        Condition::Compare(how, Operand::Path(path), Operand::Value(v)) => {
            (path, KeyCondition::Compare(how, v))
        }
        Condition::Compare(how, Operand::Value(v), Operand::Path(path)) => {
            let turned = match how {
                Comparison::Lt => Comparison::Gt,
                Comparison::Le => Comparison::Ge,
                Comparison::Gt => Comparison::Lt,
                Comparison::Ge => Comparison::Le,
                same => same,
            };
            (path, KeyCondition::Compare(turned, v))
        }
        Condition::Between(Operand::Path(path), Operand::Value(low), Operand::Value(high)) => {
            (path, KeyCondition::Between(low, high))
        }
        Condition::BeginsWith(Operand::Path(path), Operand::Value(start)) => {
            (path, KeyCondition::BeginsWith(start))
        }
        Condition::Compare(_, Operand::Size(_), _) | Condition::Compare(_, _, Operand::Size(_)) => {
            return operator("size");
        }
        _ => {
            return Err(Error::new(
                "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition",
            ));
        }
    };
    let Path { root, rest } = path;
    if !rest.is_empty() {
        return Err(Error::new(
            "KeyConditionExpressions cannot have conditions on nested attributes",
        ));
    }
    if found.insert(root, one).is_some() {
        return Err(Error::new("KeyConditionExpressions must only contain one condition per key"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_by_key() {
        let values = [(":a".to_owned(), Attr::N(1.into())), (":b".to_owned(), Attr::N(2.into()))];
        let scope = Scope::new(None, Some(values.into())).unwrap();
        let parsed = parse("p = :a AND (:b > c)", &scope).unwrap();
        assert_eq!(parsed["c"], KeyCondition::Compare(Comparison::Lt, Attr::N(2.into())));
        assert_eq!(parsed["p"], KeyCondition::Compare(Comparison::Eq, Attr::N(1.into())));
        for (text, why) in [
            ("p = :a OR c = :b", "Invalid operator used in KeyConditionExpression: OR"),
            ("p <> :a", "KeyConditionExpression: <>"),
            ("p = :a AND p = :b", "one condition per key"),
            ("p = c", "Multiple attribute names used in one condition"),
            ("p.q = :a", "nested attributes"),
            ("NOT p = :a", "NOT"),
        ] {
            let told = parse(text, &scope).unwrap_err().to_string();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
