//! Queries at work.

use std::sync::Arc;

use fogbank_bus::{Job, Jobs, Next, Options, Worker};
use fogbank_core::{Cloud, Cx, Result};
use fogbank_logsinsights::{Query, Run};
use fogbank_store::{Key, Lock, Range, Store, Tx};
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};

use super::record::Record;
use super::{Asked, BY_TIME, QUERIES, ROWS, RUNNING, Rows, key, time_key};
use crate::Logs;
use crate::event::Pos;
use crate::gather::{Want, gather};
use crate::group::GROUPS;

static WORK: Jobs<Work> = Jobs::new("logs.query-work");

/// A query that is to be run, and later forgotten.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Work {
    #[n(0)]
    account: String,
    #[n(1)]
    region: String,
    #[n(2)]
    id: String,
    #[n(3)]
    forget: bool,
}
fogbank_store::record!(Work, version = 1);

/// Results are kept for a week.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
const PART: usize = 500;

pub fn begin(tx: &mut Tx, cx: &Cx, id: &str) {
    let work = Work {
        account: cx.account.clone(),
        region: cx.region.clone().into_owned(),
        id: id.to_owned(),
        forget: false,
    };
    WORK.put(tx, cx.now, id, &work);
}

pub fn start(logs: &Arc<Logs>, cloud: &Arc<dyn Cloud>) -> Worker {
    let clock = cloud.clock().clone();
    let (store, time) = (logs.store.clone(), clock.clone());
    Worker::start(
        logs.store.clone(),
        clock,
        &WORK,
        Options { at_once: 2 },
        move |job: Job<Work>| {
            let (store, now) = (store.clone(), time.now());
            async move {
                let mut work = job.what;
                let done = if work.forget {
                    forget(&store, &work).await.map(|()| None)
                } else {
                    run(&store, &work, now).await.map(Some)
                };
                let later = |by| now.saturating_add(by).unwrap_or(Timestamp::MAX);
                match done {
                    Ok(None) => Next::Done,
                    Ok(Some(())) => {
                        work.forget = true;
                        Next::At(later(KEPT), work)
                    }
                    Err(e) => {
                        let why = e.internal_context().unwrap_or_default();
                        tracing::error!("the query {} cannot be run: {why}", work.id);
                        Next::At(later(SignedDuration::from_secs(10)), work)
                    }
                }
            }
        },
    )
}

async fn forget(store: &Store, work: &Work) -> Result<()> {
    let key = key(&work.account, &work.region, &work.id);
    let mut tx = store.lock(&[Lock::exclusive(&QUERIES, &key)]).await;
    if let Some(asked) = tx.get(&QUERIES, &key).await? {
        tx.delete(&BY_TIME, &time_key(&work.account, &work.region, &asked));
    }
    tx.delete(&QUERIES, &key);
    for (k, _) in tx.scan(&ROWS, Range::prefix(&Key::new().str(&work.id)), usize::MAX).await? {
        tx.delete(&ROWS, &k);
    }
    tx.commit().await?;
    Ok(())
}

/// Runs a query and writes what came of it.
async fn run(store: &Store, work: &Work, now: Timestamp) -> Result<()> {
    let key = key(&work.account, &work.region, &work.id);
    let Some(mut asked) = store.get(&QUERIES, &key).await? else { return Ok(()) };
    if asked.status != RUNNING {
        return Ok(());
    }
    let now = now.as_millisecond();
    // It was read before it was stored.
    let Ok(query) = Query::parse(&asked.text) else { return Ok(()) };
    let mut run = query.run(asked.limit as usize, now);
    let mut whole = true;
    for name in asked.groups.clone() {
        whole = whole && feed(store, work, &mut asked, &mut run, &name, now).await?;
    }
    asked.matched = run.matched() as u64;
    let rows = if whole { run.finish() } else { Vec::new() };
    let mut tx = store.lock(&[Lock::exclusive(&QUERIES, &key)]).await;
    let Some(latest) = tx.get(&QUERIES, &key).await? else { return Ok(()) };
    if latest.status == RUNNING {
        asked.status = if whole { "Complete" } else { "Failed" }.into();
    } else {
        asked.status = latest.status;
    }
    tx.put(&QUERIES, &key, &asked);
    for (n, part) in rows.chunks(PART).enumerate() {
        let at = Key::new().str(&asked.id).u64(n as u64);
        tx.put(&ROWS, &at, &Rows { rows: part.to_vec() });
    }
    tx.commit().await?;
    Ok(())
}

/// Feeds a group's events to the query, the newest first; `false` when it holds too much.
async fn feed(
    store: &Store,
    work: &Work,
    asked: &mut Asked,
    run: &mut Run<'_>,
    name: &str,
    now: i64,
) -> Result<bool> {
    let group_key = Key::new().str(&work.account).str(&work.region).str(name);
    let Some(group) = store.get(&GROUPS, &group_key).await? else { return Ok(true) };
    let log = format!("{}:{name}", work.account);
    // Another group may have newer events than this one's oldest: each brings enough.
    let goal = run.enough().map(|n| run.matched() + n);
    let mut before: Option<Pos> = None;
    loop {
        let want = Want {
            group: group.id,
            stream: None,
            streams: &|_| true,
            fits: &|_| true,
            from: asked.from.max(group.oldest(now)),
            to: asked.to,
            after: None,
            before,
            newest: true,
            limit: 10_000,
            budget: 50_000,
        };
        let found = gather(store, &want).await?;
        asked.scanned += found.scanned as u64;
        asked.bytes += found.scanned_bytes as u64;
        for event in found.events.iter().rev() {
            let stream = found.names.get(&event.pos.stream).cloned().flatten().unwrap_or_default();
            if run.feed(&Record::new(event, &stream, &log)).is_err() {
                return Ok(false);
            }
        }
        if found.next.is_none() || goal.is_some_and(|g| run.matched() >= g) {
            return Ok(true);
        }
        before = found.next;
        let key = key(&work.account, &work.region, &work.id);
        let stopped = store.get(&QUERIES, &key).await?.is_none_or(|a| a.status != RUNNING);
        if stopped {
            return Ok(true);
        }
    }
}
