//! Groups of traces, by a filter expression.

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use fogbank_store::{Key, Lock, Range, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::filter::Filter;
use crate::put::parent;
use crate::tag::{self, Tag};
use crate::{XRay, invalid};

pub const OPS: &[Op<XRay>] = ops![
    CreateGroup => create_group,
    GetGroup => get_group,
    GetGroups => get_groups,
    UpdateGroup => update_group,
    DeleteGroup => delete_group,
];

/// By account, region, name.
static GROUPS: Table<Group> = Table::new("xray.group");
const MOST: usize = 25;

/// A group's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Group {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub arn: String,
    #[n(2)]
    pub filter: Option<String>,
}
fogbank_store::record!(Group, version = 1);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Insights {
    insights_enabled: bool,
    notifications_enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GroupView {
    group_name: String,
    #[serde(rename = "GroupARN")]
    group_arn: String,
    filter_expression: Option<String>,
    insights_configuration: Insights,
}

impl From<Group> for GroupView {
    fn from(g: Group) -> Self {
        GroupView {
            group_name: g.name,
            group_arn: g.arn,
            filter_expression: g.filter,
            insights_configuration: Insights {
                insights_enabled: false,
                notifications_enabled: false,
            },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GroupOutput {
    group: GroupView,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InsightsInput {
    insights_enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GroupInput {
    group_name: Option<String>,
    #[serde(rename = "GroupARN")]
    group_arn: Option<String>,
    filter_expression: Option<String>,
    insights_configuration: Option<InsightsInput>,
    #[serde(default)]
    tags: Vec<Tag>,
}

impl GroupInput {
    fn check(&self, cx: &Cx) -> Result<()> {
        let insights = self.insights_configuration.as_ref().and_then(|i| i.insights_enabled);
        if insights == Some(true) {
            return Err(cx.refuse_member("InsightsConfiguration"));
        }
        Filter::parse(self.filter_expression.as_deref().unwrap_or_default()).map(|_| ())
    }
}

fn missing() -> ApiError {
    invalid("Group not found")
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_CreateGroup.html>
async fn create_group(xray: &XRay, cx: &Cx, input: GroupInput) -> Result<GroupOutput> {
    input.check(cx)?;
    let name = input.group_name.ok_or_else(|| invalid("GroupName is required"))?;
    let key = parent(cx).str(&name);
    let mut tx = xray.store.lock(&[Lock::exclusive(&GROUPS, &parent(cx))]).await;
    let known = tx.scan(&GROUPS, Range::prefix(&parent(cx)), MOST).await?;
    if name == "Default" || known.iter().any(|(_, g)| g.name == name) {
        return Err(invalid(format!("Group {name} already exists.")));
    }
    if known.len() >= MOST {
        return Err(invalid("Too many groups."));
    }
    let unique = cx.ids().pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 52);
    let arn = cx.arn("xray", &format!("group/{name}/{unique}"));
    let group = Group { name, arn, filter: input.filter_expression };
    tx.put(&GROUPS, &key, &group);
    tag::put(&mut tx, &group.arn, input.tags)?;
    tx.commit().await?;
    Ok(GroupOutput { group: group.into() })
}

impl XRay {
    /// The group of this name or ARN.
    pub async fn group(&self, cx: &Cx, name: Option<&str>, arn: Option<&str>) -> Result<Group> {
        self.store.get(&GROUPS, &key(cx, name, arn)?).await?.ok_or_else(missing)
    }
}

fn key(cx: &Cx, name: Option<&str>, arn: Option<&str>) -> Result<Key> {
    let in_arn = |a: &str| {
        let resource = fogbank_core::Arn::parse(a)?.resource.to_owned();
        resource.split('/').nth(1).map(str::to_owned)
    };
    let name = name.map(str::to_owned).or_else(|| arn.and_then(in_arn));
    Ok(parent(cx).str(&name.ok_or_else(|| invalid("GroupName or GroupARN is required"))?))
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_GetGroup.html>
async fn get_group(xray: &XRay, cx: &Cx, input: GroupInput) -> Result<GroupOutput> {
    let group = xray.group(cx, input.group_name.as_deref(), input.group_arn.as_deref()).await?;
    Ok(GroupOutput { group: group.into() })
}

#[derive(Deserialize)]
struct Nothing {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GroupsOutput {
    groups: Vec<GroupView>,
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_GetGroups.html>
async fn get_groups(xray: &XRay, cx: &Cx, _: Nothing) -> Result<GroupsOutput> {
    let found = xray.store.scan(&GROUPS, Range::prefix(&parent(cx)), MOST).await?;
    Ok(GroupsOutput { groups: found.into_iter().map(|(_, g)| g.into()).collect() })
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_UpdateGroup.html>
async fn update_group(xray: &XRay, cx: &Cx, input: GroupInput) -> Result<GroupOutput> {
    input.check(cx)?;
    let key = key(cx, input.group_name.as_deref(), input.group_arn.as_deref())?;
    let mut tx = xray.store.lock(&[Lock::exclusive(&GROUPS, &parent(cx))]).await;
    let mut group = tx.get(&GROUPS, &key).await?.ok_or_else(missing)?;
    if input.filter_expression.is_some() {
        group.filter = input.filter_expression;
    }
    tx.put(&GROUPS, &key, &group);
    tx.commit().await?;
    Ok(GroupOutput { group: group.into() })
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_DeleteGroup.html>
async fn delete_group(xray: &XRay, cx: &Cx, input: GroupInput) -> Result<()> {
    let key = key(cx, input.group_name.as_deref(), input.group_arn.as_deref())?;
    let mut tx = xray.store.lock(&[Lock::exclusive(&GROUPS, &parent(cx))]).await;
    let group = tx.get(&GROUPS, &key).await?.ok_or_else(missing)?;
    tx.delete(&GROUPS, &key);
    tag::drop(&mut tx, &group.arn);
    tx.commit().await?;
    Ok(())
}
