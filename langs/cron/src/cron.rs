//! `cron(minutes hours day-of-month month day-of-week year)`, and when it is next.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, date};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::Error;
use crate::field::{DAYS, HOURS, MINUTES, MONTHS, Set, WEEKDAYS, YEARS};

/// A parsed cron expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: Set,
    hours: Set,
    days: Days,
    months: Set,
    years: Set,
}

/// Which days of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    OfMonth(Set),
    /// `L`, and `L-3`: so many days before the last.
    Last(i8),
    /// `15W`: the weekday nearest to the day, within the month.
    NearestWeekday(i8),
    /// `LW`.
    LastWeekday,
    /// 1 is Sunday.
    OfWeek(Set),
    /// `6#3`: the third Friday.
    Nth(u16, i8),
    /// `6L`: the last Friday.
    LastOfWeek(u16),
}

impl Cron {
    /// Reads the six fields.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(text: &str) -> Result<Cron, Error> {
        let fields: Vec<&str> = text.split(' ').filter(|f| !f.is_empty()).collect();
        let [minutes, hours, day, month, weekday, year] = fields[..] else {
            return Err(Error::Fields);
        };
        let days = match (day, weekday) {
            ("?", "?") => return Err(Error::Days),
            (day, "?") => of_month(day)?,
            ("?", weekday) => of_week(weekday)?,
            _ => return Err(Error::Days),
        };
        Ok(Cron {
            minutes: MINUTES.set(minutes)?,
            hours: HOURS.set(hours)?,
            days,
            months: MONTHS.set(month)?,
            years: YEARS.set(year)?,
        })
    }

    /// Whether only these minutes are named.
    #[must_use]
    pub fn minutes_are(&self, minutes: &[u16]) -> bool {
        (0..60).all(|m| self.minutes.has(m) == minutes.contains(&m))
    }

    /// The first time after `after`.
    #[must_use]
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let local = zone.to_datetime(after);
        // A day back: where clocks are set back over midnight, a local date comes twice.
        let from = local.date().yesterday().ok()?;
        let first = u16::try_from(from.year()).ok()?.max(YEARS.first);
        for year in (first..=YEARS.last).filter(|y| self.years.has(*y)) {
            for month in (1..=12u16).filter(|m| self.months.has(*m)) {
                let start = date(i16::try_from(year).ok()?, i8::try_from(month).ok()?, 1);
                if start.last_of_month() < from {
                    continue;
                }
                for day in start.series(jiff::ToSpan::days(1)).take(start.days_in_month() as usize)
                {
                    if day < from || !self.days.has(day) {
                        continue;
                    }
                    if let Some(found) = self.on(day, after, zone) {
                        return Some(found);
                    }
                }
            }
        }
        None
    }

    /// The first time of a day that is after `after`.
    fn on(&self, day: Date, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        for hour in (0..24u16).filter(|h| self.hours.has(*h)) {
            for minute in (0..60u16).filter(|m| self.minutes.has(*m)) {
                let time = day.at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0);
                if let Some(found) = instant(time, zone).filter(|t| *t > after) {
                    return Some(found);
                }
            }
        }
        None
    }
}

/// The instant of a local time; `None` where the clocks leave it out. The first of two.
fn instant(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let found = zone.to_ambiguous_timestamp(time);
    match found.offset() {
        AmbiguousOffset::Gap { .. } => None,
        _ => found.earlier().ok(),
    }
}

impl Days {
    fn has(&self, day: Date) -> bool {
        let number = day.day();
        let weekday = u16::try_from(day.weekday().to_sunday_one_offset()).unwrap_or_default();
        match self {
            Days::OfMonth(set) => u16::try_from(number).is_ok_and(|n| set.has(n)),
            Days::Last(before) => number == day.days_in_month() - before,
            Days::NearestWeekday(wanted) => {
                let wanted = (*wanted).min(day.days_in_month());
                number == nearest_weekday(day, wanted)
            }
            Days::LastWeekday => number == nearest_weekday(day, day.days_in_month()),
            Days::OfWeek(set) => set.has(weekday),
            Days::Nth(wanted, n) => weekday == *wanted && (number - 1) / 7 + 1 == *n,
            Days::LastOfWeek(wanted) => weekday == *wanted && number + 7 > day.days_in_month(),
        }
    }
}

/// The weekday of the month of `day` that is nearest to its day `wanted`.
fn nearest_weekday(day: Date, wanted: i8) -> i8 {
    let last = day.days_in_month();
    let first = date(day.year(), day.month(), 1).weekday().to_sunday_zero_offset();
    match (first + wanted - 1) % 7 {
        6 if wanted == 1 => 3,             // Saturday the first: Monday the third
        6 => wanted - 1,                   // Saturday: Friday
        0 if wanted == last => wanted - 2, // Sunday the last: Friday
        0 => wanted + 1,                   // Sunday: Monday
        _ => wanted,
    }
}

fn of_month(text: &str) -> Result<Days, Error> {
    let number = |t: &str| DAYS.value(t).and_then(|v| i8::try_from(v).map_err(|_| DAYS.bad(t)));
    match text {
        "L" => Ok(Days::Last(0)),
        "LW" => Ok(Days::LastWeekday),
        _ => match (text.strip_prefix("L-"), text.strip_suffix('W')) {
            (Some(before), _) => Ok(Days::Last(number(before)?)),
            (_, Some(day)) => Ok(Days::NearestWeekday(number(day)?)),
            _ => Ok(Days::OfMonth(DAYS.set(text)?)),
        },
    }
}

fn of_week(text: &str) -> Result<Days, Error> {
    if let Some((day, n)) = text.split_once('#') {
        let n = n.parse().ok().filter(|n| (1..=5).contains(n));
        return Ok(Days::Nth(WEEKDAYS.value(day)?, n.ok_or_else(|| WEEKDAYS.bad(text))?));
    }
    match text.strip_suffix('L') {
        Some("") => Ok(Days::OfWeek(WEEKDAYS.set("7")?)),
        Some(day) => Ok(Days::LastOfWeek(WEEKDAYS.value(day)?)),
        None => Ok(Days::OfWeek(WEEKDAYS.set(text)?)),
    }
}
