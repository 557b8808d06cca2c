//! The parameters from before expressions: Expected, AttributeUpdates, QueryFilter and their like.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html>

use fogbank_core::{Result, Str, Value};
use fogbank_dynamo::condition::{Comparison, Condition, Operand};
use fogbank_dynamo::key::{KeyCondition, KeyConditions};
use fogbank_dynamo::{Attr, Item, Path, update};

use crate::error::{language, parameter, validation};
use crate::value::{Input, attr};

/// `AttributeUpdates`.
#[derive(Debug)]
pub struct Legacy(Vec<(String, Step)>);

#[derive(Debug)]
enum Step {
    Put(Attr),
    Add(Attr),
    Delete(Option<Attr>),
}

impl Legacy {
    pub fn parse(entries: Vec<(Str, Value)>) -> Result<Self> {
        let parsed = entries.into_iter().map(|(name, v)| {
            let mut v = Input::of(v);
            let action = v.text("Action");
            let value = v.take("Value").map(attr).transpose()?;
            let step = match (action.as_deref().unwrap_or("PUT"), value) {
                ("DELETE", None) => Step::Delete(None),
                ("DELETE", Some(v)) if v.is_set() => Step::Delete(Some(v)),
                ("DELETE", Some(v)) => {
                    return Err(parameter(format!(
                        "DELETE action with value is not supported for the type {}",
                        v.kind()
                    )));
                }
                (_, None) => {
                    return Err(parameter(
                        "Only DELETE action is allowed when no attribute value is specified",
                    ));
                }
                ("ADD", Some(v)) => {
                    if !(v.is_set() || matches!(v, Attr::N(_) | Attr::L(_))) {
                        return Err(parameter(format!(
                            "ADD action is not supported for the type {}",
                            v.kind()
                        )));
                    }
                    Step::Add(v)
                }
                (_, Some(v)) => Step::Put(v),
            };
            Ok((name.into_owned(), step))
        });
        Ok(Legacy(parsed.collect::<Result<_>>()?))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Whether it makes an item that is not there.
    pub fn creates(&self) -> bool {
        self.0.is_empty() || self.0.iter().any(|(_, s)| !matches!(s, Step::Delete(_)))
    }

    pub fn apply(&self, old: &Item) -> Result<Item> {
        let mut item = old.clone();
        let mismatch = |_| validation("Type mismatch for attribute to update");
        for (name, step) in &self.0 {
            match step {
                Step::Put(v) => {
                    item.insert(name.clone(), v.clone());
                }
                Step::Add(v) => {
                    let sum = match (item.get(name), v) {
                        (Some(Attr::L(a)), Attr::L(b)) => Attr::L([&a[..], b].concat()),
                        (Some(Attr::N(a)), Attr::N(b)) => {
                            Attr::N(a.plus(*b).map_err(|e| language(&e))?)
                        }
                        (old, v) => update::add(old, v).map_err(mismatch)?,
                    };
                    item.insert(name.clone(), sum);
                }
                Step::Delete(None) => {
                    item.remove(name);
                }
                Step::Delete(Some(v)) => {
                    if let Some(old) = item.get(name) {
                        match update::subtract(old, v).map_err(mismatch)? {
                            Some(left) => item.insert(name.clone(), left),
                            None => item.remove(name),
                        };
                    }
                }
            }
        }
        Ok(item)
    }
}

/// How several conditions go together.
pub fn operator(text: Option<&str>) -> bool {
    text != Some("OR")
}

/// `Expected`, as a condition.
pub fn expected(entries: Vec<(Str, Value)>, all: bool) -> Result<Option<Condition>> {
    let mut conditions = Vec::new();
    for (name, v) in entries {
        let mut v = Input::of(v);
        let exists = v.flag("Exists");
        let value = v.take("Value").map(attr).transpose()?;
        let operator = v.text("ComparisonOperator");
        let list = v.list("AttributeValueList");
        let name = name.into_owned();
        if let Some(operator) = operator {
            if exists.is_some() {
                return Err(parameter(format!(
                    "Exists and ComparisonOperator cannot be used together for Attribute: {name}"
                )));
            }
            if value.is_some() && list.is_some() {
                return Err(parameter(format!(
                    "Value and AttributeValueList cannot be used together for Attribute: {name}"
                )));
            }
            let values = match value {
                Some(v) => vec![v],
                None => list.unwrap_or_default().into_iter().map(attr).collect::<Result<_>>()?,
            };
            conditions.push(condition(&name, &operator, values)?);
            continue;
        }
        if list.is_some() {
            return Err(parameter(format!(
                "AttributeValueList can only be used with a ComparisonOperator for Attribute: {name}"
            )));
        }
        let path = Path::top(name.clone());
        conditions.push(match (exists, value) {
            (Some(false), Some(_)) => {
                return Err(parameter(format!(
                    "Value cannot be used when Exists is set to false for Attribute: {name}"
                )));
            }
            (Some(false), None) => Condition::Missing(path),
            (_, Some(v)) => {
                Condition::Compare(Comparison::Eq, Operand::Path(path), Operand::Value(v))
            }
            (exists, None) => {
                let shown = exists.map_or("null".to_owned(), |e| e.to_string());
                return Err(parameter(format!(
                    "Value must be provided when Exists is {shown} for Attribute: {name}"
                )));
            }
        });
    }
    Ok(joined(conditions, all))
}

/// `QueryFilter` or `ScanFilter`, as a condition.
pub fn filter(entries: Vec<(Str, Value)>, all: bool) -> Result<Option<Condition>> {
    let conditions = entries.into_iter().map(|(name, v)| {
        let (operator, values) = parts(v)?;
        condition(&name, &operator, values)
    });
    Ok(joined(conditions.collect::<Result<_>>()?, all))
}

/// `KeyConditions`.
pub fn key_conditions(entries: Vec<(Str, Value)>) -> Result<KeyConditions> {
    let mut all = KeyConditions::new();
    for (name, v) in entries {
        let (operator, values) = parts(v)?;
        check(&operator, &values)?;
        let mut values = values.into_iter();
        let (first, second) = (values.next(), values.next());
        let one = match (&*operator, first, second) {
            ("EQ", Some(v), None) => KeyCondition::Compare(Comparison::Eq, v),
            ("LT", Some(v), None) => KeyCondition::Compare(Comparison::Lt, v),
            ("LE", Some(v), None) => KeyCondition::Compare(Comparison::Le, v),
            ("GT", Some(v), None) => KeyCondition::Compare(Comparison::Gt, v),
            ("GE", Some(v), None) => KeyCondition::Compare(Comparison::Ge, v),
            ("BEGINS_WITH", Some(v), None) => KeyCondition::BeginsWith(v),
            ("BETWEEN", Some(a), Some(b)) => KeyCondition::Between(a, b),
            _ => {
                return Err(validation(
                    "Attempted conditional constraint is not an indexable operation",
                ));
            }
        };
        all.insert(name.into_owned(), one);
    }
    Ok(all)
}

fn parts(v: Value) -> Result<(String, Vec<Attr>)> {
    let mut v = Input::of(v);
    let operator = v.text("ComparisonOperator").unwrap_or_default();
    let values = v.list("AttributeValueList").unwrap_or_default();
    Ok((operator, values.into_iter().map(attr).collect::<Result<_>>()?))
}

fn joined(conditions: Vec<Condition>, all: bool) -> Option<Condition> {
    conditions.into_iter().reduce(|a, b| {
        let (a, b) = (Box::new(a), Box::new(b));
        if all { Condition::And(a, b) } else { Condition::Or(a, b) }
    })
}

/// The number and types of an operator's values.
fn check(operator: &str, values: &[Attr]) -> Result<()> {
    let fits = match operator {
        "NULL" | "NOT_NULL" => values.is_empty(),
        "BETWEEN" => values.len() == 2,
        "IN" => !values.is_empty(),
        _ => values.len() == 1,
    };
    if !fits {
        return Err(parameter(format!(
            "Invalid number of argument(s) for the {operator} ComparisonOperator"
        )));
    }
    for v in values {
        let allowed = match operator {
            "LT" | "LE" | "GT" | "GE" | "BETWEEN" | "CONTAINS" | "NOT_CONTAINS" | "IN" => {
                v.is_scalar()
            }
            "BEGINS_WITH" => matches!(v, Attr::S(_) | Attr::B(_)),
            _ => true,
        };
        // A part of a list may be of any type.
        let allowed =
            allowed || (operator.ends_with("CONTAINS") && matches!(v, Attr::Bool(_) | Attr::Null));
        if !allowed {
            return Err(parameter(format!(
                "ComparisonOperator {operator} is not valid for {} AttributeValue type",
                v.kind()
            )));
        }
    }
    if let ("BETWEEN", [low, high]) = (operator, values) {
        match low.compare(high) {
            None => {
                return Err(parameter(
                    "AttributeValues inside AttributeValueList must be of same type",
                ));
            }
            Some(std::cmp::Ordering::Greater) => {
                return Err(validation(
                    "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound",
                ));
            }
            _ => {}
        }
    }
    if operator == "IN" && values.windows(2).any(|w| w[0].kind() != w[1].kind()) {
        return Err(parameter("AttributeValues inside AttributeValueList must be of same type"));
    }
    Ok(())
}

fn condition(name: &str, operator: &str, values: Vec<Attr>) -> Result<Condition> {
    check(operator, &values)?;
    let path = Path::top(name);
    let here = Operand::Path(path.clone());
    let mut values = values.into_iter().map(Operand::Value);
    let mut next = || values.next().unwrap_or(Operand::Value(Attr::Null));
    let compare = |how, v| Condition::Compare(how, here.clone(), v);
    Ok(match operator {
        "EQ" => compare(Comparison::Eq, next()),
        "NE" => compare(Comparison::Ne, next()),
        "LT" => compare(Comparison::Lt, next()),
        "LE" => compare(Comparison::Le, next()),
        "GT" => compare(Comparison::Gt, next()),
        "GE" => compare(Comparison::Ge, next()),
        "NULL" => Condition::Missing(path),
        "NOT_NULL" => Condition::Exists(path),
        "CONTAINS" => Condition::Contains(here, next()),
        "NOT_CONTAINS" => {
            let contains = Box::new(Condition::Contains(here, next()));
            let there = Box::new(Condition::Exists(path));
            Condition::And(there, Box::new(Condition::Not(contains)))
        }
        "BEGINS_WITH" => Condition::BeginsWith(here, next()),
        "BETWEEN" => {
            let (low, high) = (next(), next());
            Condition::Between(here, low, high)
        }
        _ => Condition::In(here, values.collect()),
    })
}
