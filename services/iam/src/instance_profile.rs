//! Instance profiles: the way a role gets onto an EC2 instance.

use fogbank_core::{ApiError, Cx, Op, Result, Time, ops};
use fogbank_store::{Key, Lock, Store, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Iam;
use crate::authz;
use crate::entity::{self, Entity, Head, Kind};
use crate::error::{already_exists, delete_conflict, limit_exceeded, no_such_entity};
use crate::page::{PageInput, PageOutput, cut};
use crate::role::{Role, RoleView};
use crate::tag::Tag;

pub const OPS: &[Op<Iam>] = ops![
    CreateInstanceProfile => create_profile [authz::create_instance_profile],
    GetInstanceProfile => get_profile [authz::instance_profile],
    ListInstanceProfiles => list_profiles [authz::list_instance_profiles],
    ListInstanceProfilesForRole => list_for_role [authz::role],
    AddRoleToInstanceProfile => add_role [authz::add_role],
    RemoveRoleFromInstanceProfile => remove_role [authz::instance_profile],
    DeleteInstanceProfile => delete_profile [authz::instance_profile],
];

static PROFILES: Table<InstanceProfile> = Table::new("iam.instance-profile");
/// Account, role id, profile name.
static PROFILES_OF: Table<()> = Table::new("iam.role-instance-profile");

/// An instance profile's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct InstanceProfile {
    #[n(0)]
    pub head: Head,
    /// The unique id of its one role.
    #[n(1)]
    pub role: Option<String>,
}
fogbank_store::record!(InstanceProfile, version = 1);

impl Entity for InstanceProfile {
    const KIND: Kind = Kind::InstanceProfile;
    fn table() -> &'static Table<Self> {
        &PROFILES
    }
    fn head(&self) -> &Head {
        &self.head
    }
    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }
    fn missing(name: &str) -> ApiError {
        no_such_entity(format!("Instance Profile {name} cannot be found."))
    }
}

/// An instance profile in answers.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProfileView {
    path: String,
    instance_profile_name: String,
    instance_profile_id: String,
    arn: String,
    create_date: Time,
    roles: Vec<RoleView>,
    tags: Option<Vec<Tag>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProfileOutput {
    instance_profile: ProfileView,
}

impl Iam {
    async fn profile_view(
        &self,
        account: &str,
        profile: &InstanceProfile,
        tags: bool,
    ) -> Result<ProfileView> {
        let role: Option<Role> = match &profile.role {
            Some(id) => self.holder(account, id).await?,
            None => None,
        };
        Ok(ProfileView {
            path: profile.head.path.clone(),
            instance_profile_name: profile.head.name.clone(),
            instance_profile_id: profile.head.id.clone(),
            arn: profile.arn(account),
            create_date: profile.head.created(),
            roles: role.iter().map(|r| RoleView::brief(account, r)).collect(),
            tags: tags.then(|| profile.head.tags.clone()),
        })
    }

    /// The instance profiles that a role is in, as GetAccountAuthorizationDetails shows them.
    pub(crate) async fn profiles_of(&self, account: &str, role: &Role) -> Result<Vec<ProfileView>> {
        let mut views = Vec::new();
        for name in of_role(&self.store, account, &role.head.id).await? {
            if let Some(profile) = self.find::<InstanceProfile>(account, &name).await? {
                views.push(self.profile_view(account, &profile, false).await?);
            }
        }
        Ok(views)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateInput {
    instance_profile_name: String,
    path: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html>
async fn create_profile(iam: &Iam, cx: &Cx, input: CreateInput) -> Result<ProfileOutput> {
    let name = &input.instance_profile_name;
    let path = input.path.as_deref();
    let head = Head::new(cx, Kind::InstanceProfile, name, path, input.tags)?;
    let profile = InstanceProfile { head, role: None };
    iam.check_quota::<InstanceProfile>(cx, "InstanceProfilesPerAccount", 1000).await?;
    let key = InstanceProfile::key(&cx.account, name);
    let mut tx = iam.store.lock(&[Lock::exclusive(&PROFILES, &key)]).await;
    if tx.get(&PROFILES, &key).await?.is_some() {
        return Err(already_exists(format!("Instance Profile {name} already exists.")));
    }
    entity::insert(&mut tx, &cx.account, &profile);
    iam.commit(cx, tx).await?;
    let instance_profile = iam.profile_view(&cx.account, &profile, true).await?;
    Ok(ProfileOutput { instance_profile })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NameInput {
    instance_profile_name: String,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetInstanceProfile.html>
async fn get_profile(iam: &Iam, cx: &Cx, input: NameInput) -> Result<ProfileOutput> {
    let profile: InstanceProfile = iam.load(&cx.account, &input.instance_profile_name).await?;
    let instance_profile = iam.profile_view(&cx.account, &profile, true).await?;
    Ok(ProfileOutput { instance_profile })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    instance_profiles: Vec<ProfileView>,
    is_truncated: bool,
    marker: Option<String>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfiles.html>
async fn list_profiles(iam: &Iam, cx: &Cx, input: PageInput) -> Result<ListOutput> {
    let (profiles, PageOutput { is_truncated, marker }) =
        iam.page::<InstanceProfile>(cx, &input).await?;
    let mut instance_profiles = Vec::with_capacity(profiles.len());
    for profile in &profiles {
        instance_profiles.push(iam.profile_view(&cx.account, profile, false).await?);
    }
    Ok(ListOutput { instance_profiles, is_truncated, marker })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ForRoleInput {
    role_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfilesForRole.html>
async fn list_for_role(iam: &Iam, cx: &Cx, input: ForRoleInput) -> Result<ListOutput> {
    let role: Role = iam.load(&cx.account, &input.role_name).await?;
    let all = iam.profiles_of(&cx.account, &role).await?;
    let (instance_profiles, PageOutput { is_truncated, marker }) =
        cut(all, |p| &p.instance_profile_name, input.marker.as_deref(), input.max_items)?;
    Ok(ListOutput { instance_profiles, is_truncated, marker })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoleInput {
    instance_profile_name: String,
    role_name: String,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html>
async fn add_role(iam: &Iam, cx: &Cx, input: RoleInput) -> Result<()> {
    let (account, name) = (&cx.account, &input.instance_profile_name);
    let (key, role_key) =
        (InstanceProfile::key(account, name), Role::key(account, &input.role_name));
    let locks = [Lock::exclusive(&PROFILES, &key), Lock::shared(Role::table(), &role_key)];
    let mut tx = iam.store.lock(&locks).await;
    let mut profile: InstanceProfile = entity::get(&mut tx, account, name).await?;
    let role: Role = entity::get(&mut tx, account, &input.role_name).await?;
    if profile.role.is_some() {
        return Err(limit_exceeded(
            "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
        ));
    }
    profile.role = Some(role.head.id.clone());
    tx.put(&PROFILES, &key, &profile);
    tx.put(&PROFILES_OF, &of_key(account, &role.head.id, &profile.head.name), &());
    iam.commit(cx, tx).await
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_RemoveRoleFromInstanceProfile.html>
async fn remove_role(iam: &Iam, cx: &Cx, input: RoleInput) -> Result<()> {
    let (account, name) = (&cx.account, &input.instance_profile_name);
    let key = InstanceProfile::key(account, name);
    let mut tx = iam.store.lock(&[Lock::exclusive(&PROFILES, &key)]).await;
    let mut profile: InstanceProfile = entity::get(&mut tx, account, name).await?;
    let role: Role = entity::get(&mut tx, account, &input.role_name).await?;
    if profile.role.as_deref() != Some(&role.head.id) {
        return Err(no_such_entity(format!(
            "Cannot find role {} in instance profile {name}.",
            role.head.name
        )));
    }
    profile.role = None;
    tx.put(&PROFILES, &key, &profile);
    tx.delete(&PROFILES_OF, &of_key(account, &role.head.id, &profile.head.name));
    iam.commit(cx, tx).await
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteInstanceProfile.html>
async fn delete_profile(iam: &Iam, cx: &Cx, input: NameInput) -> Result<()> {
    let (account, name) = (&cx.account, &input.instance_profile_name);
    let key = InstanceProfile::key(account, name);
    let mut tx = iam.store.lock(&[Lock::exclusive(&PROFILES, &key)]).await;
    let profile: InstanceProfile = entity::get(&mut tx, account, name).await?;
    if profile.role.is_some() {
        return Err(delete_conflict(
            "Cannot delete entity, must remove roles from instance profile first.",
        ));
    }
    entity::remove(&mut tx, account, &profile, false);
    iam.commit(cx, tx).await
}

/// The names of the instance profiles that a role is in.
pub async fn of_role(store: &Store, account: &str, role_id: &str) -> Result<Vec<String>> {
    entity::links(store, &PROFILES_OF, account, role_id).await
}

fn of_key(account: &str, role_id: &str, name: &str) -> Key {
    Key::new().str(account).str(role_id).str(name)
}

#[cfg(test)]
mod tests {
    use fogbank_core::map;

    use crate::testing::{LAMBDA, World, at};

    #[tokio::test]
    async fn a_profile_has_one_role() {
        let w = World::new().await;
        w.ok("CreateRole", map! {"RoleName" => "r", "AssumeRolePolicyDocument" => LAMBDA}).await;
        w.ok("CreateInstanceProfile", map! {"InstanceProfileName" => "p"}).await;
        let pair = || map! {"InstanceProfileName" => "p", "RoleName" => "r"};
        w.ok("AddRoleToInstanceProfile", pair()).await;
        assert!(w.err("AddRoleToInstanceProfile", pair()).await.starts_with("LimitExceeded"));
        let got = w.ok("GetInstanceProfile", map! {"InstanceProfileName" => "p"}).await;
        assert_eq!(at(&got, "InstanceProfile.Roles.0.RoleName"), "r");
        let list = w.ok("ListInstanceProfilesForRole", map! {"RoleName" => "r"}).await;
        assert_eq!(at(&list, "InstanceProfiles.0.InstanceProfileName"), "p");
        for (op, input) in [
            ("DeleteRole", map! {"RoleName" => "r"}),
            ("DeleteInstanceProfile", map! {"InstanceProfileName" => "p"}),
        ] {
            assert!(w.err(op, input).await.starts_with("DeleteConflict"), "{op}");
        }
        w.ok("RemoveRoleFromInstanceProfile", pair()).await;
        assert!(w.err("RemoveRoleFromInstanceProfile", pair()).await.starts_with("NoSuchEntity"));
        w.ok("DeleteInstanceProfile", map! {"InstanceProfileName" => "p"}).await;
        w.ok("DeleteRole", map! {"RoleName" => "r"}).await;
    }

    #[tokio::test]
    async fn providers_trust_issuers() {
        let w = World::new().await;
        let ids = vec!["sts.amazonaws.com".into()];
        let create = || map! {"Url" => "https://oidc.example/id/A", "ClientIDList" => ids.clone()};
        let made = w.ok("CreateOpenIDConnectProvider", create()).await;
        let arn = at(&made, "OpenIDConnectProviderArn");
        assert_eq!(arn, "arn:aws:iam::123456789012:oidc-provider/oidc.example/id/A");
        assert!(
            w.err("CreateOpenIDConnectProvider", create()).await.starts_with("EntityAlreadyExists")
        );
        for (op, client) in [
            ("AddClientIDToOpenIDConnectProvider", "b"),
            ("RemoveClientIDFromOpenIDConnectProvider", "sts.amazonaws.com"),
        ] {
            w.ok(op, map! {"OpenIDConnectProviderArn" => arn, "ClientID" => client}).await;
        }
        let got = w.ok("GetOpenIDConnectProvider", map! {"OpenIDConnectProviderArn" => arn}).await;
        assert_eq!((at(&got, "Url"), at(&got, "ClientIDList.0")), ("oidc.example/id/A", "b"));
        let prints = vec!["zz".into()];
        let bad = map! {"OpenIDConnectProviderArn" => arn, "ThumbprintList" => prints};
        assert!(
            w.err("UpdateOpenIDConnectProviderThumbprint", bad).await.starts_with("InvalidInput")
        );
        w.ok("DeleteOpenIDConnectProvider", map! {"OpenIDConnectProviderArn" => arn}).await;
        assert!(
            w.err("GetOpenIDConnectProvider", map! {"OpenIDConnectProviderArn" => arn})
                .await
                .starts_with("NoSuchEntity")
        );
    }
}
