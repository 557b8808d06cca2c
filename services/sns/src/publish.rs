//! Publish, alone and in batches.

use std::collections::HashSet;

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use fogbank_store::{Key, Lock, Range, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::error::invalid;
use crate::filter::Filter;
use crate::message::{Draft, LARGEST, Message};
use crate::subscription::Subscription;
use crate::topic::Found;
use crate::{Sns, authz, delivery, line};

pub const OPS: &[Op<Sns>] = ops![
    Publish => publish [authz::publish],
    PublishBatch => publish_batch [authz::publish],
];

/// `(topic's generation, scope, deduplication id)`; the scope is a message group, or empty.
static SEEN: Table<Seen> = Table::new("sns.seen");
/// `(end, topic's generation, scope, deduplication id)`: when each may be forgotten.
static SEEN_UNTIL: Table<()> = Table::new("sns.seen-until");

/// A message that must not come again.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Seen {
    /// Microseconds since 1970.
    #[n(0)]
    until: u64,
    #[n(1)]
    id: String,
    #[n(2)]
    sequence: String,
}
fogbank_store::record!(Seen, version = 1);

/// For how long a duplicate is recognised, in microseconds.
const REMEMBERED: u64 = 300 * 1_000_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PublishInput {
    topic_arn: Option<String>,
    target_arn: Option<String>,
    phone_number: Option<String>,
    #[serde(flatten)]
    draft: Draft,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PublishOutput {
    message_id: String,
    sequence_number: Option<String>,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
async fn publish(sns: &Sns, cx: &Cx, input: PublishInput) -> Result<PublishOutput> {
    if input.phone_number.is_some() {
        return Err(cx.refuse_member("PhoneNumber"));
    }
    let arn = input.topic_arn.or(input.target_arn);
    let arn = arn
        .ok_or_else(|| invalid("TopicArn or TargetArn Reason: no value for required parameter"))?;
    if arn.contains(":endpoint/") {
        return Err(cx.refuse_member("TargetArn of a platform endpoint"));
    }
    let found = sns.of_request(cx, &arn).await?;
    let message = input.draft.check(cx, &found)?;
    let mut done = sns.publish(cx, &found, vec![message]).await?;
    done.pop().ok_or_else(|| ApiError::internal("a published message is not there"))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PublishBatchInput {
    topic_arn: String,
    publish_batch_request_entries: Vec<Entry>,
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
struct PublishBatchOutput {
    successful: Vec<Done>,
    failed: Vec<Failed>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Done {
    id: String,
    #[serde(flatten)]
    message: PublishOutput,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    id: String,
    code: String,
    message: String,
    sender_fault: bool,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html>
async fn publish_batch(sns: &Sns, cx: &Cx, input: PublishBatchInput) -> Result<PublishBatchOutput> {
    let found = sns.of_request(cx, &input.topic_arn).await?;
    let entries = input.publish_batch_request_entries;
    check_ids(&entries)?;
    let size: usize = entries.iter().map(|e| e.draft.message.len()).sum();
    if size > LARGEST {
        return Err(ApiError::new(
            "BatchRequestTooLongException",
            "The length of all the messages put together is more than the limit.",
        ));
    }
    let (mut ids, mut messages, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for Entry { id, draft } in entries {
        match draft.check(cx, &found) {
            Ok(message) => {
                ids.push(id);
                messages.push(message);
            }
            Err(e) => failed.push(Failed {
                id,
                code: e.code().trim_end_matches("Exception").to_owned(),
                message: e.message().to_owned(),
                sender_fault: true,
            }),
        }
    }
    let done = sns.publish(cx, &found, messages).await?;
    let successful = ids.into_iter().zip(done).map(|(id, message)| Done { id, message });
    Ok(PublishBatchOutput { successful: successful.collect(), failed })
}

fn check_ids(entries: &[Entry]) -> Result<()> {
    if entries.is_empty() {
        let text = "The batch request doesn't contain any entries.";
        return Err(ApiError::new("EmptyBatchRequestException", text));
    }
    if entries.len() > 10 {
        return Err(ApiError::new(
            "TooManyEntriesInBatchRequestException",
            "The batch request contains more entries than permissible.",
        ));
    }
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let mut seen = HashSet::new();
    for Entry { id, .. } in entries {
        if !(1..=80).contains(&id.len()) || !id.bytes().all(fits) {
            let text =
                "The Id of a batch entry in a batch request doesn't abide by the specification.";
            return Err(ApiError::new("InvalidBatchEntryIdException", text));
        }
        if !seen.insert(id) {
            let text = "Two or more batch entries in the request have the same Id.";
            return Err(ApiError::new("BatchEntryIdsNotDistinctException", text));
        }
    }
    Ok(())
}

impl Sns {
    /// Accepts messages: once this returns, they will be delivered.
    async fn publish(
        &self,
        cx: &Cx,
        found: &Found,
        messages: Vec<Message>,
    ) -> Result<Vec<PublishOutput>> {
        let subscribers = self.subscribers(&found.at).await?;
        let filters = filters(&subscribers)?;
        let targets = |m: &Message| {
            let all = subscribers.iter().zip(&filters);
            let wants =
                all.filter(|(s, f)| s.token.is_none() && f.as_ref().is_none_or(|f| f.lets(m)));
            wants.map(|(s, _)| s.id.clone()).collect::<Vec<_>>()
        };
        let done = if found.at.is_fifo() {
            self.publish_in_order(cx, found, messages, targets).await?
        } else {
            let mut tx = self.store.lock(&[]).await;
            let mut done = Vec::with_capacity(messages.len());
            for message in messages {
                let output =
                    PublishOutput { message_id: message.id.clone(), sequence_number: None };
                done.push(output);
                let to = targets(&message);
                if !to.is_empty() {
                    delivery::later(&mut tx, cx.now, &found.at, message, to);
                }
            }
            tx.commit().await?;
            done
        };
        self.wake_worker();
        Ok(done)
    }

    async fn publish_in_order(
        &self,
        cx: &Cx,
        found: &Found,
        messages: Vec<Message>,
        targets: impl Fn(&Message) -> Vec<String>,
    ) -> Result<Vec<PublishOutput>> {
        let now = u64::try_from(cx.now.as_microsecond()).unwrap_or(0);
        let ended = self
            .store
            .scan(&SEEN_UNTIL, Range::all().to(&Key::new().u64(now)), 2 * messages.len())
            .await?;
        let mut locks = Vec::new();
        let mut forget = Vec::new();
        for (end, ()) in ended {
            let mut parts = end.parts();
            parts.number();
            if let (Some(g), Some(scope), Some(id)) = (parts.number(), parts.text(), parts.text()) {
                let seen = Key::new().u64(g).str(&scope).str(&id);
                locks.push(Lock::exclusive(&SEEN, &seen));
                forget.push((end.clone(), seen));
            }
        }
        for m in &messages {
            locks.push(Lock::exclusive(&SEEN, &seen_key(found, m)));
            locks.push(line::lock(&found.at, m.group.as_deref().unwrap_or_default()));
        }
        let mut tx = self.store.lock(&locks).await;
        for (end, seen) in forget {
            if tx.get(&SEEN, &seen).await?.is_some_and(|s| s.until <= now) {
                tx.delete(&SEEN, &seen);
            }
            tx.delete(&SEEN_UNTIL, &end);
        }
        let mut done = Vec::with_capacity(messages.len());
        for mut m in messages {
            let seen = seen_key(found, &m);
            if let Some(s) = tx.get(&SEEN, &seen).await?.filter(|s| s.until > now) {
                done.push(PublishOutput { message_id: s.id, sequence_number: Some(s.sequence) });
                continue;
            }
            let order = self.lines.next(cx.now);
            let sequence = (10_000_000_000_000_000_000 + u128::from(order)).to_string();
            m.sequence = Some(sequence.clone());
            let until = now + REMEMBERED;
            let record = Seen { until, id: m.id.clone(), sequence: sequence.clone() };
            tx.put(&SEEN, &seen, &record);
            let (scope, id) = scope(found, &m);
            let end = Key::new().u64(until).u64(found.topic.generation).str(scope).str(id);
            tx.put(&SEEN_UNTIL, &end, &());
            done.push(PublishOutput { message_id: m.id.clone(), sequence_number: Some(sequence) });
            let to = targets(&m);
            if !to.is_empty() {
                delivery::later_in_order(&mut tx, cx.now, &found.at, order, m, to);
            }
        }
        tx.commit().await?;
        Ok(done)
    }
}

/// The filters of subscriptions.
fn filters(all: &[Subscription]) -> Result<Vec<Option<Filter>>> {
    let read = |s: &Subscription| {
        let filter = s.options.filter.as_deref();
        filter.map(|text| Filter::parse(text, s.options.filter_body)).transpose()
    };
    // A filter that was accepted can be read; if not, sending all would be worse than failing.
    all.iter().map(read).collect::<Result<_>>().map_err(|e| ApiError::internal(e.to_string()))
}

fn scope<'a>(found: &Found, m: &'a Message) -> (&'a str, &'a str) {
    let by_group = found.topic.settings.scope_group == Some(true);
    let group = m.group.as_deref().filter(|_| by_group);
    (group.unwrap_or_default(), m.deduplication.as_deref().unwrap_or_default())
}

fn seen_key(found: &Found, m: &Message) -> Key {
    let (scope, id) = scope(found, m);
    Key::new().u64(found.topic.generation).str(scope).str(id)
}
