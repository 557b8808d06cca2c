//! What must be allowed before an operation runs. A key's policy must allow, by naming the caller
//! or by leaving it to the account's own policies; or a grant does. Nothing else lets anyone in.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html>

use std::sync::Arc;

use fogbank_core::{Check, Cx, Result, Str, Value, value::from_value};

use crate::Kms;
use crate::alias::{self, ALIASES};
use crate::find::{Asked, By, Found};
use crate::record::{KeyRecord, Place};

type Checks = Result<Vec<Check>>;

/// The operations that take an alias for their key.
const BY_ALIAS: &[&str] = &[
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateMac",
    "VerifyMac",
    "Sign",
    "Verify",
    "GetPublicKey",
    "DeriveSharedSecret",
];

/// Members of inputs and the condition keys that they are the values of.
const MEMBERS: &[(&str, &str)] = &[
    ("EncryptionAlgorithm", "kms:EncryptionAlgorithm"),
    ("SigningAlgorithm", "kms:SigningAlgorithm"),
    ("MacAlgorithm", "kms:MacAlgorithm"),
    ("MessageType", "kms:MessageType"),
    ("KeyPairSpec", "kms:DataKeyPairSpec"),
    ("GranteePrincipal", "kms:GranteePrincipal"),
    ("RetiringPrincipal", "kms:RetiringPrincipal"),
];

/// The caller's account, and the service that it comes through.
pub fn with_caller(cx: &Cx, check: Check) -> Check {
    let check = check.with("kms:CallerAccount", cx.principal.account.clone());
    match cx.via {
        Some(service) => {
            let service = if service == "efs" { "elasticfilesystem" } else { service };
            check.with("kms:ViaService", format!("{service}.{}.amazonaws.com", cx.region))
        }
        None => check,
    }
}

/// The question about a key, with what its record says.
pub fn bare(cx: &Cx, action: impl Into<Str>, key: &KeyRecord) -> Check {
    let mut check = Check {
        resource_account: Some(key.place.account.clone()),
        resource_policy: Some(Arc::from(key.policy.as_str())),
        resource_policy_required: true,
        ..Check::new(action, key.arn())
    };
    check = with_caller(cx, check)
        .with("kms:KeySpec", key.spec.name())
        .with("kms:KeyUsage", key.usage.name())
        .with("kms:KeyOrigin", "AWS_KMS")
        .with("kms:MultiRegion", "false");
    for tag in &key.tags {
        check = check.with(format!("aws:ResourceTag/{}", tag.key), tag.value.clone());
    }
    check
}

/// The question about a key, with what the request says too. The grant that allows it, if one does,
/// is noted.
async fn about(
    kms: &Kms,
    cx: &Cx,
    action: &str,
    found: &mut Found,
    input: &Value,
    context: Option<&Value>,
) -> Result<Check> {
    let mut check = bare(cx, format!("kms:{action}"), &found.key);
    let aliases = kms.aliases_of(&found.key.place).await?;
    if !aliases.is_empty() {
        check.context.push(("kms:ResourceAliases".into(), aliases));
    }
    if let Some(alias) = &found.alias {
        check = check.with("kms:RequestAlias", alias.clone());
    }
    for (member, key) in MEMBERS {
        if let Some(v) = input.str(member) {
            check = check.with(*key, v);
        }
    }
    if let Some(Value::Map(pairs)) = context {
        let names = pairs.iter().map(|(k, _)| k.to_string()).collect();
        check.context.push(("kms:EncryptionContextKeys".into(), names));
        for (k, v) in pairs {
            let v = v.as_str().unwrap_or_default();
            check = check.with(format!("kms:EncryptionContext:{k}"), v);
        }
    }
    for (member, key) in [
        ("BypassPolicyLockoutSafetyCheck", "kms:BypassPolicyLockoutSafetyCheck"),
        ("PendingWindowInDays", "kms:ScheduleKeyDeletionPendingWindowInDays"),
        ("RotationPeriodInDays", "kms:RotationPeriodInDays"),
    ] {
        match input.get(member) {
            Some(Value::Bool(b)) => check = check.with(key, b.to_string()),
            Some(Value::Int(n)) => check = check.with(key, n.to_string()),
            _ => {}
        }
    }
    check = with_tags(check, input);
    found.grant = kms.granted(cx, &found.key.place, action, context).await?;
    check.granted = found.grant.is_some();
    Ok(check)
}

/// `aws:RequestTag` and `aws:TagKeys`.
fn with_tags(mut check: Check, input: &Value) -> Check {
    let tags = input.get("Tags").map(Value::items).unwrap_or_default();
    let mut keys = Vec::new();
    for tag in tags {
        let (k, v) = (tag.str("TagKey").unwrap_or_default(), tag.str("TagValue"));
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

fn remember(cx: &Cx, found: Vec<Found>) {
    cx.remember(Arc::new(Asked(found.into_iter().map(Arc::new).collect())));
}

/// An operation on the key `KeyId`.
pub async fn on_key(kms: &Kms, cx: &Cx, input: &Value) -> Checks {
    let by = if BY_ALIAS.contains(&cx.operation) { By::Alias } else { By::Id };
    let mut found = kms.find(cx, input.str("KeyId").unwrap_or_default(), by).await?;
    let context = input.get("EncryptionContext");
    let check = about(kms, cx, cx.operation, &mut found, input, context).await?;
    remember(cx, vec![found]);
    Ok(vec![check])
}

pub async fn create_key(_: &Kms, cx: &Cx, input: &Value) -> Checks {
    let named = |member: &str| input.str(member);
    let spec = named("KeySpec").or(named("CustomerMasterKeySpec")).unwrap_or("SYMMETRIC_DEFAULT");
    let bypass = matches!(input.get("BypassPolicyLockoutSafetyCheck"), Some(Value::Bool(true)));
    let check = with_caller(cx, Check::new("kms:CreateKey", "*"))
        .with("kms:KeySpec", spec)
        .with("kms:KeyUsage", named("KeyUsage").unwrap_or("ENCRYPT_DECRYPT"))
        .with("kms:KeyOrigin", named("Origin").unwrap_or("AWS_KMS"))
        .with("kms:BypassPolicyLockoutSafetyCheck", bypass.to_string());
    let mut checks = vec![with_tags(check, input)];
    if input.get("Tags").is_some_and(|t| !t.items().is_empty()) {
        let check = Check::new("kms:TagResource", cx.arn("kms", "key/*"));
        checks.push(with_tags(with_caller(cx, check), input));
    }
    Ok(checks)
}

pub async fn decrypt(kms: &Kms, cx: &Cx, input: &Value) -> Checks {
    let blob = blob(input);
    let mut found = (*kms.opener(cx, 0, blob, input.str("KeyId")).await?).clone();
    let context = input.get("EncryptionContext");
    let check = about(kms, cx, "Decrypt", &mut found, input, context).await?;
    remember(cx, vec![found]);
    Ok(vec![check])
}

pub async fn re_encrypt(kms: &Kms, cx: &Cx, input: &Value) -> Checks {
    let mut source = (*kms.opener(cx, 0, blob(input), input.str("SourceKeyId")).await?).clone();
    let id = input.str("DestinationKeyId").unwrap_or_default();
    let mut target = kms.find(cx, id, By::Alias).await?;
    let same = (source.key.place == target.key.place).to_string();
    let context = input.get("SourceEncryptionContext");
    let from = about(kms, cx, "ReEncryptFrom", &mut source, input, context).await?;
    let context = input.get("DestinationEncryptionContext");
    let to = about(kms, cx, "ReEncryptTo", &mut target, input, context).await?;
    remember(cx, vec![source, target]);
    Ok(vec![
        from.with("kms:ReEncryptOnSameKey", same.clone()),
        to.with("kms:ReEncryptOnSameKey", same),
    ])
}

fn blob(input: &Value) -> &[u8] {
    match input.get("CiphertextBlob") {
        Some(Value::Blob(b)) => b,
        _ => &[],
    }
}

/// The alias itself: only identity policies speak of aliases.
fn on_alias(cx: &Cx, input: &Value) -> Check {
    let name = input.str("AliasName").unwrap_or_default();
    let arn = alias::arn(&cx.account, &cx.region, name);
    with_caller(cx, Check::new(format!("kms:{}", cx.operation), arn))
}

pub async fn create_alias(kms: &Kms, cx: &Cx, input: &Value) -> Checks {
    let mut found = kms.find(cx, input.str("TargetKeyId").unwrap_or_default(), By::Id).await?;
    let check = about(kms, cx, cx.operation, &mut found, input, None).await?;
    remember(cx, vec![found]);
    Ok(vec![on_alias(cx, input), check])
}

pub async fn update_alias(kms: &Kms, cx: &Cx, input: &Value) -> Checks {
    let mut new = kms.find(cx, input.str("TargetKeyId").unwrap_or_default(), By::Id).await?;
    let mut checks = vec![on_alias(cx, input)];
    let mut seen = Vec::new();
    if let Some(mut old) = behind(kms, cx, input).await? {
        checks.push(about(kms, cx, cx.operation, &mut old, input, None).await?);
        seen.push(old);
    } else {
        seen.push(new.clone());
    }
    checks.push(about(kms, cx, cx.operation, &mut new, input, None).await?);
    seen.push(new);
    remember(cx, seen);
    Ok(checks)
}

pub async fn delete_alias(kms: &Kms, cx: &Cx, input: &Value) -> Checks {
    let mut checks = vec![on_alias(cx, input)];
    if let Some(mut found) = behind(kms, cx, input).await? {
        checks.push(about(kms, cx, cx.operation, &mut found, input, None).await?);
    }
    Ok(checks)
}

/// The key to which the alias of a request leads now.
async fn behind(kms: &Kms, cx: &Cx, input: &Value) -> Result<Option<Found>> {
    let name = input.str("AliasName").unwrap_or_default();
    let at = alias::key(&cx.account, &cx.region, name);
    let Some(found) = kms.store.get(&ALIASES, &at).await? else { return Ok(None) };
    let place =
        Place { account: cx.account.clone(), region: cx.region.to_string(), id: found.target };
    let key = kms.load(&place).await?;
    Ok(Some(Found { key, alias: None, grant: None }))
}

pub async fn create_grant(kms: &Kms, cx: &Cx, input: &Value) -> Checks {
    let mut found = kms.find(cx, input.str("KeyId").unwrap_or_default(), By::Id).await?;
    let mut check = about(kms, cx, "CreateGrant", &mut found, input, None).await?;
    check = check.with("kms:GrantIsForAWSResource", cx.via.is_some().to_string());
    let operations = input.get("Operations").map(Value::items).unwrap_or_default();
    let operations = operations.iter().filter_map(|o| o.as_str().map(str::to_owned)).collect();
    check.context.push(("kms:GrantOperations".into(), operations));
    if let Some(Value::Map(constraints)) = input.get("Constraints") {
        let kinds = constraints.iter().map(|(k, _)| k.to_string()).collect();
        check.context.push(("kms:GrantConstraintType".into(), kinds));
    }
    remember(cx, vec![found]);
    Ok(vec![check])
}

pub async fn retire_grant(kms: &Kms, cx: &Cx, input: &Value) -> Checks {
    let grant = kms.retiring(cx, &from_value(input.clone())?).await?;
    let key = kms.load(&grant.place).await?;
    let mut check = bare(cx, "kms:RetireGrant", &key);
    check.granted = grant.retired_by(cx);
    Ok(vec![check])
}
