//! Resource policies of tables and streams.

use fogbank_core::{ApiError, Cx, Op, Result, Value, map, ops};
use serde::Deserialize;

use crate::error::{no_resource, validation};
use crate::schema::{Place, Policy, TableRecord};
use crate::{Dynamo, authz};

pub const OPS: &[Op<Dynamo>] = ops![
    PutResourcePolicy => put_resource_policy [authz::resource],
    GetResourcePolicy => get_resource_policy [authz::resource],
    DeleteResourcePolicy => delete_resource_policy [authz::resource],
];

/// Checks that a text is a policy of a resource.
pub fn check(text: &str) -> Result<()> {
    if text.len() > 20 * 1024 {
        return Err(validation("Resource policy size exceeds the limit of 20 KB"));
    }
    let wrong = |why: String| validation(format!("Invalid policy document: {why}"));
    let policy = fogbank_policy::Policy::parse(text, fogbank_policy::error::Usage::Resource);
    policy.map(|_| ()).map_err(|e| wrong(e.message().to_owned()))
}

/// The policy that an ARN names: the table's, or its stream's.
fn of<'a>(record: &'a mut TableRecord, arn: &str) -> Result<&'a mut Option<Policy>> {
    let Some((_, label)) = arn.split_once("/stream/") else { return Ok(&mut record.policy) };
    match &record.stream {
        Some(s) if s.label == label => Ok(&mut record.stream_policy),
        _ => Err(no_resource()),
    }
}

fn none(arn: &str) -> ApiError {
    ApiError::new(
        "PolicyNotFoundException",
        format!("Resource-based policy not found for the provided ResourceArn: {arn}"),
    )
}

fn check_revision(current: Option<&Policy>, expected: Option<&str>, arn: &str) -> Result<()> {
    match (expected, current) {
        (None, _) | (Some("NO_POLICY"), None) => Ok(()),
        (Some(e), Some(p)) if p.revision == e => Ok(()),
        _ => Err(ApiError::new(
            "PolicyNotFoundException",
            format!(
                "Resource-based policy not found for the provided ResourceArn: {arn} with the expected revision id"
            ),
        )),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutInput {
    resource_arn: String,
    policy: String,
    expected_revision_id: Option<String>,
    confirm_remove_self_resource_access: Option<bool>,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutResourcePolicy.html>
async fn put_resource_policy(ddb: &Dynamo, cx: &Cx, input: PutInput) -> Result<Value> {
    check(&input.policy)?;
    if input.confirm_remove_self_resource_access == Some(false) {
        cx.ignore_member("ConfirmRemoveSelfResourceAccess");
    }
    let arn = &input.resource_arn;
    let revision = cx.now.as_microsecond().to_string();
    ddb.edit(cx, arn, |record| {
        let place = of(record, arn)?;
        check_revision(place.as_ref(), input.expected_revision_id.as_deref(), arn)?;
        *place = Some(Policy { text: input.policy, revision: revision.clone() });
        Ok(())
    })
    .await?;
    Ok(map! {"RevisionId" => revision})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ArnInput {
    resource_arn: String,
    expected_revision_id: Option<String>,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetResourcePolicy.html>
async fn get_resource_policy(ddb: &Dynamo, cx: &Cx, input: ArnInput) -> Result<Value> {
    let schema = ddb.schema(&Place::of(cx, &input.resource_arn)?).await?;
    let mut record = schema.record.clone();
    let found = of(&mut record, &input.resource_arn)?.take();
    let policy = found.ok_or_else(|| none(&input.resource_arn))?;
    Ok(map! {"Policy" => policy.text, "RevisionId" => policy.revision})
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteResourcePolicy.html>
async fn delete_resource_policy(ddb: &Dynamo, cx: &Cx, input: ArnInput) -> Result<Value> {
    let arn = &input.resource_arn;
    let revision = ddb
        .edit(cx, arn, |record| {
            let place = of(record, arn)?;
            check_revision(place.as_ref(), input.expected_revision_id.as_deref(), arn)?;
            Ok(place.take().map(|p| p.revision))
        })
        .await?;
    Ok(map! {"RevisionId" => revision})
}
