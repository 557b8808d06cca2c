//! Dashboards: documents that are kept and given back.

use std::collections::BTreeMap;

use fogbank_core::{ApiError, Check, Cx, Op, Result, Time, Value, map, ops, page};
use fogbank_store::{Key, Lock, Range, Table};
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::CloudWatch;
use crate::alarm::Tag;
use crate::error::bad_token;
use crate::tag;

pub const OPS: &[Op<CloudWatch>] = ops![
    PutDashboard => put_dashboard [on_dashboard],
    GetDashboard => get_dashboard [on_dashboard],
    ListDashboards => list_dashboards,
    DeleteDashboards => delete_dashboards [on_dashboards],
];

/// By account and name: a dashboard is in no region.
pub static DASHBOARDS: Table<Dashboard> = Table::new("cloudwatch.dashboard");

/// A dashboard's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Dashboard {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub body: String,
    /// Microseconds since 1970.
    #[n(2)]
    pub modified: i64,
    #[n(3)]
    pub tags: BTreeMap<String, String>,
}
fogbank_store::record!(Dashboard, version = 1);

pub fn key(cx: &Cx, name: &str) -> Key {
    Key::new().str(&cx.account).str(name)
}

fn arn(cx: &Cx, name: &str) -> String {
    format!("arn:aws:cloudwatch::{}:dashboard/{name}", cx.account)
}

async fn on_dashboard(_: &CloudWatch, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let name = input.str("DashboardName").unwrap_or("*");
    Ok(vec![Check::new(format!("cloudwatch:{}", cx.operation), arn(cx, name))])
}

async fn on_dashboards(_: &CloudWatch, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let names = input.get("DashboardNames").map(Value::items).unwrap_or_default();
    let check = |n: &str| Check::new(format!("cloudwatch:{}", cx.operation), arn(cx, n));
    Ok(names.iter().filter_map(Value::as_str).map(check).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutDashboardInput {
    dashboard_name: String,
    dashboard_body: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutDashboardOutput {
    dashboard_validation_messages: [(); 0],
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html>
async fn put_dashboard(
    cw: &CloudWatch,
    cx: &Cx,
    input: PutDashboardInput,
) -> Result<PutDashboardOutput> {
    let name = input.dashboard_name;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 255 || !name.chars().all(plain) {
        return Err(invalid(
            "The field DashboardName contains invalid characters or is too long",
            "",
        ));
    }
    if input.dashboard_body.len() > 1 << 20 {
        return Err(invalid("The dashboard body is larger than 1 MB", ""));
    }
    check(&input.dashboard_body)?;
    let key = key(cx, &name);
    let mut tx = cw.store.lock(&[Lock::exclusive(&DASHBOARDS, &key)]).await;
    let tags = match tx.get(&DASHBOARDS, &key).await? {
        Some(old) => old.tags,
        None => input.tags.into_iter().map(|t| (t.key, t.value)).collect(),
    };
    tag::check(&tags)?;
    let modified = cx.now.as_microsecond();
    tx.put(&DASHBOARDS, &key, &Dashboard { name, body: input.dashboard_body, modified, tags });
    tx.commit().await?;
    Ok(PutDashboardOutput { dashboard_validation_messages: [] })
}

/// A body is an object with widgets, each of a type, with properties.
fn check(body: &str) -> Result<()> {
    let document: Json = serde_json::from_str(body)
        .map_err(|e| invalid("The dashboard body is not valid JSON", &format!("/ ({e})")))?;
    let Some(widgets) = document.get("widgets").and_then(Json::as_array) else {
        return Err(invalid("The field widgets is required and must be an array", "/widgets"));
    };
    for (i, w) in widgets.iter().enumerate() {
        match w.get("type").and_then(Json::as_str) {
            Some("metric" | "text" | "log" | "alarm" | "explorer" | "custom") => {}
            Some(_) | None => {
                return Err(invalid("The widget has no known type", &format!("/widgets/{i}/type")));
            }
        }
        if !w.get("properties").is_some_and(Json::is_object) {
            let at = format!("/widgets/{i}/properties");
            return Err(invalid("Should have property properties", &at));
        }
    }
    Ok(())
}

fn invalid(what: &str, path: &str) -> ApiError {
    let message = map! { "DataPath" => path, "Message" => what };
    ApiError::new(
        "InvalidParameterInput",
        "The dashboard is invalid, there are 1 validation errors:",
    )
    .status(400)
    .field("dashboardValidationMessages", vec![message])
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NameInput {
    dashboard_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetDashboardOutput {
    dashboard_arn: String,
    dashboard_body: String,
    dashboard_name: String,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetDashboard.html>
async fn get_dashboard(cw: &CloudWatch, cx: &Cx, input: NameInput) -> Result<GetDashboardOutput> {
    let name = input.dashboard_name;
    let found = cw.store.get(&DASHBOARDS, &key(cx, &name)).await?;
    let found = found.ok_or_else(|| missing(&[name]))?;
    Ok(GetDashboardOutput {
        dashboard_arn: arn(cx, &found.name),
        dashboard_body: found.body,
        dashboard_name: found.name,
    })
}

fn missing(names: &[String]) -> ApiError {
    let names = names.join(", ");
    ApiError::new("ResourceNotFound", format!("Dashboard {names} does not exist")).status(404)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListDashboardsInput {
    dashboard_name_prefix: Option<String>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EntryView {
    dashboard_name: String,
    dashboard_arn: String,
    last_modified: Time,
    size: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListDashboardsOutput {
    dashboard_entries: Vec<EntryView>,
    next_token: Option<String>,
}

const PAGE: usize = 1000;

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListDashboards.html>
async fn list_dashboards(
    cw: &CloudWatch,
    cx: &Cx,
    input: ListDashboardsInput,
) -> Result<ListDashboardsOutput> {
    let parent = Key::new().str(&cx.account);
    let mut range = Range::starting(&parent, input.dashboard_name_prefix.as_deref().unwrap_or(""));
    if let Some(token) = &input.next_token {
        range = range.after(&key(cx, &page::decode(token).map_err(|_| bad_token())?));
    }
    let mut found = cw.store.scan(&DASHBOARDS, range, PAGE + 1).await?;
    let mut next_token = None;
    if found.len() > PAGE {
        found.truncate(PAGE);
        next_token = found.last().map(|(_, d)| page::encode(&d.name));
    }
    let view = |(_, d): (Key, Dashboard)| EntryView {
        dashboard_arn: arn(cx, &d.name),
        dashboard_name: d.name,
        last_modified: Time(Timestamp::from_microsecond(d.modified).unwrap_or_default()),
        size: d.body.len(),
    };
    Ok(ListDashboardsOutput {
        dashboard_entries: found.into_iter().map(view).collect(),
        next_token,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NamesInput {
    dashboard_names: Vec<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteDashboards.html>
async fn delete_dashboards(cw: &CloudWatch, cx: &Cx, input: NamesInput) -> Result<()> {
    let keys: Vec<Key> = input.dashboard_names.iter().map(|n| key(cx, n)).collect();
    let locks: Vec<Lock> = keys.iter().map(|k| Lock::exclusive(&DASHBOARDS, k)).collect();
    let mut tx = cw.store.lock(&locks).await;
    let mut unknown = Vec::new();
    for (key, name) in keys.iter().zip(&input.dashboard_names) {
        if tx.get(&DASHBOARDS, key).await?.is_none() {
            unknown.push(name.clone());
        }
        tx.delete(&DASHBOARDS, key);
    }
    // All or none.
    if !unknown.is_empty() {
        return Err(missing(&unknown));
    }
    tx.commit().await?;
    Ok(())
}
