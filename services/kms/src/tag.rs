//! Tags of keys.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/tagging-keys.html>

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::error::limit_exceeded;
use crate::find::{By, alive};
use crate::page::{self, Page};
use crate::record::Tag;
use crate::{Kms, authz};

pub const OPS: &[Op<Kms>] = ops![
    TagResource => tag_resource [authz::on_key],
    UntagResource => untag_resource [authz::on_key],
    ListResourceTags => list_resource_tags [authz::on_key],
];

const MOST: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagInput {
    key_id: String,
    tags: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_TagResource.html>
async fn tag_resource(kms: &Kms, cx: &Cx, input: TagInput) -> Result<()> {
    check(&input.tags)?;
    let place = kms.own(cx, &input.key_id).await?;
    kms.edit(&place, |key, _| {
        alive(key)?;
        for tag in input.tags {
            match key.tags.iter_mut().find(|t| t.key == tag.key) {
                Some(old) => *old = tag,
                None => key.tags.push(tag),
            }
        }
        if key.tags.len() > MOST { Err(too_many()) } else { Ok(()) }
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UntagInput {
    key_id: String,
    tag_keys: Vec<String>,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_UntagResource.html>
async fn untag_resource(kms: &Kms, cx: &Cx, input: UntagInput) -> Result<()> {
    let place = kms.own(cx, &input.key_id).await?;
    kms.edit(&place, |key, _| {
        alive(key)?;
        key.tags.retain(|t| !input.tag_keys.contains(&t.key));
        Ok(())
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    key_id: String,
    limit: Option<i64>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    tags: Vec<Tag>,
    next_marker: Option<String>,
    truncated: bool,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListResourceTags.html>
async fn list_resource_tags(kms: &Kms, cx: &Cx, input: ListInput) -> Result<ListOutput> {
    let tags = kms.asked(cx, 0, &input.key_id, By::Id).await?.key.tags.clone();
    let limit = input.limit.unwrap_or(50);
    let (tags, Page { next_marker, truncated }) = page::cut(tags, limit, input.marker.as_deref())?;
    Ok(ListOutput { tags, next_marker, truncated })
}

/// The tags of a request: keys that are not AWS's own, each once.
pub fn check(tags: &[Tag]) -> Result<()> {
    for (i, tag) in tags.iter().enumerate() {
        if tag.key.len() >= 4 && tag.key.as_bytes()[..4].eq_ignore_ascii_case(b"aws:") {
            return Err(invalid("Tags beginning with aws: are reserved"));
        }
        if tags[..i].iter().any(|t| t.key == tag.key) {
            return Err(invalid("Duplicate tag keys"));
        }
    }
    if tags.len() > MOST { Err(too_many()) } else { Ok(()) }
}

fn invalid(message: &str) -> ApiError {
    ApiError::new("TagException", message)
}

fn too_many() -> ApiError {
    limit_exceeded(format!("A key can have {MOST} tags at most."))
}
