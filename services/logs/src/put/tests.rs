//! What PutLogEvents takes, and what it does not.

use fogbank_core::{Value, map};

use super::DAY;
use crate::testing::World;

#[tokio::test]
async fn what_is_too_old_or_too_new_is_named() {
    let w = World::with_stream().await;
    let now = w.now();
    let answer = w
        .put(
            "s",
            &[
                (now - 14 * DAY - 5000, "old"),
                (now - 14 * DAY + 60_000, "in"),
                (now - 13 * DAY - 60_000, "in"),
            ],
        )
        .await;
    let rejected = answer.get("rejectedLogEventsInfo").unwrap();
    assert_eq!(rejected, &map! {"tooOldLogEventEndIndex" => 1});
    let answer = w.put("s", &[(now, "in"), (now + 3 * 3_600_000, "new")]).await;
    assert_eq!(answer.get("rejectedLogEventsInfo"), Some(&map! {"tooNewLogEventStartIndex" => 1}));
    w.ok("PutRetentionPolicy", map! {"logGroupName" => "g", "retentionInDays" => 1}).await;
    let answer = w.put("s", &[(now - 2 * DAY, "a"), (now - 2 * DAY, "b")]).await;
    assert_eq!(answer.get("rejectedLogEventsInfo"), Some(&map! {"expiredLogEventEndIndex" => 2}));
}

#[tokio::test]
async fn bad_batches_are_refused_whole() {
    let w = World::with_stream().await;
    let now = w.now();
    let event = |t: i64, m: String| map! {"timestamp" => t, "message" => m};
    for (events, error) in [
        (
            vec![event(now, "a".into()), event(now - 1, "b".into())],
            "InvalidParameterException: Log events in a single PutLogEvents request must be in \
             chronological order.",
        ),
        (
            vec![event(now - DAY - 1, "a".into()), event(now, "b".into())],
            "InvalidParameterException: The batch of log events in a single PutLogEvents request \
             cannot span more than 24 hours.",
        ),
        (
            vec![event(now, "x".repeat(600_000)), event(now, "x".repeat(600_000))],
            "InvalidParameterException: Upload too large: 1200052 bytes exceeds limit of 1048576",
        ),
        (
            vec![event(now, "x".repeat(1_048_576))],
            "InvalidParameterException: Log event too large: 1048602 bytes exceeds limit of 1048576",
        ),
    ] {
        let input = map! {"logGroupName" => "g", "logStreamName" => "s", "logEvents" => events};
        assert_eq!(w.err("PutLogEvents", input).await, error);
    }
    let events = vec![event(now, "a".into())];
    for (group, stream, what) in [("g", "none", "stream"), ("none", "s", "group")] {
        let input = map! {"logGroupName" => group, "logStreamName" => stream,
        "logEvents" => events.clone()};
        assert_eq!(
            w.err("PutLogEvents", input).await,
            format!("ResourceNotFoundException: The specified log {what} does not exist.")
        );
    }
}

#[tokio::test]
async fn bytes_are_counted_and_given_back() {
    let w = World::with_stream().await;
    let now = w.now();
    w.put("s", &[(now, "1234"), (now, "123456")]).await;
    let stored = |v: &Value| v.get("logGroups").unwrap().items()[0].get("storedBytes").cloned();
    let groups = w.ok("DescribeLogGroups", map! {}).await;
    assert_eq!(stored(&groups), Some(Value::Int(62)));
    let cloud: std::sync::Arc<dyn fogbank_core::Cloud> = w.cloud.clone();
    w.logs.start(&cloud);
    w.ok("DeleteLogStream", map! {"logGroupName" => "g", "logStreamName" => "s"}).await;
    while stored(&w.ok("DescribeLogGroups", map! {}).await) != Some(Value::Int(0)) {
        tokio::task::yield_now().await;
    }
}
