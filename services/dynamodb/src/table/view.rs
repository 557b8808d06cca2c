//! How tables are described.

use fogbank_core::{Result, Str, Value, map};
use jiff::Timestamp;

use crate::Dynamo;
use crate::schema::{Index, IndexState, KeySchema, Place, Projected, TableRecord, Units};

/// A table's status: it is being updated while an index comes or goes.
pub fn state(record: &TableRecord) -> &'static str {
    if record.indexes.iter().any(|i| i.state != IndexState::Active) { "UPDATING" } else { "ACTIVE" }
}

pub fn key_schema(key: &KeySchema) -> Vec<Value> {
    let kinds = ["HASH", "RANGE"].into_iter();
    let parts = key.parts().zip(kinds);
    parts.map(|(p, kind)| map! {"AttributeName" => p.name.as_str(), "KeyType" => kind}).collect()
}

fn time(us: i64) -> Value {
    // The API shows milliseconds.
    Value::Time(Timestamp::from_millisecond(us.div_euclid(1000)).unwrap_or_default())
}

fn throughput(units: Option<Units>) -> Value {
    let units = units.unwrap_or(Units { read: 0, write: 0 });
    map! {
        "NumberOfDecreasesToday" => 0,
        "ReadCapacityUnits" => units.read,
        "WriteCapacityUnits" => units.write,
    }
}

fn on_demand(units: Option<Units>) -> Value {
    units.map_or(Value::Null, |u| {
        map! {"MaxReadRequestUnits" => u.read, "MaxWriteRequestUnits" => u.write}
    })
}

/// What a table can take at once: what was asked for, else what it is provisioned with.
fn warm(asked: Option<Units>, provisioned: Option<Units>) -> Value {
    const ON_DEMAND: Units = Units { read: 12_000, write: 4_000 };
    let units = asked.or(provisioned).unwrap_or(ON_DEMAND);
    map! {
        "ReadUnitsPerSecond" => units.read,
        "WriteUnitsPerSecond" => units.write,
        "Status" => "ACTIVE",
    }
}

fn projection(projected: &Projected) -> Value {
    match projected {
        Projected::Keys => map! {"ProjectionType" => "KEYS_ONLY"},
        Projected::All => map! {"ProjectionType" => "ALL"},
        Projected::Include(names) => {
            let names: Vec<Value> = names.iter().map(|n| n.as_str().into()).collect();
            map! {"ProjectionType" => "INCLUDE", "NonKeyAttributes" => names}
        }
    }
}

async fn index(ddb: &Dynamo, place: &Place, table_state: &str, index: &Index) -> Result<Value> {
    let count = ddb.counts.get(index.id).await?;
    let mut all = vec![
        (Str::Borrowed("IndexName"), Value::from(index.name.as_str())),
        ("KeySchema".into(), key_schema(&index.key).into()),
        ("Projection".into(), projection(&index.projected)),
        ("IndexSizeBytes".into(), count.bytes.into()),
        ("ItemCount".into(), count.items.into()),
        ("IndexArn".into(), format!("{}/index/{}", place.arn(), index.name).into()),
    ];
    if !index.local {
        let state = match (table_state, index.state) {
            ("CREATING", _) | (_, IndexState::Creating) => "CREATING",
            ("DELETING", _) | (_, IndexState::Deleting) => "DELETING",
            _ => "ACTIVE",
        };
        all.push(("IndexStatus".into(), state.into()));
        if index.state == IndexState::Creating && table_state != "CREATING" {
            all.push(("Backfilling".into(), true.into()));
        }
        all.push(("ProvisionedThroughput".into(), throughput(index.provisioned)));
        all.push(("OnDemandThroughput".into(), on_demand(index.on_demand)));
        all.push(("WarmThroughput".into(), warm(index.warm, index.provisioned)));
    }
    Ok(Value::Map(all))
}

/// `TableDescription`, in the given status.
pub async fn describe(
    ddb: &Dynamo,
    place: &Place,
    record: &TableRecord,
    state: &str,
) -> Result<Value> {
    let count = ddb.counts.get(record.id).await?;
    let attributes: Vec<Value> = record
        .attributes
        .iter()
        .map(|a| map! {"AttributeName" => a.name.as_str(), "AttributeType" => a.kind.as_str()})
        .collect();
    let mut all = vec![
        (Str::Borrowed("AttributeDefinitions"), Value::from(attributes)),
        ("TableName".into(), record.name.as_str().into()),
        ("KeySchema".into(), key_schema(&record.key).into()),
        ("TableStatus".into(), state.into()),
        ("CreationDateTime".into(), time(record.created)),
        ("ProvisionedThroughput".into(), throughput(record.provisioned)),
        ("TableSizeBytes".into(), count.bytes.into()),
        ("ItemCount".into(), count.items.into()),
        ("TableArn".into(), place.arn().into()),
        ("TableId".into(), record.uuid.as_str().into()),
        ("OnDemandThroughput".into(), on_demand(record.on_demand)),
        ("WarmThroughput".into(), warm(record.warm, record.provisioned)),
        ("DeletionProtectionEnabled".into(), record.protected.into()),
    ];
    if record.billing_named || record.provisioned.is_none() {
        let mode = if record.provisioned.is_some() { "PROVISIONED" } else { "PAY_PER_REQUEST" };
        let since = record.on_demand_since.map_or(Value::Null, time);
        let summary = map! {"BillingMode" => mode, "LastUpdateToPayPerRequestDateTime" => since};
        all.push(("BillingModeSummary".into(), summary));
    }
    for (member, local) in [("LocalSecondaryIndexes", true), ("GlobalSecondaryIndexes", false)] {
        let mut views = Vec::new();
        for i in record.indexes.iter().filter(|i| i.local == local) {
            views.push(index(ddb, place, state, i).await?);
        }
        if !views.is_empty() {
            all.push((member.into(), views.into()));
        }
    }
    if let Some(stream) = &record.stream {
        let arn = format!("{}/stream/{}", place.arn(), stream.label);
        all.push(("LatestStreamLabel".into(), stream.label.as_str().into()));
        all.push(("LatestStreamArn".into(), arn.into()));
        if stream.enabled {
            let shown = map! {"StreamEnabled" => true, "StreamViewType" => stream.view.as_str()};
            all.push(("StreamSpecification".into(), shown));
        }
    }
    if let Some(encryption) = &record.encryption {
        let shown = map! {
            "Status" => "ENABLED", "SSEType" => "KMS", "KMSMasterKeyArn" => encryption.key.as_str(),
        };
        all.push(("SSEDescription".into(), shown));
    }
    if let Some(class) = &record.class {
        let changed = record.class_changed.map_or(Value::Null, time);
        let shown = map! {"TableClass" => class.as_str(), "LastUpdateDateTime" => changed};
        all.push(("TableClassSummary".into(), shown));
    }
    Ok(Value::Map(all))
}

/// What DeleteTable answers.
pub async fn gone(ddb: &Dynamo, place: &Place, record: &TableRecord) -> Result<Value> {
    let whole = describe(ddb, place, record, "DELETING").await?;
    let Value::Map(members) = whole else { return Ok(whole) };
    let kept = members.into_iter().filter(|(k, _)| {
        !matches!(
            &**k,
            "AttributeDefinitions"
                | "KeySchema"
                | "CreationDateTime"
                | "LocalSecondaryIndexes"
                | "GlobalSecondaryIndexes"
                | "WarmThroughput"
        )
    });
    Ok(Value::Map(kept.collect()))
}
