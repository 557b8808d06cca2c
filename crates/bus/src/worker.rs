//! The worker: takes jobs as they fall due, some at a time, and forgets them when they are done.

use std::collections::HashSet;
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use fogbank_core::Clock;
use fogbank_store::{Key, Range, Record, Store};
use futures_util::FutureExt;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::jobs::{key, read};
use crate::{Job, Jobs};

/// What becomes of a job that was worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<T> {
    /// It is done.
    Done,
    /// It is to be done (again, or what it has become) at another time.
    At(Timestamp, T),
}

/// How a worker works.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many jobs are in hand at once.
    pub at_once: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { at_once: 64 }
    }
}

/// A handle to a running worker; cheap to clone. The worker runs until the process ends.
#[derive(Clone)]
pub struct Worker(Arc<Shared>);

#[derive(Default)]
struct Shared {
    wake: Notify,
    in_hand: Mutex<HashSet<Key>>,
}

/// After a failure of the store, or of the work itself.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest sleep, for jobs that another node has added.
const LOOK: Duration = Duration::from_secs(30);

impl Worker {
    /// Starts working on `jobs`, those that an earlier process left first. `work` is called for
    /// each job that is due and says what becomes of it; what it panics on is tried again later.
    ///
    /// One process works on a store's jobs; several on one store will share them by leases, once
    /// there is an engine that several can open.
    pub fn start<T, W, F>(
        store: Store,
        clock: Clock,
        jobs: &'static Jobs<T>,
        options: Options,
        work: W,
    ) -> Worker
    where
        T: Record + Clone,
        W: Fn(Job<T>) -> F + Send + Sync + 'static,
        F: Future<Output = Next<T>> + Send + 'static,
    {
        let shared = Arc::new(Shared::default());
        let moved = Arc::downgrade(&shared);
        clock.on_move(move || {
            if let Some(s) = moved.upgrade() {
                s.wake.notify_one();
            }
        });
        let run = Run { shared: Arc::clone(&shared), store, clock, jobs, options, work };
        tokio::spawn(Arc::new(run).forever());
        Worker(shared)
    }

    /// Tells it that a job was added. Cheap; call it after each commit that adds one.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }
}

struct Run<T: 'static, W> {
    shared: Arc<Shared>,
    store: Store,
    clock: Clock,
    jobs: &'static Jobs<T>,
    options: Options,
    work: W,
}

impl<T, W, F> Run<T, W>
where
    T: Record + Clone,
    W: Fn(Job<T>) -> F + Send + Sync + 'static,
    F: Future<Output = Next<T>> + Send + 'static,
{
    async fn forever(self: Arc<Self>) {
        loop {
            let wait = match self.round().await {
                Ok(None) => LOOK,
                Ok(Some(due)) => until(due, self.clock.now()).min(LOOK),
                Err(e) => {
                    tracing::error!("the jobs of {} cannot be read: {e}", self.jobs.table.name());
                    PAUSE
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.shared.wake.notified() => {}
            }
        }
    }

    /// Takes what is due, and says when the next is.
    async fn round(self: &Arc<Self>) -> fogbank_store::Result<Option<Timestamp>> {
        let now = self.clock.now();
        let room = self.options.at_once.saturating_sub(self.shared.in_hand.lock().len());
        if room == 0 {
            return Ok(None); // whoever finishes wakes us
        }
        let (mut due, mut next) = (Vec::new(), None);
        let in_hand = self.shared.in_hand.lock().clone();
        self.store
            .visit(&self.jobs.table, Range::all(), |k, _| {
                let found = Key::from_bytes(k);
                if in_hand.contains(&found) {
                    return ControlFlow::Continue(());
                }
                match read(&found) {
                    Some((at, id)) if at <= now => {
                        due.push((found, at, id));
                        if due.len() < room {
                            ControlFlow::Continue(())
                        } else {
                            ControlFlow::Break(())
                        }
                    }
                    Some((at, _)) => {
                        next = Some(at);
                        ControlFlow::Break(())
                    }
                    None => ControlFlow::Continue(()),
                }
            })
            .await?;
        for (found, at, id) in due {
            let Some(what) = self.store.get(&self.jobs.table, &found).await? else { continue };
            self.shared.in_hand.lock().insert(found.clone());
            let run = Arc::clone(self);
            tokio::spawn(async move { run.one(found, Job { due: at, id, what }).await });
        }
        Ok(next)
    }

    async fn one(&self, found: Key, job: Job<T>) {
        let (id, what) = (job.id.clone(), job.what.clone());
        let worked = AssertUnwindSafe((self.work)(job)).catch_unwind().await;
        let next = worked.unwrap_or_else(|_| {
            tracing::error!("a job of {} panicked", self.jobs.table.name());
            let later = self.clock.now().saturating_add(jiff::SignedDuration::from_secs(1));
            Next::At(later.unwrap_or(Timestamp::MAX), what)
        });
        loop {
            let mut tx = self.store.lock(&[]).await;
            tx.delete(&self.jobs.table, &found);
            if let Next::At(at, what) = &next {
                tx.put(&self.jobs.table, &key(*at, &id), what);
            }
            match tx.commit().await {
                Ok(()) => break,
                Err(e) => {
                    tracing::error!("a job of {} cannot be ended: {e}", self.jobs.table.name());
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        self.shared.in_hand.lock().remove(&found);
        self.shared.wake.notify_one();
    }
}

/// How long from `now` until `due`.
fn until(due: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(due.duration_since(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use tokio::sync::mpsc;

    use super::*;

    #[derive(Clone, Debug, PartialEq, minicbor::Encode, minicbor::Decode)]
    struct Knock(#[n(0)] u64);
    fogbank_store::record!(Knock, version = 1);

    static KNOCKS: Jobs<Knock> = Jobs::new("test.knock");

    async fn add(store: &Store, due: Timestamp, id: &str, n: u64) {
        let mut tx = store.lock(&[]).await;
        KNOCKS.put(&mut tx, due, id, &Knock(n));
        tx.commit().await.unwrap();
    }

    fn listen(store: &Store, clock: &Clock, again: u64) -> (Worker, mpsc::Receiver<(String, u64)>) {
        let (say, hear) = mpsc::channel(16);
        let now = clock.clone();
        let worker = Worker::start(
            store.clone(),
            clock.clone(),
            &KNOCKS,
            Options { at_once: 2 },
            move |job: Job<Knock>| {
                let (say, now) = (say.clone(), now.now());
                async move {
                    say.send((job.id, job.what.0)).await.unwrap();
                    if job.what.0 < again {
                        Next::At(now, Knock(job.what.0 + 1))
                    } else {
                        Next::Done
                    }
                }
            },
        );
        (worker, hear)
    }

    #[tokio::test]
    async fn what_is_due_is_done_once_and_the_rest_waits_for_the_clock() {
        let (store, clock) = (Store::ephemeral(), Clock::default());
        let hour = SignedDuration::from_hours(1);
        add(&store, clock.now() + hour, "later", 7).await;
        for id in ["a", "b", "c"] {
            add(&store, clock.now(), id, 7).await;
        }
        let (_worker, mut hear) = listen(&store, &clock, 0);
        let mut got = Vec::new();
        for _ in 0..3 {
            got.push(hear.recv().await.unwrap().0);
        }
        got.sort();
        assert_eq!(got, ["a", "b", "c"]);
        clock.set_offset(hour);
        assert_eq!(hear.recv().await.unwrap().0, "later");
        while !store.scan(&KNOCKS.table, Range::all(), 9).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(hear.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_job_that_is_to_be_done_again_is() {
        let (store, clock) = (Store::ephemeral(), Clock::default());
        let (worker, mut hear) = listen(&store, &clock, 2);
        add(&store, clock.now(), "x", 0).await;
        worker.wake();
        for n in 0..3 {
            assert_eq!(hear.recv().await.unwrap(), ("x".to_owned(), n));
        }
    }
}
