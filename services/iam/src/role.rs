//! Roles: the identities that services and sessions assume.

use fogbank_core::{ApiError, Cx, Op, Result, Time, ops};
use fogbank_store::{Lock, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::authz;
use crate::document;
use crate::entity::{self, Entity, Head, Kind, time};
use crate::error::{already_exists, delete_conflict, no_such_entity, unmodifiable, validation};
use crate::page::{PageInput, PageOutput};
use crate::policy::Policy;
use crate::principal::{self, BoundaryView, Grantee, Grants};
use crate::tag::Tag;
use crate::{Iam, boundary, instance_profile};

mod trust;

pub const OPS: &[Op<Iam>] = ops![
    CreateRole => create_role [authz::create_role],
    GetRole => get_role [authz::role],
    ListRoles => list_roles [authz::list_roles],
    UpdateRole => update_role [authz::role],
    UpdateRoleDescription => update_role_description [authz::role],
    UpdateAssumeRolePolicy => update_assume_role_policy [authz::role],
    DeleteRole => delete_role [authz::role],
];

pub static ROLES: Table<Role> = Table::new("iam.role");
/// When a role was last assumed. Apart from the role, since it is no change of the account.
pub static LAST_USED: Table<LastUsed> = Table::new("iam.role-used");

/// A role's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Role {
    #[n(0)]
    pub head: Head,
    #[n(1)]
    pub grants: Grants,
    /// The trust policy as it was given.
    #[n(2)]
    pub trust: String,
    #[n(3)]
    pub description: Option<String>,
    /// In seconds.
    #[n(4)]
    pub max_session: i64,
    /// The service that the role is linked to: only it may change the role.
    #[n(5)]
    pub linked_to: Option<String>,
}
fogbank_store::record!(Role, version = 1);

/// The last use of a role, by its unique id.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct LastUsed {
    /// Seconds since 1970.
    #[n(0)]
    pub at: i64,
    #[n(1)]
    pub region: String,
}
fogbank_store::record!(LastUsed, version = 1);

impl Entity for Role {
    const KIND: Kind = Kind::Role;
    fn table() -> &'static Table<Self> {
        &ROLES
    }
    fn head(&self) -> &Head {
        &self.head
    }
    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }
    fn missing(name: &str) -> ApiError {
        no_such_entity(format!("The role with name {name} cannot be found."))
    }
}

impl Grantee for Role {
    const INLINE_SIZE: usize = 10240;
    const ATTACHED_QUOTA: &'static str = "PoliciesPerRole";
    fn grants(&self) -> &Grants {
        &self.grants
    }
    fn grants_mut(&mut self) -> &mut Grants {
        &mut self.grants
    }
    fn check_modifiable(&self) -> Result<()> {
        if self.linked_to.is_none() {
            return Ok(());
        }
        let name = &self.head.name;
        Err(unmodifiable(format!(
            "Cannot perform the operation on the protected role '{name}' - this role is only \
             modifiable by AWS"
        )))
    }
}

/// A role in answers. Lists leave out boundary, tags and last use.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoleView {
    path: String,
    role_name: String,
    role_id: String,
    arn: String,
    create_date: Time,
    assume_role_policy_document: String,
    description: Option<String>,
    max_session_duration: i64,
    permissions_boundary: Option<BoundaryView>,
    tags: Option<Vec<Tag>>,
    role_last_used: Option<LastUsedView>,
}

/// `RoleLastUsed`: empty for a role that was never assumed.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LastUsedView {
    last_used_date: Option<Time>,
    region: Option<String>,
}

impl RoleView {
    pub fn brief(account: &str, role: &Role) -> Self {
        RoleView {
            path: role.head.path.clone(),
            role_name: role.head.name.clone(),
            role_id: role.head.id.clone(),
            arn: role.arn(account),
            create_date: role.head.created(),
            assume_role_policy_document: document::encode(&role.trust),
            description: role.description.clone(),
            max_session_duration: role.max_session,
            permissions_boundary: None,
            tags: None,
            role_last_used: None,
        }
    }

    /// As CreateRole answers: without last use.
    pub fn new(account: &str, role: &Role) -> Self {
        RoleView {
            permissions_boundary: BoundaryView::of(&role.grants),
            tags: Some(role.head.tags.clone()).filter(|t| !t.is_empty()),
            ..RoleView::brief(account, role)
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoleOutput {
    pub role: RoleView,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateRoleInput {
    role_name: String,
    assume_role_policy_document: String,
    path: Option<String>,
    description: Option<String>,
    max_session_duration: Option<i64>,
    permissions_boundary: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
async fn create_role(iam: &Iam, cx: &Cx, input: CreateRoleInput) -> Result<RoleOutput> {
    let head = Head::new(cx, Kind::Role, &input.role_name, input.path.as_deref(), input.tags)?;
    if head.path.starts_with("/aws-service-role/") {
        return Err(validation("Path /aws-service-role/ is reserved for service-linked roles."));
    }
    check_session(input.max_session_duration)?;
    check_description(input.description.as_deref())?;
    trust::check(iam, &input.assume_role_policy_document).await?;
    let role = Role {
        head,
        grants: Grants::default(),
        trust: input.assume_role_policy_document,
        description: input.description,
        max_session: input.max_session_duration.unwrap_or(3600),
        linked_to: None,
    };
    let role = iam.insert_role(cx, role, input.permissions_boundary.as_deref()).await?;
    Ok(RoleOutput { role: RoleView::new(&cx.account, &role) })
}

impl Iam {
    /// Adds a role whose parts have been checked, with its boundary.
    pub(crate) async fn insert_role(
        &self,
        cx: &Cx,
        mut role: Role,
        boundary: Option<&str>,
    ) -> Result<Role> {
        self.check_quota::<Role>(cx, "RolesPerAccount", 1000).await?;
        let key = Role::key(&cx.account, &role.head.name);
        let policy = Policy::key(&cx.account, boundary.unwrap_or("-"));
        let locks = [Lock::exclusive(&ROLES, &key), Lock::shared(Policy::table(), &policy)];
        let mut tx = self.store.lock(&locks).await;
        if tx.get(&ROLES, &key).await?.is_some() {
            let name = &role.head.name;
            return Err(already_exists(format!("Role with name {name} already exists.")));
        }
        if let Some(arn) = boundary {
            boundary::bound(&mut tx, cx, &mut role, arn).await?;
        }
        entity::insert(&mut tx, &cx.account, &role);
        self.commit(cx, tx).await?;
        Ok(role)
    }

    pub(crate) async fn last_used(&self, account: &str, role: &Role) -> Result<LastUsedView> {
        let key = fogbank_store::Key::new().str(account).str(&role.head.id);
        let found = self.store.get(&LAST_USED, &key).await?;
        Ok(LastUsedView {
            last_used_date: found.as_ref().map(|u| time(u.at)),
            region: found.map(|u| u.region),
        })
    }

    /// A role as GetRole shows it.
    pub(crate) async fn role_view(&self, account: &str, role: &Role) -> Result<RoleView> {
        let role_last_used = Some(self.last_used(account, role).await?);
        Ok(RoleView { role_last_used, ..RoleView::new(account, role) })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NameInput {
    role_name: String,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html>
async fn get_role(iam: &Iam, cx: &Cx, input: NameInput) -> Result<RoleOutput> {
    let role: Role = iam.load(&cx.account, &input.role_name).await?;
    Ok(RoleOutput { role: iam.role_view(&cx.account, &role).await? })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListRolesOutput {
    roles: Vec<RoleView>,
    is_truncated: bool,
    marker: Option<String>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html>
async fn list_roles(iam: &Iam, cx: &Cx, input: PageInput) -> Result<ListRolesOutput> {
    let (roles, PageOutput { is_truncated, marker }) = iam.page::<Role>(cx, &input).await?;
    let roles = roles.iter().map(|r| RoleView::brief(&cx.account, r)).collect();
    Ok(ListRolesOutput { roles, is_truncated, marker })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateRoleInput {
    role_name: String,
    description: Option<String>,
    max_session_duration: Option<i64>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRole.html>
async fn update_role(iam: &Iam, cx: &Cx, input: UpdateRoleInput) -> Result<()> {
    check_session(input.max_session_duration)?;
    check_description(input.description.as_deref())?;
    iam.edit::<Role>(cx, &input.role_name, |role| {
        role.check_modifiable()?;
        if let Some(text) = input.description {
            role.description = Some(text);
        }
        if let Some(seconds) = input.max_session_duration {
            role.max_session = seconds;
        }
        Ok(())
    })
    .await?;
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescriptionInput {
    role_name: String,
    description: String,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRoleDescription.html>
async fn update_role_description(
    iam: &Iam,
    cx: &Cx,
    input: DescriptionInput,
) -> Result<RoleOutput> {
    check_description(Some(&input.description))?;
    let change = |role: &mut Role| {
        role.check_modifiable()?;
        role.description = Some(input.description);
        Ok(())
    };
    let role = iam.edit::<Role>(cx, &input.role_name, change).await?;
    Ok(RoleOutput { role: RoleView::new(&cx.account, &role) })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TrustInput {
    role_name: String,
    policy_document: String,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html>
async fn update_assume_role_policy(iam: &Iam, cx: &Cx, input: TrustInput) -> Result<()> {
    trust::check(iam, &input.policy_document).await?;
    iam.edit::<Role>(cx, &input.role_name, |role| {
        role.check_modifiable()?;
        role.trust = input.policy_document;
        Ok(())
    })
    .await?;
    Ok(())
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html>
async fn delete_role(iam: &Iam, cx: &Cx, input: NameInput) -> Result<()> {
    iam.remove_role(cx, &input.role_name, Role::check_modifiable).await
}

impl Iam {
    pub(crate) async fn remove_role(
        &self,
        cx: &Cx,
        name: &str,
        check: impl Fn(&Role) -> Result<()>,
    ) -> Result<()> {
        let account = &cx.account;
        let key = Role::key(account, name);
        let mut tx = self.store.lock(&[Lock::exclusive(&ROLES, &key)]).await;
        let role: Role = entity::get(&mut tx, account, name).await?;
        check(&role)?;
        if !instance_profile::of_role(&self.store, account, &role.head.id).await?.is_empty() {
            return Err(delete_conflict(
                "Cannot delete entity, must remove roles from instance profile first.",
            ));
        }
        if role.linked_to.is_none() {
            principal::check_bare(&role.grants)?;
        }
        principal::drop_uses(&mut tx, account, &role);
        tx.delete(&LAST_USED, &fogbank_store::Key::new().str(account).str(&role.head.id));
        entity::remove(&mut tx, account, &role, false);
        self.commit(cx, tx).await
    }
}

fn check_session(seconds: Option<i64>) -> Result<()> {
    let bound = match seconds {
        Some(s) if s < 3600 => "greater than or equal to 3600",
        Some(s) if s > 43200 => "less than or equal to 43200",
        _ => return Ok(()),
    };
    Err(validation(format!(
        "1 validation error detected: Value '{}' at 'maxSessionDuration' failed to satisfy \
         constraint: Member must have value {bound}",
        seconds.unwrap_or_default()
    )))
}

fn check_description(text: Option<&str>) -> Result<()> {
    let most = 1000;
    if text.is_none_or(|t| t.chars().count() <= most) {
        return Ok(());
    }
    Err(validation(format!(
        "1 validation error detected: Value at 'description' failed to satisfy constraint: \
         Member must have length less than or equal to {most}"
    )))
}

#[cfg(test)]
mod tests;
