//! PutLogEvents: the append that everything else waits for.

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::{Key, Lock, Range, Store, Table, Tx};
use serde::{Deserialize, Serialize};

use crate::emit::{self, Appended};
use crate::error::{invalid, no_group, no_stream};
use crate::event::{OVERHEAD, Pos};
use crate::group::{self, GROUPS, Group, millis};
use crate::stream::{self, STREAMS, Stream};
use crate::{Logs, authz, chunk};

pub const OPS: &[Op<Logs>] = ops![PutLogEvents => put_log_events [authz::stream]];

/// How many bytes a group holds, in parts that different streams add to, so that they do not wait
/// for each other.
pub static SIZES: Table<u64> = Table::new("logs.size");
const SHARDS: u64 = 16;

const BATCH: usize = 1_048_576;
const DAY: i64 = 86_400_000;
const FUTURE: i64 = 2 * 3_600_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutLogEventsInput {
    log_group_name: String,
    log_stream_name: String,
    log_events: Vec<InputEvent>,
    entity: Option<fogbank_core::Value>,
}

#[derive(Deserialize)]
struct InputEvent {
    timestamp: i64,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PutLogEventsOutput {
    next_sequence_token: String,
    rejected_log_events_info: Option<Rejected>,
}

/// Which events were not taken; both ends are exclusive.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rejected {
    too_new_log_event_start_index: Option<usize>,
    too_old_log_event_end_index: Option<usize>,
    expired_log_event_end_index: Option<usize>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>
async fn put_log_events(
    logs: &Logs,
    cx: &Cx,
    input: PutLogEventsInput,
) -> Result<PutLogEventsOutput> {
    if input.entity.is_some() {
        cx.ignore_member("entity");
    }
    check(&input.log_events)?;
    let group_key = group::key(cx, &input.log_group_name);
    let id = logs.group(cx, &input.log_group_name).await?.id;
    let stream_key = stream::key(id, &input.log_stream_name);
    let Some(seen) = logs.store.get(&STREAMS, &stream_key).await? else { return Err(no_stream()) };
    let size_key = size_key(id, seen.id);
    let locks = [
        Lock::shared(&GROUPS, &group_key),
        Lock::exclusive(&STREAMS, &stream_key),
        Lock::exclusive(&SIZES, &size_key),
    ];
    let mut tx = logs.store.lock(&locks).await;
    // What was seen before the locks were held may have been deleted, and made anew.
    let group = tx.get(&GROUPS, &group_key).await?.filter(|g| g.id == id).ok_or_else(no_group)?;
    let known = tx.get(&STREAMS, &stream_key).await?.filter(|s| s.id == seen.id);
    let mut stream = known.ok_or_else(no_stream)?;

    let now = millis(cx.now);
    let (events, rejected) = accept(input.log_events, &group, now);
    if !events.is_empty() {
        let bytes: usize = events.iter().map(|(_, m)| m.len() + OVERHEAD).sum();
        let size = tx.get(&SIZES, &size_key).await?.unwrap_or(0);
        tx.put(&SIZES, &size_key, &(size + bytes as u64));
        let appended =
            Appended { cx, group: &group, stream: &stream, first: stream.next, events: &events };
        let more = emit::outgoing(&mut tx, &appended).await?;
        append(&mut tx, &group, &mut stream, &stream_key, now, events);
        tx.commit().await?;
        if more {
            logs.emitted();
        }
    }
    let token = Pos { ts: stream.created, stream: stream.id, seq: stream.next };
    Ok(PutLogEventsOutput { next_sequence_token: token.id(), rejected_log_events_info: rejected })
}

/// Writes the events, and the stream as it then is.
fn append(
    tx: &mut Tx,
    group: &Group,
    stream: &mut Stream,
    stream_key: &Key,
    now: i64,
    events: Vec<(i64, String)>,
) {
    let (first, last) = (events[0].0, events[events.len() - 1].0);
    let n = events.len() as u64;
    chunk::write(tx, group.id, stream.id, stream.next, now, events);
    let before = stream.last_event;
    stream.next += n;
    stream.first_event = Some(stream.first_event.map_or(first, |f| f.min(first)));
    stream.last_event = Some(before.map_or(last, |l| l.max(last)));
    stream.last_ingestion = Some(now);
    stream::moved(tx, group.id, stream, before);
    tx.put(&STREAMS, stream_key, stream);
}

/// What is wrong with a whole batch.
fn check(events: &[InputEvent]) -> Result<()> {
    let mut total = 0;
    for e in events {
        let size = e.message.len() + OVERHEAD;
        if size > BATCH {
            return Err(invalid(format!(
                "Log event too large: {size} bytes exceeds limit of {BATCH}"
            )));
        }
        total += size;
    }
    if total > BATCH {
        return Err(invalid(format!("Upload too large: {total} bytes exceeds limit of {BATCH}")));
    }
    if !events.is_sorted_by_key(|e| e.timestamp) {
        return Err(invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    if let (Some(first), Some(last)) = (events.first(), events.last())
        && last.timestamp.saturating_sub(first.timestamp) > DAY
    {
        return Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 \
             hours.",
        ));
    }
    Ok(())
}

/// Divides a batch, which is in order, into what is taken and what is not.
fn accept(
    events: Vec<InputEvent>,
    group: &Group,
    now: i64,
) -> (Vec<(i64, String)>, Option<Rejected>) {
    let before = |t: i64| events.partition_point(|e| e.timestamp < t);
    let (old, expired) = (before(now - 14 * DAY), before(group.oldest(now)));
    let new = before(now + FUTURE + 1);
    let rejected = Rejected {
        too_new_log_event_start_index: (new < events.len()).then_some(new),
        too_old_log_event_end_index: (old > 0).then_some(old),
        expired_log_event_end_index: (expired > 0).then_some(expired),
    };
    let from = old.max(expired);
    let taken = events.into_iter().take(new).skip(from).map(|e| (e.timestamp, e.message));
    let taken = taken.collect();
    (taken, Some(rejected).filter(|r| *r != Rejected::default()))
}

/// How many bytes a group holds.
pub async fn stored_bytes(store: &Store, group: u64) -> Result<u64> {
    let parts = Range::prefix(&Key::new().u64(group));
    let parts = store.scan(&SIZES, parts, SHARDS as usize).await?;
    Ok(parts.into_iter().map(|(_, n)| n).sum())
}

/// The part of a group's size that a stream adds to.
pub fn size_key(group: u64, stream: u64) -> Key {
    Key::new().u64(group).u64(stream % SHARDS)
}

#[cfg(test)]
mod tests;
