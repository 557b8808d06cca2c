//! Tags of machines and activities.

use fogbank_core::{ApiError, Cx, Op, Result, Value, map, ops};
use fogbank_store::{Key, Lock, Tx};
use serde::{Deserialize, Serialize};

use crate::arn::{ActivityArn, MachineArn};
use crate::error::{invalid_arn, no_resource};
use crate::record::{ACTIVITIES, Activity, MACHINES, Machine, Tag};
use crate::{Sfn, authz};

pub const OPS: &[Op<Sfn>] = ops![
    TagResource => tag_resource [authz::resource],
    UntagResource => untag_resource [authz::resource],
    ListTagsForResource => list_tags_for_resource [authz::resource],
];

/// A tagged thing.
enum Tagged {
    Machine(Key),
    Activity(Key),
}

fn find(arn: &str) -> Result<Tagged> {
    if let Ok(m) = MachineArn::parse(arn) {
        return Ok(Tagged::Machine(m.key()));
    }
    ActivityArn::parse(arn).map(|a| Tagged::Activity(a.key())).map_err(|_| invalid_arn(arn))
}

impl Sfn {
    async fn edit_tags(
        &self,
        arn: &str,
        edit: impl FnOnce(&mut Vec<Tag>) -> Result<()>,
    ) -> Result<()> {
        match find(arn)? {
            Tagged::Machine(key) => {
                let mut tx = self.store.lock(&[Lock::exclusive(&MACHINES, &key)]).await;
                let mut m: Machine = machine(&mut tx, &key, arn).await?;
                edit(&mut m.tags)?;
                tx.put(&MACHINES, &key, &m);
                tx.commit().await?;
            }
            Tagged::Activity(key) => {
                let mut tx = self.store.lock(&[Lock::exclusive(&ACTIVITIES, &key)]).await;
                let found: Option<Activity> = tx.get(&ACTIVITIES, &key).await?;
                let mut a = found.ok_or_else(|| no_resource(arn))?;
                edit(&mut a.tags)?;
                tx.put(&ACTIVITIES, &key, &a);
                tx.commit().await?;
            }
        }
        Ok(())
    }
}

async fn machine(tx: &mut Tx, key: &Key, arn: &str) -> Result<Machine> {
    tx.get(&MACHINES, key).await?.ok_or_else(|| no_resource(arn))
}

/// Checks tags that come with a new resource.
pub fn check(tags: &[Tag], arn: &str) -> Result<()> {
    if tags.len() > 50 {
        return Err(too_many(arn));
    }
    for t in tags {
        if t.key.to_ascii_lowercase().starts_with("aws:") {
            let message = "Invalid tag key: keys that begin with aws: are reserved".to_owned();
            return Err(crate::error::validation(message));
        }
    }
    Ok(())
}

fn too_many(arn: &str) -> ApiError {
    ApiError::new("TooManyTags", "A resource has at most 50 tags").field("resourceName", arn)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TagInput {
    resource_arn: String,
    tags: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_TagResource.html>
async fn tag_resource(sfn: &Sfn, _: &Cx, input: TagInput) -> Result<Value> {
    check(&input.tags, &input.resource_arn)?;
    let arn = &input.resource_arn;
    sfn.edit_tags(arn, |own| {
        for t in input.tags {
            match own.iter_mut().find(|o| o.key == t.key) {
                Some(o) => o.value = t.value,
                None => own.push(t),
            }
        }
        if own.len() > 50 { Err(too_many(arn)) } else { Ok(()) }
    })
    .await?;
    Ok(map! {})
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UntagInput {
    resource_arn: String,
    tag_keys: Vec<String>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_UntagResource.html>
async fn untag_resource(sfn: &Sfn, _: &Cx, input: UntagInput) -> Result<Value> {
    sfn.edit_tags(&input.resource_arn, |own| {
        own.retain(|t| !input.tag_keys.contains(&t.key));
        Ok(())
    })
    .await?;
    Ok(map! {})
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListInput {
    resource_arn: String,
}

#[derive(Serialize)]
struct ListOutput {
    tags: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListTagsForResource.html>
async fn list_tags_for_resource(sfn: &Sfn, _: &Cx, input: ListInput) -> Result<ListOutput> {
    let arn = &input.resource_arn;
    let tags = match find(arn)? {
        Tagged::Machine(key) => sfn.store.get(&MACHINES, &key).await?.map(|m| m.tags),
        Tagged::Activity(key) => sfn.store.get(&ACTIVITIES, &key).await?.map(|a| a.tags),
    };
    Ok(ListOutput { tags: tags.ok_or_else(|| no_resource(arn))? })
}
