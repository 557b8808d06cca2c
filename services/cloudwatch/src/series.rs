//! Reading a metric's data by periods.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_core::{ApiError, Result};
use fogbank_store::{Key, Range, Record, Store};

use crate::bucket::{self, BUCKETS, Bucket, coarseness};
use crate::metric::{METRICS, Named, key};

/// What of which metric is asked for.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub account: &'a str,
    pub region: &'a str,
    /// With its dimensions in order.
    pub metric: &'a Named,
    /// Seconds since 1970; periods are counted from here.
    pub from: i64,
    /// Exclusive.
    pub to: i64,
    pub period: i64,
    pub unit: Option<&'a str>,
    pub now: i64,
}

/// The data of a metric by the start of each period, and the unit it has.
pub async fn read(store: &Store, asked: &Asked<'_>) -> Result<BTreeMap<i64, (Bucket, String)>> {
    let mut found: BTreeMap<i64, (Bucket, String)> = BTreeMap::new();
    let key = key(asked.account, asked.region, asked.metric);
    let Some(metric) = store.get(&METRICS, &key).await? else { return Ok(found) };
    let from = asked.from.max(asked.now - bucket::OLDEST).max(0);
    if from >= asked.to {
        return Ok(found);
    }
    let range = Range::prefix(&Key::new().u64(metric.id))
        .from(&bucket::from(metric.id, from))
        .to(&bucket::from(metric.id, asked.to));
    let mut failed = None;
    store
        .visit(&BUCKETS, range, |k, v| {
            let Some(place) = bucket::place(&Key::from_bytes(k)) else {
                return ControlFlow::Continue(());
            };
            // What has become too coarse for the period is no longer told.
            let resolution = place.resolution.max(coarseness(place.start, asked.now));
            let fits = asked.unit.is_none_or(|u| u == place.unit);
            let coarse = resolution > asked.period && resolution > 1;
            if !fits || coarse {
                return ControlFlow::Continue(());
            }
            match Bucket::load(bytes::Bytes::copy_from_slice(v)) {
                Ok(b) => {
                    let start = asked.from
                        + (place.start - asked.from).div_euclid(asked.period) * asked.period;
                    let at = found.entry(start).or_default();
                    at.0.merge(&b);
                    if at.1.is_empty() {
                        at.1 = place.unit;
                    }
                    ControlFlow::Continue(())
                }
                Err(e) => {
                    failed = Some(ApiError::internal(e));
                    ControlFlow::Break(())
                }
            }
        })
        .await?;
    failed.map_or(Ok(found), Err)
}

/// The start of a time asked about, as AWS rounds it: the older, the coarser.
pub fn rounded(from: i64, now: i64) -> i64 {
    let to = coarseness(from, now);
    from.div_euclid(to) * to
}

/// A period is 1, 5, 10, 20, 30 or a multiple of 60 seconds.
pub fn is_period(seconds: i64) -> bool {
    matches!(seconds, 1 | 5 | 10 | 20 | 30) || seconds > 0 && seconds % 60 == 0
}
