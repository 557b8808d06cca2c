//! Provisioned concurrency: environments of a version that are started before they are asked for.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html>

use fogbank_core::Result;
use fogbank_store::{Range, Table, Tx};
use minicbor::{Decode, Encode};

use crate::name::Target;

pub static PROVISIONED: Table<Provisioned> = Table::new("lambda.provisioned");

/// What was asked for, by version or alias.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Provisioned {
    #[n(0)]
    pub requested: u32,
    /// Milliseconds since 1970.
    #[n(1)]
    pub modified: i64,
}
fogbank_store::record!(Provisioned, version = 1);

/// The sum of what a function's versions and aliases ask for.
///
/// # Errors
/// When the store fails.
pub async fn total(tx: &mut Tx, function: &Target) -> Result<u32> {
    let all = tx.scan(&PROVISIONED, Range::prefix(&function.key()), usize::MAX).await?;
    Ok(all.iter().map(|(_, p)| p.requested).sum())
}

/// Deletes what hangs on a function.
///
/// # Errors
/// When the store fails.
pub async fn delete_all(tx: &mut Tx, function: &Target) -> Result<()> {
    for (k, _) in tx.scan(&PROVISIONED, Range::prefix(&function.key()), usize::MAX).await? {
        tx.delete(&PROVISIONED, &k);
    }
    Ok(())
}

/// Deletes what hangs on a version or an alias.
pub fn delete_one(tx: &mut Tx, target: &Target) {
    tx.delete(&PROVISIONED, &target.qualified_key());
}
