//! What only this process needs to know of work under way: an ever-growing tick that orders events
//! of one microsecond, and whom to wake when something happens.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Shared by the service's operations and its engine.
#[derive(Default)]
pub struct Progress {
    last: AtomicU64,
    /// A signal, a response of a custom resource, a cancellation.
    pub news: Notify,
}

impl Progress {
    /// A number not less than `now` and greater than any before.
    pub fn tick(&self, now: u64) -> u64 {
        let next = |last: u64| Some(now.max(last + 1));
        let before = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        now.max(before.unwrap_or(0) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::Progress;

    #[test]
    fn ticks_only_grow() {
        let p = Progress::default();
        assert_eq!([p.tick(5), p.tick(5), p.tick(3), p.tick(10)], [5, 6, 7, 10]);
    }
}
