//! Log streams.

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::{Key, Lock, Parts, Range, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::chunk::unsigned;
use crate::error::{exists, invalid, no_group, no_stream};
use crate::event::Pos;
use crate::group::{self, GROUPS, Group, fresh, millis};
use crate::{Logs, authz, page, sweep};

pub const OPS: &[Op<Logs>] = ops![
    CreateLogStream => create_log_stream [authz::stream],
    DeleteLogStream => delete_log_stream [authz::stream],
    DescribeLogStreams => describe_log_streams [authz::group],
];

/// By group id and name.
pub static STREAMS: Table<Stream> = Table::new("logs.stream");
/// The name of a stream, by group id and stream id. What is not here has been deleted.
pub static NAMES: Table<bytes::Bytes> = Table::new("logs.stream-name");
/// By group id, time of the last event (newest first), name.
pub static RECENT: Table<()> = Table::new("logs.stream-by-time");

/// A stream's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Stream {
    #[n(0)]
    pub id: u64,
    #[n(1)]
    pub name: String,
    /// Milliseconds since 1970, as the other times.
    #[n(2)]
    pub created: i64,
    /// The number of the next event.
    #[n(3)]
    pub next: u64,
    #[n(4)]
    pub first_event: Option<i64>,
    #[n(5)]
    pub last_event: Option<i64>,
    #[n(6)]
    pub last_ingestion: Option<i64>,
}
fogbank_store::record!(Stream, version = 1);

pub fn key(group: u64, name: &str) -> Key {
    Key::new().u64(group).str(name)
}

fn recent_key(group: u64, last_event: Option<i64>, name: &str) -> Key {
    Key::new().u64(group).u64_desc(unsigned(last_event.unwrap_or(0))).str(name)
}

/// Keeps the order by last event.
pub fn moved(tx: &mut Tx, group: u64, stream: &Stream, before: Option<i64>) {
    if stream.last_event != before {
        tx.delete(&RECENT, &recent_key(group, before, &stream.name));
        tx.put(&RECENT, &recent_key(group, stream.last_event, &stream.name), &());
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StreamInput {
    log_group_name: String,
    log_stream_name: String,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogStream.html>
async fn create_log_stream(logs: &Logs, cx: &Cx, input: StreamInput) -> Result<()> {
    let id = logs.group(cx, &input.log_group_name).await?.id;
    let group_key = group::key(cx, &input.log_group_name);
    let key = key(id, &input.log_stream_name);
    let locks = [Lock::shared(&GROUPS, &group_key), Lock::exclusive(&STREAMS, &key)];
    let mut tx = logs.store.lock(&locks).await;
    tx.get(&GROUPS, &group_key).await?.filter(|g| g.id == id).ok_or_else(no_group)?;
    if tx.get(&STREAMS, &key).await?.is_some() {
        return Err(exists("The specified log stream already exists"));
    }
    let stream = Stream {
        id: fresh(cx),
        name: input.log_stream_name,
        created: millis(cx.now),
        next: 1,
        first_event: None,
        last_event: None,
        last_ingestion: None,
    };
    let name = bytes::Bytes::copy_from_slice(stream.name.as_bytes());
    tx.put(&NAMES, &Key::new().u64(id).u64(stream.id), &name);
    tx.put(&RECENT, &recent_key(id, None, &stream.name), &());
    tx.put(&STREAMS, &key, &stream);
    tx.commit().await?;
    Ok(())
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogStream.html>
async fn delete_log_stream(logs: &Logs, cx: &Cx, input: StreamInput) -> Result<()> {
    let id = logs.group(cx, &input.log_group_name).await?.id;
    let key = key(id, &input.log_stream_name);
    let mut tx = logs.store.lock(&[Lock::exclusive(&STREAMS, &key)]).await;
    let stream = tx.get(&STREAMS, &key).await?.ok_or_else(no_stream)?;
    tx.delete(&STREAMS, &key);
    tx.delete(&NAMES, &Key::new().u64(id).u64(stream.id));
    tx.delete(&RECENT, &recent_key(id, stream.last_event, &stream.name));
    sweep::purge_stream(&mut tx, cx.now, id, stream.id);
    tx.commit().await?;
    logs.swept();
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeLogStreamsInput {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    #[serde(default)]
    descending: bool,
    limit: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StreamView {
    log_stream_name: String,
    creation_time: i64,
    first_event_timestamp: Option<i64>,
    last_event_timestamp: Option<i64>,
    last_ingestion_time: Option<i64>,
    upload_sequence_token: Option<String>,
    arn: String,
    /// Always 0 since 2019, on AWS too.
    stored_bytes: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeLogStreamsOutput {
    log_streams: Vec<StreamView>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogStreams.html>
async fn describe_log_streams(
    logs: &Logs,
    cx: &Cx,
    input: DescribeLogStreamsInput,
) -> Result<DescribeLogStreamsOutput> {
    let (name, identifier) = (&input.log_group_name, &input.log_group_identifier);
    let group = logs.group_of(cx, name.as_deref(), identifier.as_deref()).await?;
    let by_time = input.order_by.as_deref() == Some("LastEventTime");
    if by_time && input.log_stream_name_prefix.is_some() {
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let limit = page::limit(input.limit, 50);
    let after = page::decode(input.next_token.as_deref())?;
    let mut found = if by_time {
        by_last_event(logs, &group, after, limit + 1, input.descending).await?
    } else {
        let parent = Key::new().u64(group.id);
        let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
        let mut range = Range::starting(&parent, prefix);
        if let Some(after) = after {
            range = range.after(&key(group.id, &after));
        }
        let range = if input.descending { range.reverse() } else { range };
        let found = logs.store.scan(&STREAMS, range, limit + 1).await?;
        found.into_iter().map(|(_, s)| s).collect()
    };
    let next_token = page::cut(&mut found, limit, |s| {
        let last = s.last_event.unwrap_or(0);
        if by_time { format!("{last} {}", s.name) } else { s.name.clone() }
    });
    let view = |s: Stream| StreamView {
        arn: format!("{}:log-stream:{}", authz::arn(cx, &group.name), s.name),
        upload_sequence_token: s
            .last_event
            .map(|_| Pos { ts: s.created, stream: s.id, seq: s.next }.id()),
        log_stream_name: s.name,
        creation_time: s.created,
        first_event_timestamp: s.first_event,
        last_event_timestamp: s.last_event,
        last_ingestion_time: s.last_ingestion,
        stored_bytes: 0,
    };
    Ok(DescribeLogStreamsOutput { log_streams: found.into_iter().map(view).collect(), next_token })
}

/// At most `most` streams in order of their last event.
async fn by_last_event(
    logs: &Logs,
    group: &Group,
    after: Option<String>,
    most: usize,
    descending: bool,
) -> Result<Vec<Stream>> {
    let mut range = Range::prefix(&Key::new().u64(group.id));
    if let Some(after) = after {
        let (last, name) = after.split_once(' ').ok_or_else(page::bad_token)?;
        let last = last.parse().map_err(|_| page::bad_token())?;
        range = range.after(&recent_key(group.id, Some(last), name));
    }
    // The index has the newest first.
    let range = if descending { range } else { range.reverse() };
    let mut found = Vec::new();
    for (k, ()) in logs.store.scan(&RECENT, range, most).await? {
        let mut parts = Parts::of(k.as_bytes());
        parts.number();
        parts.number();
        let Some(name) = parts.text() else { continue };
        found.extend(logs.store.get(&STREAMS, &key(group.id, &name)).await?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
