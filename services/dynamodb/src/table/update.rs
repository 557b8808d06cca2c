//! UpdateTable: throughput, billing, indexes, stream, encryption, class, protection.

use fogbank_core::{Cx, Result, Value, map};
use fogbank_store::Lock;
use serde::Deserialize;

use super::input::{
    AttributeDefinition, IndexInput, OnDemand, SseInput, StreamInput, Throughput, Warm, attributes,
    check_indexes, encryption, index, listed,
};
use super::view;
use crate::Dynamo;
use crate::error::{in_use, limit_exceeded, no_table, parameter, validation};
use crate::schema::{IndexState, Place, TABLES, TableRecord};
use crate::work::{Task, WORK};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateTableInput {
    table_name: String,
    attribute_definitions: Option<Vec<AttributeDefinition>>,
    billing_mode: Option<String>,
    provisioned_throughput: Option<Throughput>,
    on_demand_throughput: Option<OnDemand>,
    warm_throughput: Option<Warm>,
    global_secondary_index_updates: Option<Vec<IndexUpdate>>,
    stream_specification: Option<StreamInput>,
    #[serde(rename = "SSESpecification")]
    sse_specification: Option<SseInput>,
    table_class: Option<String>,
    deletion_protection_enabled: Option<bool>,
    replica_updates: Option<Vec<Value>>,
    vector_index_updates: Option<Vec<Value>>,
    multi_region_consistency: Option<String>,
    global_table_witness_updates: Option<Vec<Value>>,
    global_table_settings_replication_mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IndexUpdate {
    update: Option<Changed>,
    create: Option<IndexInput>,
    delete: Option<Named>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Changed {
    index_name: String,
    provisioned_throughput: Option<Throughput>,
    on_demand_throughput: Option<OnDemand>,
    warm_throughput: Option<Warm>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    index_name: String,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html>
pub async fn update_table(ddb: &Dynamo, cx: &Cx, input: UpdateTableInput) -> Result<Value> {
    for (given, name) in [
        (input.replica_updates.is_some(), "ReplicaUpdates"),
        (input.vector_index_updates.is_some(), "VectorIndexUpdates"),
        (input.multi_region_consistency.is_some(), "MultiRegionConsistency"),
        (input.global_table_witness_updates.is_some(), "GlobalTableWitnessUpdates"),
        (
            input.global_table_settings_replication_mode.is_some(),
            "GlobalTableSettingsReplicationMode",
        ),
    ] {
        if given {
            return Err(cx.refuse_member(name));
        }
    }
    let place = Place::of(cx, &input.table_name)?;
    let nothing = input.billing_mode.is_none()
        && input.provisioned_throughput.is_none()
        && input.on_demand_throughput.is_none()
        && input.warm_throughput.is_none()
        && input.global_secondary_index_updates.as_ref().is_none_or(Vec::is_empty)
        && input.stream_specification.is_none()
        && input.sse_specification.is_none()
        && input.table_class.is_none()
        && input.deletion_protection_enabled.is_none();
    if nothing {
        return Err(validation(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, \
             GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
        ));
    }
    let encryption = match &input.sse_specification {
        Some(sse) => Some(encryption(cx, sse).await?),
        None => None,
    };
    let key = place.key();
    let mut tx = ddb.store.lock(&[Lock::exclusive(&TABLES, &key)]).await;
    let Some(mut record) = tx.get(&TABLES, &key).await? else { return Err(no_table(&place.name)) };
    if view::state(&record) == "UPDATING" && input.global_secondary_index_updates.is_none() {
        return Err(in_use(format!(
            "Attempt to change a resource which is still in use: Table is being updated: {}",
            place.name
        )));
    }
    let comes = |u: &&IndexUpdate| u.create.is_some() || u.delete.is_some();
    if input.global_secondary_index_updates.iter().flatten().filter(comes).count() > 1 {
        return Err(one_at_a_time());
    }
    billing(cx, &input, &mut record)?;
    let mut work = Vec::new();
    for update in input.global_secondary_index_updates.iter().flatten() {
        let defined = attributes(input.attribute_definitions.as_deref().unwrap_or_default())?;
        indexes(ddb, &place, &mut record, update, defined, &mut work)?;
    }
    drop_unused(&mut record);
    if let Some(stream) = &input.stream_specification {
        let current = record.stream.clone().filter(|s| s.enabled);
        match (stream.stream_enabled, current, &stream.stream_view_type) {
            (true, Some(_), _) => {
                return Err(validation(format!(
                    "Table already has an enabled stream: TableName: {}",
                    place.name
                )));
            }
            (true, None, Some(v)) => {
                record.stream = Some(ddb.begin_stream(&mut tx, &place, &record.key, v, cx.now));
            }
            (true, None, None) => {
                return Err(parameter(
                    "StreamViewType is required when StreamEnabled is set to true",
                ));
            }
            (false, _, Some(_)) => {
                return Err(parameter(
                    "StreamViewType can only be specified when StreamEnabled is set to true",
                ));
            }
            (false, None, _) => {
                return Err(validation(format!(
                    "Table has no stream to disable: TableName: {}",
                    place.name
                )));
            }
            (false, Some(current), None) => {
                ddb.end_stream(&mut tx, &place, &current).await?;
                if let Some(s) = &mut record.stream {
                    s.enabled = false;
                }
            }
        }
    }
    if let Some(encryption) = encryption {
        record.encryption = encryption;
    }
    if let Some(class) = input.table_class {
        record.class = Some(class);
        record.class_changed = Some(cx.now.as_microsecond());
    }
    if let Some(protected) = input.deletion_protection_enabled {
        record.protected = protected;
    }
    tx.put(&TABLES, &key, &record);
    for (id, task) in &work {
        WORK.put(&mut tx, cx.now, id, task);
    }
    tx.commit().await?;
    ddb.wake();
    let shown = view::describe(ddb, &place, &record, "UPDATING").await?;
    Ok(map! {"TableDescription" => shown})
}

fn one_at_a_time() -> fogbank_core::ApiError {
    limit_exceeded(
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
    )
}

fn billing(cx: &Cx, input: &UpdateTableInput, record: &mut TableRecord) -> Result<()> {
    let on_demand = match input.billing_mode.as_deref() {
        Some(mode) => mode == "PAY_PER_REQUEST",
        None => record.provisioned.is_none(),
    };
    match (&input.provisioned_throughput, on_demand) {
        (Some(_), true) => {
            return Err(parameter(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
            ));
        }
        (Some(t), false) => {
            let units = t.units()?;
            if record.provisioned == Some(units)
                && input.global_secondary_index_updates.is_none()
                && input.billing_mode.is_none()
            {
                return Err(validation(format!(
                    "The provisioned throughput for the table will not change. The requested value \
                     equals the current value. Current ReadCapacityUnits provisioned for the table: \
                     {}. Requested ReadCapacityUnits: {}. Current WriteCapacityUnits provisioned for \
                     the table: {}. Requested WriteCapacityUnits: {}. Refer to the Amazon DynamoDB \
                     Developer Guide for current limits and how to request higher limits.",
                    units.read, units.read, units.write, units.write
                )));
            }
            record.provisioned = Some(units);
        }
        (None, false) if record.provisioned.is_none() => {
            return Err(parameter(
                "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
            ));
        }
        (None, true) if record.provisioned.is_some() => {
            record.provisioned = None;
            record.on_demand_since = Some(cx.now.as_microsecond());
            record.indexes.iter_mut().for_each(|i| i.provisioned = None);
        }
        _ => {}
    }
    record.billing_named |= input.billing_mode.is_some();
    if let Some(t) = &input.on_demand_throughput {
        record.on_demand = Some(t.units());
    }
    if let Some(w) = &input.warm_throughput {
        record.warm = Some(w.units());
    }
    Ok(())
}

fn indexes(
    ddb: &Dynamo,
    place: &Place,
    record: &mut TableRecord,
    update: &IndexUpdate,
    defined: Vec<crate::schema::KeyPart>,
    work: &mut Vec<(String, Task)>,
) -> Result<()> {
    let given = [update.update.is_some(), update.create.is_some(), update.delete.is_some()];
    if given.iter().filter(|g| **g).count() != 1 {
        return Err(parameter(
            "Exactly one of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null",
        ));
    }
    let busy = record.indexes.iter().any(|i| i.state != IndexState::Active);
    if busy && (update.create.is_some() || update.delete.is_some()) {
        return Err(one_at_a_time());
    }
    let missing = |name: &str| {
        fogbank_core::ApiError::new(
            "ResourceNotFoundException",
            format!("Requested resource not found: Index: {name} not found"),
        )
    };
    if let Some(change) = &update.update {
        let found = record.indexes.iter_mut().find(|i| !i.local && i.name == change.index_name);
        let index = found.ok_or_else(|| missing(&change.index_name))?;
        if let Some(t) = &change.provisioned_throughput {
            if record.provisioned.is_none() {
                return Err(parameter(
                    "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
                ));
            }
            index.provisioned = Some(t.units()?);
        }
        if let Some(t) = &change.on_demand_throughput {
            index.on_demand = Some(t.units());
        }
        if let Some(w) = &change.warm_throughput {
            index.warm = Some(w.units());
        }
    }
    if let Some(gone) = &update.delete {
        let found = record.indexes.iter_mut().find(|i| !i.local && i.name == gone.index_name);
        let index = found.ok_or_else(|| missing(&gone.index_name))?;
        index.state = IndexState::Deleting;
        work.push((format!("rows-{}", index.id), Task::rows(place, record.id, index.id)));
    }
    if let Some(new) = &update.create {
        // All its keys must be defined along with it, even those that the table knows.
        super::input::key_schema(&new.key_schema, &defined, true)?;
        for a in defined {
            match record.attributes.iter().find(|b| b.name == a.name) {
                None => record.attributes.push(a),
                Some(known) if known.kind != a.kind => {
                    return Err(parameter(format!(
                        "Attribute {} cannot be redefined: existing type {}, given type {}",
                        a.name, known.kind, a.kind
                    )));
                }
                Some(_) => {}
            }
        }
        if record.indexes.iter().any(|i| i.name == new.index_name) {
            return Err(validation(format!(
                "Attempting to create an index which already exists: {}",
                new.index_name
            )));
        }
        let attributes = record.attributes.clone();
        let mut made =
            index(ddb, new, &attributes, &record.key, false, record.provisioned.is_some())?;
        made.state = IndexState::Creating;
        work.push((format!("fill-{}", made.id), Task::fill(place, record.id, made.id)));
        record.indexes.push(made);
        check_indexes(&record.indexes)?;
    }
    Ok(())
}

/// Attributes that are no key any more are forgotten.
fn drop_unused(record: &mut TableRecord) {
    let used: Vec<String> = record
        .key
        .parts()
        .chain(
            record
                .indexes
                .iter()
                .filter(|i| i.state != IndexState::Deleting)
                .flat_map(|i| i.key.parts()),
        )
        .map(|p| p.name.clone())
        .collect();
    let _ = listed(used.iter().map(String::as_str));
    record.attributes.retain(|a| used.contains(&a.name));
}
