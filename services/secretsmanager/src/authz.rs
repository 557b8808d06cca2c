//! What must be allowed before an operation runs: the action, the secret's ARN and policy, Secrets
//! Manager's condition keys.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html>

use std::sync::Arc;

use fogbank_core::{Check, Cx, Result, Value};

use crate::Manager;
use crate::find::Asked;
use crate::record::{Place, Secret};

type Checks = Result<Vec<Check>>;

/// Members of inputs and the condition keys that they are the values of.
const MEMBERS: &[(&str, &str)] = &[
    ("Name", "secretsmanager:Name"),
    ("Description", "secretsmanager:Description"),
    ("KmsKeyId", "secretsmanager:KmsKeyId"),
    ("VersionId", "secretsmanager:VersionId"),
    ("VersionStage", "secretsmanager:VersionStage"),
    ("RotationLambdaARN", "secretsmanager:RotationLambdaARN"),
    ("RecoveryWindowInDays", "secretsmanager:RecoveryWindowInDays"),
    ("ForceDeleteWithoutRecovery", "secretsmanager:ForceDeleteWithoutRecovery"),
    ("BlockPublicPolicy", "secretsmanager:BlockPublicPolicy"),
    ("RotateImmediately", "secretsmanager:RotateImmediately"),
];

fn with_input(mut check: Check, input: &Value) -> Check {
    for (member, key) in MEMBERS {
        let text = match input.get(member) {
            Some(Value::Str(s)) => s.to_string(),
            Some(Value::Bool(b)) => b.to_string(),
            Some(Value::Int(n)) => n.to_string(),
            _ => continue,
        };
        check = check.with(*key, text);
    }
    if input.get("RotationRules").is_some() {
        check = check.with("secretsmanager:ModifyRotationRules", "true");
    }
    let tags = input.get("Tags").map(Value::items).unwrap_or_default();
    let mut keys = Vec::new();
    for tag in tags {
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

/// The question about a secret.
pub fn about(action: &str, secret: &Secret, input: &Value) -> Check {
    let arn = secret.arn();
    let mut check = Check {
        resource_account: Some(secret.place.account.clone()),
        resource_policy: secret.policy.as_deref().map(Arc::from),
        ..Check::new(format!("secretsmanager:{action}"), arn.clone())
    };
    check = check
        .with("secretsmanager:SecretId", arn)
        .with("secretsmanager:SecretPrimaryRegion", secret.place.region.clone());
    for tag in &secret.tags {
        check = check
            .with(format!("aws:ResourceTag/{}", tag.key), tag.value.clone())
            .with(format!("secretsmanager:ResourceTag/{}", tag.key), tag.value.clone());
    }
    let lambda = secret.rotation.as_ref().and_then(|r| r.lambda.clone());
    if let Some(lambda) = lambda {
        check = check.with("secretsmanager:resource/AllowRotationLambdaArn", lambda);
    }
    with_input(check, input)
}

/// An operation on the secret `SecretId`.
pub async fn on_secret(sm: &Manager, cx: &Cx, input: &Value) -> Checks {
    let id = input.str("SecretId").unwrap_or_default();
    let check = match sm.find(cx, id).await? {
        Some(found) => {
            let check = about(cx.operation, &found, input);
            cx.remember(Arc::new(Asked(Arc::new(found))));
            check
        }
        // Whoever may not ask does not learn that there is none.
        None => missing(cx, id, input),
    };
    let default = [
        ("GetSecretValue", "VersionStage", "secretsmanager:VersionStage", "AWSCURRENT"),
        ("RotateSecret", "RotateImmediately", "secretsmanager:RotateImmediately", "true"),
    ];
    let default = default.iter().find(|(op, member, ..)| {
        *op == cx.operation && input.get(member).is_none() && input.get("VersionId").is_none()
    });
    Ok(vec![match default {
        Some((_, _, key, value)) => check.with(*key, *value),
        None => check,
    }])
}

fn missing(cx: &Cx, id: &str, input: &Value) -> Check {
    let (place, _) = Place::of(cx, id);
    let check = Check {
        resource_account: Some(place.account.clone()),
        ..Check::new(format!("secretsmanager:{}", cx.operation), place.arn())
    };
    with_input(check, input)
}

pub async fn create_secret(_: &Manager, cx: &Cx, input: &Value) -> Checks {
    let name = input.str("Name").unwrap_or_default();
    // AWS asks before it knows the suffix: policies with `name-*` and `name-??????` both fit.
    let arn = cx.arn("secretsmanager", &format!("secret:{name}-??????"));
    let mut actions = vec!["CreateSecret"];
    if input.get("Tags").is_some_and(|t| !t.items().is_empty()) {
        actions.push("TagResource");
    }
    let check =
        |a: &&str| with_input(Check::new(format!("secretsmanager:{a}"), arn.clone()), input);
    Ok(actions.iter().map(check).collect())
}

/// A policy may be checked without a secret.
pub async fn validate(sm: &Manager, cx: &Cx, input: &Value) -> Checks {
    if input.str("SecretId").is_some() {
        return on_secret(sm, cx, input).await;
    }
    Ok(vec![Check::new(format!("secretsmanager:{}", cx.operation), "*")])
}
