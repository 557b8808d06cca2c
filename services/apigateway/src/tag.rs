//! Tags of APIs, stages, keys and usage plans.

use std::collections::BTreeMap;

use fogbank_apigw::Json;
use fogbank_core::{Cx, Op, Result, Value, map, ops};
use fogbank_store::Lock;

use crate::ApiGateway;
use crate::api_key::{KEYS, own};
use crate::authz::check;
use crate::document::{found, member, text};
use crate::error::{bad_request, not_found};
use crate::stage::Stage;
use crate::usage_plan::PLANS;

pub const OPS: &[Op<ApiGateway>] = ops![
    GetTags => get_tags [check],
    TagResource => tag_resource [check],
    UntagResource => untag_resource [check],
];

type Tags = BTreeMap<String, String>;

/// Refuses tags that AWS refuses.
pub fn validate(tags: &Tags) -> Result<()> {
    if tags.len() > 50 {
        return Err(bad_request("The number of tags exceeds the limit of 50"));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(bad_request(format!("Invalid tag: {key}")));
        }
        if key.to_ascii_lowercase().starts_with("aws:") && !key.starts_with("aws:cloudformation:") {
            return Err(bad_request("Tag keys that begin with aws: are reserved"));
        }
    }
    Ok(())
}

/// The segments of the path in an ARN: `/restapis/x/stages/y`.
fn path(arn: &str) -> Result<Vec<&str>> {
    let bad = || bad_request("Invalid ARN specified in the request");
    let path = arn.splitn(6, ':').nth(5).and_then(|p| p.strip_prefix('/')).ok_or_else(bad)?;
    Ok(path.split('/').collect())
}

/// Changes the tags of what an ARN names, or only reads them; returns them.
async fn edit(
    gw: &ApiGateway,
    cx: &Cx,
    arn: &str,
    edit: Option<&(dyn Fn(&mut Tags) + Sync)>,
) -> Result<Tags> {
    let apply = |tags: &mut Tags| {
        if let Some(edit) = edit {
            edit(tags);
        }
        validate(tags)
    };
    match path(arn)?[..] {
        ["restapis", id] => {
            if edit.is_none() {
                return Ok(gw.api(cx, id).await?.tags);
            }
            let mut change = gw.change(cx, id).await?;
            apply(&mut change.api.tags)?;
            let tags = change.api.tags.clone();
            change.put_api();
            change.commit().await?;
            Ok(tags)
        }
        ["restapis", id, "stages", name] => {
            if edit.is_none() {
                return Ok(gw.child::<Stage>(cx, id, name).await?.tags);
            }
            let mut change = gw.change(cx, id).await?;
            let mut stage: Stage = found(&mut change, name).await?;
            apply(&mut stage.tags)?;
            change.put(&stage);
            change.commit().await?;
            Ok(stage.tags)
        }
        ["apikeys", id] => {
            let at = own(&cx.account, &cx.region, id);
            let mut tx = gw.store.lock(&[Lock::exclusive(&KEYS, &at)]).await;
            let Json(mut key) = tx.get(&KEYS, &at).await?.ok_or_else(|| not_found("API Key"))?;
            apply(&mut key.tags)?;
            tx.put(&KEYS, &at, &Json(key.clone()));
            tx.commit().await?;
            Ok(key.tags)
        }
        ["usageplans", id] => {
            let at = own(&cx.account, &cx.region, id);
            let mut tx = gw.store.lock(&[Lock::exclusive(&PLANS, &at)]).await;
            let found = tx.get(&PLANS, &at).await?;
            let Json(mut plan) = found.ok_or_else(|| not_found("Usage Plan"))?;
            apply(&mut plan.tags)?;
            tx.put(&PLANS, &at, &Json(plan.clone()));
            tx.commit().await?;
            Ok(plan.tags)
        }
        _ => Err(bad_request("Invalid ARN specified in the request")),
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetTags.html>
async fn get_tags(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let tags = edit(gw, cx, text(&input, "resourceArn")?, None).await?;
    let tags = tags.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
    Ok(map! { "tags" => Value::Map(tags) })
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_TagResource.html>
async fn tag_resource(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let new: Tags = member(&input, "tags")?;
    let add = |tags: &mut Tags| tags.extend(new.clone());
    edit(gw, cx, text(&input, "resourceArn")?, Some(&add)).await?;
    Ok(())
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UntagResource.html>
async fn untag_resource(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let keys: Vec<String> = member(&input, "tagKeys")?;
    let remove = |tags: &mut Tags| tags.retain(|k, _| !keys.contains(k));
    edit(gw, cx, text(&input, "resourceArn")?, Some(&remove)).await?;
    Ok(())
}
