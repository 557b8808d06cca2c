//! Tags of parameters.

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::error::validation;
use crate::record::{Place, Tag};
use crate::{Ssm, authz, name};

pub const OPS: &[Op<Ssm>] = ops![
    AddTagsToResource => add_tags_to_resource [authz::on_resource],
    RemoveTagsFromResource => remove_tags_from_resource [authz::on_resource],
    ListTagsForResource => list_tags_for_resource [authz::on_resource],
];

const MOST: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagInput {
    resource_type: String,
    resource_id: String,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    tag_keys: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    tag_list: Vec<Tag>,
}

fn place(cx: &Cx, input: &TagInput) -> Result<Place> {
    if input.resource_type != "Parameter" {
        return Err(cx.refuse_member(&format!("ResourceType {}", input.resource_type)));
    }
    Ok(name::read(cx, &input.resource_id).place)
}

fn missing() -> ApiError {
    ApiError::new(
        "InvalidResourceId",
        "The resource ID is not valid. Verify that you entered the correct ID and try again.",
    )
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AddTagsToResource.html>
async fn add_tags_to_resource(ssm: &Ssm, cx: &Cx, input: TagInput) -> Result<()> {
    let place = place(cx, &input)?;
    check(&input.tags)?;
    ssm.edit(&place, missing, |head| {
        for tag in input.tags {
            match head.tags.iter_mut().find(|t| t.key == tag.key) {
                Some(old) => *old = tag,
                None => head.tags.push(tag),
            }
        }
        check(&head.tags)
    })
    .await
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_RemoveTagsFromResource.html>
async fn remove_tags_from_resource(ssm: &Ssm, cx: &Cx, input: TagInput) -> Result<()> {
    let place = place(cx, &input)?;
    ssm.edit(&place, missing, |head| {
        head.tags.retain(|t| !input.tag_keys.contains(&t.key));
        Ok(())
    })
    .await
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ListTagsForResource.html>
async fn list_tags_for_resource(ssm: &Ssm, cx: &Cx, input: TagInput) -> Result<ListOutput> {
    let head = ssm.load(&place(cx, &input)?).await?.ok_or_else(missing)?;
    Ok(ListOutput { tag_list: head.tags })
}

/// The tags of a request: keys that are not AWS's own, each once.
pub fn check(tags: &[Tag]) -> Result<()> {
    for (i, tag) in tags.iter().enumerate() {
        if tag.key.len() >= 4 && tag.key.as_bytes()[..4].eq_ignore_ascii_case(b"aws:") {
            return Err(validation("Tag keys can't begin with aws:."));
        }
        if tags[..i].iter().any(|t| t.key == tag.key) {
            return Err(validation("Duplicate tag keys are not allowed."));
        }
    }
    if tags.len() <= MOST {
        return Ok(());
    }
    Err(ApiError::new("TooManyTagsError", format!("A parameter can have {MOST} tags at most.")))
}
