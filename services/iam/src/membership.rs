//! Who is in which group.

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::{Key, Lock, Store, Table};
use serde::{Deserialize, Serialize};

use crate::Iam;
use crate::authz;
use crate::entity::{self, Entity};
use crate::error::{no_such_entity, quota};
use crate::group::{Group, GroupView};
use crate::page::{PageOutput, cut};
use crate::user::User;

pub const OPS: &[Op<Iam>] = ops![
    AddUserToGroup => add_user [authz::group],
    RemoveUserFromGroup => remove_user [authz::group],
    ListGroupsForUser => list_groups [authz::user],
];

/// Account, user id, group id; and the other way round.
static GROUPS_OF: Table<()> = Table::new("iam.user-group");
static USERS_OF: Table<()> = Table::new("iam.group-user");

const GROUPS_PER_USER: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MemberInput {
    group_name: String,
    user_name: String,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddUserToGroup.html>
async fn add_user(iam: &Iam, cx: &Cx, input: MemberInput) -> Result<()> {
    change(iam, cx, &input, true).await
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_RemoveUserFromGroup.html>
async fn remove_user(iam: &Iam, cx: &Cx, input: MemberInput) -> Result<()> {
    change(iam, cx, &input, false).await
}

async fn change(iam: &Iam, cx: &Cx, input: &MemberInput, add: bool) -> Result<()> {
    let account = &cx.account;
    let user_key = User::key(account, &input.user_name);
    let group_key = Group::key(account, &input.group_name);
    // The user's lock guards the quota; the group's keeps it from being deleted meanwhile.
    let locks =
        [Lock::exclusive(User::table(), &user_key), Lock::shared(Group::table(), &group_key)];
    let mut tx = iam.store.lock(&locks).await;
    let group: Group = entity::get(&mut tx, account, &input.group_name).await?;
    let user: User = entity::get(&mut tx, account, &input.user_name).await?;
    let (u, g) = (&user.head.id, &group.head.id);
    let (by_user, by_group) =
        (Key::new().str(account).str(u).str(g), Key::new().str(account).str(g).str(u));
    let groups = groups_of(&iam.store, account, u).await?;
    if groups.contains(g) == add {
        if add {
            return Ok(());
        }
        return Err(no_such_entity(format!(
            "The user with name {} is not in group {}.",
            user.head.name, group.head.name
        )));
    }
    if add {
        if groups.len() >= GROUPS_PER_USER {
            return Err(quota("GroupsPerUser", GROUPS_PER_USER));
        }
        tx.put(&GROUPS_OF, &by_user, &());
        tx.put(&USERS_OF, &by_group, &());
    } else {
        tx.delete(&GROUPS_OF, &by_user);
        tx.delete(&USERS_OF, &by_group);
    }
    iam.commit(cx, tx).await
}

/// The ids of the groups that a user is in.
pub async fn groups_of(store: &Store, account: &str, user: &str) -> Result<Vec<String>> {
    entity::links(store, &GROUPS_OF, account, user).await
}

/// The ids of the users in a group.
pub async fn users_of(store: &Store, account: &str, group: &str) -> Result<Vec<String>> {
    entity::links(store, &USERS_OF, account, group).await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    user_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    groups: Vec<GroupView>,
    is_truncated: bool,
    marker: Option<String>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListGroupsForUser.html>
async fn list_groups(iam: &Iam, cx: &Cx, input: ListInput) -> Result<ListOutput> {
    let account = &cx.account;
    let user: User = iam.load(account, &input.user_name).await?;
    let mut groups = iam.groups_of(account, &user).await?;
    groups.sort_by(|a, b| a.head.name.cmp(&b.head.name));
    let (groups, PageOutput { is_truncated, marker }) =
        cut(groups, |g: &Group| &g.head.name, input.marker.as_deref(), input.max_items)?;
    let groups = groups.iter().map(|g| GroupView::of(account, g)).collect();
    Ok(ListOutput { groups, is_truncated, marker })
}

impl Iam {
    /// The groups that a user is in.
    pub(crate) async fn groups_of(&self, account: &str, user: &User) -> Result<Vec<Group>> {
        let mut groups = Vec::new();
        for id in groups_of(&self.store, account, &user.head.id).await? {
            groups.extend(self.holder::<Group>(account, &id).await?);
        }
        Ok(groups)
    }
}
