//! Deleting a function with everything that hangs on it, or one of its versions.

use fogbank_core::{Cx, Reply, Result, Value, map};
use fogbank_store::Range;

use super::{FUNCTIONS, QualifiedInput};
use crate::error::{conflict, function_missing, invalid};
use crate::name::{LATEST, Target, number};
use crate::version::{VERSIONS, Version, version_key};
use crate::{Lambda, alias, concurrency, event_invoke, permission, url};

/// <https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html>
pub async fn delete_function(lambda: &Lambda, cx: &Cx, input: QualifiedInput) -> Result<Reply> {
    let target = Target::parse(cx, &input.function_name, input.qualifier.as_deref())?;
    match target.qualifier.as_deref() {
        None => delete_all(lambda, &target).await?,
        Some(LATEST) => {
            return Err(invalid(
                "$LATEST version cannot be deleted without deleting the function.",
            ));
        }
        Some(q) => match number(q) {
            Some(n) => delete_version(lambda, &target, n).await?,
            None => return Err(invalid("Deletion of aliases is not currently supported.")),
        },
    }
    let value = map! { "StatusCode" => Value::Int(204) };
    Ok(Reply { value, status: Some(204), ..Reply::default() })
}

async fn delete_all(lambda: &Lambda, target: &Target) -> Result<()> {
    let (mut tx, function) = lambda.change(target, &[]).await?;
    let key = target.key();
    let below = || Range::prefix(&key);
    let mut codes = vec![function.latest.code.clone()];
    let mut revisions = vec![function.latest.revision.clone()];
    for (k, version) in tx.scan(&VERSIONS, below(), usize::MAX).await? {
        codes.push(version.config.code);
        revisions.push(version.config.revision);
        tx.delete(&VERSIONS, &k);
    }
    alias::delete_all(&mut tx, target).await?;
    permission::delete_all(&mut tx, target).await?;
    concurrency::delete_all(&mut tx, target).await?;
    event_invoke::delete_all(&mut tx, target).await?;
    url::delete_all(&mut tx, target).await?;
    tx.delete(&FUNCTIONS, &key);
    tx.commit().await?;
    for revision in &revisions {
        lambda.pools.retire(revision);
    }
    lambda.pools.counters.forget(&function.id);
    codes.sort_by_key(|c| c.blob);
    codes.dedup_by_key(|c| c.blob);
    for code in &codes {
        lambda.drop_code(code).await;
    }
    Ok(())
}

async fn delete_version(lambda: &Lambda, target: &Target, n: u64) -> Result<()> {
    let (mut tx, function) = lambda.change(target, &[]).await?;
    let key = version_key(target, n);
    let Some(version) = tx.get(&VERSIONS, &key).await? else {
        return Err(function_missing(&target.arn()));
    };
    let using = alias::using(&mut tx, target, &n.to_string()).await?;
    if !using.is_empty() {
        return Err(conflict(format!(
            "Function version cannot be deleted because it is referenced by alias: {}",
            using.join(", ")
        )));
    }
    tx.delete(&VERSIONS, &key);
    permission::delete_one(&mut tx, target);
    let code = version.config.code.clone();
    let orphan = code.blob != function.latest.code.blob
        && !Version::any_uses(&mut tx, target, &code).await?;
    tx.commit().await?;
    lambda.pools.retire(&version.config.revision);
    if orphan {
        lambda.drop_code(&code).await;
    }
    Ok(())
}
