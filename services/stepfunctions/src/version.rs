//! Versions: what a machine was when it was published.

use fogbank_core::{Cx, Op, Result, Time, Value, map, ops};
use fogbank_store::{Key, Lock, Range, Tx};
use serde::{Deserialize, Serialize};

use crate::arn::{MachineArn, Qualifier};
use crate::error::{conflict, invalid_arn, no_machine};
use crate::machine::{in_use, time};
use crate::page::PageInput;
use crate::record::{ALIASES, MACHINES, Machine, VERSIONS, Version, version_key};
use crate::{Sfn, authz};

pub const OPS: &[Op<Sfn>] = ops![
    PublishStateMachineVersion => publish_state_machine_version [authz::machine],
    DeleteStateMachineVersion => delete_state_machine_version [authz::version],
    ListStateMachineVersions => list_state_machine_versions [authz::machine],
];

/// Publishes a machine as it is; the number. Nothing new makes no new version.
pub fn publish(
    tx: &mut Tx,
    key: &Key,
    machine: &mut Machine,
    description: Option<String>,
    now: i64,
) -> u64 {
    let made_of = format!("{:?}", (&machine.set, &machine.revision));
    if machine.published.as_ref() == Some(&made_of) {
        return machine.last_version;
    }
    machine.last_version += 1;
    machine.published = Some(made_of);
    let version = Version {
        number: machine.last_version,
        set: machine.set.clone(),
        description,
        created: now,
        revision: machine.revision.clone(),
    };
    tx.put(&VERSIONS, &version_key(key, version.number), &version);
    version.number
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublishInput {
    state_machine_arn: String,
    revision_id: Option<String>,
    description: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublishOutput {
    creation_date: Time,
    state_machine_version_arn: String,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_PublishStateMachineVersion.html>
async fn publish_state_machine_version(
    sfn: &Sfn,
    cx: &Cx,
    input: PublishInput,
) -> Result<PublishOutput> {
    let arn = MachineArn::parse(&input.state_machine_arn)?;
    if arn.qualifier.is_some() {
        return Err(invalid_arn(&input.state_machine_arn));
    }
    let key = arn.key();
    let mut tx = sfn.store.lock(&[Lock::exclusive(&MACHINES, &key)]).await;
    let found: Option<Machine> = tx.get(&MACHINES, &key).await?;
    let mut machine = found.ok_or_else(|| no_machine(&input.state_machine_arn))?;
    if let Some(wanted) = &input.revision_id {
        let current = machine.revision.as_deref().unwrap_or("INITIAL");
        if wanted != current {
            return Err(conflict(format!(
                "Failed to publish the State Machine version for revision {wanted}. The current \
                 State Machine revision is {current}."
            )));
        }
    }
    let before = machine.last_version;
    let number = publish(&mut tx, &key, &mut machine, input.description, cx.now.as_microsecond());
    let created = if number == before {
        let old: Option<Version> = tx.get(&VERSIONS, &version_key(&key, number)).await?;
        old.map_or(cx.now.as_microsecond(), |v| v.created)
    } else {
        cx.now.as_microsecond()
    };
    tx.put(&MACHINES, &key, &machine);
    tx.commit().await?;
    Ok(PublishOutput {
        creation_date: time(created),
        state_machine_version_arn: format!("{}:{number}", arn.plain()),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeleteInput {
    state_machine_version_arn: String,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachineVersion.html>
async fn delete_state_machine_version(sfn: &Sfn, _: &Cx, input: DeleteInput) -> Result<Value> {
    let arn = MachineArn::parse(&input.state_machine_version_arn)?;
    let Some(Qualifier::Version(number)) = arn.qualifier else {
        return Err(invalid_arn(&input.state_machine_version_arn));
    };
    let key = arn.key();
    let mut tx = sfn.store.lock(&[Lock::exclusive(&MACHINES, &key)]).await;
    for (_, alias) in tx.scan(&ALIASES, Range::prefix(&key), 100).await? {
        if alias.routes.iter().any(|(v, _)| *v == number) {
            return Err(in_use(&format!("{}:{}", arn.plain(), alias.name)));
        }
    }
    tx.delete(&VERSIONS, &version_key(&key, number));
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
struct ListItem {
    state_machine_version_arn: String,
    creation_date: Time,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListOutput {
    state_machine_versions: Vec<ListItem>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListStateMachineVersions.html>
async fn list_state_machine_versions(sfn: &Sfn, _: &Cx, input: ListInput) -> Result<ListOutput> {
    let arn = MachineArn::parse(&input.state_machine_arn)?;
    let range = Range::prefix(&arn.key());
    let (found, next_token) = input.page.read(&sfn.store, &VERSIONS, range, 100).await?;
    let item = |v: Version| ListItem {
        state_machine_version_arn: format!("{}:{}", arn.plain(), v.number),
        creation_date: time(v.created),
    };
    let state_machine_versions = found.into_iter().map(|(_, v)| item(v)).collect();
    Ok(ListOutput { state_machine_versions, next_token })
}
