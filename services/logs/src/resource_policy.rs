//! Resource policies: which AWS services may write to the groups of an account and region.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutResourcePolicy.html>

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::{Key, Lock, Range, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::error::{invalid, limit_exceeded, not_found};
use crate::group::millis;
use crate::{Logs, page};

pub const OPS: &[Op<Logs>] = ops![
    PutResourcePolicy => put_resource_policy,
    DeleteResourcePolicy => delete_resource_policy,
    DescribeResourcePolicies => describe_resource_policies,
];

static POLICIES: Table<Policy> = Table::new("logs.resource-policy");
const MOST: usize = 10;

#[derive(Clone, Debug, Encode, Decode)]
struct Policy {
    #[n(0)]
    name: String,
    #[n(1)]
    document: String,
    #[n(2)]
    updated: i64,
}
fogbank_store::record!(Policy, version = 1);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyView {
    policy_name: String,
    policy_document: String,
    last_updated_time: i64,
    policy_scope: &'static str,
}

impl From<Policy> for PolicyView {
    fn from(p: Policy) -> Self {
        PolicyView {
            policy_name: p.name,
            policy_document: p.document,
            last_updated_time: p.updated,
            policy_scope: "ACCOUNT",
        }
    }
}

fn parent(cx: &Cx) -> Key {
    Key::new().str(&cx.account).str(&cx.region)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutResourcePolicyInput {
    policy_name: Option<String>,
    policy_document: Option<String>,
    resource_arn: Option<String>,
    expected_revision_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PutResourcePolicyOutput {
    resource_policy: PolicyView,
}

async fn put_resource_policy(
    logs: &Logs,
    cx: &Cx,
    input: PutResourcePolicyInput,
) -> Result<PutResourcePolicyOutput> {
    if input.resource_arn.is_some() || input.expected_revision_id.is_some() {
        return Err(cx.refuse_member("resourceArn"));
    }
    let name = input.policy_name.ok_or_else(|| invalid("Policy name must be specified."))?;
    let document =
        input.policy_document.ok_or_else(|| invalid("Policy document must be specified."))?;
    let found = fogbank_policy::Policy::parse(&document, fogbank_policy::Usage::Resource);
    found.map_err(|e| invalid(format!("Invalid policy document: {}", e.message())))?;
    let (parent, key) = (parent(cx), parent(cx).str(&name));
    let mut tx = logs.store.lock(&[Lock::exclusive(&POLICIES, &parent)]).await;
    let known = tx.scan(&POLICIES, Range::prefix(&parent), MOST + 1).await?;
    if known.len() >= MOST && !known.iter().any(|(_, p)| p.name == name) {
        return Err(limit_exceeded("Resource limit exceeded."));
    }
    let policy = Policy { name, document, updated: millis(cx.now) };
    tx.put(&POLICIES, &key, &policy);
    tx.commit().await?;
    Ok(PutResourcePolicyOutput { resource_policy: policy.into() })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeleteResourcePolicyInput {
    policy_name: Option<String>,
    resource_arn: Option<String>,
}

async fn delete_resource_policy(
    logs: &Logs,
    cx: &Cx,
    input: DeleteResourcePolicyInput,
) -> Result<()> {
    if input.resource_arn.is_some() {
        return Err(cx.refuse_member("resourceArn"));
    }
    let name = input.policy_name.ok_or_else(|| invalid("Policy name must be specified."))?;
    let (parent, key) = (parent(cx), parent(cx).str(&name));
    let mut tx = logs.store.lock(&[Lock::exclusive(&POLICIES, &parent)]).await;
    if tx.get(&POLICIES, &key).await?.is_none() {
        return Err(not_found(format!("Policy with name [{name}] does not exist.")));
    }
    tx.delete(&POLICIES, &key);
    tx.commit().await?;
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeResourcePoliciesInput {
    limit: Option<i64>,
    next_token: Option<String>,
    resource_arn: Option<String>,
    policy_scope: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeResourcePoliciesOutput {
    resource_policies: Vec<PolicyView>,
    next_token: Option<String>,
}

async fn describe_resource_policies(
    logs: &Logs,
    cx: &Cx,
    input: DescribeResourcePoliciesInput,
) -> Result<DescribeResourcePoliciesOutput> {
    if input.resource_arn.is_some() || input.policy_scope.is_some_and(|s| s != "ACCOUNT") {
        return Err(cx.refuse_member("resourceArn"));
    }
    let mut range = Range::prefix(&parent(cx));
    if let Some(after) = page::decode(input.next_token.as_deref())? {
        range = range.after(&parent(cx).str(&after));
    }
    let limit = page::limit(input.limit, 50);
    let found = logs.store.scan(&POLICIES, range, limit + 1).await?;
    let mut found: Vec<Policy> = found.into_iter().map(|(_, p)| p).collect();
    let next_token = page::cut(&mut found, limit, |p| p.name.clone());
    let resource_policies = found.into_iter().map(PolicyView::from).collect();
    Ok(DescribeResourcePoliciesOutput { resource_policies, next_token })
}

/// The statements of all policies of the region as one document.
pub async fn merged(logs: &Logs, cx: &Cx) -> Result<Option<String>> {
    let found = logs.store.scan(&POLICIES, Range::prefix(&parent(cx)), MOST).await?;
    let mut statements = Vec::new();
    for (_, policy) in found {
        let Ok(mut document) = serde_json::from_str::<Json>(&policy.document) else { continue };
        match document.get_mut("Statement").map(Json::take) {
            Some(Json::Array(some)) => statements.extend(some),
            Some(one) => statements.push(one),
            None => {}
        }
    }
    if statements.is_empty() {
        return Ok(None);
    }
    Ok(Some(json!({"Version": "2012-10-17", "Statement": statements}).to_string()))
}
