//! What is done without a request: old messages go, abandoned generations are cleared, tasks move
//! messages.

use std::ops::ControlFlow;
use std::sync::Arc;

use fogbank_bus::{Job, Jobs, Next, Options, Worker};
use fogbank_core::Result;
use fogbank_store::{Key, Lock, Parts, Range, Table, Tx};
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};

use crate::address::Address;
use crate::bury::{Fate, Spent, expires};
use crate::fifo::{self, HEADS, LINE, TURNS};
use crate::flight::{MOVED, READY, Standing, lane, read};
use crate::message::MESSAGES;
use crate::place::Place;
use crate::queue::{Found, GONE, Queue};
use crate::{Sqs, move_task, receive, send};

static JOBS: Jobs<Task> = Jobs::new("sqs.job");

/// Something to do.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Task {
    /// What lies under a generation that no queue has any more. `again`: once more a minute later,
    /// for what a request that began before wrote after.
    #[n(0)]
    Clear {
        #[n(0)]
        generation: u64,
        #[n(1)]
        again: bool,
    },
    /// Messages whose retention period has ended.
    #[n(1)]
    Sweep {
        #[n(0)]
        account: String,
        #[n(1)]
        region: String,
        #[n(2)]
        name: String,
        /// The queue's [`Queue::sweep`], or this job is out of date.
        #[n(3)]
        token: u64,
    },
    /// That a queue of this name was deleted.
    #[n(2)]
    Forget {
        #[n(0)]
        account: String,
        #[n(1)]
        region: String,
        #[n(2)]
        name: String,
    },
    /// A message move task.
    #[n(3)]
    Move {
        #[n(0)]
        account: String,
        #[n(1)]
        region: String,
        #[n(2)]
        name: String,
        #[n(3)]
        task: u64,
    },
}
fogbank_store::record!(Task, version = 1);

/// How much is done at a time.
const STEP: usize = 500;

/// Adds a job to a transaction; after its commit the worker is to be woken.
pub fn later(tx: &mut Tx, due: Timestamp, id: &str, task: &Task) {
    JOBS.put(tx, due, id, task);
}

/// The job that drops a queue's old messages.
pub fn sweep_later(tx: &mut Tx, now: Timestamp, at: &Address, queue: &Queue) {
    let retention = SignedDuration::from_secs(queue.settings.retention as i64);
    let due = now.saturating_add(retention).unwrap_or(Timestamp::MAX);
    let Address { account, region, name } = at.clone();
    let task = Task::Sweep { account, region, name, token: queue.sweep };
    later(tx, due, &queue.sweep.to_string(), &task);
}

/// Starts the worker.
pub fn start(sqs: &Arc<Sqs>) -> Worker {
    let (store, clock) = (sqs.store.clone(), sqs.clock.clone());
    let weak = Arc::downgrade(sqs);
    Worker::start(store, clock, &JOBS, Options::default(), move |job: Job<Task>| {
        let sqs = weak.upgrade();
        async move {
            let Some(sqs) = sqs else { return Next::Done };
            let now = sqs.clock.now();
            match sqs.work(&job.what, now).await {
                Ok(next) => next,
                Err(e) => {
                    tracing::error!("a job of SQS failed: {e} {:?}", e.internal_context());
                    Next::At(after(now, 5), job.what)
                }
            }
        }
    })
}

fn after(now: Timestamp, seconds: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

impl Sqs {
    async fn work(&self, task: &Task, now: Timestamp) -> Result<Next<Task>> {
        match task {
            Task::Clear { generation, again } => self.clear_all(*generation, *again, now).await,
            Task::Sweep { account, region, name, token } => {
                let at = address(account, region, name);
                match self.look_up(&at).await?.filter(|f| f.queue.sweep == *token) {
                    Some(found) => Ok(Next::At(self.sweep(&found, now).await?, task.clone())),
                    None => Ok(Next::Done),
                }
            }
            Task::Forget { account, region, name } => {
                self.store.delete(&GONE, &address(account, region, name).key()).await?;
                Ok(Next::Done)
            }
            Task::Move { account, region, name, task: id } => {
                let at = address(account, region, name);
                match move_task::step(self, &at, *id, now).await? {
                    Some(next) => Ok(Next::At(next, task.clone())),
                    None => Ok(Next::Done),
                }
            }
        }
    }

    async fn clear_all(&self, generation: u64, again: bool, now: Timestamp) -> Result<Next<Task>> {
        // Messages and turns first: who finds none puts nothing into the line.
        let more = self.clear(&MESSAGES, generation).await?
            | self.clear(&TURNS, generation).await?
            | self.clear(&READY, generation).await?
            | self.clear(&MOVED, generation).await?
            | self.clear(&HEADS, generation).await?
            | self.clear(&LINE, generation).await?
            | send::clear(self, generation).await?
            | receive::clear(self, generation).await?;
        Ok(match (more, again) {
            (true, _) => Next::At(now, Task::Clear { generation, again }),
            (false, true) => Next::At(after(now, 60), Task::Clear { generation, again: false }),
            (false, false) => Next::Done,
        })
    }

    /// Deletes some of what lies under a generation; tells whether there may be more.
    pub(crate) async fn clear<T>(&self, table: &Table<T>, generation: u64) -> Result<bool> {
        let mut tx = self.store.lock(&[Lock::exclusive(&READY, &lane(generation))]).await;
        let mut keys = Vec::new();
        let see = |key: &[u8], _: &[u8]| {
            keys.push(Key::from_bytes(key));
            if keys.len() < STEP { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        self.store.visit(table, Range::prefix(&lane(generation)), see).await?;
        for key in &keys {
            tx.delete(table, key);
        }
        let more = keys.len() == STEP;
        if !keys.is_empty() {
            tx.commit().await?;
        }
        Ok(more)
    }

    /// Drops some old messages; says when to look again.
    async fn sweep(&self, found: &Found, now: Timestamp) -> Result<Timestamp> {
        let (spent, next) = if found.fifo() {
            self.old_turns(found, now).await?
        } else {
            self.old_ready(found, now).await?
        };
        self.bury(found, &spent, now).await?;
        let retention = i64::try_from(found.queue.settings.retention).unwrap_or(i64::MAX);
        Ok(next.unwrap_or_else(|| after(now, if spent.len() == STEP { 0 } else { retention })))
    }

    /// The old ones at the front of a standard queue, and when the next will be.
    async fn old_ready(
        &self,
        found: &Found,
        now: Timestamp,
    ) -> Result<(Vec<Spent>, Option<Timestamp>)> {
        let all = Range::prefix(&lane(found.generation()));
        let mut spent = Vec::new();
        for (key, receipt) in self.store.scan(&READY, all, STEP).await? {
            let Some((due, place)) = read(key.as_bytes()) else { continue };
            if expires(found, place) > now {
                return Ok((spent, Some(expires(found, place))));
            }
            let standing = Standing { place, due, receipt, group: None };
            spent.push(Spent { standing, fate: Fate::Expired });
        }
        Ok((spent, None))
    }

    /// The old ones of a FIFO queue, and when the next will be.
    async fn old_turns(
        &self,
        found: &Found,
        now: Timestamp,
    ) -> Result<(Vec<Spent>, Option<Timestamp>)> {
        let generation = found.generation();
        let mut places = Vec::new();
        let see = |key: &[u8], _: &[u8]| {
            let mut parts = Parts::of(key);
            parts.number();
            places.extend(Place::read(&mut parts));
            if places.len() < STEP { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        self.store.visit(&MESSAGES, Range::prefix(&lane(generation)), see).await?;
        let mut spent = Vec::new();
        for place in places {
            if expires(found, place) > now {
                return Ok((spent, Some(expires(found, place))));
            }
            let message = self.store.get(&MESSAGES, &place.key(generation)).await?;
            let Some(group) = message.and_then(|m| m.group) else { continue };
            let key = fifo::turn_key(generation, &group, place);
            let Some(turn) = self.store.get(&TURNS, &key).await? else { continue };
            let standing =
                Standing { place, due: turn.due, receipt: turn.receipt, group: Some(group) };
            spent.push(Spent { standing, fate: Fate::Expired });
        }
        Ok((spent, None))
    }
}

fn address(account: &str, region: &str, name: &str) -> Address {
    Address { account: account.into(), region: region.into(), name: name.into() }
}
