//! How many invocations run at once, per function and of what an account has left.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::RwLock;

/// The counters of all functions and accounts. They count this process's work.
#[derive(Default)]
pub struct Counters(RwLock<HashMap<String, Arc<AtomicU32>>>);

/// A place among those that run; dropping it gives it back.
pub struct Held {
    function: Arc<AtomicU32>,
    /// The account's, when the function reserves nothing.
    shared: Option<Arc<AtomicU32>>,
    /// How many of the function's ran when this one began, itself included.
    pub running: u32,
}

impl Counters {
    fn of(&self, name: &str) -> Arc<AtomicU32> {
        if let Some(found) = self.0.read().get(name) {
            return Arc::clone(found);
        }
        Arc::clone(self.0.write().entry(name.to_owned()).or_default())
    }

    /// Takes a place. `function` is the function's id, `account` what its account and region are
    /// called; a function that reserves nothing shares `unreserved` with its like.
    ///
    /// # Errors
    /// The reason of the throttling.
    pub fn take(
        &self,
        function: &str,
        account: &str,
        reserved: Option<u32>,
        unreserved: u32,
    ) -> Result<Held, &'static str> {
        let own = self.of(function);
        let running = raise(&own, reserved.unwrap_or(u32::MAX))
            .ok_or("ReservedFunctionConcurrentInvocationLimitExceeded")?;
        if reserved.is_some() {
            return Ok(Held { function: own, shared: None, running });
        }
        let shared = self.of(account);
        if raise(&shared, unreserved).is_none() {
            own.fetch_sub(1, Ordering::Relaxed);
            return Err("ConcurrentInvocationLimitExceeded");
        }
        Ok(Held { function: own, shared: Some(shared), running })
    }

    /// Forgets a function that is no more.
    pub fn forget(&self, function: &str) {
        self.0.write().remove(function);
    }
}

/// Adds one unless that is too many.
fn raise(counter: &AtomicU32, most: u32) -> Option<u32> {
    let raised =
        counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < most).then_some(n + 1));
    raised.ok().map(|n| n + 1)
}

impl Drop for Held {
    fn drop(&mut self) {
        self.function.fetch_sub(1, Ordering::Relaxed);
        if let Some(shared) = &self.shared {
            shared.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_come_back() {
        let c = Counters::default();
        let a = c.take("f", "x", Some(1), 10).unwrap();
        assert_eq!(a.running, 1);
        let e = c.take("f", "x", Some(1), 10).err();
        assert_eq!(e, Some("ReservedFunctionConcurrentInvocationLimitExceeded"));
        drop(a);
        let _b = c.take("f", "x", Some(1), 10).unwrap();
        let others: Vec<Held> = (0..2).filter_map(|_| c.take("g", "x", None, 2).ok()).collect();
        assert_eq!(others.len(), 2);
        assert_eq!(c.take("h", "x", None, 2).err(), Some("ConcurrentInvocationLimitExceeded"));
        assert!(c.take("h", "y", None, 2).is_ok(), "another account");
        assert!(c.take("i", "x", Some(0), 2).is_err());
        drop(others);
        assert_eq!(c.take("h", "x", None, 2).unwrap().running, 1);
    }
}
