//! DynamoDB's numbers: exact decimals of up to 38 significant digits.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.Number>

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// The most significant digits.
const PRECISION: usize = 38;
/// The exponents of the first digit.
const LARGEST: i32 = 125;
const SMALLEST: i32 = -130;

/// A number in its one canonical form: `mantissa` times ten to the `exponent`, the mantissa
/// without trailing zeros, so that equal numbers are equal structures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Number {
    negative: bool,
    mantissa: u128,
    exponent: i16,
}

impl Number {
    /// From its parts, in any form.
    fn new(negative: bool, mut mantissa: u128, mut exponent: i32) -> Result<Self> {
        if mantissa == 0 {
            return Ok(Number::default());
        }
        while mantissa.is_multiple_of(10) {
            mantissa /= 10;
            exponent += 1;
        }
        let digits = digits(mantissa);
        if digits > PRECISION {
            return Err(imprecise());
        }
        let first = exponent + digits as i32 - 1;
        if first > LARGEST {
            return Err(Error::new(
                "Number overflow. Attempting to store a number with magnitude larger than supported range",
            ));
        }
        if first < SMALLEST {
            return Err(Error::new(
                "Number underflow. Attempting to store a number with magnitude smaller than supported range",
            ));
        }
        Ok(Number { negative, mantissa, exponent: exponent as i16 })
    }

    /// The exact sum.
    ///
    /// # Errors
    /// When it has too many digits or is too large.
    pub fn plus(self, other: Number) -> Result<Number> {
        if self.mantissa == 0 {
            return Ok(other);
        }
        if other.mantissa == 0 {
            return Ok(self);
        }
        let (high, low) =
            if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        let shift = (i32::from(high.exponent) - i32::from(low.exponent)) as u32;
        let scaled = 10u128.checked_pow(shift).and_then(|p| high.mantissa.checked_mul(p));
        let scaled = scaled.ok_or_else(too_long)?;
        let exponent = i32::from(low.exponent);
        if high.negative == low.negative {
            let sum = scaled.checked_add(low.mantissa).ok_or_else(too_long)?;
            return Number::new(high.negative, sum, exponent).map_err(|_| too_long());
        }
        match scaled.cmp(&low.mantissa) {
            Ordering::Less => {
                Number::new(low.negative, low.mantissa - scaled, exponent).map_err(|_| too_long())
            }
            _ => {
                Number::new(high.negative, scaled - low.mantissa, exponent).map_err(|_| too_long())
            }
        }
    }

    /// The exact difference.
    ///
    /// # Errors
    /// As [`Number::plus`].
    pub fn minus(self, other: Number) -> Result<Number> {
        self.plus(Number { negative: !other.negative && other.mantissa != 0, ..other })
    }

    /// How many bytes it counts for in an item's size.
    #[must_use]
    pub fn size(&self) -> usize {
        if self.mantissa == 0 {
            return 1;
        }
        // Two digits to a byte, in pairs from the decimal point.
        let pairs = digits(self.mantissa) + usize::from(self.exponent % 2 != 0);
        1 + pairs.div_ceil(2) + usize::from(self.negative)
    }

    /// As a whole number, if it is one that fits.
    #[must_use]
    pub fn to_i64(&self) -> Option<i64> {
        let magnitude = if self.exponent >= 0 {
            let power = 10u128.checked_pow(u32::try_from(self.exponent).ok()?)?;
            self.mantissa.checked_mul(power)?
        } else {
            self.mantissa / 10u128.checked_pow(u32::from(self.exponent.unsigned_abs()))?
        };
        let magnitude = i64::try_from(magnitude).ok()?;
        Some(if self.negative { -magnitude } else { magnitude })
    }

    /// Appends bytes whose order is the numbers' order.
    pub fn encode_ordered(&self, out: &mut Vec<u8>) {
        if self.mantissa == 0 {
            out.push(0x80);
            return;
        }
        let start = out.len();
        out.push(0xC0);
        let count = digits(self.mantissa);
        let first = i32::from(self.exponent) + count as i32 - 1;
        // From 1, so that nothing in it needs an escape in a key.
        let biased = (first - SMALLEST + 1) as u16;
        out.extend_from_slice(&(biased + 0x0100).to_be_bytes());
        let mut text = [0u8; PRECISION + 1];
        write_digits(self.mantissa, &mut text[..count]);
        for pair in text[..count].chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            out.push(pair[0] * 10 + low + 1);
        }
        if self.negative {
            for b in &mut out[start..] {
                *b = !*b;
            }
            // The shorter of two negative numbers is the larger.
            out.push(0xFF);
        }
    }
}

impl From<i64> for Number {
    fn from(n: i64) -> Self {
        // Nineteen digits always fit.
        Number::new(n < 0, u128::from(n.unsigned_abs()), 0).unwrap_or_default()
    }
}

impl FromStr for Number {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong =
            || Error::new(format!("The parameter cannot be converted to a numeric value: {text}"));
        if text.is_empty() {
            return Err(Error::new("The parameter cannot be converted to a numeric value"));
        }
        let (negative, rest) = match text.as_bytes()[0] {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (plain, power) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        let mut exponent: i32 = 0;
        if let Some(power) = power {
            let unsigned = power.strip_prefix(['+', '-']).unwrap_or(power);
            if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
                return Err(wrong());
            }
            // What does not fit is out of range in any case.
            let n: i32 = unsigned.parse().unwrap_or(1_000_000).min(1_000_000);
            exponent = if power.starts_with('-') { -n } else { n };
        }
        let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
        let all = || whole.bytes().chain(fraction.bytes());
        if whole.len() + fraction.len() == 0 || !all().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let kept = (whole.len() + fraction.len()) - all().rev().take_while(|b| *b == b'0').count();
        let mut mantissa: u128 = 0;
        let mut significant = 0;
        for b in all().take(kept) {
            if mantissa > 0 || b != b'0' {
                significant += 1;
                if significant > PRECISION {
                    return Err(imprecise());
                }
            }
            mantissa = mantissa * 10 + u128::from(b - b'0');
        }
        let last = whole.len() as i32 - kept as i32;
        Number::new(negative, mantissa, exponent.saturating_add(last))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mantissa == 0 {
            return f.write_str("0");
        }
        let count = digits(self.mantissa);
        let mut buffer = [0u8; PRECISION + 1];
        write_digits(self.mantissa, &mut buffer[..count]);
        for b in &mut buffer[..count] {
            *b += b'0';
        }
        let text = std::str::from_utf8(&buffer[..count]).map_err(|_| fmt::Error)?;
        if self.negative {
            f.write_str("-")?;
        }
        let point = count as i32 + i32::from(self.exponent);
        if point > PRECISION as i32 {
            // Clients count the zeros of a plain number as digits.
            let (first, rest) = text.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            return write!(f, "{first}{dot}{rest}E+{}", point - 1);
        }
        if self.exponent >= 0 {
            f.write_str(text)?;
            (0..self.exponent).try_for_each(|_| f.write_str("0"))
        } else if point > 0 {
            let (whole, fraction) = text.split_at(point as usize);
            write!(f, "{whole}.{fraction}")
        } else {
            f.write_str("0.")?;
            (0..-point).try_for_each(|_| f.write_str("0"))?;
            f.write_str(text)
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |n: &Number| match (n.mantissa, n.negative) {
            (0, _) => 0,
            (_, true) => -1,
            (_, false) => 1,
        };
        let (a, b) = (sign(self), sign(other));
        if a != b || a == 0 {
            return a.cmp(&b);
        }
        let place = |n: &Number| i32::from(n.exponent) + digits(n.mantissa) as i32;
        let full = |n: &Number| n.mantissa * 10u128.pow((PRECISION - digits(n.mantissa)) as u32);
        let order = place(self).cmp(&place(other)).then_with(|| full(self).cmp(&full(other)));
        if self.negative { order.reverse() } else { order }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn digits(n: u128) -> usize {
    n.checked_ilog10().map_or(1, |d| d as usize + 1)
}

/// The digits of `n` as numbers from 0 to 9, as many as `out` holds.
fn write_digits(mut n: u128, out: &mut [u8]) {
    for place in out.iter_mut().rev() {
        *place = (n % 10) as u8;
        n /= 10;
    }
}

/// A sum with too many digits: AWS says that it is too large.
fn too_long() -> Error {
    Error::new(
        "Number overflow. Attempting to store a number with magnitude larger than supported range",
    )
}

fn imprecise() -> Error {
    Error::new("Attempting to store more than 38 significant digits in a Number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Number {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn every_spelling_has_one_form() {
        let cases = [
            ("0", "0"),
            ("-0", "0"),
            ("0.00e9", "0"),
            ("+1", "1"),
            ("007", "7"),
            ("1.500", "1.5"),
            ("1e2", "100"),
            ("100", "100"),
            ("12e-1", "1.2"),
            (".5", "0.5"),
            ("5.", "5"),
            ("-0.001", "-0.001"),
            ("1E-130", &format!("0.{}1", "0".repeat(129))),
            (
                "9.9999999999999999999999999999999999999E+125",
                "9.9999999999999999999999999999999999999E+125",
            ),
            ("1e38", "1E+38"),
            ("1e37", &format!("1{}", "0".repeat(37))),
            (
                "0.00000000000000000000000000000000000000000001",
                "0.00000000000000000000000000000000000000000001",
            ),
            ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
            (
                "1234567890123456789012345678901234567800",
                "1.2345678901234567890123456789012345678E+39",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(n(text).to_string(), expected, "{text}");
            assert_eq!(n(expected), n(text), "{text} and back");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for (text, why) in [
            ("", "cannot be converted"),
            ("abc", "numeric value: abc"),
            ("1 ", "cannot be"),
            (" 1", "cannot be"),
            ("1e", "cannot be"),
            (".", "cannot be"),
            ("1.2.3", "cannot be"),
            ("--1", "cannot be"),
            ("NaN", "cannot be"),
            ("Infinity", "cannot be"),
            ("0x1", "cannot be"),
            ("1e+-2", "cannot be"),
            ("é", "cannot be"),
            ("1e126", "overflow"),
            ("-1e126", "overflow"),
            ("1e99999999999", "overflow"),
            ("1e-131", "underflow"),
            ("123456789012345678901234567890123456789", "more than 38"),
        ] {
            let message = text.parse::<Number>().unwrap_err().to_string();
            assert!(message.contains(why), "{text}: {message}");
        }
    }

    #[test]
    fn order_is_the_same_in_bytes() {
        let sorted = [
            "-9e125", "-1e38", "-100.5", "-100", "-12.1", "-12", "-1.23", "-1.2", "-1", "-0.5",
            "-1e-130", "0", "1e-130", "0.05", "0.5", "1", "1.2", "1.21", "2", "9", "10", "11",
            "12", "99", "100", "101", "1e38", "9e125",
        ];
        let bytes = |t: &str| {
            let mut out = Vec::new();
            n(t).encode_ordered(&mut out);
            out
        };
        for pair in sorted.windows(2) {
            assert!(n(pair[0]) < n(pair[1]), "{pair:?}");
            assert!(bytes(pair[0]) < bytes(pair[1]), "{pair:?} in bytes");
        }
    }

    #[test]
    fn sums_are_exact_or_refused() {
        let plus =
            |a: &str, b: &str| n(a).plus(n(b)).map(|s| s.to_string()).map_err(|e| e.to_string());
        assert_eq!(plus("0.1", "0.2").unwrap(), "0.3");
        assert_eq!(plus("1e38", "-1").unwrap(), "9".repeat(38));
        assert_eq!(plus("5", "-5").unwrap(), "0");
        assert_eq!(plus("-5", "3").unwrap(), "-2");
        assert_eq!(n("3").minus(n("5")).unwrap().to_string(), "-2");
        assert_eq!(n("3").minus(n("0")).unwrap().to_string(), "3");
        assert!(plus("1e50", "1").unwrap_err().contains("overflow"));
        assert!(plus("9e125", "9e125").unwrap_err().contains("overflow"));
    }

    #[test]
    fn sizes_and_whole_numbers() {
        assert_eq!(["0", "1", "12", "123", "-1", "100"].map(|t| n(t).size()), [1, 2, 2, 3, 3, 2]);
        assert_eq!(n("1e3").to_i64(), Some(1000));
        assert_eq!(n("-1.9").to_i64(), Some(-1));
        assert_eq!(n("1e30").to_i64(), None);
    }
}
