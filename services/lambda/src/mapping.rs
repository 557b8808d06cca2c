//! Event source mappings: queues and streams that Lambda reads and hands to a function.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html>

use std::collections::BTreeMap;

use fogbank_core::{Arn, Check, Cx, Op, Result, Time, Value, map, ops, page};
use fogbank_store::{Key, Lock, Range, Table};
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Lambda;
use crate::error::not_found;
use crate::event_invoke::{Destination, Destinations};
use crate::name::Target;
use crate::settings::limit;

mod batch;
mod input;
mod json;
mod poller;
mod sqs;
mod stream;

pub use poller::Pollers;

pub const OPS: &[Op<Lambda>] = ops![
    CreateEventSourceMapping => input::create [create_checks],
    UpdateEventSourceMapping => input::update [on_mapping],
    GetEventSourceMapping => get_mapping [on_mapping],
    ListEventSourceMappings => list_mappings,
    DeleteEventSourceMapping => delete_mapping [on_mapping],
];

static MAPPINGS: Table<Mapping> = Table::new("lambda.mapping");

/// A mapping's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Mapping {
    #[n(0)]
    uuid: String,
    #[n(1)]
    account: String,
    #[n(2)]
    region: String,
    #[n(3)]
    function: String,
    #[n(4)]
    qualifier: Option<String>,
    /// The ARN of the queue or stream.
    #[n(5)]
    source: String,
    #[n(6)]
    enabled: bool,
    /// `Creating`, `Enabled`, `Disabled`, `Updating`…
    #[n(7)]
    state: String,
    #[n(8)]
    batch: u32,
    /// In seconds.
    #[n(9)]
    window: u32,
    /// Filter patterns; one of them must match.
    #[n(10)]
    filters: Vec<String>,
    #[n(11)]
    reports_failures: bool,
    #[n(12)]
    concurrency: Option<u32>,
    /// Of a stream: where to begin.
    #[n(13)]
    start: Option<String>,
    #[n(14)]
    bisect: bool,
    /// -1: for ever.
    #[n(15)]
    retries: i64,
    /// In seconds; -1: any.
    #[n(16)]
    age: i64,
    #[n(17)]
    on_failure: Option<String>,
    #[n(18)]
    parallel: u32,
    /// Milliseconds since 1970.
    #[n(19)]
    modified: i64,
    #[n(20)]
    result: String,
    #[n(21)]
    tags: BTreeMap<String, String>,
    /// Renewed by each change, so that a poller knows it is out of date.
    #[n(22)]
    revision: String,
}
fogbank_store::record!(Mapping, version = 1);

impl Mapping {
    fn target(&self) -> Target {
        Target {
            account: self.account.clone(),
            region: self.region.clone(),
            name: self.function.clone(),
            qualifier: self.qualifier.clone(),
        }
    }

    fn key(&self) -> Key {
        key(&self.account, &self.region, &self.uuid)
    }

    fn arn(&self) -> String {
        mapping_arn(&self.account, &self.region, &self.uuid)
    }

    fn is_queue(&self) -> bool {
        Arn::parse(&self.source).is_some_and(|a| a.service == "sqs")
    }
}

fn key(account: &str, region: &str, uuid: &str) -> Key {
    Key::new().str(account).str(region).str(uuid)
}

fn mapping_arn(account: &str, region: &str, uuid: &str) -> String {
    format!("arn:aws:lambda:{region}:{account}:event-source-mapping:{uuid}")
}

/// `EventSourceMappingConfiguration`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    #[serde(rename = "UUID")]
    uuid: String,
    event_source_mapping_arn: String,
    event_source_arn: String,
    function_arn: String,
    state: String,
    state_transition_reason: &'static str,
    last_modified: Time,
    last_processing_result: Option<String>,
    batch_size: u32,
    maximum_batching_window_in_seconds: u32,
    filter_criteria: Option<Value>,
    function_response_types: Vec<&'static str>,
    scaling_config: Option<Value>,
    starting_position: Option<String>,
    parallelization_factor: Option<u32>,
    bisect_batch_on_function_error: Option<bool>,
    maximum_record_age_in_seconds: Option<i64>,
    maximum_retry_attempts: Option<i64>,
    tumbling_window_in_seconds: Option<u32>,
    destination_config: Option<Destinations>,
}

impl View {
    fn new(m: &Mapping) -> Self {
        let stream = !m.is_queue();
        let filters: Vec<Value> =
            m.filters.iter().map(|p| map! { "Pattern" => p.as_str() }).collect();
        View {
            uuid: m.uuid.clone(),
            event_source_mapping_arn: m.arn(),
            event_source_arn: m.source.clone(),
            function_arn: m.target().arn(),
            state: m.state.clone(),
            state_transition_reason: if stream { "User action" } else { "USER_INITIATED" },
            last_modified: Timestamp::from_millisecond(m.modified).unwrap_or_default().into(),
            last_processing_result: stream.then(|| m.result.clone()),
            batch_size: m.batch,
            maximum_batching_window_in_seconds: m.window,
            filter_criteria: (!filters.is_empty()).then(|| map! { "Filters" => filters }),
            function_response_types: if m.reports_failures {
                vec!["ReportBatchItemFailures"]
            } else {
                Vec::new()
            },
            scaling_config: m
                .concurrency
                .map(|n| map! { "MaximumConcurrency" => Value::Int(i64::from(n)) }),
            starting_position: m.start.clone(),
            parallelization_factor: stream.then_some(m.parallel),
            bisect_batch_on_function_error: stream.then_some(m.bisect),
            maximum_record_age_in_seconds: stream.then_some(m.age),
            maximum_retry_attempts: stream.then_some(m.retries),
            tumbling_window_in_seconds: stream.then_some(0),
            destination_config: stream.then(|| Destinations {
                on_success: None,
                on_failure: Destination::of(m.on_failure.as_ref()),
            }),
        }
    }
}

/// AWS asks for `*` here, with the function as a condition.
async fn create_checks(_: &Lambda, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let target = Target::parse(cx, input.str("FunctionName").unwrap_or_default(), None)?;
    Ok(vec![
        Check::new("lambda:CreateEventSourceMapping", "*").with("lambda:FunctionArn", target.arn()),
    ])
}

async fn on_mapping(lambda: &Lambda, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let uuid = input.str("UUID").unwrap_or_default();
    let arn = mapping_arn(&cx.account, &cx.region, uuid);
    let mut check = Check::new(format!("lambda:{}", cx.operation), arn);
    if let Some(m) = lambda.store.get(&MAPPINGS, &key(&cx.account, &cx.region, uuid)).await? {
        check = check.with("lambda:FunctionArn", m.target().arn());
    }
    Ok(vec![check])
}

#[derive(Deserialize)]
struct UuidInput {
    #[serde(rename = "UUID")]
    uuid: String,
}

fn missing() -> fogbank_core::ApiError {
    not_found("The resource you requested does not exist.")
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html>
async fn get_mapping(lambda: &Lambda, cx: &Cx, input: UuidInput) -> Result<View> {
    let found = lambda.store.get(&MAPPINGS, &key(&cx.account, &cx.region, &input.uuid)).await?;
    Ok(View::new(&found.ok_or_else(missing)?))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    event_source_arn: Option<String>,
    function_name: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html>
async fn list_mappings(lambda: &Lambda, cx: &Cx, input: ListInput) -> Result<Value> {
    let function = match &input.function_name {
        Some(name) => Some(Target::parse(cx, name, None)?),
        None => None,
    };
    let scope = Range::prefix(&Key::new().str(&cx.account).str(&cx.region));
    let all = lambda.store.scan(&MAPPINGS, scope, usize::MAX).await?;
    let wanted = all.iter().map(|(_, m)| m).filter(|m| {
        let of_function = function.as_ref().is_none_or(|f| {
            f.name == m.function && (f.qualifier.is_none() || f.qualifier == m.qualifier)
        });
        of_function && input.event_source_arn.as_ref().is_none_or(|a| *a == m.source)
    });
    let page =
        page::page(wanted, |m| &m.uuid, input.marker.as_deref(), limit(input.max_items, 100))?;
    let views = page.items.iter().map(|m| fogbank_core::value::to_value(&View::new(m)));
    let views = views.collect::<Result<Vec<_>>>()?;
    Ok(map! { "EventSourceMappings" => views, "NextMarker" => page.next })
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_DeleteEventSourceMapping.html>
async fn delete_mapping(lambda: &Lambda, cx: &Cx, input: UuidInput) -> Result<View> {
    let key = key(&cx.account, &cx.region, &input.uuid);
    let mut tx = lambda.store.lock(&[Lock::exclusive(&MAPPINGS, &key)]).await;
    let mut mapping = tx.get(&MAPPINGS, &key).await?.ok_or_else(missing)?;
    tx.delete(&MAPPINGS, &key);
    stream::forget(&mut tx, &mapping).await?;
    tx.commit().await?;
    lambda.pollers.stop(&mapping.uuid);
    mapping.state = "Deleting".into();
    Ok(View::new(&mapping))
}

/// The tags of a mapping.
///
/// # Errors
/// `ResourceNotFoundException`.
pub async fn tags(lambda: &Lambda, cx: &Cx, uuid: &str) -> Result<BTreeMap<String, String>> {
    let found = lambda.store.get(&MAPPINGS, &key(&cx.account, &cx.region, uuid)).await?;
    Ok(found.ok_or_else(missing)?.tags)
}

/// Changes the tags of a mapping.
///
/// # Errors
/// `ResourceNotFoundException`, or the change's own.
pub async fn tag(
    lambda: &Lambda,
    cx: &Cx,
    uuid: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>) -> Result<()>,
) -> Result<()> {
    let key = key(&cx.account, &cx.region, uuid);
    let mut tx = lambda.store.lock(&[Lock::exclusive(&MAPPINGS, &key)]).await;
    let mut mapping = tx.get(&MAPPINGS, &key).await?.ok_or_else(missing)?;
    change(&mut mapping.tags)?;
    tx.put(&MAPPINGS, &key, &mapping);
    tx.commit().await?;
    Ok(())
}
