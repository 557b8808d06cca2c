//! DynamoDB by Terraform, and transactions that a kill -9 cuts.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, ensure};
use fogbank_testkit::cloud::Options;
use fogbank_testkit::http::{Answer, Connection, Request};
use fogbank_testkit::{Cloud, client};

/// Apply, an empty second plan, a change in place, destroy: nothing is left.
#[test]
fn dynamodb_by_terraform() -> Result<()> {
    let cloud = Cloud::start()?;
    let Some(terraform) = client::terraform(&cloud, "tests/terraform/dynamodb")? else {
        return Ok(());
    };
    if !terraform.try_run("", &["init", "-input=false", "-no-color"])?.status.success() {
        fogbank_testkit::skip("terraform's AWS provider not found");
        return Ok(());
    }
    let apply = ["apply", "-auto-approve", "-input=false", "-no-color"];
    terraform.run("", &apply)?;
    let empty = || -> Result<()> {
        let plan = ["plan", "-detailed-exitcode", "-input=false", "-no-color"];
        let out = terraform.try_run("", &plan)?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        ensure!(out.status.code() == Some(0), "the plan is not empty:\n{text}");
        Ok(())
    };
    empty()?;
    let main = terraform.folder.join("main.tf");
    let text = std::fs::read_to_string(&main)?;
    let changed = text
        .replace("read_capacity  = 5", "read_capacity  = 7")
        .replace("{ Team = \"red\" }", "{ Team = \"blue\", Size = \"2\" }")
        .replace("stream_enabled              = true", "stream_enabled              = false")
        .replace("  stream_view_type            = \"NEW_AND_OLD_IMAGES\"\n", "")
        .replace("n = { N = \"1\" }", "n = { N = \"2\" }");
    ensure!(changed != text, "the project has changed: adapt the test");
    std::fs::write(&main, changed)?;
    let out = terraform.run("", &apply)?;
    ensure!(out.contains("0 added") && out.contains("0 destroyed"), "changed in place:\n{out}");
    empty()?;
    terraform.run("", &["destroy", "-auto-approve", "-input=false", "-no-color"])?;
    let left = ask(&mut cloud.connect()?, "ListTables", "{}")?;
    ensure!(left.text() == r#"{"TableNames":[]}"#, "something is left: {}", left.text());
    Ok(())
}

const WRITERS: usize = 4;
const ROUNDS: usize = 4;

/// Each writer sets two items, in two tables, to the same number, again and again. After a kill at
/// any moment both have the same, no smaller than the last that was acknowledged; so has the
/// index.
#[test]
fn kill9_leaves_transactions_whole() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let options = Options::durable(folder.path());
    let mut cloud = options.start()?;
    let mut connection = cloud.connect()?;
    for table in ["left", "right"] {
        let body = format!(
            r#"{{"TableName":"{table}","BillingMode":"PAY_PER_REQUEST","KeySchema":[{{"AttributeName":"p","KeyType":"HASH"}}],
                "AttributeDefinitions":[{{"AttributeName":"p","AttributeType":"S"}},{{"AttributeName":"v","AttributeType":"N"}}],
                "GlobalSecondaryIndexes":[{{"IndexName":"by-v","KeySchema":[{{"AttributeName":"v","KeyType":"HASH"}}],"Projection":{{"ProjectionType":"ALL"}}}}],
                "StreamSpecification":{{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"}}}}"#
        );
        let made = ask(&mut connection, "CreateTable", &body)?;
        ensure!(made.status == 200, "{}", made.text());
    }
    let mut numbers = [0u64; WRITERS];
    for round in 0..ROUNDS {
        let (say, hear) = mpsc::sync_channel(1024);
        let writers: Vec<_> = (0..WRITERS)
            .map(|w| {
                let (say, address, from) = (say.clone(), cloud.address(), numbers[w]);
                thread::spawn(move || write(address, w, from, &say))
            })
            .collect();
        drop(say);
        // A moment that differs from round to round.
        for (w, n) in hear.iter().take(40 + 97 * round) {
            numbers[w] = n;
        }
        cloud.kill()?;
        for (w, n) in hear.iter() {
            numbers[w] = n;
        }
        writers.into_iter().for_each(|w| drop(w.join()));
        cloud = options.start().with_context(|| format!("round {round}: restart"))?;
        let mut connection = cloud.connect()?;
        for (w, acknowledged) in numbers.iter_mut().enumerate() {
            let left = value(&mut connection, "left", w)?;
            let right = value(&mut connection, "right", w)?;
            ensure!(
                left == right,
                "round {round}, writer {w}: half a transaction, {left} and {right}"
            );
            ensure!(
                left >= *acknowledged,
                "round {round}, writer {w}: {left} after {acknowledged}"
            );
            let found = ask(
                &mut connection,
                "Query",
                &format!(
                    r#"{{"TableName":"left","IndexName":"by-v","KeyConditionExpression":"v = :v","FilterExpression":"p = :p",
                    "ExpressionAttributeValues":{{":v":{{"N":"{left}"}},":p":{{"S":"w{w}"}}}}}}"#
                ),
            )?;
            let text = found.text();
            ensure!(left == 0 || text.contains(r#""Count":1"#), "the index lacks {left}: {text}");
            *acknowledged = left;
        }
    }
    let total: u64 = numbers.iter().sum();
    eprintln!("{ROUNDS} rounds, {total} transactions, none lost, none halved");
    Ok(())
}

fn write(
    address: SocketAddr,
    w: usize,
    from: u64,
    say: &mpsc::SyncSender<(usize, u64)>,
) -> Result<()> {
    let mut connection = Connection::open(address)?;
    for n in from + 1.. {
        let one = |table: &str| {
            format!(
                r#"{{"Put":{{"TableName":"{table}","Item":{{"p":{{"S":"w{w}"}},"v":{{"N":"{n}"}}}}}}}}"#
            )
        };
        let body = format!(r#"{{"TransactItems":[{},{}]}}"#, one("left"), one("right"));
        let answer = ask(&mut connection, "TransactWriteItems", &body)?;
        ensure!(answer.status == 200, "{}", answer.text());
        say.send((w, n))?;
    }
    Ok(())
}

fn value(connection: &mut Connection, table: &str, w: usize) -> Result<u64> {
    let body = format!(r#"{{"TableName":"{table}","Key":{{"p":{{"S":"w{w}"}}}}}}"#);
    let answer = ask(connection, "GetItem", &body)?;
    ensure!(answer.status == 200, "{}", answer.text());
    let read: serde_json::Value = serde_json::from_slice(&answer.body)?;
    Ok(read["Item"]["v"]["N"].as_str().unwrap_or("0").parse()?)
}

fn ask(connection: &mut Connection, operation: &str, body: &str) -> Result<Answer> {
    let target = format!("DynamoDB_20120810.{operation}");
    let headers = [("x-amz-target", &*target), ("content-type", "application/x-amz-json-1.0")];
    connection.send(&Request {
        method: "POST",
        target: "/",
        headers: &headers,
        body: body.as_bytes(),
        service: "dynamodb",
        key: ("test", "test"),
    })
}
