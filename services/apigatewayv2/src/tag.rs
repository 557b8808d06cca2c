//! Tags of APIs and stages.

use std::collections::BTreeMap;

use fogbank_core::value::from_value;
use fogbank_core::{Cx, Op, Result, Value, map, ops};

use crate::ApiGatewayV2;
use crate::authz::check as allowed;
use crate::document::text;
use crate::error::{bad_request, not_found};
use crate::stage::Stage;

pub const OPS: &[Op<ApiGatewayV2>] = ops![
    GetTags => get_tags [allowed],
    TagResource => tag_resource [allowed],
    UntagResource => untag_resource [allowed],
];

/// What a tagged ARN names.
struct Place {
    api: String,
    stage: Option<String>,
}

fn place(arn: &str) -> Result<Place> {
    let bad = || bad_request("Invalid ARN specified in the request");
    let path = arn.splitn(6, ':').nth(5).ok_or_else(bad)?;
    let rest = path.strip_prefix("/apis/").ok_or_else(bad)?;
    match rest.split_once('/') {
        None => Ok(Place { api: rest.to_owned(), stage: None }),
        Some((api, rest)) => {
            let stage = rest.strip_prefix("stages/").ok_or_else(|| not_found("resource"))?;
            Ok(Place { api: api.to_owned(), stage: Some(stage.to_owned()) })
        }
    }
}

/// Refuses tags that AWS refuses.
pub fn check(tags: &BTreeMap<String, String>) -> Result<()> {
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

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/tags-resource-arn.html#GetTags>
async fn get_tags(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<Value> {
    let place = place(text(&input, "ResourceArn")?)?;
    let tags = match &place.stage {
        None => gw.api(cx, &place.api).await?.tags,
        Some(stage) => gw.child::<Stage>(cx, &place.api, stage).await?.tags,
    };
    let tags = tags.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
    Ok(map! { "Tags" => Value::Map(tags) })
}

async fn edit(
    gw: &ApiGatewayV2,
    cx: &Cx,
    arn: &str,
    edit: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<()> {
    let place = place(arn)?;
    let mut change = gw.change(cx, &place.api).await?;
    match &place.stage {
        None => {
            edit(&mut change.api.tags);
            check(&change.api.tags)?;
            change.put_api();
        }
        Some(name) => {
            let mut stage: Stage = change.get(name).await?;
            edit(&mut stage.tags);
            check(&stage.tags)?;
            change.put(&stage);
        }
    }
    change.commit().await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/tags-resource-arn.html#TagResource>
async fn tag_resource(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<()> {
    let arn = text(&input, "ResourceArn")?.to_owned();
    let tags: BTreeMap<String, String> = match input.get("Tags") {
        Some(tags) => from_value(tags.clone())?,
        None => BTreeMap::new(),
    };
    edit(gw, cx, &arn, |old| old.extend(tags)).await
}

/// <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/tags-resource-arn.html#UntagResource>
async fn untag_resource(gw: &ApiGatewayV2, cx: &Cx, input: Value) -> Result<()> {
    let arn = text(&input, "ResourceArn")?.to_owned();
    let keys: Vec<String> = match input.get("TagKeys") {
        Some(keys) => from_value(keys.clone())?,
        None => Vec::new(),
    };
    edit(gw, cx, &arn, |old| old.retain(|k, _| !keys.contains(k))).await
}
