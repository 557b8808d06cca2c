//! The journal: the last requests, and what policies denied or, in audit mode, would have denied.
//!
//! **Invariant:** no secrets and no input; names, decisions and durations only.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fogbank_core::{Principal, Str};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// Requests remembered.
const KEPT: usize = 1024;
/// Different denials remembered.
const DENIALS: usize = 1024;

/// One request, or one call of a service to another.
#[derive(Clone, Debug)]
pub struct Entry {
    pub time: Timestamp,
    pub request_id: String,
    pub principal: Arc<Principal>,
    pub service: &'static str,
    pub operation: &'static str,
    /// The error's code; `None` when it succeeded.
    pub error: Option<Str>,
    pub duration: Duration,
    /// A service called, not a client.
    pub internal: bool,
}

/// What policies said no to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Denial {
    pub principal: String,
    pub action: String,
    pub resource: String,
}

/// The last requests and the denials, in memory.
#[derive(Default)]
pub struct Journal {
    entries: Mutex<Entries>,
    denials: Mutex<HashMap<Denial, Denied>>,
}

#[derive(Default)]
struct Entries {
    last: VecDeque<Entry>,
    total: u64,
    failed: u64,
}

struct Denied {
    count: u64,
    last: Timestamp,
    reason: String,
    enforced: bool,
}

impl Journal {
    /// Adds a request.
    pub fn record(&self, entry: Entry) {
        tracing::debug!(
            principal = entry.principal.arn,
            operation = format_args!("{}:{}", entry.service, entry.operation),
            error = entry.error.as_deref(),
            request_id = entry.request_id,
            internal = entry.internal,
            duration_us = entry.duration.as_micros() as u64,
            "request"
        );
        let mut e = self.entries.lock();
        e.total += 1;
        e.failed += u64::from(entry.error.is_some());
        if e.last.len() == KEPT {
            e.last.pop_front();
        }
        e.last.push_back(entry);
    }

    /// Notes a denial; `enforced` is false when the request was let through.
    pub fn denied(&self, denial: Denial, reason: &str, enforced: bool, now: Timestamp) {
        tracing::info!(
            principal = denial.principal,
            action = denial.action,
            resource = denial.resource,
            enforced,
            "denied: {reason}"
        );
        let mut all = self.denials.lock();
        if all.len() >= DENIALS && !all.contains_key(&denial) {
            let oldest = all.iter().min_by_key(|(_, d)| d.last).map(|(k, _)| k.clone());
            oldest.map(|k| all.remove(&k));
        }
        let d = all.entry(denial).or_insert(Denied {
            count: 0,
            last: now,
            reason: String::new(),
            enforced,
        });
        d.count += 1;
        d.last = now;
        d.enforced = enforced;
        reason.clone_into(&mut d.reason);
    }

    /// Requests seen and requests answered with an error.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        let e = self.entries.lock();
        (e.total, e.failed)
    }

    /// The last `n` requests, the newest first, as JSON.
    #[must_use]
    pub fn recent(&self, n: usize) -> Value {
        let e = self.entries.lock();
        let line = |e: &Entry| {
            json!({
                "time": e.time.to_string(),
                "request_id": e.request_id,
                "principal": e.principal.arn,
                "operation": format!("{}:{}", e.service, e.operation),
                "error": e.error,
                "internal": e.internal,
                "duration_us": e.duration.as_micros() as u64,
            })
        };
        e.last.iter().rev().take(n).map(line).collect()
    }

    /// All denials, the newest first, as JSON.
    #[must_use]
    pub fn denials(&self) -> Value {
        let all = self.denials.lock();
        let mut list: Vec<_> = all.iter().collect();
        list.sort_by_key(|(_, d)| std::cmp::Reverse(d.last));
        let line = |(k, d): (&Denial, &Denied)| {
            json!({
                "principal": k.principal,
                "action": k.action,
                "resource": k.resource,
                "reason": d.reason,
                "count": d.count,
                "last": d.last.to_string(),
                "enforced": d.enforced,
            })
        };
        list.into_iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_are_bounded() {
        let j = Journal::default();
        let entry = Entry {
            time: Timestamp::UNIX_EPOCH,
            request_id: "r".into(),
            principal: Arc::new(Principal::root("000000000000")),
            service: "s3",
            operation: "ListBuckets",
            error: Some("AccessDenied".into()),
            duration: Duration::from_micros(7),
            internal: false,
        };
        for n in 0..2 * KEPT as i64 {
            j.record(entry.clone());
            let d = Denial {
                principal: "p".into(),
                action: "s3:GetObject".into(),
                resource: n.to_string(),
            };
            j.denied(d, "because", true, Timestamp::from_second(n).unwrap());
        }
        assert_eq!(j.totals(), (2 * KEPT as u64, 2 * KEPT as u64));
        assert_eq!(j.recent(5).as_array().unwrap().len(), 5);
        assert_eq!(j.entries.lock().last.len(), KEPT);
        let denials = j.denials();
        assert_eq!(denials.as_array().unwrap().len(), DENIALS);
        assert_eq!(denials[0]["resource"], (2 * KEPT - 1).to_string());
    }
}
