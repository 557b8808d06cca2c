//! Amazon DynamoDB: tables, items, indexes, transactions, streams, time to live.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/Welcome.html>
//!
//! A table's items are rows in the order of their partition key's hash and then of their sort key;
//! an index is rows of its own. A write locks its item and shares its table's lock, and one commit
//! holds the item, its rows in the indexes, its record in the stream and its expiry.
//!
//! **Invariant:** a request costs what it touches, however large the table is.

mod about;
mod authz;
mod batch;
mod capacity;
mod counts;
mod error;
mod item;
mod keys;
mod legacy;
mod partiql;
mod policy;
mod query;
mod read;
mod reply;
mod scan;
mod schema;
mod stream;
mod table;
mod tags;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod totals;
mod transact;
mod ttl;
mod value;
mod work;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use fogbank_bus::{Job, Next, Options, Worker};
use fogbank_core::{Clock, Cloud, Ids, Service};
use fogbank_store::Store;
use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, RwLock};

/// The service's state.
pub struct Dynamo {
    store: Store,
    clock: Clock,
    ids: Ids,
    /// Tables as they were last read; whoever looks compares with what is stored.
    known: RwLock<HashMap<schema::Place, Arc<schema::Schema>>>,
    sequencers: Mutex<HashMap<u64, Arc<stream::Sequencer>>>,
    counts: Arc<counts::Counts>,
    workers: OnceLock<Workers>,
}

struct Workers {
    work: Worker,
    expiry: Worker,
}

impl Dynamo {
    #[must_use]
    pub fn new(store: Store, clock: Clock, ids: Ids) -> Arc<Self> {
        let counts = Arc::new(counts::Counts::new(store.clone(), ids.hex(16)));
        let (known, sequencers, workers) = Default::default();
        Arc::new(Dynamo { store, clock, ids, known, sequencers, counts, workers })
    }

    /// The operations as the gateway serves them: `dynamodb` and `dynamodbstreams`.
    #[must_use]
    pub fn services(self: &Arc<Self>) -> [Service; 2] {
        let tables = &[
            about::OPS,
            batch::OPS,
            item::OPS,
            partiql::OPS,
            policy::OPS,
            query::OPS,
            scan::OPS,
            table::OPS,
            tags::OPS,
            transact::OPS,
            ttl::OPS,
        ];
        [
            Service::new("dynamodb", Arc::clone(self), tables),
            Service::new("dynamodbstreams", Arc::clone(self), &[stream::api::OPS]),
        ]
    }

    /// Sets going what runs by itself: rows that are dropped or filled in, items that expire,
    /// records of streams that are a day old.
    pub fn start(self: &Arc<Self>, _: &Arc<dyn Cloud>) {
        let worker = Options::default();
        let (store, clock) = (&self.store, &self.clock);
        let me = Arc::clone(self);
        let work = Worker::start(store.clone(), clock.clone(), &work::WORK, worker, move |job| {
            let me = Arc::clone(&me);
            async move { me.work(job, me.clock.now()).await }
        });
        let me = Arc::clone(self);
        let expiry =
            Worker::start(store.clone(), clock.clone(), &ttl::EXPIRIES, worker, move |job| {
                let me = Arc::clone(&me);
                async move {
                    let now = me.clock.now();
                    settle(me.expire(job.what.clone(), now).await, job, now)
                }
            });
        let me = Arc::clone(self);
        Worker::start(store.clone(), clock.clone(), &transact::FORGET, worker, move |job| {
            let me = Arc::clone(&me);
            async move {
                let now = me.clock.now();
                settle(me.forget(job.what.clone(), now).await, job, now)
            }
        });
        let me = Arc::clone(self);
        Worker::start(store.clone(), clock.clone(), &stream::TRIMS, worker, move |job| {
            let me = Arc::clone(&me);
            async move {
                let now = me.clock.now();
                match me.trim(&job.what, now).await {
                    Ok(false) => Next::Done,
                    Ok(true) => again(now, SignedDuration::from_hours(1), job.what),
                    Err(e) => settle(Err(e), job, now),
                }
            }
        });
        tokio::spawn(Arc::clone(&self.counts).run());
        let _ = self.workers.set(Workers { work, expiry });
    }

    fn wake(&self) {
        if let Some(w) = self.workers.get() {
            w.work.wake();
        }
    }

    fn wake_expiry(&self) {
        if let Some(w) = self.workers.get() {
            w.expiry.wake();
        }
    }

    /// What a table's, an index's or a stream's rows begin with.
    fn new_id(&self) -> u64 {
        let mut id = [0; 8];
        self.ids.fill(&mut id);
        u64::from_be_bytes(id)
    }
}

/// A job is done, or is tried again.
fn settle<T>(done: fogbank_core::Result<()>, job: Job<T>, now: Timestamp) -> Next<T> {
    match done {
        Ok(()) => Next::Done,
        Err(e) => {
            tracing::error!("{}", e.internal_context().unwrap_or(e.message()));
            again(now, SignedDuration::from_secs(1), job.what)
        }
    }
}

fn again<T>(now: Timestamp, after: SignedDuration, what: T) -> Next<T> {
    Next::At(now.saturating_add(after).unwrap_or(Timestamp::MAX), what)
}
