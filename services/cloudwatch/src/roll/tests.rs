//! Data coarsens with age, and what was told before is told after.

use std::sync::Arc;

use fogbank_core::{Value, map};
use fogbank_store::Range;

use super::*;
use crate::testing::{World, at, numbers};

async fn sums(w: &World, from: i64, period: i64) -> Vec<f64> {
    let metric = map! {"Namespace" => "n", "MetricName" => "m"};
    let stat = map! {"Metric" => metric, "Period" => period, "Stat" => "Sum"};
    let query = map! {"Id" => "q", "MetricStat" => stat};
    let input = map! {"MetricDataQueries" => vec![query], "StartTime" => at(from), "EndTime" => at(from + 3600)};
    let got = w.ok("GetMetricData", input).await;
    numbers(got.get("MetricDataResults").unwrap().items()[0].get("Values"))
}

#[tokio::test]
async fn data_ages_and_goes() {
    let w = World::new();
    let cloud: Arc<dyn Cloud> = w.cloud.clone();
    w.cw.start(&cloud);
    let from = w.now() - 3600;
    let data: Vec<Value> = (0..120)
        .map(|i| {
            map! {"MetricName" => "m", "Value" => Value::Float(1.0), "StorageResolution" => 1,
            "Timestamp" => at(from + i * 5)}
        })
        .collect();
    w.ok("PutMetricData", map! {"Namespace" => "n", "MetricData" => data}).await;
    let moved = |days: i64| {
        w.cloud.clock.set_offset(SignedDuration::from_hours(24 * days));
    };
    let buckets = || w.cw.store.scan(&BUCKETS, Range::all(), 1000);
    assert_eq!(sums(&w, from, 5).await.len(), 120);
    assert_eq!(sums(&w, from, 60).await, [12.0; 10]);
    moved(2);
    // What is no longer told by seconds is still told by minutes, before and after the job.
    assert!(sums(&w, from, 5).await.is_empty());
    assert_eq!(sums(&w, from, 60).await, [12.0; 10]);
    while buckets().await.unwrap().len() != 10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(sums(&w, from, 60).await, [12.0; 10]);
    moved(20);
    assert!(sums(&w, from, 60).await.is_empty());
    assert_eq!(sums(&w, from, 300).await, [60.0; 2]);
    while buckets().await.unwrap().len() != 2 {
        tokio::task::yield_now().await;
    }
    moved(100);
    assert_eq!(sums(&w, from, 3600).await, [120.0]);
    moved(500);
    while !buckets().await.unwrap().is_empty()
        || !w.cw.store.scan(&METRICS, Range::all(), 1).await.unwrap().is_empty()
    {
        tokio::task::yield_now().await;
    }
}
