//! What protects a group: its key, and its deletion protection.

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::Tx;
use serde::Deserialize;

use crate::error::invalid;
use crate::group::Group;
use crate::{Logs, authz};

pub const OPS: &[Op<Logs>] = ops![
    AssociateKmsKey => associate_kms_key [authz::group],
    DisassociateKmsKey => disassociate_kms_key [authz::group],
    PutLogGroupDeletionProtection => put_log_group_deletion_protection [authz::group],
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KmsKeyInput {
    log_group_name: Option<String>,
    resource_identifier: Option<String>,
    kms_key_id: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_AssociateKmsKey.html>
async fn associate_kms_key(logs: &Logs, cx: &Cx, input: KmsKeyInput) -> Result<()> {
    // Recorded, and shown; what is stored here is as safe as the folder it lies in.
    cx.ignore_member("kmsKeyId");
    set_key(logs, cx, &input, input.kms_key_id.clone()).await
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DisassociateKmsKey.html>
async fn disassociate_kms_key(logs: &Logs, cx: &Cx, input: KmsKeyInput) -> Result<()> {
    set_key(logs, cx, &input, None).await
}

async fn set_key(logs: &Logs, cx: &Cx, input: &KmsKeyInput, to: Option<String>) -> Result<()> {
    let named = match (&input.log_group_name, &input.resource_identifier) {
        (Some(name), None) => name,
        (None, Some(arn)) if arn.ends_with(":query-result:*") => {
            return Err(cx.refuse_member("resourceIdentifier of query results"));
        }
        (None, Some(arn)) => arn,
        _ => {
            return Err(invalid(
                "You must specify exactly one of logGroupName and resourceIdentifier.",
            ));
        }
    };
    let change = |_: &mut Tx, group: &mut Group| {
        group.kms_key = to;
        Ok(())
    };
    logs.edit_group(cx, named, change).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeletionProtectionInput {
    log_group_identifier: String,
    deletion_protection_enabled: bool,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogGroupDeletionProtection.html>
async fn put_log_group_deletion_protection(
    logs: &Logs,
    cx: &Cx,
    input: DeletionProtectionInput,
) -> Result<()> {
    let change = |_: &mut Tx, group: &mut Group| {
        group.deletion_protection = input.deletion_protection_enabled;
        Ok(())
    };
    logs.edit_group(cx, &input.log_group_identifier, change).await
}
