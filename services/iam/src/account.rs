//! The account's alias: one name, which no other account has.

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use fogbank_store::{Key, Lock, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Iam;
use crate::error::{already_exists, no_such_entity, validation};

pub const OPS: &[Op<Iam>] = ops![
    CreateAccountAlias => create,
    ListAccountAliases => list,
    DeleteAccountAlias => delete,
];

/// By account, and by alias.
static ALIASES: Table<Name> = Table::new("iam.alias");
static OWNERS: Table<Name> = Table::new("iam.alias-owner");

/// An alias, or the account that owns one.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Name {
    #[n(0)]
    name: String,
}
fogbank_store::record!(Name, version = 1);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AliasInput {
    account_alias: String,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccountAlias.html>
///
/// A second alias replaces the first.
async fn create(iam: &Iam, cx: &Cx, input: AliasInput) -> Result<()> {
    let alias = input.account_alias;
    check(&alias)?;
    let (mine, owner) = (Key::new().str(&cx.account), Key::new().str(&alias));
    let locks = [Lock::exclusive(&ALIASES, &mine), Lock::exclusive(&OWNERS, &owner)];
    let mut tx = iam.store.lock(&locks).await;
    if tx.get(&OWNERS, &owner).await?.is_some_and(|o| o.name != cx.account) {
        return Err(already_exists(format!("The account alias {alias} already exists.")));
    }
    if let Some(old) = tx.get(&ALIASES, &mine).await? {
        tx.delete(&OWNERS, &Key::new().str(&old.name));
    }
    tx.put(&OWNERS, &owner, &Name { name: cx.account.clone() });
    tx.put(&ALIASES, &mine, &Name { name: alias });
    iam.commit(cx, tx).await
}

#[derive(Deserialize)]
struct ListInput {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    account_aliases: Vec<String>,
    is_truncated: bool,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccountAliases.html>
async fn list(iam: &Iam, cx: &Cx, _: ListInput) -> Result<ListOutput> {
    let found = iam.store.get(&ALIASES, &Key::new().str(&cx.account)).await?;
    let account_aliases = found.into_iter().map(|n| n.name).collect();
    Ok(ListOutput { account_aliases, is_truncated: false })
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccountAlias.html>
async fn delete(iam: &Iam, cx: &Cx, input: AliasInput) -> Result<()> {
    let alias = &input.account_alias;
    let (mine, owner) = (Key::new().str(&cx.account), Key::new().str(alias));
    let locks = [Lock::exclusive(&ALIASES, &mine), Lock::exclusive(&OWNERS, &owner)];
    let mut tx = iam.store.lock(&locks).await;
    if tx.get(&ALIASES, &mine).await?.is_none_or(|n| n.name != *alias) {
        return Err(missing(alias));
    }
    tx.delete(&ALIASES, &mine);
    tx.delete(&OWNERS, &owner);
    iam.commit(cx, tx).await
}

fn missing(alias: &str) -> ApiError {
    no_such_entity(format!("The account alias with name {alias} cannot be found."))
}

/// Lower-case letters, digits and single inner hyphens, 3 to 63 of them; not an account's number.
fn check(alias: &str) -> Result<()> {
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let ok = (3..=63).contains(&alias.len())
        && alias.bytes().all(letters)
        && !alias.starts_with('-')
        && !alias.ends_with('-')
        && !alias.contains("--")
        && (alias.len() != 12 || alias.bytes().any(|b| !b.is_ascii_digit()));
    if ok {
        return Ok(());
    }
    Err(validation(format!(
        "1 validation error detected: Value '{alias}' at 'accountAlias' failed to satisfy \
         constraint: Member must satisfy regular expression pattern: \
         ^[a-z0-9]([a-z0-9]|-(?!-)){{1,61}}[a-z0-9]$"
    )))
}

#[cfg(test)]
mod tests {
    #[test]
    fn aliases_have_a_form() {
        for good in ["abc", "my-team-1", "a1b"] {
            assert!(super::check(good).is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "ab", "Abc", "-ab", "ab-", "a--b", "a_b", "123456789012", &long] {
            assert!(super::check(bad).is_err(), "{bad}");
        }
    }
}
