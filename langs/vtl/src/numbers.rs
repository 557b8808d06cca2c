//! The methods of numbers and booleans: conversions, and the static ones of their classes.

use crate::compare::number;
use crate::render::thrown;
use crate::{Error, Value};

/// Calls a method of an `Integer`, a `Double` or a `Boolean`.
pub fn call(value: &Value, name: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    if let Value::Bool(b) = value {
        return Ok(Some(match (name, arguments) {
            ("booleanValue", []) => Value::Bool(*b),
            ("parseBoolean" | "valueOf", [Value::Text(s)]) => s.eq_ignore_ascii_case("true").into(),
            ("compareTo" | "compare", [Value::Bool(o)]) => Value::Int(*b as i64 - *o as i64),
            ("hashCode", []) => Value::Int(if *b { 1231 } else { 1237 }),
            _ => return Ok(None),
        }));
    }
    let float = number(value).unwrap_or_default();
    let whole = match value {
        Value::Int(n) => *n,
        _ => float as i64,
    };
    Ok(Some(match (name, arguments) {
        ("intValue" | "shortValue" | "byteValue", []) => {
            Value::Int(i64::from(clamped(whole, float)))
        }
        ("longValue", []) => Value::Int(whole),
        ("doubleValue" | "floatValue", []) => Value::Float(float),
        ("parseInt" | "parseLong" | "valueOf" | "decode" | "parseShort", [Value::Text(s)])
            if matches!(value, Value::Int(_)) =>
        {
            return parsed(name, s, 10);
        }
        ("parseInt" | "parseLong" | "valueOf", [Value::Text(s), Value::Int(radix)]) => {
            let radix = u32::try_from(*radix).ok().filter(|r| (2..=36).contains(r));
            return parsed(name, s, radix.unwrap_or(10));
        }
        ("parseDouble" | "parseFloat" | "valueOf", [Value::Text(s)]) => {
            return match s.trim().parse::<f64>() {
                Ok(f) => Ok(Some(Value::Float(f))),
                Err(_) => thrown(name, not_a_number(s)),
            };
        }
        ("valueOf", [v @ (Value::Int(_) | Value::Float(_))]) => v.clone(),
        ("toString", [v @ (Value::Int(_) | Value::Float(_))]) => v.render().into(),
        ("toString", [Value::Int(n), Value::Int(radix)]) => match u32::try_from(*radix) {
            Ok(r) if (2..=36).contains(&r) => in_radix(*n, r).into(),
            _ => n.to_string().into(),
        },
        ("toHexString", [Value::Int(n)]) => {
            unsigned(*n, |n| format!("{n:x}"), |n| format!("{n:x}"))
        }
        ("toBinaryString", [Value::Int(n)]) => {
            unsigned(*n, |n| format!("{n:b}"), |n| format!("{n:b}"))
        }
        ("toOctalString", [Value::Int(n)]) => {
            unsigned(*n, |n| format!("{n:o}"), |n| format!("{n:o}"))
        }
        ("compareTo", [other]) => match number(other) {
            Some(o) => Value::Int(float.partial_cmp(&o).map_or(0, |c| c as i64)),
            None => return Ok(None),
        },
        ("compare", [a, b]) => match (number(a), number(b)) {
            (Some(a), Some(b)) => Value::Int(a.partial_cmp(&b).map_or(0, |c| c as i64)),
            _ => return Ok(None),
        },
        ("max", [a, b]) => match (number(a), number(b)) {
            (Some(x), Some(y)) => {
                if x >= y {
                    a.clone()
                } else {
                    b.clone()
                }
            }
            _ => return Ok(None),
        },
        ("min", [a, b]) => match (number(a), number(b)) {
            (Some(x), Some(y)) => {
                if x <= y {
                    a.clone()
                } else {
                    b.clone()
                }
            }
            _ => return Ok(None),
        },
        ("sum", [Value::Int(a), Value::Int(b)]) => Value::Int(a.wrapping_add(*b)),
        ("signum", [Value::Int(a)]) => Value::Int(a.signum()),
        ("isNaN", []) => float.is_nan().into(),
        ("isInfinite", []) => float.is_infinite().into(),
        ("hashCode", []) => Value::Int(whole),
        _ => return Ok(None),
    }))
}

/// As Java narrows: a whole number keeps its low bits, a floating one goes to the nearest end.
fn clamped(whole: i64, float: f64) -> i32 {
    if whole as f64 == float { whole as i32 } else { float as i32 }
}

fn parsed(name: &str, s: &str, radix: u32) -> Result<Option<Value>, Error> {
    match i64::from_str_radix(s, radix) {
        Ok(n) if name == "parseLong" || i32::try_from(n).is_ok() => Ok(Some(Value::Int(n))),
        _ => thrown(name, not_a_number(s)),
    }
}

fn not_a_number(s: &str) -> String {
    format!("java.lang.NumberFormatException: For input string: \"{s}\"")
}

fn unsigned(n: i64, small: fn(u32) -> String, large: fn(u64) -> String) -> Value {
    match i32::try_from(n) {
        Ok(n) => small(n as u32).into(),
        Err(_) => large(n as u64).into(),
    }
}

fn in_radix(n: i64, radix: u32) -> String {
    let mut digits = Vec::new();
    let mut rest = n.unsigned_abs();
    loop {
        let digit = u32::try_from(rest % u64::from(radix)).unwrap_or_default();
        digits.push(char::from_digit(digit, radix).unwrap_or('0'));
        rest /= u64::from(radix);
        if rest == 0 {
            break;
        }
    }
    if n < 0 {
        digits.push('-');
    }
    digits.into_iter().rev().collect()
}
