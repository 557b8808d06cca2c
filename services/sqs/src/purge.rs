//! Purging: a queue forgets its messages by beginning a new generation.

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use fogbank_store::Lock;

use crate::address::Address;
use crate::error::no_such_queue;
use crate::place::{micros, seconds};
use crate::queue::{QUEUES, QueueInput, REST, abandon, generation};
use crate::{Sqs, authz, tally};

pub const OPS: &[Op<Sqs>] = ops![PurgeQueue => purge_queue [authz::queue]];

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html>
async fn purge_queue(sqs: &Sqs, cx: &Cx, input: QueueInput) -> Result<()> {
    let at = Address::of_url(cx, &input.queue_url)?;
    let locks = [Lock::exclusive(&QUEUES, &at.key())].into_iter().chain(tally::all(&at));
    let mut tx = sqs.store.lock(&locks.collect::<Vec<_>>()).await;
    let mut queue = tx.get(&QUEUES, &at.key()).await?.ok_or_else(no_such_queue)?;
    let now = micros(cx.now);
    if queue.purged.is_some_and(|at| now < at + seconds(REST)) {
        let name = at.name;
        let text = format!("Only one PurgeQueue operation on {name} is allowed every 60 seconds.");
        return Err(ApiError::new("PurgeQueueInProgress", text));
    }
    let old = queue.generation;
    queue.generation = generation(cx);
    queue.purged = Some(now);
    tally::reset(&mut tx, &at, queue.generation);
    abandon(sqs, &mut tx, cx.now, old);
    tx.put(&QUEUES, &at.key(), &queue);
    tx.commit().await?;
    sqs.let_go(old);
    Ok(())
}
