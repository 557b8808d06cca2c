//! The account's limits and what it uses of them.

use fogbank_core::{Cx, Op, Result, Value, map, ops};
use fogbank_store::{Key, Range};
use serde::Deserialize;

use crate::Lambda;
use crate::code::UNPACKED;
use crate::concurrency::{ACCOUNT, total_reserved};
use crate::function::FUNCTIONS;
use crate::version::VERSIONS;

pub const OPS: &[Op<Lambda>] = ops![GetAccountSettings => get_account_settings];

#[derive(Deserialize)]
struct NoInput {}

/// Counts by reading every function: it is asked for by people, rarely.
///
/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetAccountSettings.html>
async fn get_account_settings(lambda: &Lambda, cx: &Cx, _: NoInput) -> Result<Value> {
    let scope = || Range::prefix(&Key::new().str(&cx.account).str(&cx.region));
    let functions = lambda.store.scan(&FUNCTIONS, scope(), usize::MAX).await?;
    let versions = lambda.store.scan(&VERSIONS, scope(), usize::MAX).await?;
    let latest = functions.iter().map(|(_, f)| f.latest.code.size);
    let size: u64 = latest.chain(versions.iter().map(|(_, v)| v.config.code.size)).sum();
    let int = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let reserved = u64::from(total_reserved(&lambda.store, &cx.account, &cx.region).await?);
    let all = u64::from(ACCOUNT);
    Ok(map! {
        "AccountLimit" => map! {
            "TotalCodeSize" => int(75 << 30),
            "CodeSizeUnzipped" => int(UNPACKED),
            "CodeSizeZipped" => int(50 << 20),
            "ConcurrentExecutions" => int(all),
            "UnreservedConcurrentExecutions" => int(all - reserved.min(all)),
        },
        "AccountUsage" => map! {
            "TotalCodeSize" => int(size),
            "FunctionCount" => Value::Int(i64::try_from(functions.len()).unwrap_or(i64::MAX)),
        },
    })
}
