//! Amazon SQS: queues and messages.
//!
//! Where a message lies is its place in time: the index of a standard queue is ordered by when each
//! message may next be received, so that delays and visibility timeouts need nobody to end them, and
//! a receive reads only what it returns (`ready`). A FIFO queue has such an index of its message
//! groups (`fifo`).
//!
//! **Invariant:** no work grows with the backlog: counts are tallies in shards, purging and deleting
//! give the queue a new generation and leave the old one to a job.

use std::sync::{Arc, OnceLock};

use fogbank_bus::Worker;
use fogbank_core::{Clock, Ids, Service};
use fogbank_store::Store;

use crate::flight::Limits;
use crate::place::Order;
use crate::wait::Waiting;

mod address;
mod attribute;
mod authz;
mod batch;
mod bury;
mod error;
mod fifo;
mod finish;
mod flight;
mod handle;
mod job;
mod message;
mod message_attribute;
mod move_task;
mod permission;
mod place;
mod purge;
mod queue;
mod ready;
mod receive;
mod redrive;
mod send;
mod tag;
mod tally;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod visibility;
mod wait;

/// The state of the service.
pub struct Sqs {
    store: Store,
    clock: Clock,
    ids: Ids,
    order: Order,
    waiting: Arc<Waiting>,
    limits: Limits,
    worker: OnceLock<Worker>,
}

impl Sqs {
    #[must_use]
    pub fn new(store: Store, clock: Clock, ids: Ids) -> Arc<Self> {
        let waiting = Arc::new(Waiting::default());
        let moved = Arc::downgrade(&waiting);
        clock.on_move(move || {
            if let Some(w) = moved.upgrade() {
                w.wake_everyone();
            }
        });
        let (order, limits, worker) = Default::default();
        Arc::new(Sqs { store, clock, ids, order, waiting, limits, worker })
    }

    #[must_use]
    pub fn service(self: &Arc<Self>) -> Service {
        Service::new(
            "sqs",
            Arc::clone(self),
            &[
                queue::OPS,
                attribute::OPS,
                purge::OPS,
                tag::OPS,
                permission::OPS,
                redrive::OPS,
                send::OPS,
                receive::OPS,
                finish::OPS,
                visibility::OPS,
                move_task::OPS,
            ],
        )
    }

    /// Sets going what is done without a request: retention, purges, redrives.
    pub fn start(self: &Arc<Self>) {
        let _ = self.worker.set(job::start(self));
    }

    fn wake_worker(&self) {
        if let Some(worker) = self.worker.get() {
            worker.wake();
        }
    }
}
