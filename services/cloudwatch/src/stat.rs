//! Statistics: `Sum`, `p99.9`, `TM(10%:90%)` and the others, of a bucket.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html>

use crate::bucket::Bucket;

/// A statistic that has been read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stat {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
    Percentile(f64),
    Trimmed(Trim, Bounds),
    /// `PR(a:b)`: the share of values in a range, in percent.
    Rank(Bounds),
}

/// What is told of the values within bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trim {
    Mean,
    Count,
    Sum,
    /// The mean, with what lies outside moved to the bounds.
    Winsorized,
}

/// From (exclusive) and to, as shares of the values or as values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bounds {
    Shares(f64, f64),
    Values(f64, f64),
}

impl Stat {
    /// `None` for what is no statistic.
    pub fn parse(text: &str) -> Option<Stat> {
        Some(match text {
            "SampleCount" => Stat::SampleCount,
            "Average" => Stat::Average,
            "Sum" => Stat::Sum,
            "Minimum" => Stat::Minimum,
            "Maximum" => Stat::Maximum,
            "IQM" => Stat::Trimmed(Trim::Mean, Bounds::Shares(0.25, 0.75)),
            _ => return Stat::extended(text),
        })
    }

    fn extended(text: &str) -> Option<Stat> {
        let split = text.find(|c: char| !c.is_ascii_alphabetic())?;
        let (name, rest) = text.split_at(split);
        let trim = match name {
            "tm" | "TM" => Some(Trim::Mean),
            "tc" | "TC" => Some(Trim::Count),
            "ts" | "TS" => Some(Trim::Sum),
            "wm" | "WM" => Some(Trim::Winsorized),
            "p" | "PR" => None,
            _ => return None,
        };
        if let Some(inside) = rest.strip_prefix('(') {
            let bounds = bounds(inside.strip_suffix(')')?)?;
            return match (trim, name) {
                (Some(t), "TM" | "TC" | "TS" | "WM") => Some(Stat::Trimmed(t, bounds)),
                (None, "PR") if matches!(bounds, Bounds::Values(..)) => Some(Stat::Rank(bounds)),
                _ => None,
            };
        }
        let share = percent(rest)?;
        match (trim, name) {
            (None, "p") => Some(Stat::Percentile(share)),
            (Some(t), "tm" | "tc" | "ts" | "wm") => {
                Some(Stat::Trimmed(t, Bounds::Shares(0.0, share)))
            }
            _ => None,
        }
    }

    /// What it is of these values; `None` when there are none, or it cannot be told.
    pub fn of(self, b: &Bucket) -> Option<f64> {
        if b.count <= 0.0 {
            return None;
        }
        let distributed = || (!b.opaque).then_some(b);
        match self {
            Stat::SampleCount => Some(b.count),
            Stat::Average => Some(b.sum / b.count),
            Stat::Sum => Some(b.sum),
            Stat::Minimum => Some(b.min),
            Stat::Maximum => Some(b.max),
            Stat::Percentile(share) => percentile(distributed()?, share),
            Stat::Trimmed(Trim::Winsorized, bounds) => Some(winsorized(distributed()?, bounds)),
            Stat::Trimmed(what, bounds) => {
                let (count, sum) = within(distributed()?, bounds);
                match what {
                    Trim::Count => Some(count),
                    Trim::Sum => Some(sum),
                    _ => (count > 0.0).then(|| sum / count),
                }
            }
            Stat::Rank(bounds) => Some(100.0 * within(distributed()?, bounds).0 / b.count),
        }
    }
}

fn percent(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let n: f64 = text.parse().ok().filter(|_| plain)?;
    (0.0..=100.0).contains(&n).then_some(n / 100.0)
}

fn bounds(inside: &str) -> Option<Bounds> {
    let (from, to) = inside.split_once(':')?;
    if from.is_empty() && to.is_empty() {
        return None;
    }
    let (low, high) = if inside.contains('%') {
        let side = |s: &str, open: f64| match s.strip_suffix('%') {
            Some(p) => percent(p),
            None => s.is_empty().then_some(open),
        };
        let (low, high) = (side(from, 0.0)?, side(to, 1.0)?);
        return (low < high).then_some(Bounds::Shares(low, high));
    } else {
        let side = |s: &str, open: f64| match s {
            "" => Some(open),
            s => s.parse::<f64>().ok().filter(|n| n.is_finite()),
        };
        (side(from, f64::NEG_INFINITY)?, side(to, f64::INFINITY)?)
    };
    (low < high).then_some(Bounds::Values(low, high))
}

/// The least value that at least this share of values does not exceed.
fn percentile(b: &Bucket, share: f64) -> Option<f64> {
    let wanted = share * b.count;
    let mut seen = 0.0;
    for w in &b.values {
        seen += w.count;
        if seen >= wanted {
            return Some(w.value);
        }
    }
    b.values.last().map(|w| w.value)
}

/// How many values lie within, and their sum. Shares cut through values that are there often.
fn within(b: &Bucket, bounds: Bounds) -> (f64, f64) {
    let (mut count, mut sum, mut seen) = (0.0, 0.0, 0.0);
    for w in &b.values {
        let part = match bounds {
            Bounds::Values(low, high) if w.value > low && w.value <= high => w.count,
            Bounds::Values(..) => 0.0,
            Bounds::Shares(low, high) => {
                ((seen + w.count).min(high * b.count) - seen.max(low * b.count)).max(0.0)
            }
        };
        seen += w.count;
        count += part;
        sum += part * w.value;
    }
    (count, sum)
}

fn winsorized(b: &Bucket, bounds: Bounds) -> f64 {
    let (low, high) = match bounds {
        Bounds::Values(low, high) => (low, high),
        Bounds::Shares(low, high) => (
            percentile(b, low).unwrap_or(f64::NEG_INFINITY),
            percentile(b, high).unwrap_or(f64::INFINITY),
        ),
    };
    b.values.iter().map(|w| w.value.clamp(low, high) * w.count).sum::<f64>() / b.count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_one_to_a_hundred() {
        let mut b = Bucket::default();
        (1..=100).for_each(|i| b.add(f64::from(i), 1.0));
        for (name, expected) in [
            ("SampleCount", 100.0),
            ("Average", 50.5),
            ("Sum", 5050.0),
            ("Minimum", 1.0),
            ("Maximum", 100.0),
            ("p50", 50.0),
            ("p99.9", 100.0),
            ("p0", 1.0),
            ("p100", 100.0),
            ("tm90", 45.5),
            ("TM(10%:90%)", 50.5),
            ("TM(:90%)", 45.5),
            ("IQM", 50.5),
            ("TM(10:20)", 15.5),
            ("tc90", 90.0),
            ("TC(:5)", 5.0),
            ("ts10", 55.0),
            ("TS(99:)", 100.0),
            ("PR(:10)", 10.0),
            ("PR(10:30)", 20.0),
            ("wm99", 50.49),
        ] {
            let got = Stat::parse(name).unwrap_or_else(|| panic!("{name}")).of(&b);
            let got = got.unwrap_or_else(|| panic!("{name}"));
            assert!((got - expected).abs() < 1e-9, "{name}: {got}");
        }
        for bad in [
            "",
            "sum",
            "p",
            "p101",
            "p-1",
            "px",
            "TM",
            "TM()",
            "TM(:)",
            "TM(5:1)",
            "PR(1%:2%)",
            "PR",
            "tm(1:2)",
            "TM(a:b)",
            "p1e1",
            "é99",
            "PR(:inf)",
        ] {
            assert_eq!(Stat::parse(bad), None, "{bad}");
        }
        b.add_set(2.0, 3.0, 1.0, 2.0);
        assert_eq!(Stat::Sum.of(&b), Some(5053.0));
        assert_eq!(Stat::Percentile(0.5).of(&b), None);
        assert_eq!(Stat::Sum.of(&Bucket::default()), None);
    }
}
