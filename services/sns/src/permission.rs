//! Permissions: statements of a topic's policy that go by their label.

use fogbank_core::{Cx, Op, Result, ops};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::address::{Address, is_account};
use crate::error::invalid;
use crate::{Sns, authz, policy};

pub const OPS: &[Op<Sns>] = ops![
    AddPermission => add_permission [authz::topic],
    RemovePermission => remove_permission [authz::topic],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AddPermissionInput {
    topic_arn: String,
    label: String,
    #[serde(rename = "AWSAccountId")]
    accounts: Vec<String>,
    #[serde(rename = "ActionName")]
    actions: Vec<String>,
}

/// What may be given away.
const ACTIONS: [&str; 10] = [
    "*",
    "AddPermission",
    "DeleteTopic",
    "GetTopicAttributes",
    "ListSubscriptionsByTopic",
    "Publish",
    "Receive",
    "RemovePermission",
    "SetTopicAttributes",
    "Subscribe",
];

/// <https://docs.aws.amazon.com/sns/latest/api/API_AddPermission.html>
async fn add_permission(sns: &Sns, _: &Cx, input: AddPermissionInput) -> Result<()> {
    let at = Address::of_arn(&input.topic_arn)?;
    if input.accounts.is_empty() || input.accounts.iter().any(|a| !is_account(a)) {
        return Err(invalid("AWSAccountId"));
    }
    if input.actions.is_empty() || input.actions.iter().any(|a| !ACTIONS.contains(&a.as_str())) {
        return Err(invalid("Policy statement action out of service scope!"));
    }
    let principals: Vec<String> =
        input.accounts.iter().map(|a| format!("arn:aws:iam::{a}:root")).collect();
    let statement = json!({
        "Sid": input.label,
        "Effect": "Allow",
        "Principal": {"AWS": principals},
        "Action": input.actions.iter().map(|a| format!("SNS:{a}")).collect::<Vec<_>>(),
        "Resource": at.arn(),
    });
    sns.edit(&at, |topic| {
        let mut policy = current(&at, topic.settings.policy.as_deref());
        let all = statements(&mut policy);
        if all.iter().any(|s| s["Sid"] == input.label.as_str()) {
            return Err(invalid("Statement already exists"));
        }
        all.push(statement);
        topic.settings.policy = Some(policy.to_string());
        Ok(())
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RemovePermissionInput {
    topic_arn: String,
    label: String,
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_RemovePermission.html>
async fn remove_permission(sns: &Sns, _: &Cx, input: RemovePermissionInput) -> Result<()> {
    let at = Address::of_arn(&input.topic_arn)?;
    sns.edit(&at, |topic| {
        let mut policy = current(&at, topic.settings.policy.as_deref());
        statements(&mut policy).retain(|s| s["Sid"] != input.label.as_str());
        topic.settings.policy = Some(policy.to_string());
        Ok(())
    })
    .await
}

fn current(at: &Address, own: Option<&str>) -> Json {
    own.and_then(|p| serde_json::from_str(p).ok())
        .filter(Json::is_object)
        .unwrap_or_else(|| policy::default(at))
}

/// The statements as a list, which a policy need not have them in.
fn statements(policy: &mut Json) -> &mut Vec<Json> {
    let found = &mut policy["Statement"];
    if !found.is_array() {
        *found = Json::Array(Some(found.take()).filter(|s| !s.is_null()).into_iter().collect());
    }
    match found {
        Json::Array(all) => all,
        _ => unreachable!("made above"),
    }
}
