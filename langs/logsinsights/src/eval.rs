//! What an expression is for a row.

use crate::functions::{call, finite};
use crate::parse::{Expr, Matcher};
use crate::value::Value;

/// Where fields come from.
pub trait Row {
    fn get(&self, name: &str) -> Value;
}

pub fn eval(expr: &Expr, row: &dyn Row, now: i64) -> Value {
    let of = |e: &Expr| eval(e, row, now);
    match expr {
        Expr::Field(name) => row.get(name),
        Expr::Number(n) => Value::Number(*n),
        Expr::Text(t) => Value::Text(t.clone()),
        Expr::Span(ms) => Value::Number(*ms as f64),
        Expr::Negative(e) => of(e).number().map_or(Value::Null, |n| Value::Number(-n)),
        Expr::Not(e) => Value::from(!of(e).truth()),
        Expr::Call(name, arguments) => {
            let arguments: Vec<Value> = arguments.iter().map(of).collect();
            let time = if name == "bin" { row.get("@timestamp") } else { Value::Null };
            call(name, &arguments, &time, now)
        }
        Expr::In(e, items) => {
            let value = of(e);
            Value::from(items.iter().any(|i| equal(&value, &of(i))))
        }
        Expr::Like(e, matcher) => match of(e) {
            Value::Null => Value::from(false),
            v => Value::from(match matcher {
                Matcher::Text(t) => v.text().contains(t.as_str()),
                Matcher::Regex(r) => r.is_match(&v.text()),
            }),
        },
        Expr::Binary("and", a, b) => Value::from(of(a).truth() && of(b).truth()),
        Expr::Binary("or", a, b) => Value::from(of(a).truth() || of(b).truth()),
        Expr::Binary(sign, a, b) => binary(sign, &of(a), &of(b)),
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a.number(), b.number()) {
        (Some(a), Some(b)) => a == b,
        _ => *a != Value::Null && *b != Value::Null && a.text() == b.text(),
    }
}

fn binary(sign: &str, a: &Value, b: &Value) -> Value {
    use std::cmp::Ordering as O;
    if *a == Value::Null || *b == Value::Null {
        // Nothing equals nothing, and differs from all there is.
        let differs = (*a == Value::Null) != (*b == Value::Null);
        return match sign {
            "!=" => Value::from(differs),
            "=" | "<" | "<=" | ">" | ">=" => Value::from(false),
            _ => Value::Null,
        };
    }
    let order = a.order(b);
    match sign {
        "=" => return Value::from(equal(a, b)),
        "!=" => return Value::from(!equal(a, b)),
        "<" => return Value::from(order == O::Less),
        "<=" => return Value::from(order != O::Greater),
        ">" => return Value::from(order == O::Greater),
        ">=" => return Value::from(order != O::Less),
        _ => {}
    }
    let (Some(a), Some(b)) = (a.number(), b.number()) else { return Value::Null };
    finite(match sign {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        "%" => a % b,
        _ => a.powf(b),
    })
}
