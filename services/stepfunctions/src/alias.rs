//! Aliases: names that lead to one version or two.

use fogbank_core::{ApiError, Cx, Op, Result, Time, Value, map, ops};
use fogbank_store::{Key, Lock, Range, Tx};
use serde::{Deserialize, Serialize};

use crate::arn::{MachineArn, Qualifier};
use crate::error::{conflict, invalid_arn, no_machine, no_resource, validation};
use crate::machine::time;
use crate::page::PageInput;
use crate::record::{ALIASES, Alias, MACHINES, VERSIONS, version_key};
use crate::{Sfn, authz};

pub const OPS: &[Op<Sfn>] = ops![
    CreateStateMachineAlias => create_state_machine_alias [authz::create_alias],
    DescribeStateMachineAlias => describe_state_machine_alias [authz::alias],
    UpdateStateMachineAlias => update_state_machine_alias [authz::alias],
    DeleteStateMachineAlias => delete_state_machine_alias [authz::alias],
    ListStateMachineAliases => list_state_machine_aliases [authz::machine],
];

/// How many aliases a machine may have.
const MOST: usize = 100;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Route {
    state_machine_version_arn: String,
    weight: u32,
}

/// Checks a routing configuration; the machine and the routes.
fn routes(given: &[Route]) -> Result<(MachineArn, Vec<(u64, u32)>)> {
    if given.is_empty() || given.len() > 2 {
        return Err(validation("1 or 2 routing configurations are needed"));
    }
    let mut machine: Option<MachineArn> = None;
    let mut out: Vec<(u64, u32)> = Vec::new();
    for r in given {
        let arn = MachineArn::parse(&r.state_machine_version_arn)?;
        let Some(Qualifier::Version(n)) = arn.qualifier else {
            return Err(validation(format!(
                "Routing configuration must contain state machine version ARNs. Received: '[{}]'",
                r.state_machine_version_arn
            )));
        };
        if machine.as_ref().is_some_and(|m| m.plain() != arn.plain()) {
            return Err(validation(
                "Routing configuration must contain versions of one state machine",
            ));
        }
        if out.iter().any(|(v, _)| *v == n) {
            return Err(validation("Routing configuration must contain distinct versions"));
        }
        machine = Some(arn);
        out.push((n, r.weight));
    }
    let sum: u32 = out.iter().map(|(_, w)| w).sum();
    if sum != 100 {
        return Err(validation(format!(
            "Sum of routing configuration weights must equal 100. Received: {sum}"
        )));
    }
    let machine = machine.ok_or_else(|| validation("A version is needed"))?;
    Ok((machine, out))
}

async fn check_versions(
    tx: &mut Tx,
    key: &Key,
    given: &[Route],
    routes: &[(u64, u32)],
) -> Result<()> {
    for ((number, _), r) in routes.iter().zip(given) {
        if tx.get(&VERSIONS, &version_key(key, *number)).await?.is_none() {
            return Err(no_resource(&r.state_machine_version_arn));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateInput {
    description: Option<String>,
    name: String,
    routing_configuration: Vec<Route>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateOutput {
    state_machine_alias_arn: String,
    creation_date: Time,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachineAlias.html>
async fn create_state_machine_alias(
    sfn: &Sfn,
    cx: &Cx,
    input: CreateInput,
) -> Result<CreateOutput> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let number = input.name.chars().all(|c| c.is_ascii_digit());
    if number || !input.name.chars().all(fits) {
        return Err(ApiError::new("InvalidName", format!("Invalid Name: '{}'", input.name)));
    }
    let (machine, routes) = routes(&input.routing_configuration)?;
    let key = machine.key();
    let arn = format!("{}:{}", machine.plain(), input.name);
    let mut tx = sfn.store.lock(&[Lock::exclusive(&MACHINES, &key)]).await;
    if tx.get(&MACHINES, &key).await?.is_none() {
        return Err(no_resource(&machine.plain()));
    }
    check_versions(&mut tx, &key, &input.routing_configuration, &routes).await?;
    let own = key.clone().str(&input.name);
    if let Some(old) = tx.get(&ALIASES, &own).await? {
        if old.routes == routes && old.description == input.description {
            return Ok(CreateOutput {
                state_machine_alias_arn: arn,
                creation_date: time(old.created),
            });
        }
        return Err(conflict(
            "Failed to create alias because an alias with the same name and a different routing \
             configuration already exists.",
        ));
    }
    if tx.scan(&ALIASES, Range::prefix(&key), MOST).await?.len() >= MOST {
        let message = format!("A state machine has at most {MOST} aliases");
        return Err(ApiError::new("ServiceQuotaExceededException", message));
    }
    let now = cx.now.as_microsecond();
    let alias = Alias {
        name: input.name,
        description: input.description,
        routes,
        created: now,
        updated: now,
    };
    tx.put(&ALIASES, &own, &alias);
    tx.commit().await?;
    Ok(CreateOutput { state_machine_alias_arn: arn, creation_date: time(now) })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AliasInput {
    state_machine_alias_arn: String,
}

/// The machine and the name that an alias's ARN says.
fn named(arn: &str) -> Result<(MachineArn, String)> {
    let machine = MachineArn::parse(arn)?;
    match machine.qualifier.clone() {
        Some(Qualifier::Alias(name)) => Ok((machine, name)),
        _ => Err(invalid_arn(arn)),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeOutput {
    state_machine_alias_arn: String,
    name: String,
    description: Option<String>,
    routing_configuration: Vec<Route>,
    creation_date: Time,
    update_date: Time,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachineAlias.html>
async fn describe_state_machine_alias(
    sfn: &Sfn,
    _: &Cx,
    input: AliasInput,
) -> Result<DescribeOutput> {
    let (machine, name) = named(&input.state_machine_alias_arn)?;
    let found: Option<Alias> = sfn.store.get(&ALIASES, &machine.key().str(&name)).await?;
    let alias = found.ok_or_else(|| no_resource(&input.state_machine_alias_arn))?;
    let route = |(n, weight): &(u64, u32)| Route {
        state_machine_version_arn: format!("{}:{n}", machine.plain()),
        weight: *weight,
    };
    Ok(DescribeOutput {
        state_machine_alias_arn: input.state_machine_alias_arn,
        routing_configuration: alias.routes.iter().map(route).collect(),
        name: alias.name,
        description: alias.description,
        creation_date: time(alias.created),
        update_date: time(alias.updated),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateInput {
    state_machine_alias_arn: String,
    description: Option<String>,
    routing_configuration: Option<Vec<Route>>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_UpdateStateMachineAlias.html>
async fn update_state_machine_alias(sfn: &Sfn, cx: &Cx, input: UpdateInput) -> Result<Value> {
    let (machine, name) = named(&input.state_machine_alias_arn)?;
    if input.description.is_none() && input.routing_configuration.is_none() {
        return Err(validation(
            "Either the description or the routing configuration must be specified",
        ));
    }
    let key = machine.key();
    let own = key.clone().str(&name);
    let mut tx = sfn.store.lock(&[Lock::exclusive(&MACHINES, &key)]).await;
    let found: Option<Alias> = tx.get(&ALIASES, &own).await?;
    let mut alias = found.ok_or_else(|| no_resource(&input.state_machine_alias_arn))?;
    if let Some(given) = &input.routing_configuration {
        let (of, routes) = routes(given)?;
        if of.plain() != machine.plain() {
            return Err(validation(
                "Routing configuration must contain versions of one state machine",
            ));
        }
        check_versions(&mut tx, &key, given, &routes).await?;
        alias.routes = routes;
    }
    if let Some(d) = input.description {
        alias.description = Some(d);
    }
    alias.updated = cx.now.as_microsecond();
    tx.put(&ALIASES, &own, &alias);
    tx.commit().await?;
    Ok(map! {"updateDate" => Value::Time(cx.now)})
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachineAlias.html>
async fn delete_state_machine_alias(sfn: &Sfn, _: &Cx, input: AliasInput) -> Result<Value> {
    let (machine, name) = named(&input.state_machine_alias_arn)?;
    let key = machine.key();
    let own = key.clone().str(&name);
    let mut tx = sfn.store.lock(&[Lock::exclusive(&MACHINES, &key)]).await;
    if tx.get(&ALIASES, &own).await?.is_none() {
        return Err(no_resource(&input.state_machine_alias_arn));
    }
    tx.delete(&ALIASES, &own);
    tx.commit().await?;
    Ok(map! {})
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListInput {
    state_machine_arn: String,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListOutput {
    state_machine_aliases: Vec<CreateOutput>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListStateMachineAliases.html>
async fn list_state_machine_aliases(sfn: &Sfn, _: &Cx, input: ListInput) -> Result<ListOutput> {
    let machine = MachineArn::parse(&input.state_machine_arn)?;
    let key = machine.key();
    if sfn.store.get(&MACHINES, &key).await?.is_none() {
        return Err(no_machine(&input.state_machine_arn));
    }
    let (found, next_token) =
        input.page.read(&sfn.store, &ALIASES, Range::prefix(&key), 100).await?;
    let wanted = |a: &Alias| match machine.qualifier {
        Some(Qualifier::Version(n)) => a.routes.iter().any(|(v, _)| *v == n),
        _ => true,
    };
    let item = |a: Alias| CreateOutput {
        state_machine_alias_arn: format!("{}:{}", machine.plain(), a.name),
        creation_date: time(a.created),
    };
    let all = found.into_iter().map(|(_, a)| a).filter(wanted).map(item);
    Ok(ListOutput { state_machine_aliases: all.collect(), next_token })
}
