//! Age: data coarsens, and in the end goes; so do metrics without data.

use std::sync::Arc;

use fogbank_bus::{Job, Jobs, Next, Options, Worker};
use fogbank_core::{Cloud, Cx, Result};
use fogbank_store::{Key, Lock, Range, Store, Tx};
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};

use crate::CloudWatch;
use crate::bucket::{self, BUCKETS, OLDEST, Place, ages_at, coarseness};
use crate::metric::{Dimension, METRICS, Metric, Named, key};

static ROLLS: Jobs<Roll> = Jobs::new("cloudwatch.roll");

/// A metric that is looked after.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Roll {
    #[n(0)]
    id: u64,
    #[n(1)]
    account: String,
    #[n(2)]
    region: String,
    #[n(3)]
    namespace: String,
    #[n(4)]
    name: String,
    #[n(5)]
    dimensions: Vec<Dimension>,
}
fogbank_store::record!(Roll, version = 1);

/// How many buckets one transaction moves.
const STEP: usize = 500;
/// A day: nothing is gained by looking more often.
const PAUSE: i64 = 86_400;

/// Begins to look after a new metric.
pub fn begin(tx: &mut Tx, cx: &Cx, metric: &Metric) {
    let job = Roll {
        id: metric.id,
        account: cx.account.clone(),
        region: cx.region.clone().into_owned(),
        namespace: metric.namespace.clone(),
        name: metric.name.clone(),
        dimensions: metric.dimensions.clone(),
    };
    let due = cx.now.saturating_add(SignedDuration::from_secs(PAUSE)).unwrap_or(Timestamp::MAX);
    ROLLS.put(tx, due, &format!("{:016x}", metric.id), &job);
}

pub fn start(cw: &Arc<CloudWatch>, cloud: &Arc<dyn Cloud>) -> Worker {
    let clock = cloud.clock().clone();
    let (store, time) = (cw.store.clone(), clock.clone());
    Worker::start(cw.store.clone(), clock, &ROLLS, Options { at_once: 2 }, move |job: Job<Roll>| {
        let (store, now) = (store.clone(), time.now());
        async move {
            match roll(&store, &job.what, now.as_second()).await {
                Ok(None) => Next::Done,
                Ok(Some(at)) => {
                    Next::At(Timestamp::from_second(at).unwrap_or(Timestamp::MAX), job.what)
                }
                Err(e) => {
                    let why = e.internal_context().unwrap_or_default();
                    tracing::error!("metric data cannot be aged: {why}");
                    let later = now.saturating_add(SignedDuration::from_mins(1));
                    Next::At(later.unwrap_or(Timestamp::MAX), job.what)
                }
            }
        }
    })
}

/// Makes coarse what is old, and says when to come back; `None` when the metric is gone.
async fn roll(store: &Store, of: &Roll, now: i64) -> Result<Option<i64>> {
    let named = Named {
        namespace: of.namespace.clone(),
        metric_name: of.name.clone(),
        dimensions: of.dimensions.clone(),
    };
    let key = key(&of.account, &of.region, &named);
    let all = Range::prefix(&Key::new().u64(of.id));
    let mut after: Option<Key> = None;
    let mut next = None;
    loop {
        let mut tx = store.lock(&[Lock::exclusive(&METRICS, &key)]).await;
        let range = after.iter().fold(all.clone(), |r, k| r.after(k));
        let page = tx.scan(&BUCKETS, range, STEP).await?;
        let end = page.len() < STEP;
        for (k, b) in page {
            let Some(place) = bucket::place(&k) else { continue };
            let coarse = coarseness(place.start, now);
            if now - place.start >= OLDEST {
                tx.delete(&BUCKETS, &k);
            } else if coarse > place.resolution {
                let start = place.start.div_euclid(coarse) * coarse;
                let to = bucket::key(of.id, &Place { start, resolution: coarse, unit: place.unit });
                let mut sum = tx.get(&BUCKETS, &to).await?.unwrap_or_default();
                sum.merge(&b);
                tx.delete(&BUCKETS, &k);
                tx.put(&BUCKETS, &to, &sum);
            } else {
                let at = ages_at(&place);
                next = Some(next.map_or(at, |n: i64| n.min(at)));
            }
            after = Some(k);
        }
        tx.commit().await?;
        if end {
            break;
        }
    }
    let mut tx = store.lock(&[Lock::exclusive(&METRICS, &key)]).await;
    if tx.scan(&BUCKETS, all, 1).await?.is_empty() {
        tx.delete(&METRICS, &key);
        tx.commit().await?;
        return Ok(None);
    }
    Ok(Some(next.unwrap_or(now).max(now + PAUSE)))
}

#[cfg(test)]
mod tests;
