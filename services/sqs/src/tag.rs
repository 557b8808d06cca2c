//! Tags of queues.

use std::collections::BTreeMap;

use fogbank_core::{Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::error::invalid;
use crate::queue::QueueInput;
use crate::{Sqs, authz};

pub const OPS: &[Op<Sqs>] = ops![
    TagQueue => tag_queue [authz::owner],
    UntagQueue => untag_queue [authz::owner],
    ListQueueTags => list_queue_tags [authz::owner],
];

/// # Errors
/// AWS's sentence about tags that cannot be.
pub fn check(tags: &BTreeMap<String, String>) -> Result<()> {
    if tags.len() > 50 {
        return Err(invalid("Too many tags for this queue: the limit is 50."));
    }
    for (key, value) in tags {
        if key.is_empty()
            || key.chars().count() > 128
            || key.to_ascii_lowercase().starts_with("aws:")
        {
            return Err(invalid(format!("The tag key {key} is not valid.")));
        }
        if value.chars().count() > 256 {
            return Err(invalid(format!(
                "The value of the tag {key} is longer than 256 characters."
            )));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagQueueInput {
    queue_url: String,
    tags: BTreeMap<String, String>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_TagQueue.html>
async fn tag_queue(sqs: &Sqs, cx: &Cx, input: TagQueueInput) -> Result<()> {
    check(&input.tags)?;
    let at = Address::of_url(cx, &input.queue_url)?;
    sqs.edit(&at, |queue| {
        queue.tags.extend(input.tags);
        check(&queue.tags)
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UntagQueueInput {
    queue_url: String,
    tag_keys: Vec<String>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_UntagQueue.html>
async fn untag_queue(sqs: &Sqs, cx: &Cx, input: UntagQueueInput) -> Result<()> {
    let at = Address::of_url(cx, &input.queue_url)?;
    sqs.edit(&at, |queue| {
        queue.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListQueueTagsOutput {
    tags: Option<BTreeMap<String, String>>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueueTags.html>
async fn list_queue_tags(sqs: &Sqs, cx: &Cx, input: QueueInput) -> Result<ListQueueTagsOutput> {
    let found = sqs.of_request(cx, &input.queue_url).await?;
    Ok(ListQueueTagsOutput { tags: Some(found.queue.tags.clone()).filter(|t| !t.is_empty()) })
}
