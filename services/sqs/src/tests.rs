//! What queues do, through the operations.

use fogbank_core::{Value, map};

use crate::testing::Fixture;

#[tokio::test]
async fn a_message_is_hidden_while_it_is_in_flight_and_comes_back() {
    let f = Fixture::new();
    let q = f.queue("q", &[("VisibilityTimeout", "30")]).await;
    for n in 0..12 {
        f.send(&q, &n.to_string(), None).await;
    }
    assert_eq!(f.counts(&q).await, [12, 0, 0]);
    let first = f.receive(&q, 10).await;
    assert_eq!(first.len(), 10);
    assert_eq!(f.bodies(&q, 10).await, ["10", "11"]);
    assert_eq!(f.counts(&q).await, [0, 12, 0]);
    f.delete(&q, &first[0]).await.unwrap();
    f.delete(&q, &first[0]).await.unwrap();
    assert_eq!(f.counts(&q).await, [0, 11, 0]);
    f.advance(31);
    let again = f.receive(&q, 1).await;
    let count = again[0].get("Attributes").unwrap().str("ApproximateReceiveCount").unwrap();
    assert_eq!((again[0].str("Body").unwrap(), count), ("1", "2"));
    // The old handle is of a receipt that has ended.
    f.delete(&q, &first[1]).await.unwrap();
    assert_eq!(f.counts(&q).await, [10, 1, 0]);
    f.delete(&q, &again[0]).await.unwrap();
    assert_eq!(f.counts(&q).await, [10, 0, 0]);
}

#[tokio::test]
async fn delays_and_visibility_go_by_the_clock() {
    let f = Fixture::new();
    let q = f.queue("q", &[("DelaySeconds", "5")]).await;
    f.send(&q, "a", None).await;
    assert_eq!((f.counts(&q).await, f.bodies(&q, 1).await), ([0, 0, 1], vec![]));
    f.advance(6);
    let got = f.receive(&q, 1).await;
    let change = |seconds: i64| {
        let handle = got[0].str("ReceiptHandle").unwrap();
        f.run(
            "ChangeMessageVisibility",
            map! {"QueueUrl" => q.as_str(), "ReceiptHandle" => handle, "VisibilityTimeout" => seconds},
        )
    };
    change(100).await.unwrap();
    f.advance(60);
    assert!(f.bodies(&q, 1).await.is_empty());
    change(0).await.unwrap();
    assert_eq!(change(0).await.unwrap_err().code(), "InvalidParameterValue");
    let again = f.receive(&q, 1).await;
    f.delete(&q, &again[0]).await.unwrap();
    assert_eq!(f.counts(&q).await, [0, 0, 0]);
    f.send(&q, "b", None).await;
    f.advance(6);
    let got = f.receive(&q, 1).await;
    let handle = got[0].str("ReceiptHandle").unwrap();
    let too_long = map! {"QueueUrl" => q.as_str(), "ReceiptHandle" => handle, "VisibilityTimeout" => 43_100i64};
    f.run("ChangeMessageVisibility", too_long.clone()).await.unwrap();
    f.advance(200);
    let e = f.run("ChangeMessageVisibility", too_long).await.unwrap_err();
    assert!(e.message().contains("beyond the limit"), "{e}");
    // The handle still fits after its time was changed.
    f.delete(&q, &got[0]).await.unwrap();
    assert_eq!(f.counts(&q).await, [0, 0, 0]);
}

#[tokio::test]
async fn what_is_received_too_often_is_a_dead_letter() {
    for (suffix, fifo) in [("", false), (".fifo", true)] {
        let f = Fixture::new();
        let kind: &[(&'static str, &str)] = if fifo {
            &[("FifoQueue", "true"), ("ContentBasedDeduplication", "true")]
        } else {
            &[]
        };
        let d = f.queue(&format!("d{suffix}"), kind).await;
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:d{suffix}");
        let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"2"}}"#);
        let mut attributes = kind.to_vec();
        attributes.extend([("RedrivePolicy", policy.as_str()), ("VisibilityTimeout", "0")]);
        let q = f.queue(&format!("q{suffix}"), &attributes).await;
        let group = fifo.then_some("g");
        f.send(&q, "bad", group).await;
        f.send(&q, "good", group).await;
        for _ in 0..2 {
            assert_eq!(f.bodies(&q, 1).await, ["bad"]);
            if !fifo {
                assert_eq!(f.bodies(&q, 1).await, ["good"]);
            }
        }
        if fifo {
            assert_eq!(f.bodies(&q, 1).await, ["good"]);
        } else {
            assert!(f.bodies(&q, 10).await.is_empty());
        }
        let dead = f.receive(&d, 1).await;
        let seen = dead[0].get("Attributes").unwrap();
        assert_eq!(dead[0].str("Body"), Some("bad"));
        let source = format!("arn:aws:sqs:us-east-1:000000000000:q{suffix}");
        assert_eq!(seen.str("DeadLetterQueueSourceArn"), Some(source.as_str()));
        assert_eq!(seen.str("ApproximateReceiveCount"), Some("3"));
        f.delete(&d, &dead[0]).await.unwrap();
        let left = if fifo { 1 } else { 0 };
        assert_eq!(f.counts(&q).await, [left, 0, 0]);
        assert_eq!(f.counts(&d).await, [1 - left, 0, 0]);
    }
}

async fn fifo(f: &Fixture) -> String {
    f.queue("q.fifo", &[("FifoQueue", "true"), ("ContentBasedDeduplication", "true")]).await
}

#[tokio::test]
async fn a_group_is_in_order_and_in_one_pair_of_hands() {
    let f = Fixture::new();
    let q = fifo(&f).await;
    for n in 0..4 {
        f.send(&q, &format!("a{n}"), Some("a")).await;
        f.send(&q, &format!("b{n}"), Some("b")).await;
    }
    let a = f.receive(&q, 2).await;
    assert_eq!([a[0].str("Body"), a[1].str("Body")], [Some("a0"), Some("a1")]);
    let b = f.receive(&q, 10).await;
    assert_eq!(b.len(), 4, "only the other group");
    assert!(f.receive(&q, 10).await.is_empty());
    f.delete(&q, &a[0]).await.unwrap();
    assert!(f.receive(&q, 10).await.is_empty(), "one of the group is still in flight");
    f.delete(&q, &a[1]).await.unwrap();
    assert_eq!(f.bodies(&q, 1).await, ["a2"]);
    assert_eq!(f.counts(&q).await, [1, 5, 0]);
    f.advance(31);
    assert_eq!(f.delete(&q, &b[0]).await.unwrap_err().code(), "InvalidParameterValue");
    let all = f.bodies(&q, 10).await;
    assert_eq!(all, ["b0", "b1", "b2", "b3", "a2", "a3"], "the group that waited longest first");
}

#[tokio::test]
async fn a_duplicate_is_accepted_and_not_delivered() {
    let f = Fixture::new();
    let q = fifo(&f).await;
    let first = f.send(&q, "same", Some("a")).await;
    let second = f.send(&q, "same", Some("b")).await;
    assert_eq!(first.str("MessageId"), second.str("MessageId"));
    assert_eq!(first.str("SequenceNumber"), second.str("SequenceNumber"));
    assert_eq!(f.counts(&q).await, [1, 0, 0]);
    f.advance(301);
    f.send(&q, "same", Some("b")).await;
    assert_eq!(f.counts(&q).await, [2, 0, 0]);
    let scoped = f
        .queue(
            "s.fifo",
            &[
                ("FifoQueue", "true"),
                ("ContentBasedDeduplication", "true"),
                ("DeduplicationScope", "messageGroup"),
                ("FifoThroughputLimit", "perMessageGroupId"),
            ],
        )
        .await;
    for group in ["a", "b", "a"] {
        f.send(&scoped, "same", Some(group)).await;
    }
    assert_eq!(f.counts(&scoped).await, [2, 0, 0]);
}

#[tokio::test]
async fn a_receive_may_be_repeated_by_its_attempt() {
    let f = Fixture::new();
    let q = fifo(&f).await;
    f.send(&q, "a", Some("a")).await;
    f.send(&q, "b", Some("a")).await;
    let attempt = |id: &'static str| {
        let input = map! {"QueueUrl" => q.as_str(), "MaxNumberOfMessages" => 10i64, "ReceiveRequestAttemptId" => id};
        f.run("ReceiveMessage", input)
    };
    let first = attempt("x").await.unwrap();
    let items = |v: &Value| v.get("Messages").map_or(0, |m| m.items().len());
    assert_eq!((items(&first), items(&attempt("y").await.unwrap())), (2, 0));
    f.advance(20);
    assert_eq!(items(&attempt("x").await.unwrap()), 2);
    f.advance(20);
    assert_eq!(items(&attempt("x").await.unwrap()), 2, "its time began anew");
    let one = &first.get("Messages").unwrap().items()[0];
    f.delete(&q, one).await.unwrap();
    assert_eq!(items(&attempt("x").await.unwrap()), 0);
}

#[tokio::test]
async fn purging_and_deleting_leave_nothing_behind() {
    let f = Fixture::new();
    f.sqs.start();
    let q = fifo(&f).await;
    for n in 0..30 {
        f.send(&q, &n.to_string(), Some(&(n % 3).to_string())).await;
    }
    f.receive(&q, 10).await;
    f.run("PurgeQueue", map! {"QueueUrl" => q.as_str()}).await.unwrap();
    assert_eq!(f.counts(&q).await, [0, 0, 0]);
    let e = f.run("PurgeQueue", map! {"QueueUrl" => q.as_str()}).await.unwrap_err();
    assert_eq!(e.code(), "PurgeQueueInProgress");
    f.send(&q, "new", Some("a")).await;
    assert_eq!(f.bodies(&q, 10).await, ["new"]);
    f.run("DeleteQueue", map! {"QueueUrl" => q.as_str()}).await.unwrap();
    let e = f.run("DeleteQueue", map! {"QueueUrl" => q.as_str()}).await.unwrap_err();
    assert_eq!(e.code(), "QueueDoesNotExist");
    let again = f.run(
        "CreateQueue",
        map! {"QueueName" => "q.fifo", "Attributes" => map! {"FifoQueue" => "true"}},
    );
    assert_eq!(again.await.unwrap_err().code(), "QueueDeletedRecently");
    // The last job is the one that would have dropped the queue's old messages.
    for _ in 0..3 {
        f.advance(400_000);
        tokio::task::yield_now().await;
    }
    while !f.sqs.store.stats().await.unwrap().tables.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn old_messages_go() {
    for (name, kind) in [
        ("q", &[("MessageRetentionPeriod", "60")][..]),
        (
            "q.fifo",
            &[
                ("MessageRetentionPeriod", "60"),
                ("FifoQueue", "true"),
                ("ContentBasedDeduplication", "true"),
            ],
        ),
    ] {
        let f = Fixture::new();
        f.sqs.start();
        let q = f.queue(name, kind).await;
        let group = name.ends_with("fifo").then_some("g");
        f.send(&q, "old", group).await;
        f.advance(40);
        f.send(&q, "young", group).await;
        f.advance(21);
        // Whether a receive or the job comes first.
        assert_eq!(f.bodies(&q, 10).await, ["young"]);
        f.advance(100);
        while f.counts(&q).await != [0, 0, 0] {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn dead_letters_go_back() {
    let f = Fixture::new();
    f.sqs.start();
    let d = f.queue("d", &[]).await;
    let arn = "arn:aws:sqs:us-east-1:000000000000:d";
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1}}"#);
    let q = f.queue("q", &[("RedrivePolicy", &policy), ("VisibilityTimeout", "0")]).await;
    for n in 0..25 {
        f.send(&q, &n.to_string(), None).await;
    }
    while !f.receive(&q, 10).await.is_empty() {}
    assert_eq!((f.counts(&q).await, f.counts(&d).await), ([0, 0, 0], [25, 0, 0]));
    let sources =
        f.run("ListDeadLetterSourceQueues", map! {"QueueUrl" => d.as_str()}).await.unwrap();
    assert_eq!(sources.get("queueUrls").unwrap().items(), [Value::from(q.as_str())]);
    f.run("StartMessageMoveTask", map! {"SourceArn" => arn}).await.unwrap();
    loop {
        let tasks = f.run("ListMessageMoveTasks", map! {"SourceArn" => arn}).await.unwrap();
        let task = tasks.get("Results").unwrap().items()[0].clone();
        if task.str("Status") == Some("COMPLETED") {
            assert_eq!(task.get("ApproximateNumberOfMessagesMoved"), Some(&Value::Int(25)));
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!((f.counts(&q).await, f.counts(&d).await), ([25, 0, 0], [0, 0, 0]));
    let e =
        f.run("StartMessageMoveTask", map! {"SourceArn" => "arn:aws:sqs:us-east-1:000000000000:q"});
    assert_eq!(e.await.unwrap_err().code(), "InvalidParameterValue");
}

#[tokio::test]
async fn a_long_poll_ends_with_the_message_it_waits_for() {
    let f = Fixture::new();
    let q = f.queue("q", &[]).await;
    let poll = |seconds: i64| {
        f.run("ReceiveMessage", map! {"QueueUrl" => q.as_str(), "WaitTimeSeconds" => seconds})
    };
    let send = async {
        tokio::task::yield_now().await;
        f.send(&q, "now", None).await;
    };
    let (got, ()) = tokio::join!(poll(20), send);
    assert_eq!(got.unwrap().get("Messages").unwrap().items().len(), 1);
    let advance = async {
        tokio::task::yield_now().await;
        f.advance(31);
    };
    let (got, ()) = tokio::join!(poll(20), advance);
    assert_eq!(got.unwrap().get("Messages").unwrap().items().len(), 1, "it came back");
    let (got, ()) = tokio::join!(poll(20), async { f.advance(21) });
    assert_eq!(got.unwrap().get("Messages"), None, "the clock ended it");
}
