//! Tags of alarms and dashboards.

use std::collections::BTreeMap;

use fogbank_core::{ApiError, Arn, Check, Cx, Op, Result, Value, ops};
use fogbank_store::Lock;
use serde::{Deserialize, Serialize};

use crate::CloudWatch;
use crate::alarm::{self, ALARMS, Tag};
use crate::dashboard::{self, DASHBOARDS};
use crate::error::invalid_value;

pub const OPS: &[Op<CloudWatch>] = ops![
    TagResource => tag_resource [on_resource],
    UntagResource => untag_resource [on_resource],
    ListTagsForResource => list_tags [on_resource],
];

const MOST: usize = 50;

async fn on_resource(_: &CloudWatch, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let resource = input.str("ResourceARN").unwrap_or("*");
    Ok(vec![Check::new(format!("cloudwatch:{}", cx.operation), resource)])
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

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_TagResource.html>
async fn tag_resource(cw: &CloudWatch, cx: &Cx, input: TagInput) -> Result<()> {
    let new: BTreeMap<String, String> = input.tags.into_iter().map(|t| (t.key, t.value)).collect();
    check(&new)?;
    edit(cw, cx, &input.arn, |tags| {
        tags.extend(new);
        within(tags)
    })
    .await
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_UntagResource.html>
async fn untag_resource(cw: &CloudWatch, cx: &Cx, input: TagInput) -> Result<()> {
    edit(cw, cx, &input.arn, |tags| {
        tags.retain(|k, _| !input.keys.contains(k));
        Ok(())
    })
    .await
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagsOutput {
    tags: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListTagsForResource.html>
async fn list_tags(cw: &CloudWatch, cx: &Cx, input: TagInput) -> Result<TagsOutput> {
    let tags = match target(cx, &input.arn)? {
        Target::Alarm(name) => {
            let key = alarm::key(&cx.account, &cx.region, name);
            cw.store.get(&ALARMS, &key).await?.map(|a| a.tags)
        }
        Target::Dashboard(name) => {
            cw.store.get(&DASHBOARDS, &dashboard::key(cx, name)).await?.map(|d| d.tags)
        }
    };
    let tags = tags.ok_or_else(|| unknown(&input.arn))?;
    Ok(TagsOutput { tags: tags.into_iter().map(|(key, value)| Tag { key, value }).collect() })
}

async fn edit(
    cw: &CloudWatch,
    cx: &Cx,
    arn: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>) -> Result<()>,
) -> Result<()> {
    match target(cx, arn)? {
        Target::Alarm(name) => {
            let key = alarm::key(&cx.account, &cx.region, name);
            let mut tx = cw.store.lock(&[Lock::exclusive(&ALARMS, &key)]).await;
            let mut found = tx.get(&ALARMS, &key).await?.ok_or_else(|| unknown(arn))?;
            change(&mut found.tags)?;
            tx.put(&ALARMS, &key, &found);
            tx.commit().await?;
        }
        Target::Dashboard(name) => {
            let key = dashboard::key(cx, name);
            let mut tx = cw.store.lock(&[Lock::exclusive(&DASHBOARDS, &key)]).await;
            let mut found = tx.get(&DASHBOARDS, &key).await?.ok_or_else(|| unknown(arn))?;
            change(&mut found.tags)?;
            tx.put(&DASHBOARDS, &key, &found);
            tx.commit().await?;
        }
    }
    Ok(())
}

enum Target<'a> {
    Alarm(&'a str),
    Dashboard(&'a str),
}

fn target<'a>(cx: &Cx, arn: &'a str) -> Result<Target<'a>> {
    let parsed = Arn::parse(arn).filter(|a| a.service == "cloudwatch" && a.account == cx.account);
    let resource = parsed.map(|a| a.resource);
    if let Some(name) = resource.and_then(|r| r.strip_prefix("alarm:")) {
        return Ok(Target::Alarm(name));
    }
    if let Some(name) = resource.and_then(|r| r.strip_prefix("dashboard/")) {
        return Ok(Target::Dashboard(name));
    }
    Err(if resource.is_some() {
        unknown(arn)
    } else {
        invalid_value(format!("Invalid ARN: {arn}"))
    })
}

fn unknown(arn: &str) -> ApiError {
    ApiError::new("ResourceNotFoundException", format!("{arn} does not exist.")).status(404)
}

/// Keys that a client may not set, and too many of them.
pub fn check(tags: &BTreeMap<String, String>) -> Result<()> {
    if tags.keys().any(|k| k.len() >= 4 && k.as_bytes()[..4].eq_ignore_ascii_case(b"aws:")) {
        return Err(invalid_value("Tag keys that begin with aws: are reserved."));
    }
    within(tags)
}

fn within(tags: &BTreeMap<String, String>) -> Result<()> {
    if tags.len() <= MOST {
        return Ok(());
    }
    Err(invalid_value(format!("A resource can have at most {MOST} tags.")))
}
