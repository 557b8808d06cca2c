//! The functions of expressions.

use crate::value::Value;
use crate::{Error, invalid};

/// Name, and the fewest and the most arguments.
const KNOWN: &[(&str, usize, usize)] = &[
    ("abs", 1, 1),
    ("ceil", 1, 1),
    ("floor", 1, 1),
    ("log", 1, 1),
    ("sqrt", 1, 1),
    ("greatest", 1, 100),
    ("least", 1, 100),
    ("strlen", 1, 1),
    ("trim", 1, 1),
    ("ltrim", 1, 1),
    ("rtrim", 1, 1),
    ("toupper", 1, 1),
    ("tolower", 1, 1),
    ("concat", 1, 100),
    ("substr", 2, 3),
    ("replace", 3, 3),
    ("strcontains", 2, 2),
    ("isempty", 1, 1),
    ("isblank", 1, 1),
    ("ispresent", 1, 1),
    ("coalesce", 1, 100),
    ("bin", 1, 1),
    ("datefloor", 2, 2),
    ("dateceil", 2, 2),
    ("frommillis", 1, 1),
    ("tomillis", 1, 1),
    ("now", 0, 0),
    ("if", 3, 3),
];

/// Whether there is such a function, with so many arguments.
pub fn check(name: &str, arguments: usize) -> Result<(), Error> {
    match KNOWN.iter().find(|(n, ..)| *n == name) {
        Some((_, least, most)) if (*least..=*most).contains(&arguments) => Ok(()),
        Some(_) => invalid(format!("{name} does not take {arguments} arguments")),
        None => Err(Error::Unknown(format!("the function {name}"))),
    }
}

/// `time` is the event's.
pub fn call(name: &str, arguments: &[Value], time: &Value, now: i64) -> Value {
    let first = arguments.first().unwrap_or(&Value::Null);
    let number = |f: &dyn Fn(f64) -> f64| first.number().map_or(Value::Null, |n| finite(f(n)));
    let text = |f: &dyn Fn(&str) -> String| match first {
        Value::Null => Value::Null,
        v => Value::Text(f(&v.text())),
    };
    let at = |i: usize| arguments.get(i).and_then(Value::number);
    match name {
        "abs" => number(&f64::abs),
        "ceil" => number(&f64::ceil),
        "floor" => number(&f64::floor),
        "log" => number(&f64::ln),
        "sqrt" => number(&f64::sqrt),
        "greatest" | "least" => {
            let present = arguments.iter().filter(|v| **v != Value::Null);
            let found = if name == "least" {
                present.min_by(|a, b| a.order(b))
            } else {
                present.max_by(|a, b| a.order(b))
            };
            found.cloned().unwrap_or_default()
        }
        "strlen" => match first {
            Value::Null => Value::Null,
            v => Value::Number(v.text().chars().count() as f64),
        },
        "trim" => text(&|t| t.trim().to_owned()),
        "ltrim" => text(&|t| t.trim_start().to_owned()),
        "rtrim" => text(&|t| t.trim_end().to_owned()),
        "toupper" => text(&str::to_uppercase),
        "tolower" => text(&str::to_lowercase),
        "concat" => Value::Text(arguments.iter().map(Value::text).collect()),
        "substr" => {
            let skip = at(1).unwrap_or(0.0).max(0.0) as usize;
            let most = at(2).map_or(usize::MAX, |n| n.max(0.0) as usize);
            text(&|t| t.chars().skip(skip).take(most).collect())
        }
        "replace" => {
            let (what, with) = (arguments[1].text(), arguments[2].text());
            text(&|t| if what.is_empty() { t.to_owned() } else { bounded(t, &what, &with) })
        }
        "strcontains" => Value::from(first.text().contains(&arguments[1].text())),
        "isempty" => Value::from(first.text().is_empty()),
        "isblank" => Value::from(first.text().trim().is_empty()),
        "ispresent" => Value::from(*first != Value::Null),
        "coalesce" => arguments.iter().find(|v| **v != Value::Null).cloned().unwrap_or_default(),
        "bin" => round(time.number(), at(0), false),
        "datefloor" => round(at(0), at(1), false),
        "dateceil" => round(at(0), at(1), true),
        "frommillis" => first.number().map_or(Value::Null, |n| Value::Time(n as i64)),
        "tomillis" => first.number().map_or(Value::Null, Value::Number),
        "now" => Value::Number((now / 1000) as f64),
        "if" => arguments[if first.truth() { 1 } else { 2 }].clone(),
        _ => Value::Null,
    }
}

/// A replacement that cannot grow without end.
fn bounded(text: &str, what: &str, with: &str) -> String {
    let grown = text.matches(what).count().saturating_mul(with.len());
    if grown > 1 << 20 { text.to_owned() } else { text.replace(what, with) }
}

fn round(time: Option<f64>, span: Option<f64>, up: bool) -> Value {
    let (Some(time), Some(span)) = (time, span.map(|s| s as i64).filter(|s| *s > 0)) else {
        return Value::Null;
    };
    let floor = (time as i64).div_euclid(span) * span;
    let more = up && floor != time as i64;
    Value::Time(floor + if more { span } else { 0 })
}

pub fn finite(n: f64) -> Value {
    if n.is_finite() { Value::Number(n) } else { Value::Null }
}
