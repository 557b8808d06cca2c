//! ChangeMessageVisibility, alone and in batches.

use fogbank_core::{Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::batch::{self, Failed, Output};
use crate::error::bad_value;
use crate::finish::in_flight;
use crate::flight;
use crate::handle::Handle;
use crate::place::{micros, seconds};
use crate::queue::Found;
use crate::{Sqs, authz};

pub const OPS: &[Op<Sqs>] = ops![
    ChangeMessageVisibility => change_message_visibility [authz::queue],
    ChangeMessageVisibilityBatch => change_message_visibility_batch [authz::queue],
];

/// The longest time that a message may be in flight, in seconds.
const LONGEST: u64 = 43_200;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeMessageVisibilityInput {
    queue_url: String,
    receipt_handle: String,
    visibility_timeout: i64,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>
async fn change_message_visibility(
    sqs: &Sqs,
    cx: &Cx,
    input: ChangeMessageVisibilityInput,
) -> Result<()> {
    let found = sqs.of_request(cx, &input.queue_url).await?;
    sqs.change(cx, &found, &input.receipt_handle, input.visibility_timeout).await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeMessageVisibilityBatchInput {
    queue_url: String,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
    receipt_handle: String,
    visibility_timeout: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Changed {
    id: String,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html>
async fn change_message_visibility_batch(
    sqs: &Sqs,
    cx: &Cx,
    input: ChangeMessageVisibilityBatchInput,
) -> Result<Output<Changed>> {
    let found = sqs.of_request(cx, &input.queue_url).await?;
    let ids = input.entries.iter().map(|e| e.id.as_str());
    batch::check(ids, "ChangeMessageVisibilityBatchRequestEntry")?;
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for Entry { id, receipt_handle, visibility_timeout } in input.entries {
        let seconds = visibility_timeout.unwrap_or(found.queue.settings.visibility as i64);
        match sqs.change(cx, &found, &receipt_handle, seconds).await {
            Ok(()) => done.push(Changed { id }),
            Err(e) => failed.push(Failed::new(id, &e)),
        }
    }
    Ok(Output::new(done, failed))
}

impl Sqs {
    async fn change(&self, cx: &Cx, found: &Found, text: &str, timeout: i64) -> Result<()> {
        let timeout = u64::try_from(timeout).ok().filter(|n| *n <= LONGEST).ok_or_else(|| {
            let reason = "VisibilityTimeout must be an integer between 0 and 43200.";
            bad_value(timeout, "VisibilityTimeout", reason)
        })?;
        let handle = Handle::parse(text)?;
        let generation = found.generation();
        let gone = || {
            let reason =
                "Message does not exist or is not available for visibility timeout change.";
            bad_value(text, "ReceiptHandle", reason)
        };
        let group = self.groups(found, [&handle].into_iter()).await?.pop().flatten();
        if handle.generation != generation || found.fifo() && group.is_none() {
            return Err(gone());
        }
        let mut tx = self.store.lock(&flight::locks(found, handle.place, group.as_deref())).await;
        let standing = flight::find(&mut tx, found, &handle, group.as_deref()).await?;
        let standing = standing.filter(|s| in_flight(s, cx)).ok_or_else(gone)?;
        let due = micros(cx.now) + seconds(timeout);
        if due > standing.receipt.last + seconds(LONGEST) {
            let reason = format!(
                "Total VisibilityTimeout for the message is beyond the limit [{LONGEST} seconds]"
            );
            return Err(bad_value(timeout, "VisibilityTimeout", &reason));
        }
        flight::reschedule(&mut tx, generation, &standing, due, cx.now).await?;
        tx.commit().await?;
        self.waiting.wake(generation, 1);
        Ok(())
    }
}
