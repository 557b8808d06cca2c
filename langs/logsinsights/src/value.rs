//! Values: nothing, numbers, texts; and how they are shown.

use jiff::Timestamp;

/// A value of a field or an expression.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    #[default]
    Null,
    Number(f64),
    Text(String),
    /// Milliseconds since 1970.
    Time(i64),
}

impl Value {
    /// As a number; texts that look like one are.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Number(n) => Some(*n),
            Value::Time(t) => Some(*t as f64),
            Value::Text(t) => t.trim().parse().ok().filter(|n: &f64| n.is_finite()),
            Value::Null => None,
        }
    }

    /// As it stands in results; `None` for nothing.
    #[must_use]
    pub fn shown(&self) -> Option<String> {
        match self {
            Value::Null => None,
            Value::Text(t) => Some(t.clone()),
            Value::Number(n) => Some(number(*n)),
            Value::Time(t) => Some(time(*t)),
        }
    }

    pub(crate) fn text(&self) -> String {
        self.shown().unwrap_or_default()
    }

    pub(crate) fn truth(&self) -> bool {
        match self {
            Value::Null => false,
            Value::Number(n) => *n != 0.0,
            Value::Time(_) => true,
            Value::Text(t) => !t.is_empty() && t != "0" && t != "false",
        }
    }

    /// Nothing first, then numbers, then texts.
    pub(crate) fn order(&self, other: &Value) -> std::cmp::Ordering {
        let rank = |v: &Value| match v {
            Value::Null => 0,
            v if v.number().is_some() => 1,
            _ => 2,
        };
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => rank(self).cmp(&rank(other)).then_with(|| self.text().cmp(&other.text())),
        }
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Number(f64::from(u8::from(b)))
    }
}

/// At most four places behind the point.
fn number(n: f64) -> String {
    if n.fract() == 0.0 && n.abs() < 1e15 {
        return format!("{n:.0}");
    }
    if n.abs() >= 1e15 {
        return format!("{n:e}");
    }
    let text = format!("{n:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `2026-11-24 15:40:00.123`.
fn time(ms: i64) -> String {
    let t = Timestamp::from_millisecond(ms).unwrap_or_default();
    t.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string()
}
