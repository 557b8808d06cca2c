//! Users: long-lived identities of an account.

use fogbank_core::{ApiError, Cx, Kind as Who, Op, Result, Time, ops};
use fogbank_store::{Lock, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::authz;
use crate::entity::{self, Entity, Head, Kind, check_name, check_path};
use crate::error::{already_exists, delete_conflict, no_such_entity, validation};
use crate::page::{PageInput, PageOutput};
use crate::policy::Policy;
use crate::principal::{self, BoundaryView, Grantee, Grants};
use crate::tag::Tag;
use crate::{Iam, access_key, boundary, membership};

pub const OPS: &[Op<Iam>] = ops![
    CreateUser => create_user [authz::create_user],
    GetUser => get_user [authz::user],
    ListUsers => list_users [authz::list_users],
    UpdateUser => update_user [authz::user],
    DeleteUser => delete_user [authz::user],
];

pub static USERS: Table<User> = Table::new("iam.user");

/// A user's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct User {
    #[n(0)]
    pub head: Head,
    #[n(1)]
    pub grants: Grants,
}
fogbank_store::record!(User, version = 1);

impl Entity for User {
    const KIND: Kind = Kind::User;
    fn table() -> &'static Table<Self> {
        &USERS
    }
    fn head(&self) -> &Head {
        &self.head
    }
    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }
    fn missing(name: &str) -> ApiError {
        no_such_entity(format!("The user with name {name} cannot be found."))
    }
}

impl Grantee for User {
    const INLINE_SIZE: usize = 2048;
    const ATTACHED_QUOTA: &'static str = "PoliciesPerUser";
    fn grants(&self) -> &Grants {
        &self.grants
    }
    fn grants_mut(&mut self) -> &mut Grants {
        &mut self.grants
    }
}

/// A user in answers. Lists leave out boundary and tags.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserView {
    path: String,
    user_name: String,
    user_id: String,
    arn: String,
    create_date: Time,
    permissions_boundary: Option<BoundaryView>,
    tags: Option<Vec<Tag>>,
}

impl UserView {
    pub fn brief(account: &str, user: &User) -> Self {
        UserView {
            path: user.head.path.clone(),
            user_name: user.head.name.clone(),
            user_id: user.head.id.clone(),
            arn: user.arn(account),
            create_date: user.head.created(),
            permissions_boundary: None,
            tags: None,
        }
    }

    pub fn full(account: &str, user: &User) -> Self {
        UserView {
            permissions_boundary: BoundaryView::of(&user.grants),
            tags: Some(user.head.tags.clone()).filter(|t| !t.is_empty()),
            ..UserView::brief(account, user)
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UserOutput {
    user: UserView,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateUserInput {
    user_name: String,
    path: Option<String>,
    permissions_boundary: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html>
async fn create_user(iam: &Iam, cx: &Cx, input: CreateUserInput) -> Result<UserOutput> {
    let name = &input.user_name;
    let head = Head::new(cx, Kind::User, name, input.path.as_deref(), input.tags)?;
    let mut user = User { head, grants: Grants::default() };
    iam.check_quota::<User>(cx, "UsersPerAccount", 5000).await?;
    let key = User::key(&cx.account, name);
    let policy = Policy::key(&cx.account, input.permissions_boundary.as_deref().unwrap_or("-"));
    let locks = [Lock::exclusive(&USERS, &key), Lock::shared(Policy::table(), &policy)];
    let mut tx = iam.store.lock(&locks).await;
    if tx.get(&USERS, &key).await?.is_some() {
        return Err(already_exists(format!("User with name {name} already exists.")));
    }
    if let Some(arn) = &input.permissions_boundary {
        boundary::bound(&mut tx, cx, &mut user, arn).await?;
    }
    entity::insert(&mut tx, &cx.account, &user);
    iam.commit(cx, tx).await?;
    Ok(UserOutput { user: UserView::full(&cx.account, &user) })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetUserInput {
    user_name: Option<String>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html>
async fn get_user(iam: &Iam, cx: &Cx, input: GetUserInput) -> Result<UserOutput> {
    let account = &cx.account;
    if input.user_name.is_none() && cx.principal.is_root() {
        let user = UserView {
            path: "/".into(),
            user_name: "root".into(),
            user_id: account.clone(),
            arn: cx.principal.arn.clone(),
            create_date: entity::time(0),
            permissions_boundary: None,
            tags: None,
        };
        return Ok(UserOutput { user });
    }
    let name = user_or_caller(cx, input.user_name.as_deref())?;
    let user: User = iam.load(account, name).await?;
    Ok(UserOutput { user: UserView::full(account, &user) })
}

/// The user that an input names, or the one that makes the request.
pub fn user_or_caller<'a>(cx: &'a Cx, name: Option<&'a str>) -> Result<&'a str> {
    match (name, &cx.principal.kind) {
        (Some(name), _) => Ok(name),
        (None, Who::User { name }) => Ok(name),
        _ => Err(validation("Must specify userName when calling with non-User credentials")),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListUsersOutput {
    users: Vec<UserView>,
    is_truncated: bool,
    marker: Option<String>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUsers.html>
async fn list_users(iam: &Iam, cx: &Cx, input: PageInput) -> Result<ListUsersOutput> {
    let (users, PageOutput { is_truncated, marker }) = iam.page::<User>(cx, &input).await?;
    let users = users.iter().map(|u| UserView::brief(&cx.account, u)).collect();
    Ok(ListUsersOutput { users, is_truncated, marker })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateUserInput {
    user_name: String,
    new_path: Option<String>,
    new_user_name: Option<String>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateUser.html>
async fn update_user(iam: &Iam, cx: &Cx, input: UpdateUserInput) -> Result<()> {
    let (path, name) = (input.new_path.as_deref(), input.new_user_name.as_deref());
    iam.rename::<User>(cx, &input.user_name, path, name, |n| {
        already_exists(format!("User with name {n} already exists."))
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteUserInput {
    user_name: String,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html>
async fn delete_user(iam: &Iam, cx: &Cx, input: DeleteUserInput) -> Result<()> {
    let (account, name) = (&cx.account, &input.user_name);
    let key = User::key(account, name);
    let mut tx = iam.store.lock(&[Lock::exclusive(&USERS, &key)]).await;
    let user: User = entity::get(&mut tx, account, name).await?;
    principal::check_bare(&user.grants)?;
    if !access_key::of_user(&iam.store, account, &user.head.id).await?.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must delete access keys first."));
    }
    if !membership::groups_of(&iam.store, account, &user.head.id).await?.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must remove users from group first."));
    }
    principal::drop_uses(&mut tx, account, &user);
    entity::remove(&mut tx, account, &user, false);
    iam.commit(cx, tx).await
}

impl Iam {
    /// Gives a user or a group another name, another path or both; its unique id stays.
    pub(crate) async fn rename<E: Entity>(
        &self,
        cx: &Cx,
        name: &str,
        new_path: Option<&str>,
        new_name: Option<&str>,
        taken: impl Fn(&str) -> ApiError,
    ) -> Result<()> {
        let account = &cx.account;
        let target = new_name.unwrap_or(name);
        check_name(E::KIND, target)?;
        new_path.map_or(Ok(()), check_path)?;
        let (old, new) = (E::key(account, name), E::key(account, target));
        let both = [Lock::exclusive(E::table(), &old), Lock::exclusive(E::table(), &new)];
        let mut tx = self.store.lock(if old == new { &both[..1] } else { &both }).await;
        let before: E = entity::get(&mut tx, account, name).await?;
        if old != new && tx.get(E::table(), &new).await?.is_some() {
            return Err(taken(target));
        }
        let mut after = before.clone();
        if let Some(name) = new_name {
            name.clone_into(&mut after.head_mut().name);
        }
        if let Some(path) = new_path {
            path.clone_into(&mut after.head_mut().path);
        }
        entity::remove(&mut tx, account, &before, true);
        entity::insert(&mut tx, account, &after);
        self.commit(cx, tx).await
    }

    /// Refuses another resource of a sort when the account has as many as AWS's default quota.
    pub(crate) async fn check_quota<E: Entity>(
        &self,
        cx: &Cx,
        quota: &str,
        most: usize,
    ) -> Result<()> {
        let prefix = fogbank_store::Key::new().str(&cx.account);
        let mut count = 0;
        self.store
            .visit(E::table(), fogbank_store::Range::prefix(&prefix), |_, _| {
                count += 1;
                std::ops::ControlFlow::Continue(())
            })
            .await?;
        if count < most { Ok(()) } else { Err(crate::error::quota(quota, most)) }
    }
}
