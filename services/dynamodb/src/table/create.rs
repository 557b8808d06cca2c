//! CreateTable.

use fogbank_core::{Cx, Result, Value, map};
use fogbank_store::Lock;
use serde::Deserialize;

use super::input::{
    AttributeDefinition, IndexInput, KeyElement, OnDemand, SseInput, StreamInput, Throughput, Warm,
    attributes, check_attributes, check_indexes, encryption, index, key_schema,
};
use super::view;
use crate::Dynamo;
use crate::error::{in_use, parameter, validation};
use crate::schema::{Place, Policy, TABLES, TableRecord};
use crate::tags::{self, Tag};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateTableInput {
    table_name: String,
    attribute_definitions: Option<Vec<AttributeDefinition>>,
    key_schema: Option<Vec<KeyElement>>,
    local_secondary_indexes: Option<Vec<IndexInput>>,
    global_secondary_indexes: Option<Vec<IndexInput>>,
    billing_mode: Option<String>,
    provisioned_throughput: Option<Throughput>,
    on_demand_throughput: Option<OnDemand>,
    warm_throughput: Option<Warm>,
    stream_specification: Option<StreamInput>,
    #[serde(rename = "SSESpecification")]
    sse_specification: Option<SseInput>,
    tags: Option<Vec<Tag>>,
    table_class: Option<String>,
    deletion_protection_enabled: Option<bool>,
    resource_policy: Option<String>,
    vector_indexes: Option<Vec<Value>>,
    global_table_source_arn: Option<String>,
    global_table_settings_replication_mode: Option<String>,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html>
pub async fn create_table(ddb: &Dynamo, cx: &Cx, input: CreateTableInput) -> Result<Value> {
    if input.vector_indexes.is_some() {
        return Err(cx.refuse_member("VectorIndexes"));
    }
    if input.global_table_settings_replication_mode.is_some() {
        return Err(cx.refuse_member("GlobalTableSettingsReplicationMode"));
    }
    if input.global_table_source_arn.is_some() {
        return Err(cx.refuse_member("GlobalTableSourceArn"));
    }
    let place = Place::of(cx, &input.table_name)?;
    let missing = |name: &str| {
        validation(format!(
            "1 validation error detected: Value null at '{name}' failed to satisfy constraint: \
             Member must not be null"
        ))
    };
    let attributes =
        attributes(&input.attribute_definitions.ok_or_else(|| missing("attributeDefinitions"))?)?;
    let elements = input.key_schema.ok_or_else(|| missing("keySchema"))?;
    let on_demand = input.billing_mode.as_deref() == Some("PAY_PER_REQUEST");
    let provisioned = match (&input.provisioned_throughput, on_demand) {
        (Some(t), false) => Some(t.units()?),
        (None, true) => None,
        (None, false) => {
            return Err(parameter(
                "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
            ));
        }
        (Some(_), true) => {
            return Err(parameter(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
            ));
        }
    };
    let key = key_schema(&elements, &attributes, false)?;
    let mut indexes = Vec::new();
    for (list, local) in
        [(&input.local_secondary_indexes, true), (&input.global_secondary_indexes, false)]
    {
        let Some(list) = list else { continue };
        if list.is_empty() {
            let which = if local { "Local" } else { "Global" };
            return Err(parameter(format!("List of {which}SecondaryIndexes is empty")));
        }
        for i in list {
            indexes.push(index(ddb, i, &attributes, &key, local, !on_demand)?);
        }
    }
    check_indexes(&indexes)?;
    check_attributes(&attributes, &key, &indexes)?;
    let tags = tags::checked(input.tags.unwrap_or_default())?;
    let encryption = match &input.sse_specification {
        Some(sse) => encryption(cx, sse).await?,
        None => None,
    };
    let policy = input.resource_policy.map(|text| {
        crate::policy::check(&text)?;
        Ok::<_, fogbank_core::ApiError>(Policy {
            text,
            revision: cx.now.as_millisecond().to_string(),
        })
    });
    let mut record = TableRecord {
        name: place.name.clone(),
        uuid: cx.ids().uuid(),
        id: ddb.new_id(),
        key,
        attributes,
        indexes,
        created: cx.now.as_microsecond(),
        provisioned,
        on_demand_since: on_demand.then(|| cx.now.as_microsecond()),
        on_demand: input.on_demand_throughput.as_ref().map(OnDemand::units),
        warm: input.warm_throughput.as_ref().map(Warm::units),
        stream: None,
        ttl: None,
        protected: input.deletion_protection_enabled.unwrap_or(false),
        class: input.table_class,
        encryption,
        tags,
        policy: policy.transpose()?,
        billing_named: input.billing_mode.is_some() && on_demand,
        class_changed: None,
        stream_policy: None,
    };
    let table = place.key();
    let mut tx = ddb.store.lock(&[Lock::exclusive(&TABLES, &table)]).await;
    if tx.get(&TABLES, &table).await?.is_some() {
        return Err(in_use(format!("Table already exists: {}", place.name)));
    }
    if let Some(stream) = &input.stream_specification {
        match (stream.stream_enabled, &stream.stream_view_type) {
            (true, Some(v)) => {
                record.stream = Some(ddb.begin_stream(&mut tx, &place, &record.key, v, cx.now));
            }
            (true, None) => {
                return Err(parameter(
                    "StreamViewType is required when StreamEnabled is set to true",
                ));
            }
            (false, Some(_)) => {
                return Err(parameter(
                    "Table is being created with stream disabled, StreamViewType can only be specified when StreamEnabled is true",
                ));
            }
            (false, None) => {}
        }
    }
    tx.put(&TABLES, &table, &record);
    tx.commit().await?;
    ddb.wake();
    let shown = view::describe(ddb, &place, &record, "CREATING").await?;
    Ok(map! {"TableDescription" => shown})
}
