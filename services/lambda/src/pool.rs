//! Environments that are kept: per configuration and tenant, the one used last is used next.
//!
//! A request takes an idle environment, or waits for the first of two: one that somebody gives back,
//! or a new one. So a burst of short requests does not start an environment for each.
//!
//! **Invariant:** an environment serves one request at a time, and never two tenants.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use fogbank_lambda_runtime::{Environment, InitError, Shutdown};
use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, oneshot};

mod count;
mod start;

pub use count::{Counters, Held};
pub use start::{Plan, Starter};

/// An environment nobody has asked for in this time is shut down.
const IDLE: SignedDuration = SignedDuration::from_mins(8);
/// The most idle environments that are kept, of all functions.
const MOST_IDLE: u32 = 512;
const SHARDS: usize = 16;

/// What environments have in common that may serve the same request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The configuration's revision, which is its alone.
    pub revision: String,
    pub tenant: Option<String>,
}

/// An environment and until when its credentials hold.
pub struct Kept {
    pub environment: Environment,
    pub expires: Option<Timestamp>,
    used: Timestamp,
}

impl Kept {
    #[must_use]
    pub fn new(environment: Environment, expires: Option<Timestamp>, now: Timestamp) -> Self {
        Kept { environment, expires, used: now }
    }

    /// Whether it can serve a request of this length.
    fn is_fit(&self, now: Timestamp, timeout: SignedDuration) -> bool {
        let outlives = |e: Timestamp| now.checked_add(timeout).is_ok_and(|end| end < e);
        self.environment.is_alive() && self.expires.is_none_or(outlives)
    }
}

type Waiter = oneshot::Sender<Result<Kept, InitError>>;

/// The environments of one key.
#[derive(Default)]
pub struct Pool {
    inner: Mutex<Inner>,
    /// Its configuration is no more: what is given back is shut down.
    retired: AtomicBool,
    /// How many of its environments are provisioned: not shut down when idle.
    pub provisioned: AtomicU32,
    /// Environments that exist, idle or busy.
    pub alive: AtomicU32,
    /// Why the last one that was provisioned could not be started.
    failed: Mutex<Option<String>>,
    /// Only one provisions at a time.
    provisioning: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Inner {
    idle: Vec<Kept>,
    waiting: VecDeque<Waiter>,
}

/// All pools.
pub struct Pools {
    shards: [RwLock<HashMap<Key, Arc<Pool>>>; SHARDS],
    hasher: RandomState,
    idle: AtomicU32,
    /// Starting takes a processor: more at once would only make each slower.
    starts: Arc<Semaphore>,
    pub counters: Counters,
}

impl Default for Pools {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Pools {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::new(),
            idle: AtomicU32::new(0),
            starts: Arc::new(Semaphore::new((processors * 2).max(4))),
            counters: Counters::default(),
        }
    }
}

impl Pools {
    /// The pool of a key.
    pub fn of(&self, key: &Key) -> Arc<Pool> {
        let shard = &self.shards[self.hasher.hash_one(key) as usize % SHARDS];
        if let Some(pool) = shard.read().get(key) {
            return Arc::clone(pool);
        }
        Arc::clone(shard.write().entry(key.clone()).or_default())
    }

    /// An environment for one request: idle, given back, or new. `plan` is made only when one must
    /// be started.
    ///
    /// # Errors
    /// When none can be started.
    pub async fn take<F>(
        self: &Arc<Self>,
        pool: &Arc<Pool>,
        now: Timestamp,
        timeout: SignedDuration,
        plan: impl FnOnce() -> F,
    ) -> Result<Kept, InitError>
    where
        F: Future<Output = Result<Plan, InitError>>,
    {
        if let Some(kept) = self.idle(pool, now, timeout) {
            return Ok(kept);
        }
        let plan = plan().await?;
        let (give, get) = oneshot::channel();
        pool.inner.lock().waiting.push_back(give);
        let (pools, pool) = (Arc::clone(self), Arc::clone(pool));
        tokio::spawn(async move { pools.start(&pool, plan).await });
        get.await.unwrap_or_else(|_| Err(InitError::Sandbox("it was given up".into())))
    }

    fn idle(&self, pool: &Pool, now: Timestamp, timeout: SignedDuration) -> Option<Kept> {
        loop {
            let kept = pool.inner.lock().idle.pop()?;
            self.idle.fetch_sub(1, Ordering::Relaxed);
            if kept.is_fit(now, timeout) {
                return Some(kept);
            }
            end(pool, kept, Shutdown::Spindown);
        }
    }

    /// Starts an environment if somebody still waits for one.
    async fn start(self: &Arc<Self>, pool: &Arc<Pool>, plan: Plan) {
        let Ok(_permit) = self.starts.acquire().await else { return };
        if !pool.is_wanted() {
            return;
        }
        match plan.start().await {
            Ok(kept) => {
                pool.alive.fetch_add(1, Ordering::Relaxed);
                self.give(pool, kept);
            }
            Err(e) => pool.fail(e),
        }
    }

    /// Starts environments until the pool has as many as are provisioned for it.
    pub async fn provision(&self, pool: &Arc<Pool>, starter: &Starter) {
        let _one = pool.provisioning.lock().await;
        while pool.alive.load(Ordering::Relaxed) < pool.provisioned.load(Ordering::Relaxed) {
            let Ok(_permit) = self.starts.acquire().await else { return };
            let started = async { starter.plan().await?.start().await };
            let failure = match started.await {
                Ok(kept) => {
                    let failure =
                        kept.environment.init_failure().map(|f| f.error_type().to_owned());
                    pool.alive.fetch_add(1, Ordering::Relaxed);
                    match &failure {
                        None => self.give(pool, kept),
                        Some(_) => end(pool, kept, Shutdown::Failure),
                    }
                    failure.map(|f| format!("FUNCTION_ERROR_INIT_FAILURE: {f}"))
                }
                Err(e) => Some(e.to_string()),
            };
            let failed = failure.is_some();
            *pool.failed.lock() = failure;
            if failed {
                return;
            }
        }
    }

    /// Lets go of what is provisioned for keys that are not wanted any more.
    pub fn unprovision(&self, wanted: impl Fn(&Key) -> bool) {
        for shard in &self.shards {
            for (key, pool) in shard.read().iter().filter(|(k, _)| !wanted(k)) {
                if pool.provisioned.swap(0, Ordering::Relaxed) > 0 {
                    tracing::debug!("{} is not provisioned any more", key.revision);
                }
            }
        }
    }

    /// Gives an environment back: to whoever waits, else to be kept.
    pub fn give_back(&self, pool: &Pool, mut kept: Kept, now: Timestamp) {
        kept.used = now;
        let full = self.idle.load(Ordering::Relaxed) >= MOST_IDLE;
        if !kept.environment.is_alive() || pool.retired.load(Ordering::Acquire) || full {
            end(pool, kept, Shutdown::Spindown);
        } else {
            self.give(pool, kept);
        }
    }

    fn give(&self, pool: &Pool, mut kept: Kept) {
        let mut inner = pool.inner.lock();
        while let Some(waiter) = inner.waiting.pop_front() {
            match waiter.send(Ok(kept)) {
                Ok(()) => return,
                Err(Ok(back)) => kept = back,
                Err(Err(_)) => return,
            }
        }
        inner.idle.push(kept);
        self.idle.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends what a configuration that is no more has left; what is busy ends after its request.
    pub fn retire(&self, revision: &str) {
        for shard in &self.shards {
            let mut shard = shard.write();
            let keys: Vec<Key> = shard.keys().filter(|k| k.revision == revision).cloned().collect();
            for pool in keys.iter().filter_map(|k| shard.remove(k)) {
                pool.retired.store(true, Ordering::Release);
                self.end_idle(&pool, |_| true);
            }
        }
    }

    /// Shuts down what has been idle for long, and forgets pools that are empty.
    pub fn reap(&self, now: Timestamp) {
        for shard in &self.shards {
            let pools: Vec<Arc<Pool>> = shard.read().values().cloned().collect();
            for pool in pools {
                let spare = pool.provisioned.load(Ordering::Relaxed);
                let spare_left =
                    AtomicU32::new(pool.alive.load(Ordering::Relaxed).saturating_sub(spare));
                self.end_idle(&pool, |kept| {
                    let expired = kept.expires.is_some_and(|e| e <= now);
                    let old = now.duration_since(kept.used) >= IDLE;
                    let may = spare_left.load(Ordering::Relaxed) > 0;
                    if old && may {
                        spare_left.fetch_sub(1, Ordering::Relaxed);
                    }
                    expired || (old && may)
                });
            }
            shard.write().retain(|_, p| {
                let used = Arc::strong_count(p) > 1 || p.provisioned.load(Ordering::Relaxed) > 0;
                used || p.alive.load(Ordering::Relaxed) > 0
            });
        }
    }

    fn end_idle(&self, pool: &Pool, which: impl Fn(&Kept) -> bool) {
        let mut gone = Vec::new();
        {
            let mut inner = pool.inner.lock();
            for kept in std::mem::take(&mut inner.idle) {
                if which(&kept) { gone.push(kept) } else { inner.idle.push(kept) }
            }
        }
        self.idle.fetch_sub(u32::try_from(gone.len()).unwrap_or(0), Ordering::Relaxed);
        for kept in gone {
            end(pool, kept, Shutdown::Spindown);
        }
    }
}

impl Pool {
    fn is_wanted(&self) -> bool {
        let mut inner = self.inner.lock();
        inner.waiting.retain(|w| !w.is_closed());
        !inner.waiting.is_empty()
    }

    /// Tells one who waits that nothing could be started.
    fn fail(&self, mut error: InitError) {
        let mut inner = self.inner.lock();
        while let Some(waiter) = inner.waiting.pop_front() {
            match waiter.send(Err(error)) {
                Err(Err(back)) => error = back,
                _ => return,
            }
        }
    }

    /// Why what is provisioned could not be started.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.failed.lock().clone()
    }

    /// How many environments wait for a request.
    #[must_use]
    pub fn available(&self) -> u32 {
        u32::try_from(self.inner.lock().idle.len()).unwrap_or(u32::MAX)
    }
}

/// Shuts an environment down, behind everybody's back.
pub fn end(pool: &Pool, kept: Kept, reason: Shutdown) {
    pool.alive.fetch_sub(1, Ordering::Relaxed);
    tokio::spawn(kept.environment.shutdown(reason));
}
