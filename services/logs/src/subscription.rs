//! Subscription filters: events of a group, as they come, for a function.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{Cx, Op, Result, ops};
use fogbank_logfilter::Filter;
use fogbank_store::{Key, Lock, Range, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::emit::{self, Appended, What};
use crate::error::{invalid, limit_exceeded, no_group, not_found};
use crate::group::{self, GROUPS, millis};
use crate::read::bad_pattern;
use crate::{Logs, authz, page};

pub const OPS: &[Op<Logs>] = ops![
    PutSubscriptionFilter => put_subscription_filter [authz::group],
    DeleteSubscriptionFilter => delete_subscription_filter [authz::group],
    DescribeSubscriptionFilters => describe_subscription_filters [authz::group],
];

/// By account, region, group, name.
pub static SUBSCRIPTIONS: Table<Subscription> = Table::new("logs.subscription");
const MOST: usize = 2;
/// How much text goes into one event for a function.
const PART: usize = 512 << 10;

/// A filter's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Subscription {
    #[n(0)]
    name: String,
    #[n(1)]
    group: String,
    #[n(2)]
    pattern: String,
    #[n(3)]
    destination: String,
    #[n(4)]
    created: i64,
}
fogbank_store::record!(Subscription, version = 1);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutSubscriptionFilterInput {
    log_group_name: String,
    filter_name: String,
    filter_pattern: String,
    destination_arn: String,
    role_arn: Option<String>,
    distribution: Option<String>,
    #[serde(default)]
    apply_on_transformed_logs: bool,
    field_selection_criteria: Option<String>,
    emit_system_fields: Option<Vec<String>>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html>
async fn put_subscription_filter(
    logs: &Logs,
    cx: &Cx,
    input: PutSubscriptionFilterInput,
) -> Result<()> {
    for (member, given) in [
        ("applyOnTransformedLogs", input.apply_on_transformed_logs),
        ("fieldSelectionCriteria", input.field_selection_criteria.is_some()),
        ("emitSystemFields", input.emit_system_fields.is_some()),
    ] {
        if given {
            return Err(cx.refuse_member(member));
        }
    }
    let destination = input.destination_arn;
    match fogbank_core::Arn::parse(&destination).map(|a| a.service) {
        Some("lambda") => {}
        Some(other) => return Err(cx.refuse_member(&format!("destinationArn of {other}"))),
        None => return Err(invalid("destinationArn is not an ARN.")),
    }
    if input.role_arn.is_some() {
        return Err(invalid(
            "roleArn cannot be specified when the destination is a Lambda function.",
        ));
    }
    if input.distribution.is_some() {
        cx.ignore_member("distribution");
    }
    Filter::parse(&input.filter_pattern).map_err(|e| bad_pattern(&e))?;
    logs.group(cx, &input.log_group_name).await?;
    // Like AWS: a function that Logs may not invoke is refused now.
    let source = format!("{}:*", authz::arn(cx, &input.log_group_name));
    let acting = emit::acting(&cx.cloud, &cx.account, &cx.region, &source);
    emit::invoke(&acting, &destination, "DryRun", bytes::Bytes::new()).await.map_err(|e| {
        invalid(
            "Could not execute the lambda function. Make sure you have given CloudWatch Logs \
             permission to execute your function.",
        )
        .context(e.to_string())
    })?;
    let group_key = group::key(cx, &input.log_group_name);
    let key = group_key.clone().str(&input.filter_name);
    let mut tx = logs.store.lock(&[Lock::exclusive(&GROUPS, &group_key)]).await;
    let mut group = tx.get(&GROUPS, &group_key).await?.ok_or_else(no_group)?;
    let before = tx.get(&SUBSCRIPTIONS, &key).await?;
    if before.is_none() {
        if group.subscription_filters as usize >= MOST {
            return Err(limit_exceeded("Resource limit exceeded."));
        }
        group.subscription_filters += 1;
        tx.put(&GROUPS, &group_key, &group);
    }
    let subscription = Subscription {
        name: input.filter_name,
        group: input.log_group_name,
        pattern: input.filter_pattern,
        destination,
        created: before.map_or_else(|| millis(cx.now), |s| s.created),
    };
    tx.put(&SUBSCRIPTIONS, &key, &subscription);
    tx.commit().await?;
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeleteFilterInput {
    log_group_name: String,
    filter_name: String,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteSubscriptionFilter.html>
async fn delete_subscription_filter(logs: &Logs, cx: &Cx, input: DeleteFilterInput) -> Result<()> {
    let group_key = group::key(cx, &input.log_group_name);
    let key = group_key.clone().str(&input.filter_name);
    let mut tx = logs.store.lock(&[Lock::exclusive(&GROUPS, &group_key)]).await;
    let mut group = tx.get(&GROUPS, &group_key).await?.ok_or_else(no_group)?;
    if tx.get(&SUBSCRIPTIONS, &key).await?.is_none() {
        return Err(not_found("The specified subscription filter does not exist."));
    }
    group.subscription_filters = group.subscription_filters.saturating_sub(1);
    tx.put(&GROUPS, &group_key, &group);
    tx.delete(&SUBSCRIPTIONS, &key);
    tx.commit().await?;
    Ok(())
}

/// Removes the filters of a group with it.
pub async fn drop_all(tx: &mut Tx, group_key: &Key) -> Result<()> {
    for (key, _) in tx.scan(&SUBSCRIPTIONS, Range::prefix(group_key), MOST).await? {
        tx.delete(&SUBSCRIPTIONS, &key);
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeSubscriptionFiltersInput {
    log_group_name: String,
    filter_name_prefix: Option<String>,
    limit: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionView {
    filter_name: String,
    log_group_name: String,
    filter_pattern: String,
    destination_arn: String,
    distribution: &'static str,
    creation_time: i64,
    apply_on_transformed_logs: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeSubscriptionFiltersOutput {
    subscription_filters: Vec<SubscriptionView>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeSubscriptionFilters.html>
async fn describe_subscription_filters(
    logs: &Logs,
    cx: &Cx,
    input: DescribeSubscriptionFiltersInput,
) -> Result<DescribeSubscriptionFiltersOutput> {
    logs.group(cx, &input.log_group_name).await?;
    let parent = group::key(cx, &input.log_group_name);
    let mut range = Range::starting(&parent, input.filter_name_prefix.as_deref().unwrap_or(""));
    if let Some(after) = page::decode(input.next_token.as_deref())? {
        range = range.after(&parent.str(&after));
    }
    let limit = page::limit(input.limit, 50);
    let found = logs.store.scan(&SUBSCRIPTIONS, range, limit + 1).await?;
    let mut found: Vec<Subscription> = found.into_iter().map(|(_, s)| s).collect();
    let next_token = page::cut(&mut found, limit, |s| s.name.clone());
    let view = |s: Subscription| SubscriptionView {
        filter_name: s.name,
        log_group_name: s.group,
        filter_pattern: s.pattern,
        destination_arn: s.destination,
        distribution: "ByLogStream",
        creation_time: s.created,
        apply_on_transformed_logs: false,
    };
    let subscription_filters = found.into_iter().map(view).collect();
    Ok(DescribeSubscriptionFiltersOutput { subscription_filters, next_token })
}

/// Adds the events for a group's subscribers to what an append sets off.
pub async fn apply(tx: &mut Tx, appended: &Appended<'_>, errands: &mut Vec<What>) -> Result<()> {
    let group_key = group::key(appended.cx, &appended.group.name);
    for (_, s) in tx.scan(&SUBSCRIPTIONS, Range::prefix(&group_key), MOST).await? {
        let Ok(filter) = Filter::parse(&s.pattern) else { continue };
        let (mut part, mut size) = (Vec::new(), 0);
        for (i, (at, message)) in appended.events.iter().enumerate() {
            if !filter.matches(message) {
                continue;
            }
            if size > 0 && size + message.len() > PART {
                errands.push(event(&s, appended, &std::mem::take(&mut part)));
                size = 0;
            }
            size += message.len();
            let mut event = json!({"id": appended.id(i), "timestamp": at, "message": message});
            let fields = filter.extract(message);
            if s.pattern.trim_start().starts_with('[') && !fields.is_empty() {
                event["extractedFields"] =
                    fields.into_iter().map(|(k, v)| (k[1..].to_owned(), Json::from(v))).collect();
            }
            part.push(event);
        }
        if !part.is_empty() {
            errands.push(event(&s, appended, &part));
        }
    }
    Ok(())
}

fn event(s: &Subscription, appended: &Appended<'_>, events: &[Json]) -> What {
    let message = json!({
        "messageType": "DATA_MESSAGE",
        "owner": appended.cx.account,
        "logGroup": appended.group.name,
        "logStream": appended.stream.name,
        "subscriptionFilters": [s.name],
        "logEvents": events,
    });
    let packed = STANDARD.encode(gzip(message.to_string().as_bytes()));
    let event = json!({"awslogs": {"data": packed}}).to_string();
    What::Invoke(s.destination.clone(), event.into_bytes())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing to memory does not fail.
    let _ = out.write_all(bytes);
    out.finish().unwrap_or_default()
}
