//! Creating and changing mappings: what fits which source.

use std::collections::BTreeMap;

use fogbank_core::{Arn, Cx, Result, Value};
use fogbank_eventpattern::{Dialect, Pattern};
use fogbank_store::{Key, Lock, Range};
use serde::Deserialize;

use super::{MAPPINGS, Mapping, View, key, missing, sqs};
use crate::error::{conflict, invalid};
use crate::event_invoke::{Destinations, check_destination};
use crate::name::Target;
use crate::{Lambda, role, tag};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    #[serde(rename = "UUID")]
    uuid: Option<String>,
    function_name: Option<String>,
    event_source_arn: Option<String>,
    enabled: Option<bool>,
    batch_size: Option<u32>,
    maximum_batching_window_in_seconds: Option<u32>,
    filter_criteria: Option<Criteria>,
    function_response_types: Option<Vec<String>>,
    scaling_config: Option<Scaling>,
    starting_position: Option<String>,
    bisect_batch_on_function_error: Option<bool>,
    maximum_retry_attempts: Option<i64>,
    maximum_record_age_in_seconds: Option<i64>,
    parallelization_factor: Option<u32>,
    tumbling_window_in_seconds: Option<u32>,
    destination_config: Option<Destinations>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    topics: Option<Value>,
    queues: Option<Value>,
    self_managed_event_source: Option<Value>,
    source_access_configurations: Option<Value>,
    amazon_managed_kafka_event_source_config: Option<Value>,
    self_managed_kafka_event_source_config: Option<Value>,
    #[serde(rename = "DocumentDBEventSourceConfig")]
    document_db_event_source_config: Option<Value>,
    provisioned_poller_config: Option<Value>,
    logging_config: Option<Value>,
    metrics_config: Option<Value>,
    #[serde(rename = "KMSKeyArn")]
    kms_key_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Criteria {
    #[serde(default)]
    filters: Vec<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    pattern: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Scaling {
    maximum_concurrency: Option<u32>,
}

impl Input {
    fn refuse(&self, cx: &Cx) -> Result<()> {
        for (name, given) in [
            ("Topics", &self.topics),
            ("Queues", &self.queues),
            ("SelfManagedEventSource", &self.self_managed_event_source),
            ("SourceAccessConfigurations", &self.source_access_configurations),
            ("AmazonManagedKafkaEventSourceConfig", &self.amazon_managed_kafka_event_source_config),
            ("SelfManagedKafkaEventSourceConfig", &self.self_managed_kafka_event_source_config),
            ("DocumentDBEventSourceConfig", &self.document_db_event_source_config),
            ("ProvisionedPollerConfig", &self.provisioned_poller_config),
        ] {
            let empty = [Value::Null, Value::List(Vec::new()), Value::Map(Vec::new())];
            if given.as_ref().is_some_and(|v| !empty.contains(v)) {
                return Err(cx.refuse_member(name));
            }
        }
        if self.tumbling_window_in_seconds.is_some_and(|n| n > 0) {
            return Err(cx.refuse_member("TumblingWindowInSeconds"));
        }
        for (name, given) in
            [("LoggingConfig", &self.logging_config), ("MetricsConfig", &self.metrics_config)]
        {
            if given.is_some() {
                cx.ignore_member(name);
            }
        }
        if self.kms_key_arn.as_ref().is_some_and(|k| !k.is_empty()) {
            cx.ignore_member("KMSKeyArn");
        }
        Ok(())
    }

    /// Lays what was given over a mapping.
    fn apply(&mut self, m: &mut Mapping) -> Result<()> {
        fn set<T>(to: &mut T, from: Option<T>) {
            if let Some(v) = from {
                *to = v;
            }
        }
        set(&mut m.enabled, self.enabled);
        set(&mut m.batch, self.batch_size);
        set(&mut m.window, self.maximum_batching_window_in_seconds);
        set(&mut m.bisect, self.bisect_batch_on_function_error);
        set(&mut m.retries, self.maximum_retry_attempts);
        set(&mut m.age, self.maximum_record_age_in_seconds);
        set(&mut m.parallel, self.parallelization_factor);
        if let Some(types) = &self.function_response_types {
            m.reports_failures = !types.is_empty();
        }
        if let Some(scaling) = &self.scaling_config {
            m.concurrency = scaling.maximum_concurrency;
        }
        if let Some(to) = &self.destination_config {
            m.on_failure = to.on_failure.as_ref().and_then(|d| d.arn());
        }
        if let Some(criteria) = &self.filter_criteria {
            m.filters = criteria.filters.iter().filter_map(|f| f.pattern.clone()).collect();
        }
        check(m)
    }
}

/// Whether the settings fit the source and each other.
fn check(m: &Mapping) -> Result<()> {
    if m.filters.len() > 10 {
        return Err(invalid("Filter criteria can have at most 10 filters."));
    }
    for pattern in &m.filters {
        if let Err(e) = Pattern::parse(pattern, Dialect::EventBridge) {
            return Err(invalid(format!("Invalid filter pattern definition. {e}")));
        }
    }
    if !m.is_queue() {
        if m.concurrency.is_some() {
            return Err(invalid("ScalingConfig is not supported for this event source."));
        }
        return Ok(());
    }
    let fifo = m.source.ends_with(".fifo");
    if fifo && m.batch > 10 {
        return Err(invalid("Batch size for FIFO queues must be less than or equal to 10."));
    }
    if fifo && m.window > 0 {
        return Err(invalid(
            "Batching window is not supported for FIFO queues. Remove \
             MaximumBatchingWindowInSeconds.",
        ));
    }
    if m.batch > 10 && m.window == 0 {
        return Err(invalid(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is \
             greater than 10",
        ));
    }
    Ok(())
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>
pub(super) async fn create(lambda: &Lambda, cx: &Cx, mut input: Input) -> Result<View> {
    input.refuse(cx)?;
    tag::check(&input.tags)?;
    let name = input.function_name.take().unwrap_or_default();
    let target = Target::parse(cx, &name, None)?;
    let source = input.event_source_arn.take().ok_or_else(|| {
        invalid("Unrecognized event source, must be kinesis, dynamodb stream or sqs.")
    })?;
    let queue = match Arn::parse(&source).map(|a| a.service) {
        Some("sqs") => true,
        Some("dynamodb") => false,
        Some(other) => return Err(cx.refuse_member(&format!("EventSourceArn of {other}"))),
        None => return Err(invalid("Unrecognized event source.")),
    };
    let function = lambda.function(&target).await?;
    let (_, config) = lambda.version_of(&target, &function).await?;
    let mut mapping = Mapping {
        uuid: cx.ids().uuid(),
        account: target.account.clone(),
        region: target.region.clone(),
        function: target.name.clone(),
        qualifier: target.qualifier.clone(),
        source,
        enabled: true,
        state: "Creating".into(),
        batch: if queue { 10 } else { 100 },
        window: 0,
        filters: Vec::new(),
        reports_failures: false,
        concurrency: None,
        start: None,
        bisect: false,
        retries: -1,
        age: -1,
        on_failure: None,
        parallel: 1,
        modified: cx.now.as_millisecond(),
        result: "No records processed".into(),
        tags: std::mem::take(&mut input.tags),
        revision: cx.ids().uuid(),
    };
    input.apply(&mut mapping)?;
    if queue {
        if input.starting_position.is_some() {
            return Err(invalid("StartingPosition is not valid for SQS event sources."));
        }
        sqs::check(cx, &target, &config, &mapping.source).await?;
    } else {
        mapping.start = Some(starting_position(input.starting_position.take())?);
        check_stream(cx, &target, &config.role, &mapping.source).await?;
    }
    if let Some(to) = &mapping.on_failure {
        check_destination(cx, &target, &config.role, to).await?;
    }
    let pool = Lock::exclusive(&MAPPINGS, &target.scope());
    let mut tx = lambda.store.lock(&[pool]).await;
    let scope = Range::prefix(&Key::new().str(&target.account).str(&target.region));
    let all = tx.scan(&MAPPINGS, scope, usize::MAX).await?;
    let same = all.iter().map(|(_, m)| m).find(|m| {
        m.source == mapping.source
            && m.function == mapping.function
            && m.qualifier == mapping.qualifier
    });
    if let Some(same) = same {
        return Err(conflict(format!(
            "An event source mapping with {} arn (\" {} \") and function (\" {} \") already \
             exists. Please update or delete the existing mapping with UUID {}",
            if queue { "SQS" } else { "dynamodb" },
            mapping.source,
            target.name,
            same.uuid
        )));
    }
    tx.put(&MAPPINGS, &mapping.key(), &mapping);
    tx.commit().await?;
    lambda.pollers.look(&mapping);
    Ok(View::new(&mapping))
}

fn starting_position(given: Option<String>) -> Result<String> {
    match given.as_deref() {
        Some("TRIM_HORIZON" | "LATEST") => Ok(given.unwrap_or_default()),
        Some(_) => Err(invalid("Unsupported starting position for the event source.")),
        None => Err(invalid(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy \
             constraint: Member must not be null.",
        )),
    }
}

async fn check_stream(cx: &Cx, target: &Target, role: &str, source: &str) -> Result<()> {
    for action in ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"] {
        role::may(cx, target, role, action, source).await.map_err(|_| {
            invalid(format!(
                "Cannot access stream {source}. Please ensure the role can perform the \
                 GetRecords, GetShardIterator, DescribeStream, and ListStreams Actions on your \
                 stream in IAM."
            ))
        })?;
    }
    Ok(())
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html>
pub(super) async fn update(lambda: &Lambda, cx: &Cx, mut input: Input) -> Result<View> {
    input.refuse(cx)?;
    let uuid = input.uuid.clone().unwrap_or_default();
    let key = key(&cx.account, &cx.region, &uuid);
    let target = match input.function_name.take() {
        Some(name) => {
            let target = Target::parse(cx, &name, None)?;
            lambda.function(&target).await?;
            Some(target)
        }
        None => None,
    };
    let mut tx = lambda.store.lock(&[Lock::exclusive(&MAPPINGS, &key)]).await;
    let mut mapping = tx.get(&MAPPINGS, &key).await?.ok_or_else(missing)?;
    let was = mapping.enabled;
    if let Some(target) = target {
        mapping.function = target.name;
        mapping.qualifier = target.qualifier;
    }
    input.apply(&mut mapping)?;
    mapping.state = match (was, mapping.enabled) {
        (true, false) => "Disabling",
        (false, true) => "Enabling",
        _ => "Updating",
    }
    .into();
    mapping.modified = cx.now.as_millisecond();
    mapping.revision = cx.ids().uuid();
    tx.put(&MAPPINGS, &key, &mapping);
    tx.commit().await?;
    lambda.pollers.look(&mapping);
    Ok(View::new(&mapping))
}
