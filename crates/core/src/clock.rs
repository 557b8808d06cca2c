//! The cloud's clock: real time plus an offset that `fogbank clock advance` moves.
//!
//! Signatures are checked against real time (clients sign with theirs); everything a resource does
//! with time (expiry, TTL, lifecycle, schedules) reads this clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

type Listener = Box<dyn Fn() + Send + Sync>;

/// A cheap-to-clone handle; all clones share one offset.
#[derive(Clone, Default)]
pub struct Clock(Arc<Inner>);

#[derive(Default)]
struct Inner {
    offset_us: AtomicI64,
    listeners: Mutex<Vec<Listener>>,
}

impl Clock {
    /// Now, as resources see it, to the microsecond.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let us = real_now().as_microsecond() + self.0.offset_us.load(Ordering::Relaxed);
        Timestamp::from_microsecond(us).unwrap_or(Timestamp::MAX)
    }

    /// How far the clock stands from real time.
    #[must_use]
    pub fn offset(&self) -> SignedDuration {
        SignedDuration::from_micros(self.0.offset_us.load(Ordering::Relaxed))
    }

    /// Sets the distance from real time and wakes whoever waits on the clock.
    pub fn set_offset(&self, offset: SignedDuration) {
        let us = i64::try_from(offset.as_micros()).unwrap_or(i64::MAX);
        self.0.offset_us.store(us, Ordering::Relaxed);
        for l in self.0.listeners.lock().iter() {
            l();
        }
    }

    /// Calls `f` after each move of the clock. It must be short: it runs inside the move.
    pub fn on_move(&self, f: impl Fn() + Send + Sync + 'static) {
        self.0.listeners.lock().push(Box::new(f));
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// Real time; the one place that reads the system clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn real_now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_the_clock_moves_every_clone() {
        let c = Clock::default();
        let d = c.clone();
        c.set_offset(SignedDuration::from_hours(24));
        assert!(d.now().duration_since(real_now()) > SignedDuration::from_hours(23));
    }
}
