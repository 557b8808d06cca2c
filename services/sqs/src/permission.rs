//! Permissions: statements of a queue's policy that go by their label.

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::address::Address;
use crate::error::bad_value;
use crate::{Sqs, authz};

pub const OPS: &[Op<Sqs>] = ops![
    AddPermission => add_permission [authz::owner],
    RemovePermission => remove_permission [authz::owner],
];

/// What may be given away.
const ACTIONS: [&str; 8] = [
    "*",
    "SendMessage",
    "ReceiveMessage",
    "DeleteMessage",
    "ChangeMessageVisibility",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AddPermissionInput {
    queue_url: String,
    label: String,
    #[serde(rename = "AWSAccountIds")]
    accounts: Vec<String>,
    actions: Vec<String>,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html>
async fn add_permission(sqs: &Sqs, cx: &Cx, input: AddPermissionInput) -> Result<()> {
    let AddPermissionInput { queue_url, label, accounts, actions } = input;
    check_label(&label)?;
    for action in &actions {
        if !ACTIONS.contains(&action.as_str()) && action != "PurgeQueue" {
            return Err(bad_value(
                format!("SQS:{action}"),
                "ActionName",
                "Only the queue owner is allowed to invoke this action.",
            ));
        }
    }
    if actions.is_empty() || accounts.is_empty() {
        let name = if actions.is_empty() { "Actions" } else { "AWSAccountIds" };
        return Err(crate::error::missing(name));
    }
    if actions.len() > 7 {
        let text = format!("{} Actions were found, maximum allowed is 7.", actions.len());
        return Err(ApiError::new("OverLimit", text));
    }
    for account in &accounts {
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad_value(account, "PrincipalId", "Unable to verify."));
        }
    }
    let at = Address::of_url(cx, &queue_url)?;
    let arn = at.arn();
    let principals: Vec<String> =
        accounts.iter().map(|a| format!("arn:aws:iam::{a}:root")).collect();
    let statement = json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": one_or_all(principals)},
        "Action": one_or_all(actions.iter().map(|a| format!("SQS:{a}")).collect()),
        "Resource": arn,
    });
    sqs.edit(&at, |queue| {
        let mut policy = parse(queue.settings.policy.as_deref(), &arn);
        let statements = statements(&mut policy);
        if statements.iter().any(|s| s["Sid"] == label.as_str()) {
            return Err(bad_value(&label, "Label", "Already exists."));
        }
        statements.push(statement);
        queue.settings.policy = Some(policy.to_string());
        Ok(())
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RemovePermissionInput {
    queue_url: String,
    label: String,
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_RemovePermission.html>
async fn remove_permission(sqs: &Sqs, cx: &Cx, input: RemovePermissionInput) -> Result<()> {
    check_label(&input.label)?;
    let at = Address::of_url(cx, &input.queue_url)?;
    sqs.edit(&at, |queue| {
        let mut policy = parse(queue.settings.policy.as_deref(), "");
        let all = statements(&mut policy);
        let before = all.len();
        all.retain(|s| s["Sid"] != input.label.as_str());
        if all.len() == before {
            let reason = "can't find label on existing policy.";
            return Err(bad_value(&input.label, "Label", reason));
        }
        queue.settings.policy = (!all.is_empty()).then(|| policy.to_string());
        Ok(())
    })
    .await
}

fn check_label(label: &str) -> Result<()> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if (1..=80).contains(&label.len()) && label.bytes().all(fits) {
        return Ok(());
    }
    let reason =
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.";
    Err(bad_value(label, "Label", reason))
}

/// The policy, or the one that AWS begins with.
fn parse(policy: Option<&str>, arn: &str) -> Json {
    let new = || json!({"Version": "2012-10-17", "Id": format!("{arn}/SQSDefaultPolicy"), "Statement": []});
    policy.and_then(|p| serde_json::from_str(p).ok()).filter(Json::is_object).unwrap_or_else(new)
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

fn one_or_all(mut all: Vec<String>) -> Json {
    match (all.len(), all.pop()) {
        (1, Some(one)) => Json::from(one),
        (_, last) => {
            all.extend(last);
            Json::from(all)
        }
    }
}
