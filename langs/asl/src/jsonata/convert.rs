//! Between JSON and the engine's values.

use jsonata_core::value::JValue;
use serde_json::{Map, Value};

use super::Failure;

/// The engine has one kind of number; whole ones are written without a fraction.
const WHOLE: f64 = 9_007_199_254_740_992.0;
/// The largest result in bytes, roughly: well above what a state may put out.
const BUDGET: usize = 1 << 20;

pub fn from_json(v: &Value) -> JValue {
    match v {
        Value::Null => JValue::Null,
        Value::Bool(b) => JValue::Bool(*b),
        Value::Number(n) => JValue::Number(n.as_f64().unwrap_or(0.0)),
        Value::String(s) => JValue::string(s.as_str()),
        Value::Array(a) => JValue::array(a.iter().map(from_json).collect()),
        Value::Object(o) => {
            JValue::object(o.iter().map(|(k, v)| (k.clone(), from_json(v))).collect())
        }
    }
}

/// A result as JSON. Values that are shared within it are written out each time, which is why its
/// size is counted.
pub fn to_json(v: &JValue) -> Result<Value, Failure> {
    let mut left = BUDGET;
    match v {
        JValue::Undefined => Err(Failure::Undefined),
        v => write(v, &mut left),
    }
}

fn write(v: &JValue, left: &mut usize) -> Result<Value, Failure> {
    take(left, 2)?;
    Ok(match v {
        JValue::Null | JValue::Undefined => Value::Null,
        JValue::Bool(b) => Value::Bool(*b),
        JValue::Number(n) => number(*n),
        JValue::String(s) => {
            take(left, s.len())?;
            Value::String(s.to_string())
        }
        JValue::Array(a) => {
            let items: Result<Vec<_>, _> = a.iter().map(|v| write(v, left)).collect();
            Value::Array(items?)
        }
        JValue::Object(o) => {
            let mut out = Map::with_capacity(o.len());
            for (k, v) in o.iter() {
                if !v.is_undefined() {
                    take(left, k.len())?;
                    out.insert(k.clone(), write(v, left)?);
                }
            }
            Value::Object(out)
        }
        _ => return Err(Failure::NoJson),
    })
}

fn take(left: &mut usize, n: usize) -> Result<(), Failure> {
    *left = left.checked_sub(n).ok_or(Failure::TooLarge)?;
    Ok(())
}

fn number(n: f64) -> Value {
    if n.fract() == 0.0 && n.abs() < WHOLE {
        return Value::from(n as i64);
    }
    serde_json::Number::from_f64(n).map_or(Value::Null, Value::Number)
}
