//! Managed policies attached to users, groups and roles.

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::Lock;
use serde::{Deserialize, Serialize};

use crate::authz;
use crate::entity::{self, Entity, Kind};
use crate::error::{no_such_entity, quota};
use crate::group::Group;
use crate::page::{PageOutput, cut};
use crate::policy::{self, Policy};
use crate::principal::{self, Grantee, Usage};
use crate::role::Role;
use crate::user::User;
use crate::{Iam, managed};

pub const OPS: &[Op<Iam>] = ops![
    AttachUserPolicy => attach_user [authz::attach_user],
    DetachUserPolicy => detach_user [authz::attach_user],
    ListAttachedUserPolicies => list_user [authz::user],
    AttachGroupPolicy => attach_group [authz::attach_group],
    DetachGroupPolicy => detach_group [authz::attach_group],
    ListAttachedGroupPolicies => list_group [authz::group],
    AttachRolePolicy => attach_role [authz::attach_role],
    DetachRolePolicy => detach_role [authz::attach_role],
    ListAttachedRolePolicies => list_role [authz::role],
    ListEntitiesForPolicy => list_entities [authz::policy],
];

/// Managed policies per user, group or role.
const MOST: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttachInput {
    #[serde(alias = "UserName", alias = "GroupName", alias = "RoleName")]
    name: String,
    policy_arn: String,
}

async fn attach_user(iam: &Iam, cx: &Cx, input: AttachInput) -> Result<()> {
    attach::<User>(iam, cx, &input).await
}
async fn attach_group(iam: &Iam, cx: &Cx, input: AttachInput) -> Result<()> {
    attach::<Group>(iam, cx, &input).await
}
async fn attach_role(iam: &Iam, cx: &Cx, input: AttachInput) -> Result<()> {
    attach::<Role>(iam, cx, &input).await
}
async fn detach_user(iam: &Iam, cx: &Cx, input: AttachInput) -> Result<()> {
    detach::<User>(iam, cx, &input).await
}
async fn detach_group(iam: &Iam, cx: &Cx, input: AttachInput) -> Result<()> {
    detach::<Group>(iam, cx, &input).await
}
async fn detach_role(iam: &Iam, cx: &Cx, input: AttachInput) -> Result<()> {
    detach::<Role>(iam, cx, &input).await
}

async fn attach<G: Grantee>(iam: &Iam, cx: &Cx, input: &AttachInput) -> Result<()> {
    let arn = &input.policy_arn;
    policy::check_arn(arn)?;
    let key = G::key(&cx.account, &input.name);
    // The policy stays as long as somebody holds this lock: DeletePolicy takes it exclusively.
    let policy_key = Policy::key(&cx.account, arn);
    let locks = [Lock::exclusive(G::table(), &key), Lock::shared(Policy::table(), &policy_key)];
    let mut tx = iam.store.lock(&locks).await;
    let mut holder: G = entity::get(&mut tx, &cx.account, &input.name).await?;
    holder.check_modifiable()?;
    policy::check_attachable(&mut tx, cx, arn).await?;
    let attached = &mut holder.grants_mut().attached;
    if attached.contains(arn) {
        return Ok(());
    }
    if attached.len() >= MOST {
        return Err(quota(G::ATTACHED_QUOTA, MOST));
    }
    attached.push(arn.clone());
    principal::note_use(&mut tx, &cx.account, &holder, arn, Usage::Permissions);
    tx.put(G::table(), &key, &holder);
    iam.commit(cx, tx).await
}

async fn detach<G: Grantee>(iam: &Iam, cx: &Cx, input: &AttachInput) -> Result<()> {
    let arn = &input.policy_arn;
    policy::check_arn(arn)?;
    let key = G::key(&cx.account, &input.name);
    let mut tx = iam.store.lock(&[Lock::exclusive(G::table(), &key)]).await;
    let mut holder: G = entity::get(&mut tx, &cx.account, &input.name).await?;
    holder.check_modifiable()?;
    let attached = &mut holder.grants_mut().attached;
    let Some(at) = attached.iter().position(|a| a == arn) else {
        return Err(no_such_entity(format!("Policy {arn} was not found.")));
    };
    attached.remove(at);
    principal::drop_use(&mut tx, &cx.account, &holder, arn, Usage::Permissions);
    tx.put(G::table(), &key, &holder);
    iam.commit(cx, tx).await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    #[serde(alias = "UserName", alias = "GroupName", alias = "RoleName")]
    name: String,
    path_prefix: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// An attached policy in answers.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttachedPolicy {
    policy_name: String,
    policy_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AttachedOutput {
    attached_policies: Vec<AttachedPolicy>,
    is_truncated: bool,
    marker: Option<String>,
}

async fn list_user(iam: &Iam, cx: &Cx, input: ListInput) -> Result<AttachedOutput> {
    list::<User>(iam, cx, &input).await
}
async fn list_group(iam: &Iam, cx: &Cx, input: ListInput) -> Result<AttachedOutput> {
    list::<Group>(iam, cx, &input).await
}
async fn list_role(iam: &Iam, cx: &Cx, input: ListInput) -> Result<AttachedOutput> {
    list::<Role>(iam, cx, &input).await
}

async fn list<G: Grantee>(iam: &Iam, cx: &Cx, input: &ListInput) -> Result<AttachedOutput> {
    let holder: G = iam.load(&cx.account, &input.name).await?;
    let below = input.path_prefix.as_deref().unwrap_or("/");
    let mut all = attached_policies(&holder);
    all.retain(|p| policy::path_of(&p.policy_arn).starts_with(below));
    all.sort_by(|a, b| a.policy_arn.cmp(&b.policy_arn));
    let (attached_policies, PageOutput { is_truncated, marker }) =
        cut(all, |p| &p.policy_arn, input.marker.as_deref(), input.max_items)?;
    Ok(AttachedOutput { attached_policies, is_truncated, marker })
}

/// All policies attached to a user, group or role.
pub fn attached_policies<G: Grantee>(holder: &G) -> Vec<AttachedPolicy> {
    let view = |arn: &String| AttachedPolicy {
        policy_name: policy::name_of(arn).to_owned(),
        policy_arn: arn.clone(),
    };
    holder.grants().attached.iter().map(view).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EntitiesInput {
    policy_arn: String,
    entity_filter: Option<String>,
    path_prefix: Option<String>,
    policy_usage_filter: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct EntitiesOutput {
    policy_groups: Vec<PolicyGroup>,
    policy_users: Vec<PolicyUser>,
    policy_roles: Vec<PolicyRole>,
    is_truncated: bool,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyGroup {
    group_name: String,
    group_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyUser {
    user_name: String,
    user_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyRole {
    role_name: String,
    role_id: String,
}

async fn list_entities(iam: &Iam, cx: &Cx, input: EntitiesInput) -> Result<EntitiesOutput> {
    let arn = &input.policy_arn;
    policy::check_arn(arn)?;
    if managed::is_managed(arn) {
        managed::get(arn).ok_or_else(|| Policy::missing(arn))?;
    } else {
        iam.load::<Policy>(&cx.account, arn).await?;
    }
    let usages = match input.policy_usage_filter.as_deref() {
        Some("PermissionsPolicy") => &[Usage::Permissions][..],
        Some("PermissionsBoundary") => &[Usage::Boundary],
        _ => &[Usage::Permissions, Usage::Boundary],
    };
    let mut ids = Vec::new();
    for usage in usages {
        ids.extend(principal::users_of(&iam.store, &cx.account, arn, *usage).await?);
    }
    ids.sort();
    ids.dedup();
    let wanted = |kind: Kind| match input.entity_filter.as_deref() {
        Some("User") => kind == Kind::User,
        Some("Group") => kind == Kind::Group,
        Some("Role") => kind == Kind::Role,
        None => true,
        Some(_) => false,
    };
    ids.retain(|(kind, _)| principal::kind_of(*kind).is_some_and(wanted));
    let (page, place) = cut(ids, |(_, id)| id, input.marker.as_deref(), input.max_items)?;
    let below = input.path_prefix.as_deref().unwrap_or("/");
    let mut out = EntitiesOutput {
        is_truncated: place.is_truncated,
        marker: place.marker,
        ..EntitiesOutput::default()
    };
    for (kind, id) in page {
        match principal::kind_of(kind) {
            Some(Kind::User) => {
                let found = named::<User>(iam, cx, &id, below).await?;
                out.policy_users
                    .extend(found.map(|user_name| PolicyUser { user_name, user_id: id }));
            }
            Some(Kind::Group) => {
                let found = named::<Group>(iam, cx, &id, below).await?;
                out.policy_groups
                    .extend(found.map(|group_name| PolicyGroup { group_name, group_id: id }));
            }
            _ => {
                let found = named::<Role>(iam, cx, &id, below).await?;
                out.policy_roles
                    .extend(found.map(|role_name| PolicyRole { role_name, role_id: id }));
            }
        }
    }
    Ok(out)
}

async fn named<E: Entity>(iam: &Iam, cx: &Cx, id: &str, below: &str) -> Result<Option<String>> {
    let found: Option<E> = iam.holder(&cx.account, id).await?;
    Ok(found.filter(|e| e.head().path.starts_with(below)).map(|e| e.head().name.clone()))
}

#[cfg(test)]
mod tests {
    use fogbank_core::{Value, map};

    use crate::testing::{ALL, LAMBDA, World, at};

    #[tokio::test]
    async fn policies_are_attached_counted_and_detached() {
        let w = World::new().await;
        w.ok("CreateRole", map! {"RoleName" => "r", "AssumeRolePolicyDocument" => LAMBDA}).await;
        w.ok("CreateUser", map! {"UserName" => "u"}).await;
        w.ok("CreateGroup", map! {"GroupName" => "g"}).await;
        let made = w
            .ok(
                "CreatePolicy",
                map! {"PolicyName" => "p", "Path" => "/x/", "PolicyDocument" => ALL},
            )
            .await;
        let arn = at(&made, "Policy.Arn").to_owned();
        for (op, holder, name) in [
            ("AttachRolePolicy", "RoleName", "r"),
            ("AttachUserPolicy", "UserName", "u"),
            ("AttachGroupPolicy", "GroupName", "g"),
        ] {
            for _ in 0..2 {
                w.ok(op, map! {holder => name, "PolicyArn" => arn.as_str()}).await;
            }
        }
        let input = map! {"UserName" => "u", "PermissionsBoundary" => arn.as_str()};
        w.ok("PutUserPermissionsBoundary", input).await;
        let got = w.ok("GetPolicy", map! {"PolicyArn" => arn.as_str()}).await;
        let policy = got.get("Policy").unwrap();
        assert_eq!(policy.get("AttachmentCount"), Some(&Value::Int(3)));
        assert_eq!(policy.get("PermissionsBoundaryUsageCount"), Some(&Value::Int(1)));
        // A rename keeps attachments.
        w.ok("UpdateUser", map! {"UserName" => "u", "NewUserName" => "v"}).await;
        let who = w.ok("ListEntitiesForPolicy", map! {"PolicyArn" => arn.as_str()}).await;
        assert_eq!(at(&who, "PolicyRoles.0.RoleName"), "r");
        assert_eq!(at(&who, "PolicyUsers.0.UserName"), "v");
        assert_eq!(at(&who, "PolicyGroups.0.GroupName"), "g");
        let used = w.ok("ListPolicies", map! {"OnlyAttached" => true}).await;
        assert_eq!(used.get("Policies").unwrap().items().len(), 1);
        assert_eq!(
            w.err("DeletePolicy", map! {"PolicyArn" => arn.as_str()}).await,
            "DeleteConflict: Cannot delete a policy attached to entities."
        );
        assert_eq!(
            w.err("DeleteRole", map! {"RoleName" => "r"}).await,
            "DeleteConflict: Cannot delete entity, must detach all policies first."
        );
        w.ok("DetachRolePolicy", map! {"RoleName" => "r", "PolicyArn" => arn.as_str()}).await;
        assert_eq!(
            w.err("DetachRolePolicy", map! {"RoleName" => "r", "PolicyArn" => arn.as_str()}).await,
            format!("NoSuchEntity: Policy {arn} was not found.")
        );
        w.ok("DetachUserPolicy", map! {"UserName" => "v", "PolicyArn" => arn.as_str()}).await;
        w.ok("DetachGroupPolicy", map! {"GroupName" => "g", "PolicyArn" => arn.as_str()}).await;
        // The boundary goes with its user.
        w.ok("DeleteUser", map! {"UserName" => "v"}).await;
        w.ok("DeletePolicy", map! {"PolicyArn" => arn.as_str()}).await;
    }

    #[tokio::test]
    async fn what_cannot_be_attached_is_refused() {
        let w = World::new().await;
        w.ok("CreateRole", map! {"RoleName" => "r", "AssumeRolePolicyDocument" => LAMBDA}).await;
        w.ok("CreatePolicy", map! {"PolicyName" => "p", "Path" => "/x/", "PolicyDocument" => ALL})
            .await;
        let none = "arn:aws:iam::aws:policy/NoSuch";
        for arn in
            [none, "arn:aws:iam::123456789012:policy/p", "arn:aws:iam::999999999999:policy/x/p"]
        {
            assert_eq!(
                w.err("AttachRolePolicy", map! {"RoleName" => "r", "PolicyArn" => arn}).await,
                format!("NoSuchEntity: Policy {arn} does not exist or is not attachable.")
            );
        }
        let input = map! {"RoleName" => "r", "PolicyArn" => "AdministratorAccess"};
        assert!(w.err("AttachRolePolicy", input).await.starts_with("InvalidInput: "));
        for policy in crate::managed::all().take(10) {
            w.ok("AttachRolePolicy", map! {"RoleName" => "r", "PolicyArn" => policy.arn()}).await;
        }
        let last = crate::managed::all().last().unwrap().arn();
        assert_eq!(
            w.err("AttachRolePolicy", map! {"RoleName" => "r", "PolicyArn" => last}).await,
            "LimitExceeded: Cannot exceed quota for PoliciesPerRole: 10"
        );
        let page = map! {"RoleName" => "r", "MaxItems" => 4};
        let page = w.ok("ListAttachedRolePolicies", page).await;
        assert_eq!(page.get("AttachedPolicies").unwrap().items().len(), 4);
        assert_eq!(page.get("IsTruncated"), Some(&Value::Bool(true)));
    }
}
