//! Who signs: GetCallerIdentity and GetAccessKeyInfo.

use fogbank_core::{ApiError, Check, Cx, Op, Result, Value, ops};
use fogbank_identity::keys;
use serde::{Deserialize, Serialize};

use crate::{Sts, validation};

pub const OPS: &[Op<Sts>] = ops![
    GetCallerIdentity => get_caller_identity [always],
    GetAccessKeyInfo => get_access_key_info,
];

#[derive(Deserialize)]
struct NoInput {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Identity {
    user_id: String,
    account: String,
    arn: String,
}

/// No permission is asked for, and no policy can take it away.
async fn always(_: &Sts, _: &Cx, _: &Value) -> Result<Vec<Check>> {
    Ok(Vec::new())
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
async fn get_caller_identity(_: &Sts, cx: &Cx, _: NoInput) -> Result<Identity> {
    let p = known_caller(cx)?;
    Ok(Identity { user_id: p.id.clone(), account: p.account.clone(), arn: p.arn.clone() })
}

/// The caller, if it has signed.
pub fn known_caller(cx: &Cx) -> Result<&fogbank_core::Principal> {
    if cx.principal.is_anonymous() {
        let message = "Request is missing Authentication Token";
        return Err(ApiError::new("MissingAuthenticationToken", message).status(403));
    }
    Ok(&cx.principal)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyInput {
    access_key_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyOutput {
    account: String,
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetAccessKeyInfo.html>
async fn get_access_key_info(sts: &Sts, _: &Cx, input: KeyInput) -> Result<KeyOutput> {
    let id = &input.access_key_id;
    let account = match sts.directory.key_account(id).await? {
        Some(account) => Some(account),
        None => keys::key_account(id),
    };
    let account = account.ok_or_else(|| validation(format!("Invalid access key ID: {id}")))?;
    Ok(KeyOutput { account })
}
