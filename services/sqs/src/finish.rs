//! DeleteMessage, alone and in batches: the receiver is done with it.

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::Lock;
use serde::{Deserialize, Serialize};

use crate::batch::{self, Failed, Output};
use crate::error::bad_value;
use crate::flight::{self, Standing};
use crate::handle::Handle;
use crate::message::MESSAGES;
use crate::place::micros;
use crate::queue::Found;
use crate::{Sqs, authz, tally};

pub const OPS: &[Op<Sqs>] = ops![
    DeleteMessage => delete_message [authz::queue],
    DeleteMessageBatch => delete_message_batch [authz::queue],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteMessageInput {
    queue_url: String,
    receipt_handle: String,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html>
async fn delete_message(sqs: &Sqs, cx: &Cx, input: DeleteMessageInput) -> Result<()> {
    let found = sqs.of_request(cx, &input.queue_url).await?;
    let handle = Handle::parse(&input.receipt_handle)?;
    let mut outcome = sqs.finish(cx, &found, &[(&input.receipt_handle, handle)]).await?;
    outcome.pop().unwrap_or(Ok(()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteMessageBatchInput {
    queue_url: String,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
    receipt_handle: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Done {
    id: String,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html>
async fn delete_message_batch(
    sqs: &Sqs,
    cx: &Cx,
    input: DeleteMessageBatchInput,
) -> Result<Output<Done>> {
    let found = sqs.of_request(cx, &input.queue_url).await?;
    let ids = input.entries.iter().map(|e| e.id.as_str());
    batch::check(ids, "DeleteMessageBatchRequestEntry")?;
    let (mut handles, mut ids, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for e in &input.entries {
        match Handle::parse(&e.receipt_handle) {
            Ok(handle) => {
                handles.push((e.receipt_handle.as_str(), handle));
                ids.push(e.id.clone());
            }
            Err(error) => failed.push(Failed::new(e.id.clone(), &error)),
        }
    }
    let mut done = Vec::new();
    for (id, outcome) in ids.into_iter().zip(sqs.finish(cx, &found, &handles).await?) {
        match outcome {
            Ok(()) => done.push(Done { id }),
            Err(e) => failed.push(Failed::new(id, &e)),
        }
    }
    Ok(Output::new(done, failed))
}

impl Sqs {
    /// Deletes messages in one transaction; an outcome for each handle.
    async fn finish(
        &self,
        cx: &Cx,
        found: &Found,
        handles: &[(&str, Handle)],
    ) -> Result<Vec<Result<()>>> {
        let groups = self.groups(found, handles.iter().map(|(_, h)| h)).await?;
        let locks: Vec<Lock> = handles
            .iter()
            .zip(&groups)
            .flat_map(|((_, h), g)| flight::locks(found, h.place, g.as_deref()))
            .collect();
        let mut tx = self.store.lock(&locks).await;
        let generation = found.generation();
        let (mut outcomes, mut any) = (Vec::with_capacity(handles.len()), false);
        for ((text, handle), group) in handles.iter().zip(&groups) {
            // What is gone already, or was purged with its generation, need not be deleted.
            outcomes.push(Ok(()));
            if handle.generation != generation || found.fifo() && group.is_none() {
                continue;
            }
            let standing = flight::find(&mut tx, found, handle, group.as_deref()).await?;
            let Some(standing) = standing.filter(|s| group.is_none() || in_flight(s, cx)) else {
                if group.is_some() {
                    let reason = "The receipt handle has expired.";
                    outcomes.pop();
                    outcomes.push(Err(bad_value(text, "ReceiptHandle", reason)));
                }
                continue;
            };
            flight::erase(&mut tx, generation, &standing, cx.now).await?;
            any |= tally::add(&mut tx, &found.at, generation, handle.place.shard(), -1).await?;
        }
        if any {
            tx.commit().await?;
            if found.fifo() {
                // Its group may be received from again.
                self.waiting.wake(generation, 1);
            }
        }
        Ok(outcomes)
    }

    /// The message groups of handles, in a FIFO queue.
    pub(crate) async fn groups<'a>(
        &self,
        found: &Found,
        handles: impl Iterator<Item = &'a Handle>,
    ) -> Result<Vec<Option<String>>> {
        let mut groups = Vec::new();
        for handle in handles {
            groups.push(match found.fifo() {
                false => None,
                true => {
                    let key = handle.place.key(found.generation());
                    self.store.get(&MESSAGES, &key).await?.and_then(|m| m.group)
                }
            });
        }
        Ok(groups)
    }
}

/// Whether a message's visibility timeout still runs.
pub fn in_flight(s: &Standing, cx: &Cx) -> bool {
    s.due > micros(cx.now)
}
