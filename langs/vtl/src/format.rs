//! `String.format`: the conversions that templates use.

use crate::compare::number;
use crate::render::thrown;
use crate::{Error, Value, java_double};

/// How wide a field may be.
const WIDEST: usize = 10_000;

/// Formats as Java does.
pub fn format(pattern: &str, arguments: &[Value]) -> Result<String, Error> {
    let mut out = String::new();
    let mut next = 0;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        let mut digits = String::new();
        loop {
            match chars.peek().copied() {
                Some('-') => spec.left = true,
                Some('+') => spec.plus = true,
                Some('0') if digits.is_empty() => spec.zero = true,
                Some(',') => spec.grouped = true,
                Some(' ') => spec.blank = true,
                Some('#') => {}
                Some(d) if d.is_ascii_digit() => digits.push(d),
                Some('$') => {
                    spec.position = digits.parse().ok();
                    digits.clear();
                }
                _ => break,
            }
            chars.next();
        }
        spec.width = digits.parse().unwrap_or(0);
        if chars.next_if_eq(&'.').is_some() {
            let mut digits = String::new();
            while let Some(d) = chars.next_if(char::is_ascii_digit) {
                digits.push(d);
            }
            spec.precision = digits.parse().ok();
        }
        if spec.width > WIDEST || spec.precision.is_some_and(|p| p > WIDEST) {
            return Err(Error::Limit("output"));
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some('n') => out.push('\n'),
            Some(conversion) => {
                let at = spec.position.map_or(next, |p: usize| p.saturating_sub(1));
                next += usize::from(spec.position.is_none());
                let Some(argument) = arguments.get(at) else {
                    let text = format!(
                        "java.util.MissingFormatArgumentException: Format specifier '%{conversion}'"
                    );
                    return thrown("format", text);
                };
                spec.write(&mut out, conversion, argument)?;
            }
            None => {
                return thrown(
                    "format",
                    "java.util.UnknownFormatConversionException: Conversion = '%'",
                );
            }
        }
    }
    Ok(out)
}

#[derive(Default)]
struct Spec {
    left: bool,
    plus: bool,
    zero: bool,
    blank: bool,
    grouped: bool,
    width: usize,
    precision: Option<usize>,
    /// From 1.
    position: Option<usize>,
}

impl Spec {
    fn write(&self, out: &mut String, conversion: char, v: &Value) -> Result<(), Error> {
        let bad = || {
            let text = format!("java.util.IllegalFormatConversionException: {conversion} != {v:?}");
            thrown("format", text)
        };
        let cut = |s: String| match self.precision {
            Some(n) => s.chars().take(n).collect(),
            None => s,
        };
        let text = match (conversion.to_ascii_lowercase(), v) {
            ('s', v) => cut(v.render()),
            ('b', v) => cut(v.is_true().to_string()),
            (_, Value::Null) => "null".to_owned(),
            ('d', Value::Int(n)) => self.signed(*n < 0, &n.unsigned_abs().to_string()),
            ('x', Value::Int(n)) => format!("{n:x}"),
            ('o', Value::Int(n)) => format!("{n:o}"),
            ('c', Value::Text(s)) => s.chars().next().map(String::from).unwrap_or_default(),
            ('c', Value::Int(n)) => u32::try_from(*n)
                .ok()
                .and_then(char::from_u32)
                .map(String::from)
                .unwrap_or_default(),
            ('f', Value::Float(_)) => {
                let f = number(v).unwrap_or_default();
                if f.is_finite() {
                    let p = self.precision.unwrap_or(6);
                    self.signed(f.is_sign_negative(), &half_up(f.abs(), p))
                } else {
                    java_double(f)
                }
            }
            ('e', Value::Float(f)) => {
                let text = format!("{:.*e}", self.precision.unwrap_or(6), f);
                let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
                let n: i32 = exponent.parse().unwrap_or_default();
                format!("{digits}e{}{:02}", if n < 0 { '-' } else { '+' }, n.abs())
            }
            _ => return bad(),
        };
        let upper = conversion.is_ascii_uppercase();
        let text = if upper { text.to_uppercase() } else { text };
        let missing = self.width.saturating_sub(text.chars().count());
        let fill = |out: &mut String| out.extend(std::iter::repeat_n(' ', missing));
        if self.left {
            out.push_str(&text);
            fill(out);
        } else if self.zero && !matches!(conversion, 's' | 'S' | 'c' | 'b') {
            let (sign, digits) = match text.strip_prefix(['-', '+']) {
                Some(rest) => (&text[..1], rest),
                None => ("", &*text),
            };
            out.push_str(sign);
            out.extend(std::iter::repeat_n('0', missing));
            out.push_str(digits);
        } else {
            fill(out);
            out.push_str(&text);
        }
        Ok(())
    }

    fn signed(&self, negative: bool, digits: &str) -> String {
        let digits = if self.grouped { grouped(digits) } else { digits.to_owned() };
        let sign = if negative {
            "-"
        } else if self.plus {
            "+"
        } else if self.blank {
            " "
        } else {
            ""
        };
        format!("{sign}{digits}")
    }
}

/// A number rounded half up in its shortest decimal form, as Java's formatter does.
fn half_up(f: f64, precision: usize) -> String {
    let shortest = format!("{f}");
    let (whole, fraction) = shortest.split_once('.').unwrap_or((&shortest, ""));
    if fraction.len() <= precision {
        let dot = if precision > 0 { "." } else { "" };
        return format!("{whole}{dot}{fraction:0<precision$}");
    }
    let up = fraction.as_bytes()[precision] >= b'5';
    let mut digits: Vec<u8> = [whole.as_bytes(), &fraction.as_bytes()[..precision]].concat();
    if up {
        let mut at = digits.len();
        loop {
            if at == 0 {
                digits.insert(0, b'1');
                break;
            }
            at -= 1;
            if digits[at] == b'9' {
                digits[at] = b'0';
            } else {
                digits[at] += 1;
                break;
            }
        }
    }
    let mut text = String::from_utf8(digits).unwrap_or_default();
    if precision > 0 {
        text.insert(text.len() - precision, '.');
    }
    text
}

fn grouped(digits: &str) -> String {
    let (whole, rest) = digits.find('.').map_or((digits, ""), |at| digits.split_at(at));
    let mut out = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(c);
    }
    out + rest
}
