//! Conditions: operators over the request's context.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use std::cmp::Ordering;

use crate::context::{Context, Values};
use crate::error::Fault;
use crate::glob::{Colons, Glob, Style};

mod operand;
mod operator;

use operand::{Network, date, number};
pub(crate) use operator::{Family, Operator, Quantifier};

/// One operator on one key: `"StringLike": {"s3:prefix": ["a/*"]}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    operator: Operator,
    /// As written.
    key: Box<str>,
    /// In lower case: keys are compared so.
    lower: Box<str>,
    operands: Operands,
}

#[derive(Clone, Debug, PartialEq)]
enum Operands {
    /// Texts, wildcards and ARNs; `true` compares in lower case.
    Globs(Vec<Glob>, bool),
    Numbers(Vec<f64>),
    /// Microseconds since 1970.
    Dates(Vec<i64>),
    Truths(Vec<bool>),
    Networks(Vec<Network>),
}

impl Condition {
    /// Compiles one operator and key with its values. `variables` says that the policy's version
    /// has policy variables.
    pub(crate) fn compile(
        operator: Operator,
        key: &str,
        values: &[&str],
        variables: bool,
    ) -> Result<Self, Fault> {
        fn each<T>(values: &[&str], f: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Fault> {
            values.iter().map(|v| f(v).ok_or_else(|| Fault::ConditionValue((*v).into()))).collect()
        }
        let globs = |style: Style| {
            let style = Style { variables, ..style };
            Operands::Globs(values.iter().map(|v| Glob::new(v, style)).collect(), style.lower)
        };
        let operands = match operator.family {
            // Base64 has one spelling per value, so its text is compared.
            Family::Text | Family::Binary => globs(Style::default()),
            Family::TextIgnoreCase => globs(Style { lower: true, ..Style::default() }),
            Family::Like => globs(Style { wild: true, ..Style::default() }),
            Family::Arn => globs(Style { wild: true, colons: Colons::Arn, ..Style::default() }),
            Family::Number(_) => Operands::Numbers(each(values, number)?),
            Family::Date(_) => Operands::Dates(each(values, date)?),
            Family::Bool | Family::Null => Operands::Truths(each(values, truth)?),
            Family::Ip => Operands::Networks(each(values, Network::parse)?),
        };
        Ok(Condition { operator, key: key.into(), lower: key.to_lowercase().into(), operands })
    }

    /// The key as written.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn operator(&self) -> Operator {
        self.operator
    }

    /// Whether every operand allows one value only: the "fixed value" of S3's Block Public Access.
    pub(crate) fn is_fixed(&self) -> bool {
        match &self.operands {
            Operands::Globs(g, _) => g.iter().all(Glob::is_fixed),
            _ => true,
        }
    }

    /// Whether every operand is an ARN whose account is written out.
    pub(crate) fn names_an_account(&self) -> bool {
        match &self.operands {
            Operands::Globs(g, _) => g.iter().all(Glob::names_an_account),
            _ => false,
        }
    }

    pub(crate) fn networks(&self) -> &[Network] {
        match &self.operands {
            Operands::Networks(n) => n,
            _ => &[],
        }
    }

    /// Whether the condition holds.
    #[must_use]
    pub fn holds(&self, context: &Context<'_>) -> bool {
        let values = context.get(&self.lower);
        let Operator { family, negated, if_exists, quantifier } = self.operator;
        if family == Family::Null {
            let Operands::Truths(t) = &self.operands else { return false };
            return t.contains(&values.is_absent());
        }
        if values.is_absent() {
            return if_exists
                || match quantifier {
                    Quantifier::Single => negated,
                    Quantifier::All => true,
                    Quantifier::Any => false,
                };
        }
        let meets = |v: &str| self.meets(v, context) != negated;
        match (quantifier, &values) {
            (Quantifier::Any, _) => values.iter().any(meets),
            (Quantifier::All, _) | (_, Values::One(_)) => values.iter().all(meets),
            // A plain operator on several values: one must match, or for the negated ones none.
            (Quantifier::Single, _) if negated => values.iter().all(meets),
            (Quantifier::Single, _) => values.iter().any(meets),
        }
    }

    /// Whether one value equals (is below, is inside) any operand, negation aside.
    fn meets(&self, value: &str, context: &Context<'_>) -> bool {
        let lookup = |k: &str| context.variable(k);
        match (&self.operands, self.operator.family) {
            (Operands::Globs(g, true), _) => {
                let value = value.to_lowercase();
                g.iter().any(|g| g.matches(&value, lookup))
            }
            (Operands::Globs(g, _), _) => g.iter().any(|g| g.matches(value, lookup)),
            (Operands::Numbers(n), Family::Number(order)) => {
                let Some(v) = number(value) else { return false };
                n.iter().any(|n| v.partial_cmp(n).is_some_and(|o| order.accepts(o)))
            }
            (Operands::Dates(d), Family::Date(order)) => {
                let Some(v) = date(value) else { return false };
                d.iter().any(|d| order.accepts(v.cmp(d)))
            }
            (Operands::Truths(t), _) => truth(value).is_some_and(|v| t.contains(&v)),
            (Operands::Networks(n), _) => {
                Network::parse(value).is_some_and(|v| n.iter().any(|n| n.contains(&v)))
            }
            _ => false,
        }
    }
}

fn truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else {
        text.eq_ignore_ascii_case("false").then_some(false)
    }
}

/// How two ordered values must stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Order {
    fn accepts(self, o: Ordering) -> bool {
        match self {
            Order::Equal => o.is_eq(),
            Order::Less => o.is_lt(),
            Order::LessEqual => o.is_le(),
            Order::Greater => o.is_gt(),
            Order::GreaterEqual => o.is_ge(),
        }
    }
}
