//! Log groups.

use std::collections::BTreeMap;

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::{Key, Lock, Range, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::authz::{self, arn, name_of};
use crate::error::{exists, invalid, no_group};
use crate::{Logs, metric_filter, page, put, subscription, sweep, tag};

pub const OPS: &[Op<Logs>] = ops![
    CreateLogGroup => create_log_group [authz::create_group],
    DeleteLogGroup => delete_log_group [authz::group],
    DescribeLogGroups => describe_log_groups [authz::groups],
    ListLogGroups => list_log_groups [authz::groups],
    PutRetentionPolicy => put_retention_policy [authz::group],
    DeleteRetentionPolicy => delete_retention_policy [authz::group],
];

pub static GROUPS: Table<Group> = Table::new("logs.group");

/// A group's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Group {
    /// What its streams and events stand under: a group that is made anew under an old name
    /// shares nothing with its predecessor.
    #[n(0)]
    pub id: u64,
    #[n(1)]
    pub name: String,
    /// Milliseconds since 1970.
    #[n(2)]
    pub created: i64,
    #[n(3)]
    pub class: String,
    #[n(4)]
    pub retention_days: Option<i64>,
    #[n(5)]
    pub kms_key: Option<String>,
    #[n(6)]
    pub deletion_protection: bool,
    #[n(7)]
    pub tags: BTreeMap<String, String>,
    #[n(8)]
    pub metric_filters: u32,
    #[n(9)]
    pub subscription_filters: u32,
}
fogbank_store::record!(Group, version = 1);

/// The days that retention may have.
const DAYS: &[i64] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

pub fn key(cx: &Cx, name: &str) -> Key {
    Key::new().str(&cx.account).str(&cx.region).str(name)
}

pub fn millis(t: jiff::Timestamp) -> i64 {
    t.as_millisecond()
}

impl Group {
    /// Events before this moment are no longer there.
    pub fn oldest(&self, now: i64) -> i64 {
        self.retention_days.map_or(0, |d| now - d * 86_400_000).max(0)
    }
}

impl Logs {
    /// The group of this name, or of this ARN.
    pub(crate) async fn group(&self, cx: &Cx, named: &str) -> Result<Group> {
        let found = self.store.get(&GROUPS, &key(cx, name_of(named))).await?;
        found.ok_or_else(no_group)
    }

    /// The group that an operation names by `logGroupName` or `logGroupIdentifier`.
    pub(crate) async fn group_of(
        &self,
        cx: &Cx,
        name: Option<&str>,
        identifier: Option<&str>,
    ) -> Result<Group> {
        match (name, identifier) {
            (Some(_), Some(_)) => Err(invalid(
                "LogGroupName and LogGroupIdentifier cannot both be specified in one request.",
            )),
            (None, None) => Err(invalid(
                "Either LogGroupName or LogGroupIdentifier must be specified in the request.",
            )),
            (Some(n), None) | (None, Some(n)) => self.group(cx, n).await,
        }
    }

    /// Changes a group under its lock.
    pub(crate) async fn edit_group<T>(
        &self,
        cx: &Cx,
        named: &str,
        change: impl FnOnce(&mut Tx, &mut Group) -> Result<T>,
    ) -> Result<T> {
        let key = key(cx, name_of(named));
        let mut tx = self.store.lock(&[Lock::exclusive(&GROUPS, &key)]).await;
        let mut group = tx.get(&GROUPS, &key).await?.ok_or_else(no_group)?;
        let answer = change(&mut tx, &mut group)?;
        tx.put(&GROUPS, &key, &group);
        tx.commit().await?;
        Ok(answer)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateLogGroupInput {
    log_group_name: String,
    kms_key_id: Option<String>,
    log_group_class: Option<String>,
    deletion_protection_enabled: Option<bool>,
    tags: Option<BTreeMap<String, String>>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html>
async fn create_log_group(logs: &Logs, cx: &Cx, input: CreateLogGroupInput) -> Result<()> {
    let name = input.log_group_name;
    let tags = input.tags.unwrap_or_default();
    tag::check(&tags)?;
    if name.starts_with("aws/") {
        return Err(invalid("Log groups starting with AWS/ are reserved for AWS."));
    }
    if let Some(class) = input.log_group_class.as_deref().filter(|c| *c != "STANDARD") {
        if class == "ESSENTIALS" {
            return Err(cx.refuse_member("logGroupClass ESSENTIALS"));
        }
        // The other classes differ in price and in what is refused, not in what is kept.
        cx.ignore_member("logGroupClass");
    }
    if input.kms_key_id.is_some() {
        cx.ignore_member("kmsKeyId");
    }
    let key = key(cx, &name);
    let mut tx = logs.store.lock(&[Lock::exclusive(&GROUPS, &key)]).await;
    if tx.get(&GROUPS, &key).await?.is_some() {
        return Err(exists("The specified log group already exists"));
    }
    let group = Group {
        id: fresh(cx),
        name,
        created: millis(cx.now),
        class: input.log_group_class.unwrap_or_else(|| "STANDARD".into()),
        retention_days: None,
        kms_key: input.kms_key_id,
        deletion_protection: input.deletion_protection_enabled.unwrap_or(false),
        tags,
        metric_filters: 0,
        subscription_filters: 0,
    };
    tx.put(&GROUPS, &key, &group);
    tx.commit().await?;
    Ok(())
}

/// An id that nothing else has: 63 random bits.
pub fn fresh(cx: &Cx) -> u64 {
    let mut id = [0; 8];
    cx.ids().fill(&mut id);
    (u64::from_le_bytes(id) >> 1).max(1)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NameInput {
    log_group_name: String,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogGroup.html>
async fn delete_log_group(logs: &Logs, cx: &Cx, input: NameInput) -> Result<()> {
    let key = key(cx, &input.log_group_name);
    let mut tx = logs.store.lock(&[Lock::exclusive(&GROUPS, &key)]).await;
    let group = tx.get(&GROUPS, &key).await?.ok_or_else(no_group)?;
    if group.deletion_protection {
        return Err(fogbank_core::ApiError::new(
            "InvalidOperationException",
            "Cannot delete log group with deletion protection enabled. Disable deletion \
             protection and try again.",
        ));
    }
    tx.delete(&GROUPS, &key);
    metric_filter::drop_all(&mut tx, &key).await?;
    subscription::drop_all(&mut tx, &key).await?;
    sweep::purge_group(&mut tx, cx.now, group.id);
    tx.commit().await?;
    logs.swept();
    Ok(())
}

/// A group in answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupView {
    log_group_name: String,
    creation_time: i64,
    retention_in_days: Option<i64>,
    metric_filter_count: i64,
    arn: String,
    stored_bytes: u64,
    kms_key_id: Option<String>,
    log_group_class: String,
    log_group_arn: String,
    deletion_protection_enabled: bool,
}

impl GroupView {
    fn new(cx: &Cx, group: Group, stored_bytes: u64) -> Self {
        let arn = arn(cx, &group.name);
        GroupView {
            creation_time: group.created,
            retention_in_days: group.retention_days,
            metric_filter_count: i64::from(group.metric_filters),
            arn: format!("{arn}:*"),
            stored_bytes,
            kms_key_id: group.kms_key,
            log_group_class: group.class,
            log_group_arn: arn,
            deletion_protection_enabled: group.deletion_protection,
            log_group_name: group.name,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeLogGroupsInput {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_group_class: Option<String>,
    log_group_identifiers: Option<Vec<String>>,
    #[serde(default)]
    account_identifiers: Vec<String>,
    #[serde(default)]
    include_linked_accounts: bool,
    limit: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeLogGroupsOutput {
    log_groups: Vec<GroupView>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html>
async fn describe_log_groups(
    logs: &Logs,
    cx: &Cx,
    input: DescribeLogGroupsInput,
) -> Result<DescribeLogGroupsOutput> {
    if input.include_linked_accounts || !input.account_identifiers.is_empty() {
        return Err(cx.refuse_member("includeLinkedAccounts"));
    }
    if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
        return Err(invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    if let Some(named) = &input.log_group_identifiers {
        let mut log_groups = Vec::with_capacity(named.len());
        for n in named {
            if let Some(g) = logs.store.get(&GROUPS, &key(cx, name_of(n))).await? {
                let bytes = put::stored_bytes(&logs.store, g.id).await?;
                log_groups.push(GroupView::new(cx, g, bytes));
            }
        }
        return Ok(DescribeLogGroupsOutput { log_groups, next_token: None });
    }
    let pattern = input.log_group_name_pattern.map(|p| p.to_lowercase());
    let fits = |g: &Group| {
        pattern.as_ref().is_none_or(|p| g.name.to_lowercase().contains(p))
            && input.log_group_class.as_ref().is_none_or(|c| g.class == *c)
    };
    let limit = page::limit(input.limit, 50);
    let prefix = input.log_group_name_prefix.unwrap_or_default();
    let after = page::decode(input.next_token.as_deref())?;
    let mut groups = logs.some_groups(cx, &prefix, after, limit + 1, fits).await?;
    let next_token = page::cut(&mut groups, limit, |g| g.name.clone());
    let mut log_groups = Vec::with_capacity(groups.len());
    for g in groups {
        let bytes = put::stored_bytes(&logs.store, g.id).await?;
        log_groups.push(GroupView::new(cx, g, bytes));
    }
    Ok(DescribeLogGroupsOutput { log_groups, next_token })
}

impl Logs {
    /// At most `most` groups that fit, in order of name.
    async fn some_groups(
        &self,
        cx: &Cx,
        prefix: &str,
        after: Option<String>,
        most: usize,
        fits: impl Fn(&Group) -> bool,
    ) -> Result<Vec<Group>> {
        let parent = Key::new().str(&cx.account).str(&cx.region);
        let mut last = after.map(|n| key(cx, &n));
        let mut found = Vec::new();
        loop {
            let mut range = Range::starting(&parent, prefix);
            if let Some(last) = &last {
                range = range.after(last);
            }
            let got = self.store.scan(&GROUPS, range, most).await?;
            let end = got.len() < most;
            last = got.last().map(|(k, _)| k.clone());
            found.extend(got.into_iter().map(|(_, g)| g).filter(&fits).take(most - found.len()));
            if end || found.len() >= most {
                return Ok(found);
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListLogGroupsInput {
    log_group_name_pattern: Option<String>,
    log_group_class: Option<String>,
    #[serde(default)]
    account_identifiers: Vec<String>,
    #[serde(default)]
    include_linked_accounts: bool,
    data_sources: Option<Vec<fogbank_core::Value>>,
    field_index_names: Option<Vec<String>>,
    log_group_tags: Option<Vec<fogbank_core::Value>>,
    limit: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    log_group_name: String,
    log_group_arn: String,
    log_group_class: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListLogGroupsOutput {
    log_groups: Vec<Summary>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ListLogGroups.html>
async fn list_log_groups(
    logs: &Logs,
    cx: &Cx,
    input: ListLogGroupsInput,
) -> Result<ListLogGroupsOutput> {
    for (member, given) in [
        ("includeLinkedAccounts", input.include_linked_accounts),
        ("accountIdentifiers", !input.account_identifiers.is_empty()),
        ("dataSources", input.data_sources.is_some()),
        ("fieldIndexNames", input.field_index_names.is_some()),
        ("logGroupTags", input.log_group_tags.is_some()),
    ] {
        if given {
            return Err(cx.refuse_member(member));
        }
    }
    // The pattern is a few alternatives, each a literal that may be tied to the beginning.
    let pattern = input.log_group_name_pattern.unwrap_or_default();
    let any: Vec<&str> = pattern.split('|').collect();
    let fits = |g: &Group| {
        any.iter().any(|p| match p.strip_prefix('^') {
            Some(start) => g.name.starts_with(start),
            None => g.name.contains(p),
        }) && input.log_group_class.as_ref().is_none_or(|c| g.class == *c)
    };
    let limit = page::limit(input.limit, 50);
    let after = page::decode(input.next_token.as_deref())?;
    let mut groups = logs.some_groups(cx, "", after, limit + 1, fits).await?;
    let next_token = page::cut(&mut groups, limit, |g| g.name.clone());
    let summary = |g: Group| Summary {
        log_group_arn: arn(cx, &g.name),
        log_group_name: g.name,
        log_group_class: g.class,
    };
    Ok(ListLogGroupsOutput { log_groups: groups.into_iter().map(summary).collect(), next_token })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutRetentionPolicyInput {
    log_group_name: String,
    retention_in_days: i64,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>
async fn put_retention_policy(logs: &Logs, cx: &Cx, input: PutRetentionPolicyInput) -> Result<()> {
    let days = input.retention_in_days;
    if !DAYS.contains(&days) {
        let known: Vec<String> = DAYS.iter().map(i64::to_string).collect();
        return Err(invalid(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy \
             constraint: Member must satisfy enum value set: [{}]",
            known.join(", ")
        )));
    }
    let sweep = sweep::Retention::new(cx, &input.log_group_name);
    logs.edit_group(cx, &input.log_group_name, |tx, group| {
        group.retention_days = Some(days);
        sweep.soon(tx, cx.now, group.id);
        Ok(())
    })
    .await?;
    logs.swept();
    Ok(())
}

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteRetentionPolicy.html>
async fn delete_retention_policy(logs: &Logs, cx: &Cx, input: NameInput) -> Result<()> {
    // The job that sweeps the group finds nothing to keep it and ends.
    let change = |_: &mut Tx, group: &mut Group| {
        group.retention_days = None;
        Ok(())
    };
    logs.edit_group(cx, &input.log_group_name, change).await
}

#[cfg(test)]
mod tests;
