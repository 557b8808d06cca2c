//! Customer managed policies. Versions are in `version.rs`, AWS's own policies in `managed.rs`.

use fogbank_core::{ApiError, Arn, Cx, Op, Result, Time, ops};
use fogbank_store::{Lock, Table, Tx};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Iam;
use crate::authz;
use crate::document::{self, Use};
use crate::entity::{self, Entity, Head, Kind, time};
use crate::error::{
    already_exists, delete_conflict, invalid_input, no_such_entity, quota, validation,
};
use crate::managed::{self, Managed};
use crate::page::{PageOutput, cut};
use crate::principal::{self, Usage};
use crate::tag::Tag;

pub const OPS: &[Op<Iam>] = ops![
    CreatePolicy => create_policy [authz::create_policy],
    GetPolicy => get_policy [authz::policy],
    ListPolicies => list_policies,
    DeletePolicy => delete_policy [authz::policy],
];

pub static POLICIES: Table<Policy> = Table::new("iam.policy");

/// The most characters, white space not counted, of a managed policy.
pub const MOST: usize = 6144;

/// A managed policy's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Policy {
    #[n(0)]
    pub head: Head,
    #[n(1)]
    pub description: Option<String>,
    /// Seconds since 1970.
    #[n(2)]
    pub updated: i64,
    #[n(3)]
    pub default_version: u64,
    /// The number of the newest version ever made.
    #[n(4)]
    pub last_version: u64,
    #[n(5)]
    pub versions: Vec<Version>,
}
fogbank_store::record!(Policy, version = 1);

/// One version of a policy's document.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Version {
    #[n(0)]
    pub number: u64,
    /// The JSON text as it was given.
    #[n(1)]
    pub document: String,
    /// Seconds since 1970.
    #[n(2)]
    pub created: i64,
}

impl Policy {
    /// The document that is in force.
    pub fn document(&self) -> Option<&str> {
        let v = self.versions.iter().find(|v| v.number == self.default_version)?;
        Some(&v.document)
    }
}

impl Entity for Policy {
    const KIND: Kind = Kind::Policy;
    fn table() -> &'static Table<Self> {
        &POLICIES
    }
    fn head(&self) -> &Head {
        &self.head
    }
    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }
    fn missing(arn: &str) -> ApiError {
        no_such_entity(format!("Policy {arn} was not found."))
    }
    /// Policies are named by ARN nearly everywhere, and found by the name in it.
    fn key(account: &str, name: &str) -> fogbank_store::Key {
        fogbank_store::Key::new().str(account).str(&name_of(name).to_ascii_lowercase())
    }
    fn is(&self, account: &str, name: &str) -> bool {
        !name.starts_with("arn:") || self.arn(account) == name
    }
}

/// The name at the end of a policy's ARN.
pub fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The path in a policy's ARN.
pub fn path_of(arn: &str) -> &str {
    let path = arn.split_once(":policy").map_or("/", |(_, p)| p);
    path.rfind('/').map_or("/", |end| &path[..=end])
}

/// Refuses what is no ARN of a policy.
pub fn check_arn(arn: &str) -> Result<()> {
    let ok = Arn::parse(arn).is_some_and(|a| {
        a.service == "iam" && a.region.is_empty() && a.resource.starts_with("policy/")
    });
    if ok { Ok(()) } else { Err(invalid_input(format!("ARN {arn} is not valid."))) }
}

/// Refuses a policy that cannot be attached here, inside a transaction that has locked it.
pub async fn check_attachable(tx: &mut Tx, cx: &Cx, arn: &str) -> Result<()> {
    let there = if managed::is_managed(arn) {
        managed::get(arn).is_some()
    } else {
        let found = tx.get(&POLICIES, &Policy::key(&cx.account, arn)).await?;
        found.is_some_and(|p| p.is(&cx.account, arn))
    };
    if there {
        return Ok(());
    }
    Err(no_such_entity(format!("Policy {arn} does not exist or is not attachable.")))
}

/// A policy in answers. Lists leave out description and tags.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyView {
    policy_name: String,
    policy_id: String,
    arn: String,
    path: String,
    default_version_id: String,
    attachment_count: i64,
    permissions_boundary_usage_count: i64,
    is_attachable: bool,
    description: Option<String>,
    create_date: Time,
    update_date: Time,
    tags: Option<Vec<Tag>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyOutput {
    policy: PolicyView,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreatePolicyInput {
    policy_name: String,
    path: Option<String>,
    policy_document: String,
    description: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html>
async fn create_policy(iam: &Iam, cx: &Cx, input: CreatePolicyInput) -> Result<PolicyOutput> {
    let name = &input.policy_name;
    let head = Head::new(cx, Kind::Policy, name, input.path.as_deref(), input.tags)?;
    check_document(&input.policy_document)?;
    if input.description.as_ref().is_some_and(|d| d.chars().count() > 1000) {
        return Err(validation(
            "1 validation error detected: Value at 'description' failed to satisfy constraint: \
             Member must have length less than or equal to 1000",
        ));
    }
    let now = cx.now.as_second();
    let version = Version { number: 1, document: input.policy_document, created: now };
    let policy = Policy {
        head,
        description: input.description,
        updated: now,
        default_version: 1,
        last_version: 1,
        versions: vec![version],
    };
    iam.check_quota::<Policy>(cx, "PoliciesPerAccount", 1500).await?;
    let key = Policy::key(&cx.account, name);
    let mut tx = iam.store.lock(&[Lock::exclusive(&POLICIES, &key)]).await;
    if tx.get(&POLICIES, &key).await?.is_some() {
        return Err(already_exists(format!(
            "A policy called {name} already exists. Duplicate names are not allowed."
        )));
    }
    entity::insert(&mut tx, &cx.account, &policy);
    iam.commit(cx, tx).await?;
    let mut policy = iam.policy_view(&cx.account, &policy).await?;
    policy.description = None;
    policy.tags = policy.tags.filter(|t| !t.is_empty());
    Ok(PolicyOutput { policy })
}

/// Checks a document for a managed policy: its size and its grammar.
pub fn check_document(text: &str) -> Result<()> {
    if document::size(text) > MOST {
        return Err(quota("PolicySize", MOST));
    }
    document::check(text, Use::Identity)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ArnInput {
    policy_arn: String,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicy.html>
async fn get_policy(iam: &Iam, cx: &Cx, input: ArnInput) -> Result<PolicyOutput> {
    let arn = &input.policy_arn;
    check_arn(arn)?;
    let policy = if managed::is_managed(arn) {
        let policy = managed::get(arn).ok_or_else(|| Policy::missing(arn))?;
        iam.managed_view(&cx.account, policy).await?
    } else {
        let policy: Policy = iam.load(&cx.account, arn).await?;
        iam.policy_view(&cx.account, &policy).await?
    };
    Ok(PolicyOutput { policy })
}

impl Iam {
    async fn policy_view(&self, account: &str, policy: &Policy) -> Result<PolicyView> {
        let arn = policy.arn(account);
        let (attached, bounds) = self.policy_uses(account, &arn).await?;
        Ok(PolicyView {
            policy_name: policy.head.name.clone(),
            policy_id: policy.head.id.clone(),
            path: policy.head.path.clone(),
            default_version_id: format!("v{}", policy.default_version),
            attachment_count: attached,
            permissions_boundary_usage_count: bounds,
            is_attachable: true,
            description: policy.description.clone(),
            create_date: policy.head.created(),
            update_date: time(policy.updated),
            tags: Some(policy.head.tags.clone()),
            arn,
        })
    }

    async fn managed_view(&self, account: &str, policy: &Managed) -> Result<PolicyView> {
        let arn = policy.arn();
        let (attached, bounds) = self.policy_uses(account, &arn).await?;
        Ok(PolicyView {
            policy_name: policy.name.into(),
            policy_id: policy.id(),
            path: policy.path.into(),
            default_version_id: policy.version_id(),
            attachment_count: attached,
            permissions_boundary_usage_count: bounds,
            is_attachable: true,
            description: Some(policy.description.into()),
            create_date: time(managed::CREATED),
            update_date: time(managed::CREATED),
            tags: Some(Vec::new()),
            arn,
        })
    }

    /// How many hold the policy, and for how many it is the boundary.
    pub(crate) async fn policy_uses(&self, account: &str, arn: &str) -> Result<(i64, i64)> {
        let count = async |usage| {
            let users = principal::users_of(&self.store, account, arn, usage).await?;
            Ok::<_, ApiError>(i64::try_from(users.len()).unwrap_or(i64::MAX))
        };
        Ok((count(Usage::Permissions).await?, count(Usage::Boundary).await?))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListPoliciesInput {
    scope: Option<String>,
    only_attached: Option<bool>,
    path_prefix: Option<String>,
    policy_usage_filter: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListPoliciesOutput {
    policies: Vec<PolicyView>,
    is_truncated: bool,
    marker: Option<String>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicies.html>
async fn list_policies(iam: &Iam, cx: &Cx, input: ListPoliciesInput) -> Result<ListPoliciesOutput> {
    let scope = input.scope.as_deref().unwrap_or("All");
    let mut all = Vec::new();
    if scope != "AWS" {
        for policy in iam.all::<Policy>(&cx.account).await? {
            all.push(iam.policy_view(&cx.account, &policy).await?);
        }
    }
    if scope != "Local" {
        for policy in managed::all() {
            all.push(iam.managed_view(&cx.account, policy).await?);
        }
    }
    let below = input.path_prefix.as_deref().unwrap_or("/");
    all.retain(|p| {
        let used = match input.policy_usage_filter.as_deref() {
            Some("PermissionsPolicy") => p.attachment_count > 0,
            Some("PermissionsBoundary") => p.permissions_boundary_usage_count > 0,
            _ => true,
        };
        let attached = p.attachment_count + p.permissions_boundary_usage_count > 0;
        p.path.starts_with(below) && used && (input.only_attached != Some(true) || attached)
    });
    for policy in &mut all {
        policy.description = None;
        policy.tags = None;
    }
    all.sort_by(|a, b| a.arn.cmp(&b.arn));
    let (policies, PageOutput { is_truncated, marker }) =
        cut(all, |p| &p.arn, input.marker.as_deref(), input.max_items)?;
    Ok(ListPoliciesOutput { policies, is_truncated, marker })
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html>
async fn delete_policy(iam: &Iam, cx: &Cx, input: ArnInput) -> Result<()> {
    let (account, arn) = (&cx.account, &input.policy_arn);
    check_own(cx, arn)?;
    let key = Policy::key(account, arn);
    let mut tx = iam.store.lock(&[Lock::exclusive(&POLICIES, &key)]).await;
    let policy: Policy = entity::get(&mut tx, account, arn).await?;
    if iam.policy_uses(account, arn).await? != (0, 0) {
        return Err(delete_conflict("Cannot delete a policy attached to entities."));
    }
    if policy.versions.len() > 1 {
        return Err(delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete \
             the policy's versions. The default version is deleted with the policy.",
        ));
    }
    entity::remove(&mut tx, account, &policy, false);
    iam.commit(cx, tx).await
}

/// Refuses to change what belongs to AWS or to another account.
pub fn check_own(cx: &Cx, arn: &str) -> Result<()> {
    check_arn(arn)?;
    let own = Arn::parse(arn).is_some_and(|a| a.account == cx.account);
    if own {
        return Ok(());
    }
    Err(ApiError::new("AccessDenied", format!("Cannot modify the policy {arn}.")).status(403))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_come_apart() {
        for (arn, path, name) in [
            ("arn:aws:iam::aws:policy/AdministratorAccess", "/", "AdministratorAccess"),
            ("arn:aws:iam::aws:policy/service-role/X", "/service-role/", "X"),
            ("arn:aws:iam::000000000000:policy/a/b/p", "/a/b/", "p"),
        ] {
            assert!(check_arn(arn).is_ok());
            assert_eq!((path_of(arn), name_of(arn)), (path, name));
        }
        for bad in ["", "AdministratorAccess", "arn:aws:iam::1:role/x", "arn:aws:s3:::policy/x"] {
            assert_eq!(check_arn(bad).unwrap_err().code(), "InvalidInput", "{bad}");
        }
    }
}
