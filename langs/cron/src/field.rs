//! The fields of a cron expression.

use crate::Error;

/// What a field may hold.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub name: &'static str,
    pub first: u16,
    pub last: u16,
    /// Names for the values, from `first` on.
    pub names: &'static [&'static str],
}

pub const MINUTES: Kind = Kind { name: "minute", first: 0, last: 59, names: &[] };
pub const HOURS: Kind = Kind { name: "hour", first: 0, last: 23, names: &[] };
pub const DAYS: Kind = Kind { name: "day of the month", first: 1, last: 31, names: &[] };
pub const MONTHS: Kind = Kind {
    name: "month",
    first: 1,
    last: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
pub const WEEKDAYS: Kind = Kind {
    name: "day of the week",
    first: 1,
    last: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};
pub const YEARS: Kind = Kind { name: "year", first: 1970, last: 2199, names: &[] };

/// A set of values, as bits from the kind's first on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    first: u16,
    bits: [u64; 4],
}

impl Set {
    pub fn has(&self, value: u16) -> bool {
        let Some(at) = value.checked_sub(self.first) else { return false };
        self.bits.get(usize::from(at / 64)).is_some_and(|w| w >> (at % 64) & 1 == 1)
    }

    fn add(&mut self, value: u16) {
        let at = value - self.first;
        if let Some(w) = self.bits.get_mut(usize::from(at / 64)) {
            *w |= 1 << (at % 64);
        }
    }
}

impl Kind {
    pub fn bad(self, text: &str) -> Error {
        Error::Field(text.to_owned(), self.name)
    }

    /// One value, by number or name.
    pub fn value(self, text: &str) -> Result<u16, Error> {
        let named = self.names.iter().position(|n| n.eq_ignore_ascii_case(text));
        if let Some(at) = named.and_then(|at| u16::try_from(at).ok()) {
            return Ok(self.first + at);
        }
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|v| digits && (self.first..=self.last).contains(v))
            .ok_or_else(|| self.bad(text))
    }

    /// A list of values, ranges and steps.
    pub fn set(self, text: &str) -> Result<Set, Error> {
        let mut set = Set { first: self.first, bits: [0; 4] };
        for part in text.split(',') {
            self.part(part, &mut set)?;
        }
        Ok(set)
    }

    fn part(self, part: &str, set: &mut Set) -> Result<(), Error> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                let n = step.parse().ok().filter(|n: &u16| *n > 0);
                let digits = step.bytes().all(|b| b.is_ascii_digit());
                (range, Some(n.filter(|_| digits).ok_or_else(|| self.bad(part))?))
            }
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.first, self.last),
            Some((a, b)) => (self.value(a)?, self.value(b)?),
            None => {
                let v = self.value(range)?;
                (v, if step.is_some() { self.last } else { v })
            }
        };
        let step = step.unwrap_or(1);
        if from <= to {
            (from..=to).step_by(step.into()).for_each(|v| set.add(v));
        } else if self.names.is_empty() {
            return Err(self.bad(part));
        } else {
            // FRI-MON, NOV-FEB: over the end.
            let around = (from..=self.last).chain(self.first..=to);
            around.step_by(step.into()).for_each(|v| set.add(v));
        }
        Ok(())
    }
}
