//! What tables and indexes are asked to be, and what DynamoDB says when they cannot.

use fogbank_core::{Cx, Result, map};
use serde::Deserialize;

use crate::Dynamo;
use crate::error::{limit_exceeded, parameter, validation};
use crate::schema::{
    Encryption, Index, IndexState, KeyPart, KeySchema, Projected, Units, check_name,
};

#[derive(Deserialize, Debug)]
#[serde(rename_all = "PascalCase")]
pub struct AttributeDefinition {
    pub attribute_name: String,
    pub attribute_type: String,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "PascalCase")]
pub struct KeyElement {
    pub attribute_name: String,
    pub key_type: String,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "PascalCase")]
pub struct Throughput {
    pub read_capacity_units: i64,
    pub write_capacity_units: i64,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "PascalCase")]
pub struct OnDemand {
    pub max_read_request_units: Option<i64>,
    pub max_write_request_units: Option<i64>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "PascalCase")]
pub struct Warm {
    pub read_units_per_second: Option<i64>,
    pub write_units_per_second: Option<i64>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "PascalCase")]
pub struct ProjectionInput {
    pub projection_type: Option<String>,
    pub non_key_attributes: Option<Vec<String>>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "PascalCase")]
pub struct IndexInput {
    pub index_name: String,
    pub key_schema: Vec<KeyElement>,
    pub projection: ProjectionInput,
    pub provisioned_throughput: Option<Throughput>,
    pub on_demand_throughput: Option<OnDemand>,
    pub warm_throughput: Option<Warm>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "PascalCase")]
pub struct StreamInput {
    pub stream_enabled: bool,
    pub stream_view_type: Option<String>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "PascalCase")]
pub struct SseInput {
    pub enabled: Option<bool>,
    #[serde(rename = "SSEType")]
    pub sse_type: Option<String>,
    #[serde(rename = "KMSMasterKeyId")]
    pub kms_master_key_id: Option<String>,
}

impl Throughput {
    pub fn units(&self) -> Result<Units> {
        for (n, name) in [
            (self.read_capacity_units, "readCapacityUnits"),
            (self.write_capacity_units, "writeCapacityUnits"),
        ] {
            if n < 1 {
                return Err(validation(format!(
                    "1 validation error detected: Value '{n}' at 'provisionedThroughput.{name}' \
                     failed to satisfy constraint: Member must have value greater than or equal to 1"
                )));
            }
        }
        Ok(Units { read: self.read_capacity_units, write: self.write_capacity_units })
    }
}

impl OnDemand {
    pub fn units(&self) -> Units {
        let n = |n: Option<i64>| n.unwrap_or(-1);
        Units { read: n(self.max_read_request_units), write: n(self.max_write_request_units) }
    }
}

impl Warm {
    pub fn units(&self) -> Units {
        let n = |n: Option<i64>, least| n.unwrap_or(least);
        Units {
            read: n(self.read_units_per_second, 12_000),
            write: n(self.write_units_per_second, 4_000),
        }
    }
}

/// Names in the way messages show lists.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    format!("[{}]", names.into_iter().collect::<Vec<_>>().join(", "))
}

/// Attribute definitions, each name once.
pub fn attributes(input: &[AttributeDefinition]) -> Result<Vec<KeyPart>> {
    let mut all: Vec<KeyPart> = Vec::new();
    for a in input {
        if all.iter().any(|b| b.name == a.attribute_name) {
            return Err(parameter(format!(
                "Duplicate AttributeName in AttributeDefinitions: {}",
                a.attribute_name
            )));
        }
        all.push(KeyPart { name: a.attribute_name.clone(), kind: a.attribute_type.clone() });
    }
    Ok(all)
}

/// A key schema over the defined attributes.
pub fn key_schema(input: &[KeyElement], attributes: &[KeyPart], index: bool) -> Result<KeySchema> {
    let (first, second) = match input {
        [first] => (first, None),
        [first, second] => (first, Some(second)),
        [] => {
            return Err(validation(
                "1 validation error detected: Value '[]' at 'keySchema' failed to satisfy \
                 constraint: Member must have length greater than or equal to 1",
            ));
        }
        _ => {
            return Err(validation(
                "1 validation error detected: Value at 'keySchema' failed to satisfy constraint: \
                 Member must have length less than or equal to 2",
            ));
        }
    };
    if first.key_type != "HASH" {
        return Err(parameter_or(
            index,
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ));
    }
    if let Some(second) = second {
        if second.key_type != "RANGE" {
            return Err(parameter_or(
                index,
                "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
            ));
        }
        if second.attribute_name == first.attribute_name {
            return Err(parameter_or(
                index,
                "Both the Hash Key and the Range Key element in the KeySchema have the same name",
            ));
        }
    }
    let find = |e: &KeyElement| {
        attributes.iter().find(|a| a.name == e.attribute_name).cloned().ok_or_else(|| {
            let keys = listed(input.iter().map(|e| e.attribute_name.as_str()));
            let defined = listed(attributes.iter().map(|a| a.name.as_str()));
            let which = if index { "index key attributes" } else { "key schema attributes" };
            let _ = which;
            parameter(format!(
                "Some index key attributes are not defined in AttributeDefinitions. Keys: {keys}, \
                 AttributeDefinitions: {defined}"
            ))
        })
    };
    Ok(KeySchema { hash: find(first)?, range: second.map(find).transpose()? })
}

fn parameter_or(index: bool, message: &str) -> fogbank_core::ApiError {
    if index { parameter(message) } else { validation(message) }
}

fn projection(input: &ProjectionInput) -> Result<Projected> {
    let names = input.non_key_attributes.as_deref();
    match (input.projection_type.as_deref(), names) {
        (Some("ALL"), None) => Ok(Projected::All),
        (Some("KEYS_ONLY"), None) => Ok(Projected::Keys),
        (Some("INCLUDE"), Some(names)) if !names.is_empty() => {
            let mut names = names.to_vec();
            names.sort();
            if let Some(w) = names.windows(2).find(|w| w[0] == w[1]) {
                return Err(parameter(format!("Duplicate NonKeyAttributes: {}", w[0])));
            }
            Ok(Projected::Include(input.non_key_attributes.clone().unwrap_or_default()))
        }
        (Some("INCLUDE"), _) => {
            Err(parameter("ProjectionType is INCLUDE, but NonKeyAttributes is not specified"))
        }
        (Some(kind), Some(_)) => {
            Err(parameter(format!("ProjectionType is {kind}, but NonKeyAttributes is specified")))
        }
        (None, _) => Err(parameter("Unknown ProjectionType: null")),
        (Some(kind), None) => Err(parameter(format!("Unknown ProjectionType: {kind}"))),
    }
}

/// An index as it is asked for.
pub fn index(
    ddb: &Dynamo,
    input: &IndexInput,
    attributes: &[KeyPart],
    table_key: &KeySchema,
    local: bool,
    provisioned: bool,
) -> Result<Index> {
    check_name(&input.index_name)
        .map_err(|e| validation(e.message().replace("'tableName'", "'indexName'")))?;
    let name = &input.index_name;
    let key = key_schema(&input.key_schema, attributes, true)?;
    if local {
        if table_key.range.is_none() {
            return Err(parameter(
                "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
            ));
        }
        if key.hash != table_key.hash {
            return Err(parameter(format!(
                "Index KeySchema does not have the same leading hash key as table KeySchema for \
                 index: {name}. index hash key: {}, table hash key: {}",
                key.hash.name, table_key.hash.name
            )));
        }
        if key.range.is_none() {
            return Err(parameter(format!(
                "Index KeySchema does not have a range key for index: {name}"
            )));
        }
    }
    let projected = projection(&input.projection)?;
    let units = match (&input.provisioned_throughput, local, provisioned) {
        (_, true, _) | (None, false, false) => None,
        (Some(t), false, true) => Some(t.units()?),
        (None, false, true) => {
            return Err(parameter(format!(
                "No provisioned throughput specified for the global secondary index {name}"
            )));
        }
        (Some(_), false, false) => {
            return Err(parameter(format!(
                "ProvisionedThroughput should not be specified for index: {name} when BillingMode is PAY_PER_REQUEST"
            )));
        }
    };
    Ok(Index {
        name: name.clone(),
        id: ddb.new_id(),
        local,
        key,
        projected,
        state: IndexState::Active,
        provisioned: units,
        on_demand: input.on_demand_throughput.as_ref().map(OnDemand::units),
        warm: input.warm_throughput.as_ref().map(Warm::units),
    })
}

/// Checks all indexes of a table together: names, number, projected attributes.
pub fn check_indexes(indexes: &[Index]) -> Result<()> {
    let mut names: Vec<&str> = indexes.iter().map(|i| i.name.as_str()).collect();
    names.sort_unstable();
    if let Some(w) = names.windows(2).find(|w| w[0] == w[1]) {
        return Err(parameter(format!("Duplicate index name: {}", w[0])));
    }
    let count = |local: bool| indexes.iter().filter(|i| i.local == local).count();
    if count(true) > 5 {
        return Err(parameter("Number of LocalSecondaryIndexes exceeds per-table limit of 5"));
    }
    if count(false) > 20 {
        return Err(parameter("GlobalSecondaryIndex count exceeds the per-table limit of 20"));
    }
    let included = indexes.iter().filter_map(|i| match &i.projected {
        Projected::Include(names) => Some(names.len()),
        _ => None,
    });
    if included.sum::<usize>() > 100 {
        return Err(limit_exceeded(
            "Subscriber limit exceeded: The number of projected attributes of all indexes exceeds 100",
        ));
    }
    Ok(())
}

/// Checks that exactly the attributes that are keys are defined.
pub fn check_attributes(attributes: &[KeyPart], key: &KeySchema, indexes: &[Index]) -> Result<()> {
    let keys = || key.parts().chain(indexes.iter().flat_map(|i| i.key.parts()));
    if attributes.iter().all(|a| keys().any(|k| k.name == a.name)) {
        return Ok(());
    }
    if indexes.is_empty() {
        return Err(parameter(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
        ));
    }
    let defined = listed(attributes.iter().map(|a| a.name.as_str()));
    let mut used: Vec<&str> = keys().map(|k| k.name.as_str()).collect();
    used.sort_unstable();
    used.dedup();
    Err(parameter(format!(
        "Some AttributeDefinitions are not used. AttributeDefinitions: {defined}, keys used: {}",
        listed(used)
    )))
}

/// The key behind `SSESpecification`; `None` is the service's own.
pub async fn encryption(cx: &Cx, input: &SseInput) -> Result<Option<Encryption>> {
    if !input.enabled.unwrap_or(false) {
        if input.sse_type.is_some() || input.kms_master_key_id.is_some() {
            return Err(parameter(
                "SSEType and KMSMasterKeyId can only be given when Enabled is true",
            ));
        }
        return Ok(None);
    }
    if input.sse_type.as_deref() == Some("AES256") {
        return Err(parameter("SSEType AES256 is not supported"));
    }
    let id = input.kms_master_key_id.as_deref().unwrap_or("alias/aws/dynamodb");
    let found = cx.call("kms", "DescribeKey", map! {"KeyId" => id}).await?;
    let arn = found.get("KeyMetadata").and_then(|m| m.str("Arn")).unwrap_or(id);
    Ok(Some(Encryption { key: arn.to_owned() }))
}
