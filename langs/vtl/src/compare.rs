//! Operators: equality, order and arithmetic, as Velocity does them over Java's types.

use std::cmp::Ordering;

use crate::Value;
use crate::ast::Op;

/// The value of `a op b`; `None` where there is none, as for a division by zero.
pub fn binary(op: Op, a: Option<Value>, b: Option<Value>) -> Option<Value> {
    match op {
        Op::Equal => return Some(equal(a.as_ref(), b.as_ref()).into()),
        Op::NotEqual => return Some((!equal(a.as_ref(), b.as_ref())).into()),
        Op::Less => return Some((order(&a?, &b?)? == Ordering::Less).into()),
        Op::LessOrEqual => return Some((order(&a?, &b?)? != Ordering::Greater).into()),
        Op::Greater => return Some((order(&a?, &b?)? == Ordering::Greater).into()),
        Op::GreaterOrEqual => return Some((order(&a?, &b?)? != Ordering::Less).into()),
        Op::Add => {
            if let (Some(Value::Text(_)), Some(_)) | (Some(_), Some(Value::Text(_))) = (&a, &b) {
                return Some((a?.render() + &b?.render()).into());
            }
        }
        _ => {}
    }
    match (a?, b?) {
        (Value::Int(a), Value::Int(b)) => Some(match op {
            Op::Add => a.checked_add(b).map_or(Value::Float(a as f64 + b as f64), Value::Int),
            Op::Subtract => a.checked_sub(b).map_or(Value::Float(a as f64 - b as f64), Value::Int),
            Op::Multiply => a.checked_mul(b).map_or(Value::Float(a as f64 * b as f64), Value::Int),
            Op::Divide => Value::Int(a.checked_div(b)?),
            _ => Value::Int(a.checked_rem(b)?),
        }),
        (a, b) => {
            let (a, b) = (number(&a)?, number(&b)?);
            Some(Value::Float(match op {
                Op::Add => a + b,
                Op::Subtract => a - b,
                Op::Multiply => a * b,
                Op::Divide if b != 0.0 => a / b,
                Op::Remainder if b != 0.0 => a % b,
                _ => return None,
            }))
        }
    }
}

pub fn number(v: &Value) -> Option<f64> {
    match v {
        Value::Int(n) => Some(*n as f64),
        Value::Float(f) => Some(*f),
        _ => None,
    }
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (a, b) => number(a)?.partial_cmp(&number(b)?),
    }
}

/// `==`: numbers by value, different types by their text.
fn equal(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            if let (Some(a), Some(b)) = (number(a), number(b)) {
                return a == b;
            }
            let kinds = std::mem::discriminant(a) == std::mem::discriminant(b);
            if kinds { same(a, b, 0) } else { a.render() == b.render() }
        }
        _ => false,
    }
}

/// Java's `equals`.
pub fn same(a: &Value, b: &Value, depth: usize) -> bool {
    if depth > 64 {
        return false;
    }
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            std::rc::Rc::ptr_eq(a, b) || {
                let (a, b) = (a.items.borrow(), b.items.borrow());
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b, depth + 1))
            }
        }
        (Value::Map(a), Value::Map(b)) => {
            std::rc::Rc::ptr_eq(a, b) || {
                let (a, b) = (a.0.borrow(), b.0.borrow());
                let there = |(k, v): (&std::rc::Rc<str>, &Value)| {
                    b.get(k).is_some_and(|w| same(v, w, depth + 1))
                };
                a.len() == b.len() && a.iter().all(there)
            }
        }
        (Value::Object(a), Value::Object(b)) => std::rc::Rc::ptr_eq(a, b),
        _ => false,
    }
}
