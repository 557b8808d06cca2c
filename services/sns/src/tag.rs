//! Tags of topics.

use std::collections::BTreeMap;

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::error::invalid;
use crate::topic::Found;
use crate::{Sns, authz};

pub const OPS: &[Op<Sns>] = ops![
    TagResource => tag_resource [authz::resource],
    UntagResource => untag_resource [authz::resource],
    ListTagsForResource => list_tags_for_resource [authz::resource],
];

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    key: String,
    value: String,
}

/// # Errors
/// AWS's sentence about tags that cannot be.
pub fn read(tags: Vec<Tag>) -> Result<BTreeMap<String, String>> {
    let n = tags.len();
    let read: BTreeMap<String, String> = tags.into_iter().map(|t| (t.key, t.value)).collect();
    if read.len() < n {
        return Err(invalid("Duplicated keys are not allowed."));
    }
    check(&read)?;
    Ok(read)
}

fn check(tags: &BTreeMap<String, String>) -> Result<()> {
    if tags.len() > 50 {
        let text = "Could not complete request: tag quota of per resource exceeded";
        return Err(ApiError::new("TagLimitExceededException", text));
    }
    Ok(())
}

fn no_resource() -> ApiError {
    ApiError::new("ResourceNotFoundException", "Resource does not exist")
}

async fn found(sns: &Sns, arn: &str) -> Result<Found> {
    sns.look_up(&Address::of_arn(arn)?).await?.ok_or_else(no_resource)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagResourceInput {
    resource_arn: String,
    tags: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_TagResource.html>
async fn tag_resource(sns: &Sns, _: &Cx, input: TagResourceInput) -> Result<()> {
    let tags = read(input.tags)?;
    let at = found(sns, &input.resource_arn).await?.at;
    sns.edit(&at, |topic| {
        topic.tags.extend(tags);
        check(&topic.tags)
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UntagResourceInput {
    resource_arn: String,
    tag_keys: Vec<String>,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_UntagResource.html>
async fn untag_resource(sns: &Sns, _: &Cx, input: UntagResourceInput) -> Result<()> {
    let at = found(sns, &input.resource_arn).await?.at;
    sns.edit(&at, |topic| {
        topic.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListTagsInput {
    resource_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListTagsOutput {
    tags: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_ListTagsForResource.html>
async fn list_tags_for_resource(sns: &Sns, _: &Cx, input: ListTagsInput) -> Result<ListTagsOutput> {
    let tags = found(sns, &input.resource_arn).await?.topic.tags;
    Ok(ListTagsOutput { tags: tags.into_iter().map(|(key, value)| Tag { key, value }).collect() })
}
