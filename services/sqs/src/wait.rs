//! Long polls: who waits for a message of which queue.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Those who wait, by generation of the queue. An entry lives while somebody waits.
#[derive(Default)]
pub struct Waiting(Mutex<HashMap<u64, Arc<Notify>>>);

/// A place among those who wait: entered before looking, so that no message is missed.
pub struct Waiter {
    waiting: Arc<Waiting>,
    generation: u64,
    wake: Arc<Notify>,
}

impl Waiting {
    pub fn enter(self: &Arc<Self>, generation: u64) -> Waiter {
        let wake = Arc::clone(self.0.lock().entry(generation).or_default());
        Waiter { waiting: Arc::clone(self), generation, wake }
    }

    /// `messages` may be received: that many waiters look, or will when they next wait.
    pub fn wake(&self, generation: u64, messages: usize) {
        let found = self.0.lock().get(&generation).cloned();
        if let Some(wake) = found {
            for _ in 0..messages {
                wake.notify_one();
            }
        }
    }

    /// The queue was purged or deleted.
    pub fn wake_all(&self, generation: u64) {
        let found = self.0.lock().get(&generation).cloned();
        if let Some(wake) = found {
            wake.notify_waiters();
        }
    }

    /// The clock moved.
    pub fn wake_everyone(&self) {
        for wake in self.0.lock().values() {
            wake.notify_waiters();
        }
    }
}

impl Waiter {
    /// Waits until woken, at most from `now` until `until`.
    pub async fn wait(&self, now: Timestamp, until: Timestamp) {
        let most = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        let _ = tokio::time::timeout(most, self.wake.notified()).await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut all = self.waiting.0.lock();
        // The table's and ours: nobody else waits, and nobody can enter meanwhile.
        if Arc::strong_count(&self.wake) <= 2 {
            all.remove(&self.generation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_that_comes_before_the_wait_is_not_missed() {
        let waiting = Arc::new(Waiting::default());
        waiting.wake(1, 1); // nobody waits: nothing is kept
        let waiter = waiting.enter(1);
        waiting.wake(1, 1);
        let far = Timestamp::from_second(9_000_000_000).unwrap();
        waiter.wait(Timestamp::UNIX_EPOCH, far).await;
        drop(waiter);
        assert!(waiting.0.lock().is_empty());
    }
}
