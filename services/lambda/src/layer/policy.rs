//! The policy of a layer's version: who else may use it.

use fogbank_core::{Cx, Result, Value, map};
use fogbank_store::{Lock, Tx};
use serde::Deserialize;
use serde_json::json;

use super::{LAYERS, LayerVersion, Place, VERSIONS};
use crate::Lambda;
use crate::error::{conflict, not_found, policy_too_long};
use crate::function::check_revision;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Input {
    layer_name: String,
    version_number: u64,
    #[serde(default)]
    statement_id: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    principal: String,
    organization_id: Option<String>,
    revision_id: Option<String>,
}

/// The version, locked.
async fn open(lambda: &Lambda, place: &Place, n: u64) -> Result<(Tx, LayerVersion)> {
    let key = place.key();
    let mut tx = lambda.store.lock(&[Lock::exclusive(&LAYERS, &key)]).await;
    match tx.get(&VERSIONS, &key.u64(n)).await? {
        Some(v) if !v.deleted => Ok((tx, v)),
        _ => Err(not_found(format!("Layer version {} does not exist.", place.version_arn(n)))),
    }
}

fn none(place: &Place, n: u64) -> fogbank_core::ApiError {
    not_found(format!("No policy is associated with the layer version {}", place.version_arn(n)))
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_AddLayerVersionPermission.html>
pub async fn add(lambda: &Lambda, cx: &Cx, input: Input) -> Result<Value> {
    let (place, n) = (Place::parse(cx, &input.layer_name), input.version_number);
    let (mut tx, mut version) = open(lambda, &place, n).await?;
    let mut policy = version.policy.take().unwrap_or_default();
    check_revision(input.revision_id.as_deref(), &policy.revision)?;
    if policy.find(&input.statement_id).is_some() {
        return Err(conflict(format!(
            "The statement id ({}) provided already exists. Please provide a new statement id, or \
             remove the existing statement.",
            input.statement_id
        )));
    }
    let principal = match input.principal.as_str() {
        "*" => json!("*"),
        p if p.len() == 12 => json!({ "AWS": format!("arn:aws:iam::{p}:root") }),
        p => json!({ "AWS": p }),
    };
    let mut statement = json!({
        "Sid": input.statement_id,
        "Effect": "Allow",
        "Principal": principal,
        "Action": input.action,
        "Resource": place.version_arn(n),
    });
    if let Some(org) = input.organization_id {
        statement["Condition"] = json!({ "StringEquals": { "aws:PrincipalOrgID": org } });
    }
    let text = statement.to_string();
    policy.statements.push((input.statement_id, text.clone()));
    policy.changed(cx);
    if policy.text.len() > 20_480 {
        return Err(policy_too_long());
    }
    let revision = policy.revision.clone();
    version.policy = Some(policy);
    tx.put(&VERSIONS, &place.key().u64(n), &version);
    tx.commit().await?;
    Ok(map! { "Statement" => text, "RevisionId" => revision })
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_RemoveLayerVersionPermission.html>
pub async fn remove(lambda: &Lambda, cx: &Cx, input: Input) -> Result<()> {
    let (place, n) = (Place::parse(cx, &input.layer_name), input.version_number);
    let (mut tx, mut version) = open(lambda, &place, n).await?;
    let mut policy = version.policy.take().ok_or_else(|| none(&place, n))?;
    check_revision(input.revision_id.as_deref(), &policy.revision)?;
    let Some(at) = policy.find(&input.statement_id) else {
        return Err(not_found(format!(
            "Statement {} is not found in resource policy.",
            input.statement_id
        )));
    };
    policy.statements.remove(at);
    policy.changed(cx);
    version.policy = Some(policy).filter(|p| !p.statements.is_empty());
    tx.put(&VERSIONS, &place.key().u64(n), &version);
    tx.commit().await?;
    Ok(())
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersionPolicy.html>
pub async fn get(lambda: &Lambda, cx: &Cx, input: Input) -> Result<Value> {
    let (place, n) = (Place::parse(cx, &input.layer_name), input.version_number);
    let version = lambda.layer_version(&place, n).await?;
    let policy = version.policy.ok_or_else(|| none(&place, n))?;
    Ok(map! { "Policy" => policy.text, "RevisionId" => policy.revision })
}
