//! Logs Insights: queries over groups, run in the background.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AnalyzingLogData.html>

use fogbank_core::{ApiError, Check, Cx, Op, Result, Value, map, ops};
use fogbank_logsinsights::{Error, Query};
use fogbank_store::{Key, Lock, Parts, Range, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::authz::{self, arn, name_of};
use crate::error::{invalid, not_found};
use crate::group::millis;
use crate::{Logs, page};

mod record;
mod work;

pub use work::start;

pub const OPS: &[Op<Logs>] = ops![
    StartQuery => start_query [on_groups],
    GetQueryResults => get_query_results,
    StopQuery => stop_query,
    DescribeQueries => describe_queries,
];

/// By account, region, id.
static QUERIES: Table<Asked> = Table::new("logs.query");
/// By account, region, time (newest first), id.
static BY_TIME: Table<()> = Table::new("logs.query-by-time");
/// By query id and number: a part of the rows.
static ROWS: Table<Rows> = Table::new("logs.query-rows");

const RUNNING: &str = "Running";

/// A query's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Asked {
    #[n(0)]
    id: String,
    #[n(1)]
    text: String,
    /// The names of the groups.
    #[n(2)]
    groups: Vec<String>,
    /// Milliseconds since 1970; inclusive.
    #[n(3)]
    from: i64,
    /// Exclusive.
    #[n(4)]
    to: i64,
    #[n(5)]
    limit: u32,
    #[n(6)]
    created: i64,
    #[n(7)]
    status: String,
    #[n(8)]
    matched: u64,
    #[n(9)]
    scanned: u64,
    #[n(10)]
    bytes: u64,
}
fogbank_store::record!(Asked, version = 1);

/// Rows: names and values.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
struct Rows {
    #[n(0)]
    rows: Vec<Vec<(String, String)>>,
}
fogbank_store::record!(Rows, version = 1);

fn key(account: &str, region: &str, id: &str) -> Key {
    Key::new().str(account).str(region).str(id)
}

fn time_key(account: &str, region: &str, q: &Asked) -> Key {
    let created = u64::try_from(q.created).unwrap_or(0);
    Key::new().str(account).str(region).u64_desc(created).str(&q.id)
}

/// Each group that is asked about.
async fn on_groups(_: &Logs, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for name in groups(input) {
        let resource = format!("{}:log-stream:", arn(cx, name_of(name)));
        checks.push(Check::new("logs:StartQuery", resource));
    }
    if checks.is_empty() {
        checks.push(Check::new("logs:StartQuery", format!("{}:log-stream:", authz::arn(cx, "*"))));
    }
    Ok(checks)
}

fn groups(input: &Value) -> Vec<&str> {
    let lists = ["logGroupNames", "logGroupIdentifiers"];
    let many = lists.iter().filter_map(|m| input.get(m)).flat_map(Value::items);
    input.str("logGroupName").into_iter().chain(many.filter_map(Value::as_str)).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartQueryInput {
    log_group_name: Option<String>,
    log_group_names: Option<Vec<String>>,
    log_group_identifiers: Option<Vec<String>>,
    start_time: i64,
    end_time: i64,
    query_string: String,
    limit: Option<i64>,
    query_language: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartQueryOutput {
    query_id: String,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html>
async fn start_query(logs: &Logs, cx: &Cx, input: StartQueryInput) -> Result<StartQueryOutput> {
    if let Some(l) = input.query_language.filter(|l| l != "CWLI") {
        return Err(cx.refuse_member(&format!("queryLanguage {l}")));
    }
    let named = match (input.log_group_name, input.log_group_names, input.log_group_identifiers) {
        (Some(one), None, None) => vec![one],
        (None, Some(some), None) | (None, None, Some(some)) if !some.is_empty() => some,
        _ => {
            return Err(invalid(
                "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be \
                 specified.",
            ));
        }
    };
    let mut groups = Vec::with_capacity(named.len());
    for name in &named {
        groups.push(logs.group(cx, name).await?.name);
    }
    if input.start_time > input.end_time {
        return Err(invalid("Query's end date and time is before its start."));
    }
    Query::parse(&input.query_string).map_err(|e| malformed(cx, &e, &input.query_string))?;
    let asked = Asked {
        id: cx.ids().uuid(),
        text: input.query_string,
        groups,
        from: moment(input.start_time),
        to: moment(input.end_time.saturating_add(1)),
        limit: input.limit.and_then(|n| u32::try_from(n).ok()).unwrap_or(10_000),
        created: millis(cx.now),
        status: RUNNING.into(),
        matched: 0,
        scanned: 0,
        bytes: 0,
    };
    let mut tx = logs.store.lock(&[]).await;
    tx.put(&QUERIES, &key(&cx.account, &cx.region, &asked.id), &asked);
    tx.put(&BY_TIME, &time_key(&cx.account, &cx.region, &asked), &());
    work::begin(&mut tx, cx, &asked.id);
    tx.commit().await?;
    logs.asked();
    Ok(StartQueryOutput { query_id: asked.id })
}

/// Seconds, which the documentation asks for, or milliseconds, which AWS takes too.
fn moment(t: i64) -> i64 {
    if t < 100_000_000_000 { t.saturating_mul(1000) } else { t }
}

fn malformed(cx: &Cx, e: &Error, query: &str) -> ApiError {
    match e {
        Error::Unknown(what) => cx.refuse_member(&format!("queryString: {what}")),
        Error::Invalid(what) => {
            let end = i64::try_from(query.chars().count()).unwrap_or(i64::MAX);
            let location = map! { "startCharOffset" => 0i64, "endCharOffset" => end };
            let detail = map! { "location" => location, "message" => what.as_str() };
            ApiError::new("MalformedQueryException", what.clone())
                .field("queryCompileError", detail)
        }
    }
}

impl Logs {
    async fn query(&self, cx: &Cx, id: &str) -> Result<Asked> {
        let found = self.store.get(&QUERIES, &key(&cx.account, &cx.region, id)).await?;
        found.ok_or_else(|| not_found("The specified query does not exist."))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetQueryResultsInput {
    query_id: String,
    next_token: Option<String>,
    max_items: Option<i64>,
}

#[derive(Serialize)]
struct ResultField {
    field: String,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Statistics {
    records_matched: f64,
    records_scanned: f64,
    bytes_scanned: f64,
    log_groups_scanned: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GetQueryResultsOutput {
    query_language: &'static str,
    results: Vec<Vec<ResultField>>,
    statistics: Statistics,
    status: String,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetQueryResults.html>
async fn get_query_results(
    logs: &Logs,
    cx: &Cx,
    input: GetQueryResultsInput,
) -> Result<GetQueryResultsOutput> {
    if input.next_token.is_some() || input.max_items.is_some() {
        return Err(cx.refuse_member("maxItems"));
    }
    let asked = logs.query(cx, &input.query_id).await?;
    let mut results = Vec::new();
    let all = Range::prefix(&Key::new().str(&asked.id));
    for (_, part) in logs.store.scan(&ROWS, all, usize::MAX).await? {
        for row in part.rows {
            results
                .push(row.into_iter().map(|(field, value)| ResultField { field, value }).collect());
        }
    }
    Ok(GetQueryResultsOutput {
        query_language: "CWLI",
        results,
        statistics: Statistics {
            records_matched: asked.matched as f64,
            records_scanned: asked.scanned as f64,
            bytes_scanned: asked.bytes as f64,
            log_groups_scanned: asked.groups.len() as f64,
        },
        status: asked.status,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StopQueryInput {
    query_id: String,
}

#[derive(Serialize)]
struct StopQueryOutput {
    success: bool,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StopQuery.html>
async fn stop_query(logs: &Logs, cx: &Cx, input: StopQueryInput) -> Result<StopQueryOutput> {
    let key = key(&cx.account, &cx.region, &input.query_id);
    let mut tx = logs.store.lock(&[Lock::exclusive(&QUERIES, &key)]).await;
    let found = tx.get(&QUERIES, &key).await?;
    let mut asked = found.ok_or_else(|| not_found("The specified query does not exist."))?;
    if asked.status != RUNNING {
        return Err(invalid("Provided query ID has already ended."));
    }
    // The work sees it at its next page.
    asked.status = "Cancelled".into();
    tx.put(&QUERIES, &key, &asked);
    tx.commit().await?;
    Ok(StopQueryOutput { success: true })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeQueriesInput {
    log_group_name: Option<String>,
    status: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
    query_language: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QueryView {
    query_language: &'static str,
    query_id: String,
    query_string: String,
    status: String,
    create_time: i64,
    log_group_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeQueriesOutput {
    queries: Vec<QueryView>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeQueries.html>
async fn describe_queries(
    logs: &Logs,
    cx: &Cx,
    input: DescribeQueriesInput,
) -> Result<DescribeQueriesOutput> {
    let other = input.query_language.is_some_and(|l| l != "CWLI");
    let limit = page::limit(input.max_results, 1000).clamp(1, 1000);
    let mut range = Range::prefix(&Key::new().str(&cx.account).str(&cx.region));
    if let Some(after) = page::decode(input.next_token.as_deref())? {
        let (created, id) = after.split_once(' ').ok_or_else(page::bad_token)?;
        let created = created.parse::<u64>().map_err(|_| page::bad_token())?;
        range = range.after(&Key::new().str(&cx.account).str(&cx.region).u64_desc(created).str(id));
    }
    let mut found: Vec<Asked> = Vec::new();
    loop {
        let keys = logs.store.scan(&BY_TIME, range.clone(), limit + 1).await?;
        let end = keys.len() <= limit;
        for (k, ()) in keys {
            let id = Parts::of(k.as_bytes()).nth(3);
            if let Some(fogbank_store::Part::Str(id)) = id {
                let asked = logs.store.get(&QUERIES, &key(&cx.account, &cx.region, &id)).await?;
                found.extend(asked.filter(|a| {
                    !other
                        && input.status.as_ref().is_none_or(|s| *s == a.status)
                        && input.log_group_name.as_ref().is_none_or(|g| a.groups.contains(g))
                }));
            }
            range = range.after(&k);
        }
        if end || found.len() > limit {
            break;
        }
    }
    let next_token = page::cut(&mut found, limit, |a| format!("{} {}", a.created, a.id));
    let view = |a: Asked| QueryView {
        query_language: "CWLI",
        query_id: a.id,
        query_string: a.text,
        status: a.status,
        create_time: a.created,
        log_group_name: a.groups.into_iter().next(),
    };
    Ok(DescribeQueriesOutput { queries: found.into_iter().map(view).collect(), next_token })
}

#[cfg(test)]
mod tests;
