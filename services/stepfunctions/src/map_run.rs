//! Map runs: the executions of a distributed Map.
//!
//! A run is a record that a job moves: it begins executions while there is room, counts those that
//! have ended, and at the end tells the state that waits.
//! <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-examine-map-run.html>

use fogbank_core::{Cx, Op, Result, Time, Value, map, ops};
use fogbank_store::{Key, Lock, Range, Table};
use serde::{Deserialize, Serialize};

use crate::arn::states;
use crate::error::{invalid_arn, no_resource, validation};
use crate::machine::time;
use crate::page::PageInput;
use crate::record::{Counts, MAP_RUNS, MapRun};
use crate::{Sfn, authz};

mod drive;
mod items;
mod results;

pub const OPS: &[Op<Sfn>] = ops![
    DescribeMapRun => describe_map_run [authz::map_run],
    ListMapRuns => list_map_runs [authz::execution],
    UpdateMapRun => update_map_run [authz::map_run],
];

/// The Map runs of an execution, newest first.
static OF_EXECUTION: Table<bytes::Bytes> = Table::new("sfn.map-runs-of");

/// The key of a Map run.
pub fn key(arn: &str) -> Result<Key> {
    let fits = states(arn).is_some_and(|(_, _, rest)| rest.starts_with("mapRun:"));
    if fits { Ok(Key::new().str(arn)) } else { Err(invalid_arn(arn)) }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MapRunInput {
    map_run_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CountsView {
    pending: u64,
    running: u64,
    succeeded: u64,
    failed: u64,
    timed_out: u64,
    aborted: u64,
    total: u64,
    results_written: u64,
    failures_not_redrivable: u64,
    pending_redrive: u64,
}

impl CountsView {
    fn new(c: &Counts, running: u64, total: u64, written: bool) -> Self {
        CountsView {
            pending: total.saturating_sub(running + c.sum()),
            running,
            succeeded: c.succeeded,
            failed: c.failed,
            timed_out: c.timed_out,
            aborted: c.aborted,
            total,
            results_written: if written { c.succeeded } else { 0 },
            failures_not_redrivable: 0,
            pending_redrive: 0,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeOutput {
    map_run_arn: String,
    execution_arn: String,
    status: &'static str,
    start_date: Time,
    stop_date: Option<Time>,
    max_concurrency: u64,
    tolerated_failure_percentage: f64,
    tolerated_failure_count: u64,
    item_counts: CountsView,
    execution_counts: CountsView,
    redrive_count: u32,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeMapRun.html>
async fn describe_map_run(sfn: &Sfn, _: &Cx, input: MapRunInput) -> Result<DescribeOutput> {
    let m = sfn.map_run(&input.map_run_arn).await?;
    let items_running = (m.running * m.items).checked_div(m.total).unwrap_or(0);
    Ok(DescribeOutput {
        execution_arn: m.parent.id.arn(),
        status: m.status.name(),
        start_date: time(m.started),
        stop_date: m.stopped.map(time),
        max_concurrency: m.max_concurrency,
        tolerated_failure_percentage: m.tolerated_percentage,
        tolerated_failure_count: m.tolerated_count,
        item_counts: CountsView::new(&m.ended_items, items_running, m.items, m.writes),
        execution_counts: CountsView::new(&m.ended, m.running, m.total, m.writes),
        redrive_count: m.redrives,
        map_run_arn: m.arn,
    })
}

impl Sfn {
    async fn map_run(&self, arn: &str) -> Result<MapRun> {
        self.store.get(&MAP_RUNS, &key(arn)?).await?.ok_or_else(|| no_resource(arn))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListInput {
    execution_arn: String,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListItem {
    execution_arn: String,
    map_run_arn: String,
    state_machine_arn: String,
    start_date: Time,
    stop_date: Option<Time>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListOutput {
    map_runs: Vec<ListItem>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListMapRuns.html>
async fn list_map_runs(sfn: &Sfn, _: &Cx, input: ListInput) -> Result<ListOutput> {
    let e = sfn.execution(&input.execution_arn).await?;
    let range = Range::prefix(&e.id.key());
    let (found, next_token) = input.page.read(&sfn.store, &OF_EXECUTION, range, 100).await?;
    let mut map_runs = Vec::new();
    for (_, arn) in found {
        let m = sfn.map_run(&String::from_utf8_lossy(&arn)).await?;
        map_runs.push(ListItem {
            execution_arn: e.id.arn(),
            state_machine_arn: e.id.machine_arn(),
            start_date: time(m.started),
            stop_date: m.stopped.map(time),
            map_run_arn: m.arn,
        });
    }
    Ok(ListOutput { map_runs, next_token })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateInput {
    map_run_arn: String,
    max_concurrency: Option<u64>,
    tolerated_failure_percentage: Option<f64>,
    tolerated_failure_count: Option<u64>,
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_UpdateMapRun.html>
async fn update_map_run(sfn: &Sfn, _: &Cx, input: UpdateInput) -> Result<Value> {
    let nothing = input.max_concurrency.is_none()
        && input.tolerated_failure_percentage.is_none()
        && input.tolerated_failure_count.is_none();
    if nothing {
        return Err(validation("Must specify at least one field to update"));
    }
    let key = key(&input.map_run_arn)?;
    let mut tx = sfn.store.lock(&[Lock::exclusive(&MAP_RUNS, &key)]).await;
    let found: Option<MapRun> = tx.get(&MAP_RUNS, &key).await?;
    let mut m = found.ok_or_else(|| no_resource(&input.map_run_arn))?;
    if let Some(n) = input.max_concurrency {
        m.max_concurrency = n;
    }
    if let Some(p) = input.tolerated_failure_percentage {
        m.tolerated_percentage = p;
    }
    if let Some(n) = input.tolerated_failure_count {
        m.tolerated_count = n;
    }
    tx.put(&MAP_RUNS, &key, &m);
    sfn.push_map_run(&mut tx, &m)?;
    tx.commit().await?;
    sfn.wake();
    Ok(map! {})
}
