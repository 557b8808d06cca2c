//! What is past its retention, or deleted, goes.

use std::sync::Arc;

use fogbank_core::{Cloud, map};
use fogbank_store::Range;
use jiff::SignedDuration;

use super::*;
use crate::testing::{World, messages};

#[tokio::test]
async fn retention_ends_on_the_clock() {
    let w = World::with_stream().await;
    let cloud: Arc<dyn Cloud> = w.cloud.clone();
    w.logs.start(&cloud);
    w.ok("PutRetentionPolicy", map! {"logGroupName" => "g", "retentionInDays" => 3}).await;
    w.put("s", &[(w.now(), "old")]).await;
    let day = SignedDuration::from_hours(24);
    w.cloud.clock.set_offset(day * 2);
    w.put("s", &[(w.now(), "new")]).await;
    assert_eq!(
        messages(&w.ok("FilterLogEvents", map! {"logGroupName" => "g"}).await),
        ["old", "new"]
    );
    w.cloud.clock.set_offset(day * 4);
    // At once nothing shows it, and soon nothing holds it.
    assert_eq!(messages(&w.ok("FilterLogEvents", map! {"logGroupName" => "g"}).await), ["new"]);
    let chunks = || w.logs.store.scan(&CHUNKS, Range::all(), 10);
    while chunks().await.unwrap().len() > 1 {
        tokio::task::yield_now().await;
    }
    w.cloud.clock.set_offset(day * 30);
    while !chunks().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_deleted_group_leaves_nothing() {
    let w = World::with_stream().await;
    let cloud: Arc<dyn Cloud> = w.cloud.clone();
    w.logs.start(&cloud);
    for i in 0..3 {
        w.put("s", &[(w.now() - 60_000 + i * 20_000, "x")]).await;
    }
    w.ok("DeleteLogGroup", map! {"logGroupName" => "g"}).await;
    while !w.logs.store.stats().await.unwrap().tables.is_empty() {
        tokio::task::yield_now().await;
    }
}
