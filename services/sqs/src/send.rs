//! SendMessage, alone and in batches.

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use fogbank_store::{Key, Lock, Parts, Range, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::batch::{self, Failed, Output};
use crate::error::too_busy;
use crate::fifo;
use crate::flight::{self, Receipt};
use crate::message::{Checked, Draft, Message, md5};
use crate::message_attribute::digest;
use crate::place::{Place, micros, salt, seconds};
use crate::queue::Found;
use crate::tally::{self, SHARDS};
use crate::{Sqs, authz};

pub const OPS: &[Op<Sqs>] = ops![
    SendMessage => send_message [authz::queue],
    SendMessageBatch => send_message_batch [authz::queue],
];

/// `(generation, scope, deduplication id)`; the scope is a message group, or empty for the queue.
static SEEN: Table<Seen> = Table::new("sqs.seen");
/// `(generation, end, scope, deduplication id)`: when each may be forgotten.
static SEEN_UNTIL: Table<()> = Table::new("sqs.seen-until");

/// A message that must not come again.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Seen {
    /// Microseconds since 1970.
    #[n(0)]
    until: u64,
    #[n(1)]
    id: String,
    #[n(2)]
    order: u64,
}
fogbank_store::record!(Seen, version = 1);

/// For how long a duplicate is recognised.
const REMEMBERED: u64 = 300;
/// How many ends a send looks at: more than it adds, so that nothing piles up.
const FORGET: usize = 2;

/// A message that is in its queue.
struct Sent {
    id: String,
    /// `SequenceNumber`, in a FIFO queue.
    sequence: Option<String>,
    digests: Digests,
}

#[derive(Serialize)]
struct Digests {
    #[serde(rename = "MD5OfMessageBody")]
    body: String,
    #[serde(rename = "MD5OfMessageAttributes")]
    attributes: Option<String>,
    #[serde(rename = "MD5OfMessageSystemAttributes")]
    system: Option<String>,
}

impl Digests {
    fn of(message: &Message) -> Self {
        Digests {
            body: md5(&message.body),
            attributes: digest(&message.attributes),
            system: digest(&message.trace),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessageInput {
    queue_url: String,
    #[serde(flatten)]
    draft: Draft,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessageOutput {
    message_id: String,
    sequence_number: Option<String>,
    #[serde(flatten)]
    digests: Digests,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
async fn send_message(sqs: &Sqs, cx: &Cx, input: SendMessageInput) -> Result<SendMessageOutput> {
    let found = sqs.of_request(cx, &input.queue_url).await?;
    let checked = input.draft.check(cx, &found.queue.settings)?;
    let mut sent = sqs.send(cx, &found, vec![checked]).await?;
    let sent = sent.pop().ok_or_else(|| ApiError::internal("a message sent is not there"))?;
    Ok(SendMessageOutput {
        message_id: sent.id,
        sequence_number: sent.sequence,
        digests: sent.digests,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessageBatchInput {
    queue_url: String,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
    #[serde(flatten)]
    draft: Draft,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SentEntry {
    id: String,
    message_id: String,
    sequence_number: Option<String>,
    #[serde(flatten)]
    digests: Digests,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>
async fn send_message_batch(
    sqs: &Sqs,
    cx: &Cx,
    input: SendMessageBatchInput,
) -> Result<Output<SentEntry>> {
    let found = sqs.of_request(cx, &input.queue_url).await?;
    let ids = input.entries.iter().map(|e| e.id.as_str());
    batch::check(ids, "SendMessageBatchRequestEntry")?;
    let (mut good, mut ids, mut failed, mut size) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for Entry { id, draft } in input.entries {
        match draft.check(cx, &found.queue.settings) {
            Ok(checked) => {
                size += checked.size;
                good.push(checked);
                ids.push(id);
            }
            Err(e) => failed.push(Failed::new(id, &e)),
        }
    }
    const LARGEST: usize = 1 << 20;
    if size > LARGEST {
        return Err(ApiError::new(
            "BatchRequestTooLong",
            format!(
                "Batch requests cannot be longer than {LARGEST} bytes. You have sent {size} bytes."
            ),
        ));
    }
    let sent = if good.is_empty() { Vec::new() } else { sqs.send(cx, &found, good).await? };
    let entry = |(id, s): (String, Sent)| SentEntry {
        id,
        message_id: s.id,
        sequence_number: s.sequence,
        digests: s.digests,
    };
    Ok(Output::new(ids.into_iter().zip(sent).map(entry).collect(), failed))
}

impl Sqs {
    /// Puts messages into a queue, in one transaction and in order.
    async fn send(&self, cx: &Cx, found: &Found, all: Vec<Checked>) -> Result<Vec<Sent>> {
        let mut now_found;
        let mut found = found;
        // The queue may be purged between our reading it and our locking it.
        for _ in 0..5 {
            let sent = if found.fifo() {
                self.send_fifo(cx, found, &all).await?
            } else {
                self.send_standard(cx, found, &all).await?
            };
            if let Some(sent) = sent {
                self.waiting.wake(found.generation(), all.len());
                return Ok(sent);
            }
            now_found = self.find(&found.at).await?;
            found = &now_found;
        }
        Err(too_busy())
    }

    async fn send_standard(
        &self,
        cx: &Cx,
        found: &Found,
        all: &[Checked],
    ) -> Result<Option<Vec<Sent>>> {
        let shard = salt(cx.ids(), 0) / SHARDS % SHARDS;
        let mut tx = self.store.lock(&[tally::lock(&found.at, shard)]).await;
        if !tally::add(&mut tx, &found.at, found.generation(), shard, all.len() as i64).await? {
            return Ok(None);
        }
        let mut sent = Vec::with_capacity(all.len());
        for Checked { message, delay, .. } in all {
            let place = Place { order: self.order.next(cx.now, 0), salt: salt(cx.ids(), shard) };
            let due = micros(cx.now) + seconds(*delay);
            flight::append(&mut tx, found, place, message, due, Receipt::default()).await?;
            let digests = Digests::of(message);
            sent.push(Sent { id: message.id.clone(), sequence: None, digests });
        }
        tx.commit().await?;
        Ok(Some(sent))
    }

    async fn send_fifo(
        &self,
        cx: &Cx,
        found: &Found,
        all: &[Checked],
    ) -> Result<Option<Vec<Sent>>> {
        let generation = found.generation();
        let now = micros(cx.now);
        let shard = salt(cx.ids(), 0) / SHARDS % SHARDS;
        let expired = self.to_forget(generation, now, all.len() * FORGET).await?;
        let mut locks = vec![tally::lock(&found.at, shard)];
        locks.extend(expired.iter().map(|(_, seen)| Lock::exclusive(&SEEN, seen)));
        for Checked { message, .. } in all {
            let group = message.group.as_deref().unwrap_or_default();
            locks.push(fifo::lock(generation, group));
            locks.push(Lock::exclusive(&SEEN, &seen_key(found, message)));
        }
        let mut tx = self.store.lock(&locks).await;
        for (until, seen) in expired {
            if tx.get(&SEEN, &seen).await?.is_some_and(|s| s.until <= now) {
                tx.delete(&SEEN, &seen);
            }
            tx.delete(&SEEN_UNTIL, &until);
        }
        let mut sent = Vec::with_capacity(all.len());
        let mut new = 0;
        for Checked { message, delay, .. } in all {
            let digests = Digests::of(message);
            let seen = seen_key(found, message);
            let (id, place) = match tx.get(&SEEN, &seen).await? {
                Some(s) if s.until > now => (s.id, Place { order: s.order, salt: 0 }),
                _ => {
                    let group = message.group.as_deref().unwrap_or_default();
                    let last = fifo::last_order(&mut tx, generation, group).await?;
                    let order = self.order.next(cx.now, last);
                    let place = Place { order, salt: salt(cx.ids(), shard) };
                    let due = now + seconds(*delay);
                    flight::append(&mut tx, found, place, message, due, Receipt::default()).await?;
                    remember(&mut tx, found, message, order, now + seconds(REMEMBERED));
                    new += 1;
                    (message.id.clone(), place)
                }
            };
            sent.push(Sent { id, sequence: Some(place.sequence()), digests });
        }
        if !tally::add(&mut tx, &found.at, generation, shard, new).await? {
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(sent))
    }

    /// Duplicates that need not be recognised any more: the keys of their end and of themselves.
    async fn to_forget(&self, generation: u64, now: u64, most: usize) -> Result<Vec<(Key, Key)>> {
        let range =
            Range::prefix(&flight::lane(generation)).to(&flight::lane(generation).u64(now + 1));
        let ended = self.store.scan(&SEEN_UNTIL, range, most).await?;
        let pair = |(key, ()): (Key, ())| {
            let mut parts = Parts::of(key.as_bytes());
            let generation = parts.number()?;
            parts.number()?;
            let seen = Key::new().u64(generation).str(&parts.text()?).str(&parts.text()?);
            Some((key, seen))
        };
        Ok(ended.into_iter().filter_map(pair).collect())
    }
}

fn scope<'a>(found: &Found, message: &'a Message) -> (&'a str, &'a str) {
    let group = message.group.as_deref().filter(|_| found.queue.settings.scope_group);
    (group.unwrap_or_default(), message.deduplication.as_deref().unwrap_or_default())
}

fn seen_key(found: &Found, message: &Message) -> Key {
    let (scope, id) = scope(found, message);
    Key::new().u64(found.generation()).str(scope).str(id)
}

fn remember(tx: &mut Tx, found: &Found, message: &Message, order: u64, until: u64) {
    let (scope, id) = scope(found, message);
    tx.put(&SEEN, &seen_key(found, message), &Seen { until, id: message.id.clone(), order });
    tx.put(&SEEN_UNTIL, &Key::new().u64(found.generation()).u64(until).str(scope).str(id), &());
}

/// The tables of duplicates, for whoever clears a generation.
pub async fn clear(sqs: &Sqs, generation: u64) -> Result<bool> {
    Ok(sqs.clear(&SEEN, generation).await? | sqs.clear(&SEEN_UNTIL, generation).await?)
}
