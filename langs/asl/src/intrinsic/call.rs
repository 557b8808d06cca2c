//! What the intrinsic functions do.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Function, digest};
use crate::world::World;

type Answer = Result<Value, String>;

/// The longest text that is encoded or hashed, and the longest range, as AWS bounds them.
const LONGEST: usize = 10_000;
const LONGEST_RANGE: i64 = 1000;

pub fn run(function: Function, arguments: Vec<Value>, world: &dyn World) -> Answer {
    let mut arguments = arguments.into_iter();
    let mut next = || arguments.next().unwrap_or(Value::Null);
    match function {
        Function::Format => {
            let template = text(next())?;
            format(&template, arguments.collect())
        }
        Function::StringToJson => {
            let s = unescape(&text(next())?);
            if s.trim().is_empty() {
                return Ok(Value::Null);
            }
            serde_json::from_str(&s).map_err(|e| format!("Invalid JSON: {e}"))
        }
        Function::JsonToString => Ok(next().to_string().into()),
        Function::Array => Ok(arguments.map(plain).collect()),
        Function::ArrayPartition => partition(next(), &next()),
        Function::ArrayContains => {
            let (list, wanted) = (list(next())?, plain(next()));
            Ok(list.iter().any(|v| same(v, &wanted)).into())
        }
        Function::ArrayRange => range(&next(), &next(), &next()),
        Function::ArrayGetItem => {
            let (list, at) = (list(next())?, int(&next())?);
            let found = usize::try_from(at).ok().and_then(|i| list.into_iter().nth(i));
            found.ok_or_else(|| "The index is out of the array's bounds".to_owned())
        }
        Function::ArrayLength => Ok(list(next())?.len().into()),
        Function::ArrayUnique => Ok(unique(list(next())?)),
        Function::Base64Encode => bounded(next()).map(|s| STANDARD.encode(unescape(&s)).into()),
        Function::Base64Decode => {
            let bytes = STANDARD.decode(bounded(next())?).map_err(|e| e.to_string())?;
            String::from_utf8(bytes).map(Value::from).map_err(|e| e.to_string())
        }
        Function::Hash => {
            let data = match next() {
                Value::String(s) => unescape(&s),
                other => other.to_string(),
            };
            if data.len() > LONGEST {
                return Err(too_long());
            }
            digest(data.as_bytes(), &text(next())?).map(Value::from)
        }
        Function::JsonMerge => {
            let (a, b, deep) = (next(), next(), next());
            if deep != Value::Bool(false) {
                return Err(
                    "Only the shallow merge is supported: the third argument must be false".into(),
                );
            }
            let (Value::Object(mut a), Value::Object(b)) = (a, b) else {
                return Err("Both arguments must be JSON objects".into());
            };
            a.extend(b);
            Ok(Value::Object(a))
        }
        Function::MathRandom => random(int(&next())?, int(&next())?, arguments.next(), world),
        Function::MathAdd => {
            let sum = int(&next())?.checked_add(int(&next())?);
            sum.map(Value::from).ok_or_else(|| "The sum is too large".to_owned())
        }
        Function::StringSplit => {
            let (s, by) = (unescape(&text(next())?), unescape(&text(next())?));
            if by.is_empty() {
                return Ok(Value::Array(vec![s.into()]));
            }
            let parts = s.split(|c| by.contains(c)).filter(|p| !p.is_empty());
            Ok(parts.map(Value::from).collect())
        }
        Function::Uuid => Ok(world.uuid().into()),
    }
}

/// Fills in each `{}`; `\{`, `\}` and `\\` stand for themselves.
fn format(template: &str, arguments: Vec<Value>) -> Answer {
    let mut out = String::new();
    let mut chars = template.chars().peekable();
    let mut arguments = arguments.into_iter();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            '{' if chars.peek() == Some(&'}') => {
                chars.next();
                match arguments.next() {
                    Some(Value::String(s)) => out.push_str(&unescape(&s)),
                    Some(v) => out.push_str(&v.to_string()),
                    None => return Err("There are fewer arguments than {} in the template".into()),
                }
            }
            c => out.push(c),
        }
    }
    match arguments.next() {
        None => Ok(out.into()),
        Some(_) => Err("There are more arguments than {} in the template".into()),
    }
}

/// A literal as a value: its backslashes have been for quotes and braces.
fn plain(v: Value) -> Value {
    match v {
        Value::String(s) => unescape(&s).into(),
        other => other,
    }
}

/// What a text with `\\`, `\{` and `\}` stands for.
fn unescape(s: &str) -> String {
    if !s.contains('\\') {
        return s.to_owned();
    }
    let mut out = String::with_capacity(s.len());
    let mut chars = s.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('\\' | '{' | '}')) => out.extend(chars.next()),
            (c, _) => out.push(c),
        }
    }
    out
}

fn partition(from: Value, size: &Value) -> Answer {
    let (from, size) = (list(from)?, int(size)?);
    let size = usize::try_from(size).ok().filter(|n| *n > 0);
    let size = size.ok_or("The chunk size must be a positive integer")?;
    Ok(from.chunks(size).map(|c| Value::Array(c.to_vec())).collect())
}

fn range(first: &Value, last: &Value, step: &Value) -> Answer {
    let (first, last, step) = (int(first)?, int(last)?, int(step)?);
    if step == 0 {
        return Err("The increment may not be 0".into());
    }
    let n = (i128::from(last) - i128::from(first)) / i128::from(step);
    if n >= i128::from(LONGEST_RANGE) {
        return Err(format!("A range holds at most {LONGEST_RANGE} items"));
    }
    let n = i64::try_from(n).unwrap_or(-1);
    Ok((0..=n).map(|i| Value::from(first + i * step)).collect())
}

fn unique(from: Vec<Value>) -> Value {
    let mut out: Vec<Value> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for v in from {
        if seen.insert(v.to_string()) {
            out.push(v);
        }
    }
    Value::Array(out)
}

fn random(from: i64, to: i64, seed: Option<Value>, world: &dyn World) -> Answer {
    if to <= from {
        return Err("The end must be greater than the start".into());
    }
    let dice = match seed {
        Some(seed) => mix(int(&seed)?.unsigned_abs()),
        None => world.random(),
    };
    let span = u64::try_from(i128::from(to) - i128::from(from)).unwrap_or(u64::MAX);
    let step = i64::try_from(dice % span).unwrap_or(0);
    Ok(from.saturating_add(step).into())
}

/// Spreads a seed over all bits (SplitMix64's finaliser).
pub fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn text(v: Value) -> Result<String, String> {
    match v {
        Value::String(s) => Ok(s),
        other => Err(format!("A string was expected, not {other}")),
    }
}

fn bounded(v: Value) -> Result<String, String> {
    let s = text(v)?;
    if s.len() > LONGEST { Err(too_long()) } else { Ok(s) }
}

fn too_long() -> String {
    format!("The argument has more than {LONGEST} characters")
}

fn list(v: Value) -> Result<Vec<Value>, String> {
    match v {
        Value::Array(a) => Ok(a),
        other => Err(format!("An array was expected, not {other}")),
    }
}

/// A number as an integer: fractions are rounded, as AWS does.
fn int(v: &Value) -> Result<i64, String> {
    let found = match v {
        Value::Number(n) => {
            n.as_i64().or_else(|| n.as_f64().filter(|f| f.abs() < 9e18).map(|f| f.round() as i64))
        }
        _ => None,
    };
    found.ok_or_else(|| format!("An integer was expected, not {v}"))
}
