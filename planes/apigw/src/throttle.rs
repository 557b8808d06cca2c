//! Throttles: a bucket of tokens for each thing that has a rate.

use std::collections::HashMap;

use jiff::Timestamp;
use parking_lot::Mutex;

/// Requests per second, and how many at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    pub burst: f64,
}

/// The buckets, by name. Each lives in this process: they say what may pass now, not what is kept.
#[derive(Debug, Default)]
pub struct Throttles(Mutex<HashMap<String, Bucket>>);

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

/// Past this, buckets that are full again are forgotten.
const MOST: usize = 10_000;

impl Throttles {
    /// Takes a token of the bucket `name`; `false` when there is none.
    pub fn take(&self, name: &str, rate: Rate, now: Timestamp) -> bool {
        let mut buckets = self.0.lock();
        if buckets.len() >= MOST && !buckets.contains_key(name) {
            buckets.retain(|_, b| now.duration_since(b.at).as_secs_f64() < 60.0);
        }
        if !buckets.contains_key(name) {
            buckets.insert(name.to_owned(), Bucket { tokens: rate.burst, at: now });
        }
        let Some(bucket) = buckets.get_mut(name) else { return true };
        let passed = now.duration_since(bucket.at).as_secs_f64().max(0.0);
        bucket.tokens = (bucket.tokens + passed * rate.per_second).min(rate.burst);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let t = Throttles::default();
        let rate = Rate { per_second: 2.0, burst: 3.0 };
        let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap();
        let first: Vec<bool> = (0..4).map(|_| t.take("a", rate, at(0))).collect();
        assert_eq!(first, [true, true, true, false]);
        assert!(t.take("b", rate, at(0)));
        assert!(!t.take("a", rate, at(400)));
        assert!(t.take("a", rate, at(600)));
        let none = Rate { per_second: 0.0, burst: 0.0 };
        assert!(!t.take("c", none, at(0)));
    }
}
