//! Tags of groups and sampling rules, by their ARN.

use std::collections::BTreeMap;

use fogbank_core::{Check, Cx, Op, Result, Value, ops};
use fogbank_store::{Key, Lock, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{XRay, invalid};

pub const OPS: &[Op<XRay>] = ops![
    TagResource => tag_resource [on_resource],
    UntagResource => untag_resource [on_resource],
    ListTagsForResource => list_tags [on_resource],
];

/// By ARN: what is here exists.
static TAGS: Table<Tags> = Table::new("xray.tags");
const MOST: usize = 50;

#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
struct Tags {
    #[n(0)]
    tags: BTreeMap<String, String>,
}
fogbank_store::record!(Tags, version = 1);

/// A tag on the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    key: String,
    value: String,
}

async fn on_resource(_: &XRay, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let resource = input.str("ResourceARN").unwrap_or("*");
    Ok(vec![Check::new(format!("xray:{}", cx.operation), resource)])
}

/// Begins the tags of a new resource.
pub fn put(tx: &mut Tx, arn: &str, tags: Vec<Tag>) -> Result<()> {
    let tags = Tags { tags: tags.into_iter().map(|t| (t.key, t.value)).collect() };
    if tags.tags.len() > MOST {
        return Err(invalid("Too many tags."));
    }
    tx.put(&TAGS, &Key::new().str(arn), &tags);
    Ok(())
}

/// Removes the tags of a resource with it.
pub fn drop(tx: &mut Tx, arn: &str) {
    tx.delete(&TAGS, &Key::new().str(arn));
}

#[derive(Deserialize)]
struct TagInput {
    #[serde(rename = "ResourceARN")]
    arn: String,
    #[serde(default, rename = "Tags")]
    tags: Vec<Tag>,
    #[serde(default, rename = "TagKeys")]
    keys: Vec<String>,
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_TagResource.html>
async fn tag_resource(xray: &XRay, cx: &Cx, input: TagInput) -> Result<()> {
    edit(xray, cx, &input.arn, |tags| tags.extend(input.tags.into_iter().map(|t| (t.key, t.value))))
        .await
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_UntagResource.html>
async fn untag_resource(xray: &XRay, cx: &Cx, input: TagInput) -> Result<()> {
    edit(xray, cx, &input.arn, |tags| tags.retain(|k, _| !input.keys.contains(k))).await
}

async fn edit(
    xray: &XRay,
    cx: &Cx,
    arn: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<()> {
    let key = own(cx, arn)?;
    let mut tx = xray.store.lock(&[Lock::exclusive(&TAGS, &key)]).await;
    let mut tags = tx.get(&TAGS, &key).await?.ok_or_else(|| missing(arn))?;
    change(&mut tags.tags);
    if tags.tags.len() > MOST {
        return Err(invalid("Too many tags."));
    }
    tx.put(&TAGS, &key, &tags);
    tx.commit().await?;
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagsOutput {
    tags: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_ListTagsForResource.html>
async fn list_tags(xray: &XRay, cx: &Cx, input: TagInput) -> Result<TagsOutput> {
    let found = xray.store.get(&TAGS, &own(cx, &input.arn)?).await?;
    let found = found.ok_or_else(|| missing(&input.arn))?;
    let tags = found.tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
    Ok(TagsOutput { tags })
}

/// The key of a resource in the caller's account.
fn own(cx: &Cx, arn: &str) -> Result<Key> {
    let mine = fogbank_core::Arn::parse(arn).is_some_and(|a| a.account == cx.account);
    if mine { Ok(Key::new().str(arn)) } else { Err(missing(arn)) }
}

fn missing(arn: &str) -> fogbank_core::ApiError {
    fogbank_core::ApiError::new("ResourceNotFoundException", format!("{arn} does not exist."))
}
