//! Key policies.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html>

use std::sync::Arc;

use fogbank_core::{ApiError, Check, Cx, Op, Result, ops};
use fogbank_policy::{Policy, Usage};
use serde::{Deserialize, Serialize};

use crate::error::not_found;
use crate::find::{By, alive};
use crate::record::KeyRecord;
use crate::{Kms, authz};

pub const OPS: &[Op<Kms>] = ops![
    GetKeyPolicy => get_key_policy [authz::on_key],
    PutKeyPolicy => put_key_policy [authz::on_key],
    ListKeyPolicies => list_key_policies [authz::on_key],
];

/// The only name of a key policy.
const NAME: &str = "default";
/// In characters.
const LONGEST: usize = 32 * 1024;

/// What AWS gives a key without a policy of its own: the account's own policies decide.
pub fn default(account: &str) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:aws:iam::{account}:root"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"#
    )
}

/// Takes a policy as a key's: it must be one, and, unless the caller waives that, leave the caller
/// able to change it again. `key` is `None` for a key that is about to be made.
pub async fn check(cx: &Cx, key: Option<&KeyRecord>, text: &str, waived: bool) -> Result<()> {
    if text.chars().count() > LONGEST {
        return Err(ApiError::new(
            "LimitExceededException",
            format!("A key policy can have {LONGEST} characters at most."),
        ));
    }
    Policy::parse(text, Usage::Resource).map_err(|e| malformed(e.message()))?;
    if waived {
        return Ok(());
    }
    let arn = key.map_or_else(|| cx.arn("kms", "key/new"), KeyRecord::arn);
    let question = Check {
        resource_account: Some(cx.account.clone()),
        resource_policy: Some(Arc::from(text)),
        resource_policy_required: true,
        ..Check::new("kms:PutKeyPolicy", arn)
    };
    let question = authz::with_caller(cx, question);
    cx.authorize(question).await.map_err(|_| {
        malformed("The new key policy will not allow you to update the key policy in the future.")
    })
}

fn malformed(message: &str) -> ApiError {
    ApiError::new("MalformedPolicyDocumentException", message)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetInput {
    key_id: String,
    policy_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetOutput {
    policy: String,
    policy_name: &'static str,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html>
async fn get_key_policy(kms: &Kms, cx: &Cx, input: GetInput) -> Result<GetOutput> {
    named(input.policy_name.as_deref())?;
    let place = kms.own(cx, &input.key_id).await?;
    Ok(GetOutput { policy: kms.load(&place).await?.policy, policy_name: NAME })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutInput {
    key_id: String,
    policy_name: Option<String>,
    policy: String,
    #[serde(default)]
    bypass_policy_lockout_safety_check: bool,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html>
async fn put_key_policy(kms: &Kms, cx: &Cx, input: PutInput) -> Result<()> {
    named(input.policy_name.as_deref())?;
    let place = kms.own(cx, &input.key_id).await?;
    let waived = input.bypass_policy_lockout_safety_check;
    check(cx, Some(&kms.load(&place).await?), &input.policy, waived).await?;
    kms.edit(&place, |key, _| {
        alive(key)?;
        key.policy = input.policy;
        Ok(())
    })
    .await
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    policy_names: [&'static str; 1],
    truncated: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    key_id: String,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyPolicies.html>
async fn list_key_policies(kms: &Kms, cx: &Cx, input: ListInput) -> Result<ListOutput> {
    kms.asked(cx, 0, &input.key_id, By::Id).await?;
    Ok(ListOutput { policy_names: [NAME], truncated: false })
}

fn named(name: Option<&str>) -> Result<()> {
    match name {
        None | Some(NAME) => Ok(()),
        Some(_) => Err(not_found("No such policy exists")),
    }
}
