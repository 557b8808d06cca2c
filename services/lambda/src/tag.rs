//! Tags of functions and event source mappings.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html>

use std::collections::BTreeMap;

use fogbank_core::{Arn, Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::error::{function_missing, invalid};
use crate::function::FUNCTIONS;
use crate::name::Target;
use crate::{Lambda, authz, mapping};

pub const OPS: &[Op<Lambda>] = ops![
    TagResource => tag_resource [authz::tagged],
    UntagResource => untag_resource [authz::tagged],
    ListTags => list_tags [authz::tagged],
];

const MOST: usize = 50;

/// Checks tags of a request by themselves.
///
/// # Errors
/// `InvalidParameterValueException`.
pub fn check(tags: &BTreeMap<String, String>) -> Result<()> {
    if tags.len() > MOST {
        return Err(invalid("Number of tags exceeds resource tag limit."));
    }
    if tags.keys().any(|k| k.to_ascii_lowercase().starts_with("aws:")) {
        return Err(invalid("System tags cannot be added/updated by requester."));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    resource: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    tag_keys: Vec<String>,
}

impl Input {
    /// The id of the event source mapping that is tagged, if it is one.
    fn mapping(&self) -> Option<&str> {
        Arn::parse(&self.resource)?.resource.strip_prefix("event-source-mapping:")
    }

    /// The function that is tagged.
    fn target(&self, cx: &Cx) -> Result<Target> {
        let resource = Arn::parse(&self.resource).map(|a| a.resource).unwrap_or_default();
        if !resource.starts_with("function:") {
            return Err(cx.refuse_member(&format!("Resource {}", self.resource)));
        }
        let target = Target::parse(cx, &self.resource, None)?;
        if target.qualifier.is_some() {
            return Err(invalid(
                "Tags on function aliases and versions are not supported. Please specify either a \
                 function ARN or a function name.",
            ));
        }
        Ok(target)
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_TagResource.html>
async fn tag_resource(lambda: &Lambda, cx: &Cx, input: Input) -> Result<()> {
    if let Some(uuid) = input.mapping() {
        check(&input.tags)?;
        return mapping::tag(lambda, cx, uuid, |tags| {
            tags.extend(input.tags.clone());
            check(tags)
        })
        .await;
    }
    let target = input.target(cx)?;
    check(&input.tags)?;
    let (mut tx, mut function) = lambda.change(&target, &[]).await?;
    function.tags.extend(input.tags);
    check(&function.tags)?;
    tx.put(&FUNCTIONS, &target.key(), &function);
    tx.commit().await?;
    Ok(())
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_UntagResource.html>
async fn untag_resource(lambda: &Lambda, cx: &Cx, input: Input) -> Result<()> {
    if let Some(uuid) = input.mapping() {
        return mapping::tag(lambda, cx, uuid, |tags| {
            tags.retain(|k, _| !input.tag_keys.contains(k));
            Ok(())
        })
        .await;
    }
    let target = input.target(cx)?;
    let (mut tx, mut function) = lambda.change(&target, &[]).await?;
    function.tags.retain(|k, _| !input.tag_keys.contains(k));
    tx.put(&FUNCTIONS, &target.key(), &function);
    tx.commit().await?;
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagsOutput {
    tags: BTreeMap<String, String>,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListTags.html>
async fn list_tags(lambda: &Lambda, cx: &Cx, input: Input) -> Result<TagsOutput> {
    if let Some(uuid) = input.mapping() {
        return Ok(TagsOutput { tags: mapping::tags(lambda, cx, uuid).await? });
    }
    let target = input.target(cx)?;
    let found = lambda.store.get(&FUNCTIONS, &target.key()).await?;
    let function = found.ok_or_else(|| function_missing(&target.arn()))?;
    Ok(TagsOutput { tags: function.tags })
}
