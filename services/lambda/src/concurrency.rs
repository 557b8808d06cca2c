//! Concurrency: what a function reserves of the account's, and environments kept ready for it.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>

use fogbank_core::{Cx, Op, Result, Value, map, ops};
use fogbank_store::{Key, Lock, Range, Store, Table, Tx};
use serde::Deserialize;

use crate::error::invalid;
use crate::function::FUNCTIONS;
use crate::name::Target;
use crate::{Lambda, authz};

pub mod provisioned;

pub const OPS: &[Op<Lambda>] = ops![
    PutFunctionConcurrency => put_concurrency [authz::function],
    GetFunctionConcurrency => get_concurrency [authz::function],
    DeleteFunctionConcurrency => delete_concurrency [authz::function],
];

/// The most invocations that an account runs at once in a region.
pub const ACCOUNT: u32 = 1000;
/// What must remain for functions that reserve nothing.
const UNRESERVED: u32 = 100;

/// What functions reserve, so that their sum is found without reading every function.
static RESERVED: Table<u64> = Table::new("lambda.reserved");

/// The sum of what an account's functions reserve.
///
/// # Errors
/// When the store fails.
pub async fn total_reserved(store: &Store, account: &str, region: &str) -> Result<u32> {
    let scope = Range::prefix(&Key::new().str(account).str(region));
    let all = store.scan(&RESERVED, scope, usize::MAX).await?;
    Ok(u32::try_from(all.iter().map(|(_, n)| n).sum::<u64>()).unwrap_or(u32::MAX))
}

/// `Concurrency` in answers.
#[must_use]
pub fn reserved(n: u32) -> Value {
    map! { "ReservedConcurrentExecutions" => Value::Int(i64::from(n)) }
}

/// Forgets what hangs on a deleted function.
///
/// # Errors
/// When the store fails.
pub async fn delete_all(tx: &mut Tx, function: &Target) -> Result<()> {
    tx.delete(&RESERVED, &function.key());
    provisioned::delete_all(tx, function).await
}

/// Forgets what hangs on a deleted version or alias.
pub fn delete_one(tx: &mut Tx, target: &Target) {
    provisioned::delete_one(tx, target);
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutInput {
    function_name: String,
    reserved_concurrent_executions: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NameInput {
    function_name: String,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html>
async fn put_concurrency(lambda: &Lambda, cx: &Cx, input: PutInput) -> Result<Value> {
    let target = Target::whole(cx, &input.function_name)?;
    let n = input.reserved_concurrent_executions;
    // All reservations of an account change one after the other: their sum is limited.
    let pool = Lock::exclusive(&RESERVED, &target.scope());
    let (mut tx, mut function) = lambda.change(&target, &[pool]).await?;
    let all = tx.scan(&RESERVED, Range::prefix(&target.scope()), usize::MAX).await?;
    let own = target.key();
    let others: u64 = all.iter().filter(|(k, _)| *k != own).map(|(_, n)| n).sum();
    if others + u64::from(n) > u64::from(ACCOUNT - UNRESERVED) {
        return Err(invalid(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's \
             UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
        )));
    }
    let provisioned = provisioned::total(&mut tx, &target).await?;
    if n < provisioned {
        return Err(invalid(
            "Requested Reserved Concurrency is lower than the Provisioned Concurrency of the \
             function.",
        ));
    }
    function.reserved = Some(n);
    tx.put(&FUNCTIONS, &own, &function);
    tx.put(&RESERVED, &own, &u64::from(n));
    tx.commit().await?;
    Ok(reserved(n))
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConcurrency.html>
async fn get_concurrency(lambda: &Lambda, cx: &Cx, input: NameInput) -> Result<Value> {
    let target = Target::whole(cx, &input.function_name)?;
    Ok(lambda.function(&target).await?.reserved.map_or_else(|| map! {}, reserved))
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionConcurrency.html>
async fn delete_concurrency(lambda: &Lambda, cx: &Cx, input: NameInput) -> Result<()> {
    let target = Target::whole(cx, &input.function_name)?;
    let (mut tx, mut function) = lambda.change(&target, &[]).await?;
    function.reserved = None;
    tx.put(&FUNCTIONS, &target.key(), &function);
    tx.delete(&RESERVED, &target.key());
    tx.commit().await?;
    Ok(())
}
