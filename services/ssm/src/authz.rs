//! What must be allowed before an operation runs: the action, the parameter's ARN, its tags.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html>

use fogbank_core::{Check, Cx, Result, Value};

use crate::record::{self, Parameter, Place};
use crate::{Ssm, name, public, reference};

type Checks = Result<Vec<Check>>;

/// The question about the parameter that a name means.
async fn about(ssm: &Ssm, cx: &Cx, action: &str, text: &str) -> Result<Check> {
    let place = name::read(cx, text).place;
    let action = format!("ssm:{action}");
    if public::is_public(&place.name) && !place.name.starts_with(reference::PREFIX) {
        // AWS's own: they belong to no account.
        return Ok(Check::new(action, record::arn("", &cx.region, &place.name)));
    }
    let mut check = Check::new(action, place.arn());
    if place.account != cx.account {
        check.resource_account = Some(place.account.clone());
    } else if let Some(head) = ssm.load(&place).await? {
        check = with_tags(check, &head);
    }
    Ok(check)
}

fn with_tags(mut check: Check, head: &Parameter) -> Check {
    for tag in &head.tags {
        check = check
            .with(format!("aws:ResourceTag/{}", tag.key), tag.value.clone())
            .with(format!("ssm:resourceTag/{}", tag.key), tag.value.clone());
    }
    check
}

fn with_request_tags(mut check: Check, input: &Value) -> Check {
    let mut keys = Vec::new();
    for tag in input.get("Tags").map(Value::items).unwrap_or_default() {
        let (k, v) = (tag.str("Key").unwrap_or_default(), tag.str("Value"));
        check = check.with(format!("aws:RequestTag/{k}"), v.unwrap_or_default());
        keys.push(k.to_owned());
    }
    let removed = input.get("TagKeys").map(Value::items).unwrap_or_default();
    keys.extend(removed.iter().filter_map(|k| k.as_str().map(str::to_owned)));
    if !keys.is_empty() {
        check.context.push(("aws:TagKeys".into(), keys));
    }
    check
}

/// An operation on the parameter `Name`.
pub async fn on_name(ssm: &Ssm, cx: &Cx, input: &Value) -> Checks {
    Ok(vec![about(ssm, cx, cx.operation, input.str("Name").unwrap_or_default()).await?])
}

/// An operation on each of `Names`.
pub async fn on_names(ssm: &Ssm, cx: &Cx, input: &Value) -> Checks {
    let mut checks = Vec::new();
    for name in input.get("Names").map(Value::items).unwrap_or_default() {
        checks.push(about(ssm, cx, cx.operation, name.as_str().unwrap_or_default()).await?);
    }
    Ok(checks)
}

/// GetParametersByPath: whoever may read a path may read all below it.
pub async fn on_path(_: &Ssm, cx: &Cx, input: &Value) -> Checks {
    let path = input.str("Path").unwrap_or_default();
    let account = if public::is_public(&format!("{path}/")) { "" } else { &*cx.account };
    let trimmed = path.trim_end_matches('/');
    let recursive = matches!(input.get("Recursive"), Some(Value::Bool(true)));
    let check = Check::new("ssm:GetParametersByPath", record::arn(account, &cx.region, trimmed));
    Ok(vec![check.with("ssm:Recursive", recursive.to_string())])
}

pub async fn put(ssm: &Ssm, cx: &Cx, input: &Value) -> Checks {
    let name = input.str("Name").unwrap_or_default();
    let place =
        Place { account: cx.account.clone(), region: cx.region.to_string(), name: name.to_owned() };
    let overwrite = matches!(input.get("Overwrite"), Some(Value::Bool(true)));
    let mut check = Check::new("ssm:PutParameter", place.arn());
    if let Some(head) = ssm.load(&place).await? {
        check = with_tags(check, &head);
    }
    check = with_request_tags(check.with("ssm:Overwrite", overwrite.to_string()), input);
    if input.get("Policies").is_some() {
        check = check.with("ssm:Policies", input.str("Policies").unwrap_or_default());
    }
    let mut checks = vec![check];
    if input.get("Tags").is_some_and(|t| !t.items().is_empty()) {
        let tagging = Check::new("ssm:AddTagsToResource", place.arn());
        checks.push(with_request_tags(tagging, input));
    }
    Ok(checks)
}

/// An operation on the tags of `ResourceId`.
pub async fn on_resource(ssm: &Ssm, cx: &Cx, input: &Value) -> Checks {
    let id = input.str("ResourceId").unwrap_or_default();
    let check = about(ssm, cx, cx.operation, id).await?;
    Ok(vec![with_request_tags(check, input)])
}
