//! Tags of log groups, by the newer and the older operations.

use std::collections::BTreeMap;

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::error::invalid;
use crate::{Logs, authz};

pub const OPS: &[Op<Logs>] = ops![
    TagResource => tag_resource [authz::tagged],
    UntagResource => untag_resource [authz::tagged],
    ListTagsForResource => list_tags [authz::tagged],
    TagLogGroup => tag_resource [authz::tagged],
    UntagLogGroup => untag_resource [authz::tagged],
    ListTagsLogGroup => list_tags [authz::tagged],
];

const MOST: usize = 50;

/// A group by its ARN, or by its name in the older operations.
#[derive(Deserialize)]
struct TagInput {
    #[serde(alias = "resourceArn", alias = "logGroupName")]
    named: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagResource.html>
async fn tag_resource(logs: &Logs, cx: &Cx, input: TagInput) -> Result<()> {
    check(&input.tags)?;
    logs.edit_group(cx, named(cx, &input.named)?, |_, group| {
        group.tags.extend(input.tags);
        within(group.tags.len())
    })
    .await
}

#[derive(Deserialize)]
struct UntagInput {
    #[serde(alias = "resourceArn", alias = "logGroupName")]
    named: String,
    #[serde(alias = "tagKeys", alias = "tags")]
    keys: Vec<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_UntagResource.html>
async fn untag_resource(logs: &Logs, cx: &Cx, input: UntagInput) -> Result<()> {
    logs.edit_group(cx, named(cx, &input.named)?, |_, group| {
        for key in &input.keys {
            group.tags.remove(key);
        }
        Ok(())
    })
    .await
}

#[derive(Serialize)]
struct TagsOutput {
    tags: BTreeMap<String, String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ListTagsForResource.html>
async fn list_tags(logs: &Logs, cx: &Cx, input: TagInput) -> Result<TagsOutput> {
    let group = logs.group(cx, named(cx, &input.named)?).await?;
    Ok(TagsOutput { tags: group.tags })
}

/// The newer operations also take destinations, which are not here.
fn named<'a>(cx: &Cx, given: &'a str) -> Result<&'a str> {
    match fogbank_core::Arn::parse(given) {
        Some(arn) if arn.resource.starts_with("destination:") => {
            Err(cx.refuse_member("resourceArn of a destination"))
        }
        None if given.contains(':') => Err(invalid(format!("Invalid ARN: {given}"))),
        _ => Ok(given),
    }
}

/// Keys that a client may not set, and too many of them.
pub fn check(tags: &BTreeMap<String, String>) -> Result<()> {
    if tags.keys().any(|k| k.len() >= 4 && k.as_bytes()[..4].eq_ignore_ascii_case(b"aws:")) {
        return Err(invalid("Reserved tag prefix 'aws:' is not allowed in a tag key."));
    }
    within(tags.len())
}

fn within(n: usize) -> Result<()> {
    if n <= MOST {
        return Ok(());
    }
    Err(ApiError::new(
        "TooManyTagsException",
        format!("A resource can have a maximum of {MOST} tags."),
    ))
}
