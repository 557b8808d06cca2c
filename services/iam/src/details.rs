//! GetAccountAuthorizationDetails: everything that is granted in an account.

use fogbank_core::{Cx, Op, Result, Time, ops};
use serde::{Deserialize, Serialize};

use crate::Iam;
use crate::attached::{AttachedPolicy, attached_policies};
use crate::document;
use crate::entity::{Entity, time};
use crate::group::Group;
use crate::instance_profile::ProfileView;
use crate::managed;
use crate::page::{PageOutput, cut};
use crate::policy::Policy;
use crate::principal::{self, BoundaryView, Grantee, Usage};
use crate::role::{LastUsedView, Role};
use crate::tag::Tag;
use crate::user::User;
use crate::version::VersionView;

pub const OPS: &[Op<Iam>] = ops![GetAccountAuthorizationDetails => details];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DetailsInput {
    #[serde(default)]
    filter: Vec<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DetailsOutput {
    user_detail_list: Vec<UserDetail>,
    group_detail_list: Vec<GroupDetail>,
    role_detail_list: Vec<RoleDetail>,
    policies: Vec<PolicyDetail>,
    is_truncated: bool,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InlinePolicy {
    policy_name: String,
    policy_document: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UserDetail {
    path: String,
    user_name: String,
    user_id: String,
    arn: String,
    create_date: Time,
    user_policy_list: Vec<InlinePolicy>,
    group_list: Vec<String>,
    attached_managed_policies: Vec<AttachedPolicy>,
    permissions_boundary: Option<BoundaryView>,
    tags: Vec<Tag>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GroupDetail {
    path: String,
    group_name: String,
    group_id: String,
    arn: String,
    create_date: Time,
    group_policy_list: Vec<InlinePolicy>,
    attached_managed_policies: Vec<AttachedPolicy>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoleDetail {
    path: String,
    role_name: String,
    role_id: String,
    arn: String,
    create_date: Time,
    assume_role_policy_document: String,
    instance_profile_list: Vec<ProfileView>,
    role_policy_list: Vec<InlinePolicy>,
    attached_managed_policies: Vec<AttachedPolicy>,
    permissions_boundary: Option<BoundaryView>,
    tags: Vec<Tag>,
    role_last_used: LastUsedView,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyDetail {
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
    policy_version_list: Vec<VersionView>,
}

/// What a page is cut from: sorted by kind and name.
enum Item {
    User(User),
    Group(Group),
    Role(Role),
    Local(Policy),
    Aws(&'static managed::Managed),
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>
async fn details(iam: &Iam, cx: &Cx, input: DetailsInput) -> Result<DetailsOutput> {
    let account = &cx.account;
    let wanted = |kind: &str| input.filter.is_empty() || input.filter.iter().any(|f| f == kind);
    let mut items = Vec::new();
    let mut add = |order: char, name: &str, item| items.push((format!("{order}{name}"), item));
    if wanted("User") {
        iam.all(account).await?.into_iter().for_each(|u: User| {
            add('1', &u.head.name.to_ascii_lowercase(), Item::User(u.clone()));
        });
    }
    if wanted("Group") {
        iam.all(account).await?.into_iter().for_each(|g: Group| {
            add('2', &g.head.name.to_ascii_lowercase(), Item::Group(g.clone()));
        });
    }
    if wanted("Role") {
        iam.all(account).await?.into_iter().for_each(|r: Role| {
            add('3', &r.head.name.to_ascii_lowercase(), Item::Role(r.clone()));
        });
    }
    if wanted("LocalManagedPolicy") {
        iam.all(account).await?.into_iter().for_each(|p: Policy| {
            add('4', &p.head.name.to_ascii_lowercase(), Item::Local(p.clone()));
        });
    }
    if wanted("AWSManagedPolicy") {
        for policy in managed::all() {
            // As on AWS: only those of AWS's policies that the account uses.
            if !principal::users_of(&iam.store, account, &policy.arn(), Usage::Permissions)
                .await?
                .is_empty()
            {
                add('5', policy.name, Item::Aws(policy));
            }
        }
    }
    items.sort_by(|a, b| a.0.cmp(&b.0));
    let (items, PageOutput { is_truncated, marker }) =
        cut(items, |(key, _)| key, input.marker.as_deref(), input.max_items)?;
    let mut out = DetailsOutput { is_truncated, marker, ..DetailsOutput::default() };
    for (_, item) in items {
        match item {
            Item::User(u) => out.user_detail_list.push(user_detail(iam, account, u).await?),
            Item::Group(g) => out.group_detail_list.push(group_detail(account, g)),
            Item::Role(r) => out.role_detail_list.push(role_detail(iam, account, r).await?),
            Item::Local(p) => out.policies.push(local_detail(iam, account, p).await?),
            Item::Aws(p) => out.policies.push(aws_detail(iam, account, p).await?),
        }
    }
    Ok(out)
}

async fn user_detail(iam: &Iam, account: &str, user: User) -> Result<UserDetail> {
    let mut groups: Vec<String> =
        iam.groups_of(account, &user).await?.into_iter().map(|g| g.head.name).collect();
    groups.sort();
    Ok(UserDetail {
        arn: user.arn(account),
        create_date: user.head.created(),
        user_policy_list: inline(&user),
        group_list: groups,
        attached_managed_policies: attached_policies(&user),
        permissions_boundary: BoundaryView::of(&user.grants),
        path: user.head.path,
        user_name: user.head.name,
        user_id: user.head.id,
        tags: user.head.tags,
    })
}

fn group_detail(account: &str, group: Group) -> GroupDetail {
    GroupDetail {
        arn: group.arn(account),
        create_date: group.head.created(),
        group_policy_list: inline(&group),
        attached_managed_policies: attached_policies(&group),
        path: group.head.path,
        group_name: group.head.name,
        group_id: group.head.id,
    }
}

async fn role_detail(iam: &Iam, account: &str, role: Role) -> Result<RoleDetail> {
    Ok(RoleDetail {
        arn: role.arn(account),
        create_date: role.head.created(),
        assume_role_policy_document: document::encode(&role.trust),
        instance_profile_list: iam.profiles_of(account, &role).await?,
        role_policy_list: inline(&role),
        attached_managed_policies: attached_policies(&role),
        permissions_boundary: BoundaryView::of(&role.grants),
        role_last_used: iam.last_used(account, &role).await?,
        path: role.head.path,
        role_name: role.head.name,
        role_id: role.head.id,
        tags: role.head.tags,
    })
}

async fn local_detail(iam: &Iam, account: &str, policy: Policy) -> Result<PolicyDetail> {
    let arn = policy.arn(account);
    let (attachment_count, permissions_boundary_usage_count) =
        iam.policy_uses(account, &arn).await?;
    Ok(PolicyDetail {
        arn,
        default_version_id: format!("v{}", policy.default_version),
        attachment_count,
        permissions_boundary_usage_count,
        is_attachable: true,
        create_date: policy.head.created(),
        update_date: time(policy.updated),
        policy_version_list: policy
            .versions
            .iter()
            .map(|v| VersionView::full(&policy, v))
            .collect(),
        policy_name: policy.head.name,
        policy_id: policy.head.id,
        path: policy.head.path,
        description: policy.description,
    })
}

async fn aws_detail(
    iam: &Iam,
    account: &str,
    policy: &'static managed::Managed,
) -> Result<PolicyDetail> {
    let arn = policy.arn();
    let (attachment_count, permissions_boundary_usage_count) =
        iam.policy_uses(account, &arn).await?;
    Ok(PolicyDetail {
        arn,
        default_version_id: policy.version_id(),
        attachment_count,
        permissions_boundary_usage_count,
        is_attachable: true,
        create_date: time(managed::CREATED),
        update_date: time(managed::CREATED),
        policy_version_list: vec![VersionView::managed(policy, true)],
        policy_name: policy.name.into(),
        policy_id: policy.id(),
        path: policy.path.into(),
        description: Some(policy.description.into()),
    })
}

fn inline<G: Grantee>(holder: &G) -> Vec<InlinePolicy> {
    let view = |(name, text): (&String, &String)| InlinePolicy {
        policy_name: name.clone(),
        policy_document: document::encode(text),
    };
    holder.grants().inline.iter().map(view).collect()
}
