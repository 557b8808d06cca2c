//! Provisioned concurrency: environments of a version that are started before they are asked for.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html>

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fogbank_core::{ApiError, Cx, Op, Result, Value, map, ops, page};
use fogbank_store::{Part, Range, Table, Tx};
use minicbor::{Decode, Encode};
use serde::Deserialize;

use super::{ACCOUNT, UNRESERVED, total_reserved};
use crate::config::modified;
use crate::error::{function_missing, invalid};
use crate::name::{LATEST, Target};
use crate::pool::{Key, Starter};
use crate::settings::limit;
use crate::{Lambda, authz};

pub const OPS: &[Op<Lambda>] = ops![
    PutProvisionedConcurrencyConfig => put [authz::function],
    GetProvisionedConcurrencyConfig => get [authz::function],
    DeleteProvisionedConcurrencyConfig => delete [authz::function],
    ListProvisionedConcurrencyConfigs => list [authz::function],
];

static PROVISIONED: Table<Provisioned> = Table::new("lambda.provisioned");

/// What was asked for, by version or alias.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Provisioned {
    #[n(0)]
    requested: u32,
    /// Milliseconds since 1970.
    #[n(1)]
    modified: i64,
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

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    function_name: String,
    qualifier: String,
    provisioned_concurrent_executions: Option<u32>,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_PutProvisionedConcurrencyConfig.html>
async fn put(lambda: &Lambda, cx: &Cx, input: Input) -> Result<Value> {
    let target = Target::parse(cx, &input.function_name, Some(&input.qualifier))?;
    if target.qualifier.as_deref().is_none_or(|q| q == LATEST) {
        return Err(invalid(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        ));
    }
    let requested = input.provisioned_concurrent_executions.unwrap_or(1);
    let all = total_reserved(&lambda.store, &target.account, &target.region).await?;
    let (mut tx, function) = lambda.change(&target, &[]).await?;
    if function.tenancy {
        return Err(invalid(
            "Provisioned concurrency is not supported for functions with tenant isolation mode.",
        ));
    }
    lambda.version_of(&target, &function).await?;
    let key = target.qualified_key();
    let own = tx.get(&PROVISIONED, &key).await?.map_or(0, |p| p.requested);
    let sum = total(&mut tx, &target).await? - own + requested;
    let most = function.reserved.unwrap_or(ACCOUNT.saturating_sub(all + UNRESERVED));
    if sum > most {
        return Err(invalid(match function.reserved {
            Some(n) => format!(
                "Requested Provisioned Concurrency should not be greater than the \
                 reservedConcurrentExecution for function [{n}]"
            ),
            None => format!(
                "Specified ConcurrentExecutions for function is greater than account's \
                 unreserved concurrency [{most}]"
            ),
        }));
    }
    let provisioned = Provisioned { requested, modified: cx.now.as_millisecond() };
    tx.put(&PROVISIONED, &key, &provisioned);
    tx.commit().await?;
    lambda.provision_soon();
    let mut members = vec![
        ("RequestedProvisionedConcurrentExecutions".into(), Value::Int(i64::from(requested))),
        ("AvailableProvisionedConcurrentExecutions".into(), Value::Int(0)),
        ("AllocatedProvisionedConcurrentExecutions".into(), Value::Int(0)),
        ("Status".into(), "IN_PROGRESS".into()),
    ];
    members.push(("LastModified".into(), modified(provisioned.modified).into()));
    Ok(Value::Map(members))
}

fn missing() -> ApiError {
    ApiError::new(
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    )
    .field("Type", "User")
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetProvisionedConcurrencyConfig.html>
async fn get(lambda: &Lambda, cx: &Cx, input: Input) -> Result<Value> {
    let target = Target::parse(cx, &input.function_name, Some(&input.qualifier))?;
    let found = lambda.store.get(&PROVISIONED, &target.qualified_key()).await?;
    view(lambda, &target, &found.ok_or_else(missing)?).await
}

/// How far the environments have come.
async fn view(lambda: &Lambda, target: &Target, provisioned: &Provisioned) -> Result<Value> {
    let function = lambda.function(target).await?;
    let (_, config) = lambda.version_of(target, &function).await?;
    let pool = lambda.pools.of(&Key { revision: config.revision, tenant: None });
    let requested = provisioned.requested;
    let allocated = pool.alive.load(Ordering::Relaxed).min(requested);
    let failure = pool.failure();
    let status = match &failure {
        _ if allocated >= requested => "READY",
        Some(_) => "FAILED",
        None => "IN_PROGRESS",
    };
    let int = |n: u32| Value::Int(i64::from(n));
    Ok(map! {
        "RequestedProvisionedConcurrentExecutions" => int(requested),
        "AvailableProvisionedConcurrentExecutions" => int(pool.available().min(allocated)),
        "AllocatedProvisionedConcurrentExecutions" => int(allocated),
        "Status" => status,
        "StatusReason" => failure.filter(|_| status == "FAILED"),
        "LastModified" => modified(provisioned.modified),
    })
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_DeleteProvisionedConcurrencyConfig.html>
async fn delete(lambda: &Lambda, cx: &Cx, input: Input) -> Result<()> {
    let target = Target::parse(cx, &input.function_name, Some(&input.qualifier))?;
    let (mut tx, _) = lambda.change(&target, &[]).await?;
    if tx.get(&PROVISIONED, &target.qualified_key()).await?.is_none() {
        return Err(missing());
    }
    delete_one(&mut tx, &target);
    tx.commit().await?;
    lambda.provision_soon();
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    function_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListProvisionedConcurrencyConfigs.html>
async fn list(lambda: &Lambda, cx: &Cx, input: ListInput) -> Result<Value> {
    let function = Target::whole(cx, &input.function_name)?;
    lambda.function(&function).await?;
    let all = lambda.store.scan(&PROVISIONED, Range::prefix(&function.key()), usize::MAX).await?;
    let named = all.into_iter().filter_map(|(key, p)| match key.parts().nth(3)? {
        Part::Str(q) => Some((q.into_owned(), p)),
        _ => None,
    });
    let page = page::page(named, |(q, _)| q, input.marker.as_deref(), limit(input.max_items, 50))?;
    let mut items = Vec::with_capacity(page.items.len());
    for (qualifier, provisioned) in &page.items {
        let target = function.with(Some(qualifier));
        let mut item = view(lambda, &target, provisioned).await?;
        if let Value::Map(members) = &mut item {
            members.push(("FunctionArn".into(), target.arn().into()));
        }
        items.push(item);
    }
    Ok(map! { "ProvisionedConcurrencyConfigs" => items, "NextMarker" => page.next })
}

impl Lambda {
    /// Brings the environments in line with what is asked for, behind the caller's back.
    pub(crate) fn provision_soon(&self) {
        let Some(lambda) = self.me.upgrade() else { return };
        tokio::spawn(async move {
            if let Err(e) = lambda.provision().await {
                tracing::error!("provisioned concurrency cannot be read: {e}");
            }
        });
    }

    /// As [`Lambda::provision_soon`]. Called at the start and now and then, too: environments end
    /// with their credentials.
    pub(crate) async fn provision(&self) -> Result<()> {
        let all = self.store.scan(&PROVISIONED, Range::all(), usize::MAX).await?;
        let mut wanted: HashMap<Key, (u32, Starter)> = HashMap::new();
        for (key, provisioned) in all {
            let Some(starter) = self.starter(&key).await? else { continue };
            let revision = starter.config.revision.clone();
            let key = Key { revision, tenant: None };
            wanted.entry(key).or_insert((0, starter)).0 += provisioned.requested;
        }
        self.pools.unprovision(|key| wanted.contains_key(key));
        for (key, (requested, starter)) in wanted {
            let pool = self.pools.of(&key);
            pool.provisioned.store(requested, Ordering::Relaxed);
            let pools = Arc::clone(&self.pools);
            tokio::spawn(async move { pools.provision(&pool, &starter).await });
        }
        Ok(())
    }

    /// What starts environments of the version that a row is for.
    async fn starter(&self, key: &fogbank_store::Key) -> Result<Option<Starter>> {
        let mut parts = key.parts();
        let mut text = || parts.text().map(std::borrow::Cow::into_owned);
        let (Some(account), Some(region), Some(name), Some(qualifier)) =
            (text(), text(), text(), text())
        else {
            return Ok(None);
        };
        let target = Target { account, region, name, qualifier: Some(qualifier) };
        let (Some(lambda), Some(cloud), Some(environments)) =
            (self.me.upgrade(), self.cloud.get(), self.environments.get())
        else {
            return Ok(None);
        };
        let found = async {
            let function = self.function(&target).await?;
            self.version_of(&target, &function).await
        };
        match found.await {
            Ok((version, config)) => Ok(Some(Starter {
                lambda,
                cloud: Arc::clone(cloud),
                environments: environments.clone(),
                function: target.with(None),
                version,
                config,
                tenant: None,
            })),
            Err(e) if e.code() == function_missing("").code() => Ok(None),
            Err(e) => Err(e),
        }
    }
}
