//! What clients ask of every account and table: limits, endpoints, backups that there are not.

use fogbank_core::{ApiError, Cx, Op, Result, Value, map, ops};
use serde::Deserialize;

use crate::schema::Place;
use crate::{Dynamo, authz};

pub const OPS: &[Op<Dynamo>] = ops![
    DescribeLimits => describe_limits [authz::all],
    DescribeEndpoints => describe_endpoints [authz::all],
    DescribeContinuousBackups => describe_continuous_backups [authz::table],
    UpdateContinuousBackups => update_continuous_backups [authz::table],
    DescribeContributorInsights => describe_contributor_insights [authz::table],
    DescribeKinesisStreamingDestination => describe_kinesis [authz::table],
    ListBackups => list_backups [authz::all],
    ListGlobalTables => list_global_tables [authz::all],
    ListExports => list_exports [authz::all],
    ListImports => list_imports [authz::all],
    ListContributorInsights => list_contributor_insights [authz::all],
];

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeLimits.html>
async fn describe_limits(_: &Dynamo, _: &Cx, _: Value) -> Result<Value> {
    Ok(map! {
        "AccountMaxReadCapacityUnits" => 80_000,
        "AccountMaxWriteCapacityUnits" => 80_000,
        "TableMaxReadCapacityUnits" => 40_000,
        "TableMaxWriteCapacityUnits" => 40_000,
    })
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeEndpoints.html>
async fn describe_endpoints(_: &Dynamo, cx: &Cx, _: Value) -> Result<Value> {
    // Where the client has found us.
    let here = cx.http.as_ref().map(|h| h.host.clone()).filter(|h| !h.is_empty());
    let plain = || cx.cloud.endpoint().split_once("://").map(|(_, host)| host.to_owned());
    let address = here.or_else(plain).unwrap_or_default();
    let one = map! {"Address" => address, "CachePeriodInMinutes" => 1440};
    Ok(map! {"Endpoints" => vec![one]})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TableInput {
    table_name: String,
}

impl Dynamo {
    async fn backed(&self, cx: &Cx, name: &str) -> Result<()> {
        let place = Place::of(cx, name)?;
        let missing =
            || ApiError::new("TableNotFoundException", format!("Table not found: {name}"));
        self.find(&place).await?.map(|_| ()).ok_or_else(missing)
    }
}

fn no_backups() -> Value {
    map! {"ContinuousBackupsDescription" => map! {
        // On AWS this part is on for every table; it promises nothing without the other.
        "ContinuousBackupsStatus" => "ENABLED",
        "PointInTimeRecoveryDescription" => map! {"PointInTimeRecoveryStatus" => "DISABLED"},
    }}
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeContinuousBackups.html>
async fn describe_continuous_backups(ddb: &Dynamo, cx: &Cx, input: TableInput) -> Result<Value> {
    ddb.backed(cx, &input.table_name).await?;
    Ok(no_backups())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BackupsInput {
    table_name: String,
    point_in_time_recovery_specification: Recovery,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Recovery {
    point_in_time_recovery_enabled: bool,
}

/// Switching it off is what it is anyway; on it cannot be.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html>
async fn update_continuous_backups(ddb: &Dynamo, cx: &Cx, input: BackupsInput) -> Result<Value> {
    ddb.backed(cx, &input.table_name).await?;
    if input.point_in_time_recovery_specification.point_in_time_recovery_enabled {
        return Err(cx.refuse_member("PointInTimeRecoveryEnabled"));
    }
    Ok(no_backups())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InsightsInput {
    table_name: String,
    index_name: Option<String>,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeContributorInsights.html>
async fn describe_contributor_insights(
    ddb: &Dynamo,
    cx: &Cx,
    input: InsightsInput,
) -> Result<Value> {
    let schema = ddb.described(&Place::of(cx, &input.table_name)?).await?;
    if let Some(name) = &input.index_name
        && schema.index(name).is_none()
    {
        return Err(ApiError::new(
            "ResourceNotFoundException",
            format!("Requested resource not found: Index: {name} not found"),
        ));
    }
    Ok(map! {
        "TableName" => schema.place.name.as_str(),
        "IndexName" => input.index_name,
        "ContributorInsightsStatus" => "DISABLED",
    })
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeKinesisStreamingDestination.html>
async fn describe_kinesis(ddb: &Dynamo, cx: &Cx, input: TableInput) -> Result<Value> {
    let schema = ddb.described(&Place::of(cx, &input.table_name)?).await?;
    let none: Vec<Value> = Vec::new();
    Ok(map! {
        "TableName" => schema.place.name.as_str(), "KinesisDataStreamDestinations" => none,
    })
}

fn nothing(member: &'static str) -> Value {
    let none: Vec<Value> = Vec::new();
    map! {member => none}
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListBackups.html>
async fn list_backups(_: &Dynamo, _: &Cx, _: Value) -> Result<Value> {
    Ok(nothing("BackupSummaries"))
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListGlobalTables.html>
async fn list_global_tables(_: &Dynamo, _: &Cx, _: Value) -> Result<Value> {
    Ok(nothing("GlobalTables"))
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListExports.html>
async fn list_exports(_: &Dynamo, _: &Cx, _: Value) -> Result<Value> {
    Ok(nothing("ExportSummaries"))
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListImports.html>
async fn list_imports(_: &Dynamo, _: &Cx, _: Value) -> Result<Value> {
    Ok(nothing("ImportSummaryList"))
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListContributorInsights.html>
async fn list_contributor_insights(_: &Dynamo, _: &Cx, _: Value) -> Result<Value> {
    Ok(nothing("ContributorInsightsSummaries"))
}
