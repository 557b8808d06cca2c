//! Groups: users who share policies. Membership is in `membership.rs`.

use fogbank_core::{ApiError, Cx, Op, Result, Time, ops};
use fogbank_store::{Lock, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::authz;
use crate::entity::{self, Entity, Head, Kind};
use crate::error::{already_exists, delete_conflict, no_such_entity};
use crate::page::{PageInput, PageOutput, cut};
use crate::principal::{self, Grantee, Grants};
use crate::user::{User, UserView};
use crate::{Iam, membership};

pub const OPS: &[Op<Iam>] = ops![
    CreateGroup => create_group [authz::create_group],
    GetGroup => get_group [authz::group],
    ListGroups => list_groups [authz::list_groups],
    UpdateGroup => update_group [authz::group],
    DeleteGroup => delete_group [authz::group],
];

pub static GROUPS: Table<Group> = Table::new("iam.group");

/// A group's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Group {
    #[n(0)]
    pub head: Head,
    #[n(1)]
    pub grants: Grants,
}
fogbank_store::record!(Group, version = 1);

impl Entity for Group {
    const KIND: Kind = Kind::Group;
    fn table() -> &'static Table<Self> {
        &GROUPS
    }
    fn head(&self) -> &Head {
        &self.head
    }
    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }
    fn missing(name: &str) -> ApiError {
        no_such_entity(format!("The group with name {name} cannot be found."))
    }
}

impl Grantee for Group {
    const INLINE_SIZE: usize = 5120;
    const ATTACHED_QUOTA: &'static str = "PoliciesPerGroup";
    fn grants(&self) -> &Grants {
        &self.grants
    }
    fn grants_mut(&mut self) -> &mut Grants {
        &mut self.grants
    }
}

/// A group in answers.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupView {
    path: String,
    group_name: String,
    group_id: String,
    arn: String,
    create_date: Time,
}

impl GroupView {
    pub fn of(account: &str, group: &Group) -> Self {
        GroupView {
            path: group.head.path.clone(),
            group_name: group.head.name.clone(),
            group_id: group.head.id.clone(),
            arn: group.arn(account),
            create_date: group.head.created(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateGroupInput {
    group_name: String,
    path: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateGroupOutput {
    group: GroupView,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateGroup.html>
async fn create_group(iam: &Iam, cx: &Cx, input: CreateGroupInput) -> Result<CreateGroupOutput> {
    let name = &input.group_name;
    let head = Head::new(cx, Kind::Group, name, input.path.as_deref(), Vec::new())?;
    let group = Group { head, grants: Grants::default() };
    iam.check_quota::<Group>(cx, "GroupsPerAccount", 300).await?;
    let key = Group::key(&cx.account, name);
    let mut tx = iam.store.lock(&[Lock::exclusive(&GROUPS, &key)]).await;
    if tx.get(&GROUPS, &key).await?.is_some() {
        return Err(taken(name));
    }
    entity::insert(&mut tx, &cx.account, &group);
    iam.commit(cx, tx).await?;
    Ok(CreateGroupOutput { group: GroupView::of(&cx.account, &group) })
}

fn taken(name: &str) -> ApiError {
    already_exists(format!("Group with name {name} already exists."))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetGroupInput {
    group_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetGroupOutput {
    group: GroupView,
    users: Vec<UserView>,
    is_truncated: bool,
    marker: Option<String>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetGroup.html>
async fn get_group(iam: &Iam, cx: &Cx, input: GetGroupInput) -> Result<GetGroupOutput> {
    let account = &cx.account;
    let group: Group = iam.load(account, &input.group_name).await?;
    let ids = membership::users_of(&iam.store, account, &group.head.id).await?;
    let (ids, PageOutput { is_truncated, marker }) =
        cut(ids, |id: &String| id, input.marker.as_deref(), input.max_items)?;
    let mut users = Vec::with_capacity(ids.len());
    for id in ids {
        let user: Option<User> = iam.holder(account, &id).await?;
        users.extend(user.map(|u| UserView::brief(account, &u)));
    }
    let group = GroupView::of(account, &group);
    Ok(GetGroupOutput { group, users, is_truncated, marker })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListGroupsOutput {
    groups: Vec<GroupView>,
    is_truncated: bool,
    marker: Option<String>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListGroups.html>
async fn list_groups(iam: &Iam, cx: &Cx, input: PageInput) -> Result<ListGroupsOutput> {
    let (groups, PageOutput { is_truncated, marker }) = iam.page::<Group>(cx, &input).await?;
    let groups = groups.iter().map(|g| GroupView::of(&cx.account, g)).collect();
    Ok(ListGroupsOutput { groups, is_truncated, marker })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateGroupInput {
    group_name: String,
    new_path: Option<String>,
    new_group_name: Option<String>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateGroup.html>
async fn update_group(iam: &Iam, cx: &Cx, input: UpdateGroupInput) -> Result<()> {
    let (path, name) = (input.new_path.as_deref(), input.new_group_name.as_deref());
    iam.rename::<Group>(cx, &input.group_name, path, name, taken).await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteGroupInput {
    group_name: String,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteGroup.html>
async fn delete_group(iam: &Iam, cx: &Cx, input: DeleteGroupInput) -> Result<()> {
    let account = &cx.account;
    let key = Group::key(account, &input.group_name);
    let mut tx = iam.store.lock(&[Lock::exclusive(&GROUPS, &key)]).await;
    let group: Group = entity::get(&mut tx, account, &input.group_name).await?;
    principal::check_bare(&group.grants)?;
    if !membership::users_of(&iam.store, account, &group.head.id).await?.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must remove users from group first."));
    }
    principal::drop_uses(&mut tx, account, &group);
    entity::remove(&mut tx, account, &group, false);
    iam.commit(cx, tx).await
}
