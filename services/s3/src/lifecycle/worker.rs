//! The background task that carries out lifecycle rules, on the cloud's clock.

use std::sync::Arc;
use std::time::Duration;

use fogbank_core::{Cloud, Cx, Result};
use fogbank_store::Range;
use tokio::sync::Notify;

use super::sweep::Sweep;
use super::{Day, Lifecycle};
use crate::record::BucketRecord;
use crate::tables::BUCKETS;
use crate::{S3, config};

/// How rules are carried out.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub day: Day,
}

/// Starts the task, which runs until the process ends or the handle is aborted. It looks at every
/// bucket that has rules at start, at each midnight (UTC), and whenever the clock is moved; with
/// short days, ten times a day.
pub fn start(s3: Arc<S3>, cloud: Arc<dyn Cloud>, options: Options) -> tokio::task::JoinHandle<()> {
    let moved = Arc::new(Notify::new());
    let notify = Arc::clone(&moved);
    cloud.clock().on_move(move || notify.notify_one());
    tokio::spawn(async move {
        loop {
            if let Err(e) = pass(&s3, &cloud, options.day).await {
                tracing::warn!(error = %e, context = e.internal_context(), "lifecycle");
            }
            tokio::select! {
                () = tokio::time::sleep(until_next(&*cloud, options.day)) => {}
                () = moved.notified() => {}
            }
        }
    })
}

/// One pass over all buckets with rules.
pub(super) async fn pass(s3: &S3, cloud: &Arc<dyn Cloud>, day: Day) -> Result<()> {
    let mut range = Range::all();
    loop {
        let page = s3.store.scan(&BUCKETS, range.clone(), 1000).await?;
        for (_, bucket) in page.iter().filter(|(_, b)| b.has.lifecycle) {
            let lifecycle: Option<Lifecycle> = config::load(s3, &bucket.name, "lifecycle").await?;
            let Some(lifecycle) = lifecycle else { continue };
            let cx = acting(cloud, bucket);
            let now = cx.now.as_second();
            let sweep = Sweep { s3, cx: &cx, bucket, config: &lifecycle, day, now };
            match sweep.run().await {
                // One bucket's trouble, or its deletion, is not the others'.
                Err(e) if e.code() != "NoSuchBucket" => {
                    tracing::warn!(bucket = bucket.name, error = %e, context = e.internal_context(), "lifecycle");
                }
                _ => {}
            }
        }
        match page.last() {
            Some((last, _)) if page.len() == 1000 => range = range.after(last),
            _ => return Ok(()),
        }
    }
}

/// S3 itself, at work in a bucket.
fn acting(cloud: &Arc<dyn Cloud>, bucket: &BucketRecord) -> Cx {
    let host = "lifecycle.s3.amazonaws.com";
    Cx::acting(cloud, host, "s3", &bucket.owner, bucket.region.clone(), None)
}

fn until_next(cloud: &dyn Cloud, day: Day) -> Duration {
    if day != Day::REAL {
        return Duration::from_millis(
            u64::try_from(day.seconds()).unwrap_or(1).saturating_mul(100),
        );
    }
    let past = cloud.clock().now().as_second().rem_euclid(day.seconds());
    Duration::from_secs(u64::try_from(day.seconds() - past).unwrap_or(1))
}
