//! Resource policies of secrets.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_resource-policies.html>

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use fogbank_policy::{Policy, Usage, is_public};
use serde::{Deserialize, Serialize};

use crate::error::deleted;
use crate::find::refuse;
use crate::{Manager, authz};

pub const OPS: &[Op<Manager>] = ops![
    GetResourcePolicy => get_resource_policy [authz::on_secret],
    PutResourcePolicy => put_resource_policy [authz::on_secret],
    DeleteResourcePolicy => delete_resource_policy [authz::on_secret],
    ValidateResourcePolicy => validate_resource_policy [authz::validate],
];

/// In characters.
const LONGEST: usize = 20480;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IdInput {
    secret_id: String,
    policy_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyOutput {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    resource_policy: Option<String>,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetResourcePolicy.html>
async fn get_resource_policy(sm: &Manager, cx: &Cx, input: IdInput) -> Result<PolicyOutput> {
    refuse(cx, &[("PolicyName", input.policy_name.is_some())])?;
    let secret = sm.asked(cx, &input.secret_id).await?;
    Ok(PolicyOutput {
        arn: secret.arn(),
        name: secret.place.name.clone(),
        resource_policy: secret.policy.clone(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutInput {
    secret_id: String,
    resource_policy: String,
    policy_name: Option<String>,
    #[serde(default)]
    block_public_policy: bool,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutResourcePolicy.html>
async fn put_resource_policy(sm: &Manager, cx: &Cx, input: PutInput) -> Result<PolicyOutput> {
    refuse(cx, &[("PolicyName", input.policy_name.is_some())])?;
    let policy = parse(&input.resource_policy).map_err(malformed)?;
    if input.block_public_policy && is_public(&policy) {
        return Err(ApiError::new(
            "PublicPolicyException",
            "You can't attach a resource policy that allows broad access to the secret.",
        ));
    }
    set(sm, cx, &input.secret_id, Some(input.resource_policy)).await
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteResourcePolicy.html>
async fn delete_resource_policy(sm: &Manager, cx: &Cx, input: IdInput) -> Result<PolicyOutput> {
    refuse(cx, &[("PolicyName", input.policy_name.is_some())])?;
    set(sm, cx, &input.secret_id, None).await
}

async fn set(sm: &Manager, cx: &Cx, id: &str, policy: Option<String>) -> Result<PolicyOutput> {
    sm.edit(cx, id, |secret, _| {
        if secret.deleted.is_some() {
            return Err(deleted());
        }
        secret.policy = policy;
        secret.changed = cx.now.as_microsecond();
        let (arn, name) = (secret.arn(), secret.place.name.clone());
        Ok(PolicyOutput { arn, name, resource_policy: None })
    })
    .await
}

fn parse(text: &str) -> Result<Policy, String> {
    if text.chars().count() > LONGEST {
        return Err(format!("A resource policy can have {LONGEST} characters at most."));
    }
    Policy::parse(text, Usage::Resource).map_err(|e| e.message().to_owned())
}

fn malformed(message: String) -> ApiError {
    ApiError::new("MalformedPolicyDocumentException", message)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ValidateInput {
    resource_policy: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Fault {
    check_name: &'static str,
    error_message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ValidateOutput {
    policy_validation_passed: bool,
    validation_errors: Vec<Fault>,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ValidateResourcePolicy.html>
async fn validate_resource_policy(
    _: &Manager,
    _: &Cx,
    input: ValidateInput,
) -> Result<ValidateOutput> {
    let mut faults = Vec::new();
    match parse(&input.resource_policy) {
        Err(message) => faults.push(Fault { check_name: "PolicySyntax", error_message: message }),
        Ok(policy) if is_public(&policy) => faults.push(Fault {
            check_name: "PublicPolicy",
            error_message: "The policy allows broad access to the secret.".to_owned(),
        }),
        Ok(_) => {}
    }
    Ok(ValidateOutput { policy_validation_passed: faults.is_empty(), validation_errors: faults })
}
