//! What is known of a metric's values within a period, and where that lies.

use fogbank_store::{Key, Parts, Table};
use minicbor::{Decode, Encode};

/// By metric id, start, resolution, unit.
pub static BUCKETS: Table<Bucket> = Table::new("cloudwatch.bucket");

/// Values added up.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Bucket {
    #[n(0)]
    pub count: f64,
    #[n(1)]
    pub sum: f64,
    #[n(2)]
    pub min: f64,
    #[n(3)]
    pub max: f64,
    /// The distribution, in order of value.
    #[n(4)]
    pub values: Vec<Weighted>,
    /// Some of it came as statistics only: of such, percentiles cannot be told.
    #[n(5)]
    pub opaque: bool,
}
fogbank_store::record!(Bucket, version = 1);

/// A value and how often it was.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
pub struct Weighted {
    #[n(0)]
    pub value: f64,
    #[n(1)]
    pub count: f64,
}

/// Up to so many different values are kept as they were. With more, those that differ by less than
/// one in a hundred are one.
const EXACT: usize = 200;

impl Default for Bucket {
    fn default() -> Self {
        Bucket {
            count: 0.0,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            values: Vec::new(),
            opaque: false,
        }
    }
}

impl Bucket {
    pub fn add(&mut self, value: f64, count: f64) {
        self.count += count;
        self.sum += value * count;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.spread(Weighted { value, count });
    }

    /// Adds what came as statistics.
    pub fn add_set(&mut self, count: f64, sum: f64, min: f64, max: f64) {
        if min == max || count == 1.0 {
            self.add(if count == 1.0 { sum } else { min }, count);
            return;
        }
        self.count += count;
        self.sum += sum;
        self.min = self.min.min(min);
        self.max = self.max.max(max);
        self.opaque = true;
    }

    pub fn merge(&mut self, other: &Bucket) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.opaque |= other.opaque;
        for w in &other.values {
            self.spread(*w);
        }
    }

    fn spread(&mut self, w: Weighted) {
        match self.values.binary_search_by(|v| v.value.total_cmp(&w.value)) {
            Ok(i) => self.values[i].count += w.count,
            Err(i) => {
                self.values.insert(i, w);
                if self.values.len() > 2 * EXACT {
                    self.coarsen();
                }
            }
        }
    }

    fn coarsen(&mut self) {
        let mut share = 0.01;
        while self.values.len() > EXACT {
            let mut fewer: Vec<Weighted> = Vec::with_capacity(EXACT);
            for w in self.values.drain(..) {
                match fewer.last_mut() {
                    Some(last) if (w.value - last.value).abs() <= last.value.abs() * share => {
                        last.count += w.count;
                    }
                    _ => fewer.push(w),
                }
            }
            self.values = fewer;
            share *= 2.0;
        }
    }
}

/// Where a bucket lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Seconds since 1970.
    pub start: i64,
    /// How long it is, in seconds.
    pub resolution: i64,
    pub unit: String,
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

pub fn key(metric: u64, place: &Place) -> Key {
    from(metric, place.start).u64(unsigned(place.resolution)).str(&place.unit)
}

/// Where the buckets of a metric from a moment on begin.
pub fn from(metric: u64, start: i64) -> Key {
    Key::new().u64(metric).u64(unsigned(start))
}

pub fn place(key: &Key) -> Option<Place> {
    let mut parts = Parts::of(key.as_bytes());
    parts.number()?;
    let start = i64::try_from(parts.number()?).ok()?;
    let resolution = i64::try_from(parts.number()?).ok()?;
    Some(Place { start, resolution, unit: parts.text()?.into_owned() })
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// How coarse data is from which age on.
const AGES: &[(i64, i64)] = &[(3 * HOUR, 60), (15 * DAY, 300), (63 * DAY, HOUR)];
/// How old data gets.
pub const OLDEST: i64 = 455 * DAY;

/// How coarse data of this moment has become; 1 when nothing has.
pub fn coarseness(start: i64, now: i64) -> i64 {
    AGES.iter().rev().find(|(age, _)| now - start >= *age).map_or(1, |(_, r)| *r)
}

/// When data of this resolution becomes coarser, or goes.
pub fn ages_at(place: &Place) -> i64 {
    let next = AGES.iter().find(|(_, r)| *r > place.resolution);
    place.start + next.map_or(OLDEST, |(age, _)| *age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_values_are_told_apart_to_one_in_a_hundred() {
        let mut b = Bucket::default();
        for i in 1..=100_000 {
            b.add(f64::from(i), 1.0);
        }
        assert!(b.values.len() <= 2 * EXACT);
        assert_eq!((b.count, b.min, b.max), (100_000.0, 1.0, 100_000.0));
        assert_eq!(b.values.iter().map(|w| w.count).sum::<f64>(), 100_000.0);
    }

    #[test]
    fn data_coarsens_with_age() {
        let now = 100 * DAY;
        for (age, expected) in
            [(0, 1), (3 * HOUR - 1, 1), (3 * HOUR, 60), (15 * DAY, 300), (63 * DAY, HOUR)]
        {
            assert_eq!(coarseness(now - age, now), expected, "{age}");
        }
        let place = |resolution| Place { start: 0, resolution, unit: String::new() };
        let ages = [1, 60, 300, HOUR].map(|r| ages_at(&place(r)));
        assert_eq!(ages, [3 * HOUR, 15 * DAY, 63 * DAY, OLDEST]);
    }
}
