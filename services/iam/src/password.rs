//! The account's password policy.

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::{Key, Lock, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Iam;
use crate::error::{no_such_entity, validation};

pub const OPS: &[Op<Iam>] = ops![
    UpdateAccountPasswordPolicy => update,
    GetAccountPasswordPolicy => get,
    DeleteAccountPasswordPolicy => delete,
];

static POLICIES: Table<PasswordPolicy> = Table::new("iam.password-policy");

/// The policy: its record, and its form in answers.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PasswordPolicy {
    #[n(0)]
    minimum_password_length: i64,
    #[n(1)]
    require_symbols: bool,
    #[n(2)]
    require_numbers: bool,
    #[n(3)]
    require_uppercase_characters: bool,
    #[n(4)]
    require_lowercase_characters: bool,
    #[n(5)]
    allow_users_to_change_password: bool,
    #[n(6)]
    expire_passwords: bool,
    #[n(7)]
    max_password_age: Option<i64>,
    #[n(8)]
    password_reuse_prevention: Option<i64>,
    #[n(9)]
    hard_expiry: Option<bool>,
}
fogbank_store::record!(PasswordPolicy, version = 1);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateInput {
    minimum_password_length: Option<i64>,
    require_symbols: Option<bool>,
    require_numbers: Option<bool>,
    require_uppercase_characters: Option<bool>,
    require_lowercase_characters: Option<bool>,
    allow_users_to_change_password: Option<bool>,
    max_password_age: Option<i64>,
    password_reuse_prevention: Option<i64>,
    hard_expiry: Option<bool>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccountPasswordPolicy.html>
///
/// What the request leaves out goes back to its default.
async fn update(iam: &Iam, cx: &Cx, input: UpdateInput) -> Result<()> {
    within("minimumPasswordLength", input.minimum_password_length, 6, 128)?;
    within("maxPasswordAge", input.max_password_age, 1, 1095)?;
    within("passwordReusePrevention", input.password_reuse_prevention, 1, 24)?;
    let policy = PasswordPolicy {
        minimum_password_length: input.minimum_password_length.unwrap_or(6),
        require_symbols: input.require_symbols.unwrap_or(false),
        require_numbers: input.require_numbers.unwrap_or(false),
        require_uppercase_characters: input.require_uppercase_characters.unwrap_or(false),
        require_lowercase_characters: input.require_lowercase_characters.unwrap_or(false),
        allow_users_to_change_password: input.allow_users_to_change_password.unwrap_or(false),
        expire_passwords: input.max_password_age.is_some(),
        max_password_age: input.max_password_age,
        password_reuse_prevention: input.password_reuse_prevention,
        hard_expiry: input.hard_expiry,
    };
    let key = Key::new().str(&cx.account);
    let mut tx = iam.store.lock(&[Lock::exclusive(&POLICIES, &key)]).await;
    tx.put(&POLICIES, &key, &policy);
    iam.commit(cx, tx).await
}

#[derive(Deserialize)]
struct NoInput {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetOutput {
    password_policy: PasswordPolicy,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountPasswordPolicy.html>
async fn get(iam: &Iam, cx: &Cx, _: NoInput) -> Result<GetOutput> {
    let found = iam.store.get(&POLICIES, &Key::new().str(&cx.account)).await?;
    let missing = || {
        no_such_entity(format!(
            "The Password Policy with domain name {} cannot be found.",
            cx.account
        ))
    };
    Ok(GetOutput { password_policy: found.ok_or_else(missing)? })
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccountPasswordPolicy.html>
async fn delete(iam: &Iam, cx: &Cx, _: NoInput) -> Result<()> {
    let key = Key::new().str(&cx.account);
    let mut tx = iam.store.lock(&[Lock::exclusive(&POLICIES, &key)]).await;
    if tx.get(&POLICIES, &key).await?.is_none() {
        return Err(no_such_entity("The account policy with name PasswordPolicy cannot be found."));
    }
    tx.delete(&POLICIES, &key);
    iam.commit(cx, tx).await
}

fn within(member: &str, value: Option<i64>, least: i64, most: i64) -> Result<()> {
    let (value, bound) = match value {
        Some(v) if v < least => (v, format!("greater than or equal to {least}")),
        Some(v) if v > most => (v, format!("less than or equal to {most}")),
        _ => return Ok(()),
    };
    Err(validation(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: \
         Member must have value {bound}"
    )))
}
