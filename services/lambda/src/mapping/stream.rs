//! Streams of DynamoDB tables: each shard read in order, its place kept in the store.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use fogbank_core::{ApiError, Cx, Result, Value, map};
use fogbank_store::{Key, Lock, Range, Table, Tx};
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::Mapping;
use super::batch::{Filters, Verdict, hand_over};
use super::json::json as to_json;
use super::poller::Poll;
use crate::Lambda;
use crate::asynchronous::deliver;

/// Where a mapping is in each shard.
static PLACES: Table<Place> = Table::new("lambda.shard");

#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
struct Place {
    /// The number of the last record that is done; `None` before the first.
    #[n(0)]
    after: Option<String>,
    /// The shard is read to its end.
    #[n(1)]
    done: bool,
}
fogbank_store::record!(Place, version = 1);

/// How often it is asked for new shards, and a silent shard for records.
const SHARDS: Duration = Duration::from_secs(10);
const SILENT: Duration = Duration::from_millis(500);

fn place_key(mapping: &Mapping, shard: &str) -> Key {
    Key::new().str(&mapping.uuid).str(shard)
}

/// Forgets the places of a mapping that is deleted.
///
/// # Errors
/// When the store fails.
pub async fn forget(tx: &mut Tx, mapping: &Mapping) -> Result<()> {
    let all = Range::prefix(&Key::new().str(&mapping.uuid));
    for (key, _) in tx.scan(&PLACES, all, usize::MAX).await? {
        tx.delete(&PLACES, &key);
    }
    Ok(())
}

/// Reads the stream until the mapping changes: a task per shard, children after their parents.
pub async fn run(poll: Poll) {
    let mut reading: HashMap<String, tokio::task::JoinHandle<()>> = HashMap::new();
    let mut first = true;
    while !poll.is_over() {
        reading.retain(|_, task| !task.is_finished());
        match shards(&poll).await {
            Ok(shards) => {
                let open: HashSet<&String> =
                    shards.iter().filter(|s| !s.place.done).map(|s| &s.id).collect();
                for shard in shards.iter().filter(|s| !s.place.done) {
                    let waits = shard.parent.as_ref().is_some_and(|p| open.contains(p));
                    if waits || reading.contains_key(&shard.id) {
                        continue;
                    }
                    // Only shards that are there at the beginning are begun at the newest record.
                    let start = match poll.mapping.start.as_deref() {
                        Some("LATEST") if first && shard.is_open => "LATEST",
                        Some("LATEST") if first => {
                            finish(&poll, &shard.id).await;
                            continue;
                        }
                        _ => "TRIM_HORIZON",
                    };
                    let task = read(poll.clone(), shard.id.clone(), shard.place.clone(), start);
                    reading.insert(shard.id.clone(), tokio::spawn(task));
                }
                first = false;
            }
            Err(e) => {
                tracing::debug!("{} cannot be read: {e}", poll.mapping.source);
                say(&poll, &format!("PROBLEM: {}", e.message())).await;
            }
        }
        poll.pause(if reading.is_empty() { SILENT } else { SHARDS }).await;
    }
}

async fn say(poll: &Poll, result: &str) {
    let Some(lambda) = poll.lambda.upgrade() else { return };
    if let Err(e) = lambda.note(&poll.mapping, |m| result.clone_into(&mut m.result)).await {
        tracing::warn!("the result of {} is not written: {e}", poll.mapping.uuid);
    }
}

struct Shard {
    id: String,
    parent: Option<String>,
    is_open: bool,
    place: Place,
}

async fn session(lambda: &Lambda, poll: &Poll) -> Result<Cx> {
    let target = poll.mapping.target();
    let function = lambda.function(&target).await?;
    let (_, config) = lambda.version_of(&target, &function).await?;
    lambda.roles.cx(&poll.cloud, &target.with(None), &config.role).await
}

async fn shards(poll: &Poll) -> Result<Vec<Shard>> {
    let lambda = poll.lambda.upgrade().ok_or_else(|| ApiError::internal("shut down"))?;
    let cx = session(&lambda, poll).await?;
    let mut shards = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let input = map! {
            "StreamArn" => poll.mapping.source.clone(), "ExclusiveStartShardId" => after.take()
        };
        let answer = cx.call("dynamodbstreams", "DescribeStream", input).await?;
        let Some(description) = answer.get("StreamDescription") else { break };
        for shard in description.get("Shards").map(Value::items).unwrap_or_default() {
            let id = shard.str("ShardId").unwrap_or_default().to_owned();
            let range = shard.get("SequenceNumberRange");
            let ended = range.and_then(|r| r.str("EndingSequenceNumber")).is_some();
            let key = place_key(&poll.mapping, &id);
            let place = lambda.store.get(&PLACES, &key).await?.unwrap_or_default();
            let parent = shard.str("ParentShardId").map(str::to_owned);
            shards.push(Shard { id, parent, is_open: !ended, place });
        }
        after = description.str("LastEvaluatedShardId").map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    Ok(shards)
}

async fn finish(poll: &Poll, shard: &str) {
    keep(poll, shard, |place| place.done = true).await;
}

async fn keep(poll: &Poll, shard: &str, change: impl FnOnce(&mut Place)) {
    let Some(lambda) = poll.lambda.upgrade() else { return };
    let key = place_key(&poll.mapping, shard);
    let kept = async {
        let mut tx = lambda.store.lock(&[Lock::exclusive(&PLACES, &key)]).await;
        let mut place = tx.get(&PLACES, &key).await?.unwrap_or_default();
        change(&mut place);
        tx.put(&PLACES, &key, &place);
        tx.commit().await
    };
    if let Err(e) = kept.await {
        tracing::error!("the place in {shard} is not written: {e}");
    }
}

/// A record, and what must be known of it.
#[derive(Clone)]
struct Item {
    number: String,
    at: i64,
    key: String,
    record: Json,
}

/// Reads one shard to its end.
async fn read(poll: Poll, shard: String, place: Place, start: &'static str) {
    let filters = Filters::new(&poll.mapping);
    let mut after = place.after;
    let mut iterator: Option<String> = None;
    let mut batch: Vec<Item> = Vec::new();
    let mut until: Option<Instant> = None;
    let wanted = usize::try_from(poll.mapping.batch).unwrap_or(100);
    while !poll.is_over() {
        let step = next(&poll, &shard, after.as_deref(), start, iterator.take(), wanted).await;
        let (items, following) = match step {
            Ok(step) => step,
            Err(e) => {
                tracing::debug!("{shard} cannot be read: {e}");
                say(&poll, &format!("PROBLEM: {}", e.message())).await;
                poll.pause(Duration::from_secs(1)).await;
                continue;
            }
        };
        let silent = items.is_empty();
        if let Some(last) = items.last() {
            after = Some(last.number.clone());
        }
        batch.extend(items);
        let ended = following.is_none();
        iterator = following;
        let window = Duration::from_secs(poll.mapping.window.into());
        if until.is_none() && !batch.is_empty() {
            until = Some(Instant::now() + window);
        }
        let due = ended || batch.len() >= wanted || until.is_some_and(|u| Instant::now() >= u);
        if due && !batch.is_empty() {
            let whole = std::mem::take(&mut batch);
            until = None;
            for part in whole.chunks(wanted.max(1)) {
                if !hand_in_order(&poll, &shard, &filters, part.to_vec()).await {
                    return;
                }
            }
        }
        if ended {
            finish(&poll, &shard).await;
            return;
        }
        if silent {
            poll.pause(SILENT).await;
        }
    }
}

/// The next records and the iterator behind them; `None` at the end of the shard.
async fn next(
    poll: &Poll,
    shard: &str,
    after: Option<&str>,
    start: &str,
    iterator: Option<String>,
    wanted: usize,
) -> Result<(Vec<Item>, Option<String>)> {
    let lambda = poll.lambda.upgrade().ok_or_else(|| ApiError::internal("shut down"))?;
    let cx = session(&lambda, poll).await?;
    drop(lambda);
    let iterator = match iterator {
        Some(i) => i,
        None => {
            let input = map! {
                "StreamArn" => poll.mapping.source.clone(),
                "ShardId" => shard,
                "ShardIteratorType" => if after.is_some() { "AFTER_SEQUENCE_NUMBER" } else { start },
                "SequenceNumber" => after.map(str::to_owned),
            };
            let answer = cx.call("dynamodbstreams", "GetShardIterator", input).await?;
            answer.str("ShardIterator").unwrap_or_default().to_owned()
        }
    };
    let limit = Value::Int(i64::try_from(wanted.min(1000)).unwrap_or(1000));
    let input = map! { "ShardIterator" => iterator, "Limit" => limit };
    let answer = cx.call("dynamodbstreams", "GetRecords", input).await?;
    let records = answer.get("Records").map(Value::items).unwrap_or_default();
    let items = records.iter().map(|r| item(r, &poll.mapping)).collect();
    Ok((items, answer.str("NextShardIterator").map(str::to_owned)))
}

fn item(value: &Value, mapping: &Mapping) -> Item {
    let mut record = to_json(value);
    record["eventSourceARN"] = json!(mapping.source);
    let change = &record["dynamodb"];
    Item {
        number: change["SequenceNumber"].as_str().unwrap_or_default().to_owned(),
        at: change["ApproximateCreationDateTime"].as_i64().unwrap_or(0),
        key: change["Keys"].to_string(),
        record,
    }
}

/// Hands a batch over, as often as it takes, and keeps the place behind it. Whether to go on.
async fn hand_in_order(poll: &Poll, shard: &str, filters: &Filters, batch: Vec<Item>) -> bool {
    let last = batch.last().map(|i| i.number.clone());
    let passing: Vec<Item> = batch.into_iter().filter(|i| filters.pass(&i.record, None)).collect();
    let lanes = usize::try_from(poll.mapping.parallel).unwrap_or(1).max(1);
    let mut parts: Vec<Vec<Item>> = vec![Vec::new(); lanes];
    for item in passing {
        // Changes of one item stay in order.
        let mut hasher = DefaultHasher::new();
        item.key.hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % lanes as u64).unwrap_or(0);
        parts[lane].push(item);
    }
    let parts = parts.into_iter().filter(|p| !p.is_empty());
    let done = futures_util::future::join_all(parts.map(|p| hand_part(poll, shard, p))).await;
    if !done.iter().all(|d| *d) {
        return false;
    }
    if let Some(last) = last {
        keep(poll, shard, |place| place.after = Some(last)).await;
    }
    say(poll, "OK").await;
    true
}

/// One lane's share of a batch: tried, split and given up as the mapping says.
async fn hand_part(poll: &Poll, shard: &str, items: Vec<Item>) -> bool {
    let mapping = &poll.mapping;
    // What is still to do, in order; with how often it was tried.
    let mut queue: Vec<(Vec<Item>, i64)> = vec![(items, 0)];
    while let Some((items, tried)) = queue.pop() {
        if poll.is_over() {
            return false;
        }
        let Some(lambda) = poll.lambda.upgrade() else { return false };
        let now = poll.cloud.clock().now();
        let old = |i: &Item| mapping.age >= 0 && now.as_second() - i.at > mapping.age;
        if items.first().is_some_and(old) {
            give_up(poll, shard, &items, "RecordAgeExceeded", tried, None).await;
            continue;
        }
        let records: Vec<Json> = items.iter().map(|i| i.record.clone()).collect();
        let ids: Vec<String> = items.iter().map(|i| i.number.clone()).collect();
        let verdict = hand_over(&lambda, &poll.cloud, mapping, &records, &ids, None).await;
        drop(lambda);
        let tried = match &verdict {
            Verdict::NotRun(_) => tried,
            _ => tried + 1,
        };
        match verdict {
            Verdict::Done => {}
            // What comes behind the first failure is tried again with it.
            Verdict::Partly(failed) => {
                let at = items.iter().position(|i| failed.contains(&i.number)).unwrap_or(0);
                let rest = items[at..].to_vec();
                let tried = if at > 0 { 0 } else { tried };
                if mapping.retries >= 0 && tried > mapping.retries {
                    give_up(poll, shard, &rest, "RetryAttemptsExhausted", tried, None).await;
                } else {
                    queue.push((rest, tried));
                    poll.pause(back_off(tried)).await;
                }
            }
            Verdict::Failed { request_id, version } => {
                say(poll, "PROBLEM: Function call failed").await;
                let spent = mapping.retries >= 0 && tried > mapping.retries;
                if mapping.bisect && items.len() > 1 {
                    let (front, back) = items.split_at(items.len() / 2);
                    let tried = if spent { mapping.retries } else { tried };
                    queue.push((back.to_vec(), tried));
                    queue.push((front.to_vec(), tried));
                } else if spent {
                    let of = Some((request_id, version));
                    give_up(poll, shard, &items, "RetryAttemptsExhausted", tried, of).await;
                } else {
                    queue.push((items, tried));
                    poll.pause(back_off(tried)).await;
                }
            }
            Verdict::NotRun(why) => {
                say(poll, &format!("PROBLEM: {why}")).await;
                queue.push((items, tried));
                poll.pause(Duration::from_secs(1)).await;
            }
        }
    }
    true
}

fn back_off(tried: i64) -> Duration {
    let tried = u32::try_from(tried).unwrap_or(0).min(9);
    Duration::from_millis((100_u64 << tried).min(30_000))
}

/// Tells the destination of records that will not be tried again.
async fn give_up(
    poll: &Poll,
    shard: &str,
    items: &[Item],
    condition: &str,
    tried: i64,
    of: Option<(String, String)>,
) {
    let mapping = &poll.mapping;
    let (Some(to), Some(first), Some(last)) = (&mapping.on_failure, items.first(), items.last())
    else {
        return;
    };
    let Some(lambda) = poll.lambda.upgrade() else { return };
    let stamp = |t: Timestamp| t.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    let at = |i: &Item| stamp(Timestamp::from_second(i.at).unwrap_or_default());
    let (request_id, version) = of.unwrap_or_default();
    let mut record = json!({
        "requestContext": {
            "requestId": request_id,
            "functionArn": mapping.target().arn(),
            "condition": condition,
            "approximateInvokeCount": tried,
        },
        "version": "1.0",
        "timestamp": stamp(poll.cloud.clock().now()),
        "DDBStreamBatchInfo": {
            "shardId": shard,
            "startSequenceNumber": first.number,
            "endSequenceNumber": last.number,
            "approximateArrivalOfFirstRecord": at(first),
            "approximateArrivalOfLastRecord": at(last),
            "batchSize": items.len(),
            "streamArn": mapping.source,
        },
    });
    if !version.is_empty() {
        record["responseContext"] = json!({
            "statusCode": 200, "executedVersion": version, "functionError": "Unhandled"
        });
    }
    let sent = async {
        let cx = session(&lambda, poll).await?;
        deliver(&cx, to, false, &record).await
    };
    if let Err(e) = sent.await {
        tracing::warn!("{to} did not take what {} gave up: {e}", mapping.uuid);
    }
}
