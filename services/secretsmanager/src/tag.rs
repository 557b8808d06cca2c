//! Tags of secrets.

use fogbank_core::{Cx, Op, Result, ops};
use serde::Deserialize;

use crate::error::{deleted, invalid_parameter};
use crate::record::Tag;
use crate::{Manager, authz};

pub const OPS: &[Op<Manager>] = ops![
    TagResource => tag_resource [authz::on_secret],
    UntagResource => untag_resource [authz::on_secret],
];

const MOST: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagInput {
    secret_id: String,
    tags: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_TagResource.html>
async fn tag_resource(sm: &Manager, cx: &Cx, input: TagInput) -> Result<()> {
    check(&input.tags)?;
    sm.edit(cx, &input.secret_id, |secret, _| {
        if secret.deleted.is_some() {
            return Err(deleted());
        }
        for tag in input.tags {
            match secret.tags.iter_mut().find(|t| t.key == tag.key) {
                Some(old) => *old = tag,
                None => secret.tags.push(tag),
            }
        }
        check(&secret.tags)
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UntagInput {
    secret_id: String,
    tag_keys: Vec<String>,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UntagResource.html>
async fn untag_resource(sm: &Manager, cx: &Cx, input: UntagInput) -> Result<()> {
    sm.edit(cx, &input.secret_id, |secret, _| {
        if secret.deleted.is_some() {
            return Err(deleted());
        }
        secret.tags.retain(|t| !input.tag_keys.contains(&t.key));
        Ok(())
    })
    .await
}

/// The tags of a request: keys that are not AWS's own, each once.
pub fn check(tags: &[Tag]) -> Result<()> {
    for (i, tag) in tags.iter().enumerate() {
        if tag.key.len() >= 4 && tag.key.as_bytes()[..4].eq_ignore_ascii_case(b"aws:") {
            return Err(invalid_parameter("Tag keys can't begin with aws:."));
        }
        if tags[..i].iter().any(|t| t.key == tag.key) {
            return Err(invalid_parameter("Duplicate tag keys are not allowed."));
        }
    }
    if tags.len() <= MOST {
        return Ok(());
    }
    Err(invalid_parameter(format!("A secret can have {MOST} tags at most.")))
}
