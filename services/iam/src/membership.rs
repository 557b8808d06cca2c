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

#[cfg(test)]
mod tests {
    use fogbank_core::{Value, map};

    use crate::testing::{ALL, World, at};

    #[tokio::test]
    async fn users_join_and_leave_groups() {
        let w = World::new().await;
        w.ok("CreateUser", map! {"UserName" => "u"}).await;
        for i in 0..11 {
            w.ok("CreateGroup", map! {"GroupName" => format!("g{i}")}).await;
        }
        for i in 0..10 {
            w.ok("AddUserToGroup", map! {"GroupName" => format!("g{i}"), "UserName" => "u"}).await;
        }
        assert_eq!(
            w.err("AddUserToGroup", map! {"GroupName" => "g10", "UserName" => "u"}).await,
            "LimitExceeded: Cannot exceed quota for GroupsPerUser: 10"
        );
        w.ok("UpdateGroup", map! {"GroupName" => "g0", "NewGroupName" => "renamed"}).await;
        w.ok("UpdateUser", map! {"UserName" => "u", "NewUserName" => "v", "NewPath" => "/p/"})
            .await;
        let group = w.ok("GetGroup", map! {"GroupName" => "renamed"}).await;
        assert_eq!(at(&group, "Users.0.UserName"), "v");
        let mut names = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let input = map! {"UserName" => "v", "MaxItems" => 3, "Marker" => marker};
            let page = w.ok("ListGroupsForUser", input).await;
            let groups = page.get("Groups").unwrap().items();
            names.extend(groups.iter().map(|g| at(g, "GroupName").to_owned()));
            marker = page.str("Marker").map(str::to_owned);
            assert_eq!(page.get("IsTruncated"), Some(&Value::Bool(marker.is_some())));
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(names.len(), 10);
        assert!(w.err("DeleteUser", map! {"UserName" => "v"}).await.starts_with("DeleteConflict"));
        assert!(
            w.err("DeleteGroup", map! {"GroupName" => "g1"}).await.starts_with("DeleteConflict")
        );
        w.ok("RemoveUserFromGroup", map! {"GroupName" => "g1", "UserName" => "v"}).await;
        w.ok("DeleteGroup", map! {"GroupName" => "g1"}).await;
        let gone = map! {"GroupName" => "g1", "UserName" => "v"};
        assert_eq!(
            w.err("AddUserToGroup", gone).await,
            "NoSuchEntity: The group with name g1 cannot be found."
        );
    }

    #[tokio::test]
    async fn inline_policies_come_back_encoded() {
        let w = World::new().await;
        w.ok("CreateGroup", map! {"GroupName" => "g"}).await;
        let put = |name: &str, doc: &str| map! {"GroupName" => "g", "PolicyName" => name, "PolicyDocument" => doc};
        w.ok("PutGroupPolicy", put("p", ALL)).await;
        let got = w.ok("GetGroupPolicy", map! {"GroupName" => "g", "PolicyName" => "p"}).await;
        assert_eq!(at(&got, "PolicyDocument"), crate::document::encode(ALL));
        let big = ALL.replacen('*', &format!("s3:{}", "x".repeat(5000)), 1);
        assert_eq!(
            w.err("PutGroupPolicy", put("q", &big)).await,
            "LimitExceeded: Maximum policy size of 5120 bytes exceeded for group g"
        );
        assert!(w.err("PutGroupPolicy", put("a b", ALL)).await.starts_with("ValidationError"));
        assert!(w.err("PutGroupPolicy", put("q", "nonsense")).await.starts_with("MalformedPolicy"));
        let names = w.ok("ListGroupPolicies", map! {"GroupName" => "g"}).await;
        assert_eq!(at(&names, "PolicyNames.0"), "p");
        w.ok("DeleteGroupPolicy", map! {"GroupName" => "g", "PolicyName" => "p"}).await;
        assert_eq!(
            w.err("DeleteGroupPolicy", map! {"GroupName" => "g", "PolicyName" => "p"}).await,
            "NoSuchEntity: The group policy with name p cannot be found."
        );
    }
}
