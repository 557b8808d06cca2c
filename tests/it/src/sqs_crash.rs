//! kill -9 while a queue is busy: no acknowledged message is lost, no deleted one comes back.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use fogbank_testkit::cloud::Options;
use fogbank_testkit::http::{Connection, Request};
use serde_json::{Value, json};

const ROUNDS: usize = 3;
const SENDERS: usize = 3;
const RECEIVERS: usize = 2;

/// What was acknowledged.
#[derive(Default)]
struct Ledger {
    sent: BTreeSet<String>,
    deleted: BTreeSet<String>,
    /// Deleted without an answer: may or may not be there.
    unsure: BTreeSet<String>,
}

#[test]
fn kill9_loses_no_acknowledged_message() -> Result<()> {
    for queue in ["q", "q.fifo"] {
        let folder = tempfile::tempdir()?;
        let options = Options::durable(folder.path());
        let mut cloud = options.start()?;
        let fifo = queue.ends_with(".fifo");
        let mut attributes = json!({"VisibilityTimeout": "0"});
        if fifo {
            attributes["FifoQueue"] = "true".into();
            attributes["ContentBasedDeduplication"] = "true".into();
        }
        let input = json!({"QueueName": queue, "Attributes": attributes});
        call(&mut cloud.connect()?, "CreateQueue", &input)?;
        let url = format!("/000000000000/{queue}");
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        for round in 0..ROUNDS {
            let acknowledged = Arc::new(AtomicUsize::new(0));
            let mut threads = Vec::new();
            for n in 0..SENDERS + RECEIVERS {
                let mut to = cloud.connect()?;
                let (url, ledger, count) = (url.clone(), ledger.clone(), acknowledged.clone());
                threads.push(std::thread::spawn(move || {
                    if n < SENDERS {
                        send(&mut to, &url, &format!("{round}-{n}"), &ledger, &count);
                    } else {
                        receive(&mut to, &url, &ledger);
                    }
                }));
            }
            while acknowledged.load(Ordering::Relaxed) < 200 {
                std::thread::yield_now();
            }
            cloud.kill()?;
            for t in threads {
                ensure!(t.join().is_ok(), "a client panicked");
            }
            cloud = options.start().with_context(|| format!("round {round}: restart"))?;
        }
        let found = drain(&mut cloud.connect()?, &url)?;
        let ledger = ledger.lock().map_err(|_| anyhow::anyhow!("a client panicked"))?;
        let gone = |m: &&String| ledger.deleted.contains(*m) || ledger.unsure.contains(*m);
        let lost: Vec<_> = ledger.sent.iter().filter(|m| !gone(m) && !found.contains(*m)).collect();
        let back: Vec<_> = ledger.deleted.iter().filter(|m| found.contains(*m)).collect();
        let (sent, deleted) = (ledger.sent.len(), ledger.deleted.len());
        ensure!(lost.is_empty() && back.is_empty(), "{queue}: lost {lost:?}, came back {back:?}");
        ensure!(deleted > 0, "{queue}: nothing was deleted");
        eprintln!("{queue}: {sent} messages sent, {deleted} deleted, none lost, none back");
    }
    Ok(())
}

fn call(to: &mut Connection, operation: &str, input: &Value) -> Result<Value> {
    let body = input.to_string();
    let target = format!("AmazonSQS.{operation}");
    let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", &target)];
    let key = ("test", "test");
    let request = Request {
        method: "POST",
        target: "/",
        headers: &headers,
        body: body.as_bytes(),
        service: "sqs",
        key,
    };
    let answer = to.send(&request)?;
    ensure!(answer.status == 200, "{operation}: {} {}", answer.status, answer.text());
    Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
}

/// Sends until the cloud is gone.
fn send(to: &mut Connection, url: &str, name: &str, ledger: &Mutex<Ledger>, count: &AtomicUsize) {
    for n in 0.. {
        let body = format!("{name}-{n}");
        let mut input = json!({"QueueUrl": url, "MessageBody": body});
        if url.ends_with(".fifo") {
            input["MessageGroupId"] = format!("g{}", n % 7).into();
        }
        if call(to, "SendMessage", &input).is_err() {
            return;
        }
        count.fetch_add(1, Ordering::Relaxed);
        if let Ok(mut l) = ledger.lock() {
            l.sent.insert(body);
        }
    }
}

/// Receives and deletes every other message until the cloud is gone.
fn receive(to: &mut Connection, url: &str, ledger: &Mutex<Ledger>) {
    let wanted = json!({"QueueUrl": url, "MaxNumberOfMessages": 4, "VisibilityTimeout": 5});
    while let Ok(got) = call(to, "ReceiveMessage", &wanted) {
        let all = got["Messages"].as_array().cloned().unwrap_or_default();
        for message in all.iter().step_by(2) {
            let body = message["Body"].as_str().unwrap_or_default().to_owned();
            let input = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
            let done = call(to, "DeleteMessage", &input);
            if let Ok(mut l) = ledger.lock() {
                if done.is_ok() {
                    l.deleted.insert(body)
                } else {
                    l.unsure.insert(body)
                };
            }
            if done.is_err() {
                return;
            }
        }
    }
}

/// All that is left, once what is in flight has come back.
fn drain(to: &mut Connection, url: &str) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let wanted = json!({
        "QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 600, "WaitTimeSeconds": 6,
    });
    loop {
        let got = call(to, "ReceiveMessage", &wanted)?;
        let Some(all) = got["Messages"].as_array() else { return Ok(found) };
        for message in all {
            found.insert(message["Body"].as_str().unwrap_or_default().to_owned());
            let input = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
            call(to, "DeleteMessage", &input)?;
        }
    }
}
