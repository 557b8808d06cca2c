//! AWS's schedule expressions: `cron(…)` with six fields, `rate(…)` and `at(…)`.
//!
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>
//!
//! Pure: times are given, in any time zone that [`jiff`] knows.

mod cron;
mod field;

pub use cron::Cron;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    Cron(Cron),
    Rate(Rate),
    /// Once, at a time of some time zone.
    At(DateTime),
}

/// `rate(VALUE UNIT)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub value: u32,
    pub unit: Unit,
}

/// The unit of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Minute,
    Hour,
    Day,
}

/// Why a text is no schedule expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("a schedule expression is cron(…), rate(…) or at(…)")]
    Form,
    #[error("a rate is a positive number and minute(s), hour(s) or day(s)")]
    Rate,
    #[error("cron(…) has six fields: minutes hours day-of-month month day-of-week year")]
    Fields,
    #[error("one of day-of-month and day-of-week is ?, and the other is not")]
    Days,
    #[error("{0:?} is not a {1}")]
    Field(String, &'static str),
    #[error("at(…) holds yyyy-mm-ddThh:mm:ss")]
    At,
}

impl Rate {
    /// The time between two turns.
    #[must_use]
    pub fn period(self) -> SignedDuration {
        let value = i64::from(self.value);
        match self.unit {
            Unit::Minute => SignedDuration::from_mins(value),
            Unit::Hour => SignedDuration::from_hours(value),
            Unit::Day => SignedDuration::from_hours(24 * value),
        }
    }

    /// The first turn after `after`, counted from `start`.
    #[must_use]
    pub fn next(self, start: Timestamp, after: Timestamp) -> Option<Timestamp> {
        let period = i64::try_from(self.period().as_micros()).ok()?;
        let passed = after.as_microsecond().checked_sub(start.as_microsecond())?;
        let turns = if passed < 0 { 0 } else { passed / period + 1 };
        let next = start.as_microsecond().checked_add(turns.checked_mul(period)?)?;
        Timestamp::from_microsecond(next).ok()
    }
}

impl Schedule {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Schedule, Error> {
        let inner = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(fields) = inner("cron") {
            return Cron::parse(fields).map(Schedule::Cron);
        }
        if let Some(rate) = inner("rate") {
            return self::rate(rate).map(Schedule::Rate);
        }
        if let Some(at) = inner("at") {
            let well = at.len() == 19 && at.as_bytes().get(10) == Some(&b'T');
            let time = at.parse().ok().filter(|_| well);
            return time.map(Schedule::At).ok_or(Error::At);
        }
        Err(Error::Form)
    }

    /// The first time after `after`; `None` when there is none. Rates count from `start`.
    ///
    /// A local time that a change of the clocks skips is skipped; one that comes twice counts once.
    #[must_use]
    pub fn next(&self, start: Timestamp, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Schedule::Cron(cron) => cron.next(after, zone),
            Schedule::Rate(rate) => rate.next(start, after),
            Schedule::At(time) => {
                let at = zone.to_ambiguous_timestamp(*time).compatible().ok()?;
                (at > after).then_some(at)
            }
        }
    }
}

fn rate(text: &str) -> Result<Rate, Error> {
    let mut words = text.split(' ').filter(|w| !w.is_empty());
    let (Some(value), Some(unit), None) = (words.next(), words.next(), words.next()) else {
        return Err(Error::Rate);
    };
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    let value: u32 = value.parse().ok().filter(|v| digits && *v > 0).ok_or(Error::Rate)?;
    // One minute, two minutes: AWS insists.
    let unit = match (unit, value) {
        ("minute", 1) | ("minutes", 2..) => Unit::Minute,
        ("hour", 1) | ("hours", 2..) => Unit::Hour,
        ("day", 1) | ("days", 2..) => Unit::Day,
        _ => return Err(Error::Rate),
    };
    Ok(Rate { value, unit })
}

#[cfg(test)]
mod tests;
