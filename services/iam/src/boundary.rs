//! Permissions boundaries of users and roles.

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::{Lock, Tx};
use serde::Deserialize;

use crate::Iam;
use crate::authz;
use crate::entity::{self, Entity};
use crate::error::no_such_entity;
use crate::policy::{self, Policy};
use crate::principal::{self, Grantee, Usage};
use crate::role::Role;
use crate::user::User;

pub const OPS: &[Op<Iam>] = ops![
    PutUserPermissionsBoundary => put_user [authz::bound_user],
    DeleteUserPermissionsBoundary => delete_user [authz::bound_user],
    PutRolePermissionsBoundary => put_role [authz::bound_role],
    DeleteRolePermissionsBoundary => delete_role [authz::bound_role],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutInput {
    #[serde(alias = "UserName", alias = "RoleName")]
    name: String,
    permissions_boundary: String,
}

#[derive(Deserialize)]
struct DeleteInput {
    #[serde(alias = "UserName", alias = "RoleName")]
    name: String,
}

async fn put_user(iam: &Iam, cx: &Cx, input: PutInput) -> Result<()> {
    set::<User>(iam, cx, &input.name, Some(&input.permissions_boundary)).await
}
async fn put_role(iam: &Iam, cx: &Cx, input: PutInput) -> Result<()> {
    set::<Role>(iam, cx, &input.name, Some(&input.permissions_boundary)).await
}
async fn delete_user(iam: &Iam, cx: &Cx, input: DeleteInput) -> Result<()> {
    set::<User>(iam, cx, &input.name, None).await
}
async fn delete_role(iam: &Iam, cx: &Cx, input: DeleteInput) -> Result<()> {
    set::<Role>(iam, cx, &input.name, None).await
}

async fn set<G: Grantee>(iam: &Iam, cx: &Cx, name: &str, arn: Option<&str>) -> Result<()> {
    let key = G::key(&cx.account, name);
    let policy_key = Policy::key(&cx.account, arn.unwrap_or_default());
    let locks = [Lock::exclusive(G::table(), &key), Lock::shared(Policy::table(), &policy_key)];
    let mut tx = iam.store.lock(&locks).await;
    let mut holder: G = entity::get(&mut tx, &cx.account, name).await?;
    holder.check_modifiable()?;
    match (holder.grants_mut().boundary.take(), arn) {
        (None, None) => {
            let words = G::KIND.words();
            return Err(no_such_entity(format!(
                "The {words} with name {name} does not have a permissions boundary."
            )));
        }
        (Some(old), _) => {
            principal::drop_use(&mut tx, &cx.account, &holder, &old, Usage::Boundary);
        }
        (None, Some(_)) => {}
    }
    if let Some(arn) = arn {
        bound(&mut tx, cx, &mut holder, arn).await?;
    }
    tx.put(G::table(), &key, &holder);
    iam.commit(cx, tx).await
}

/// Sets the boundary of a holder that has none, inside a transaction that holds the policy's lock.
pub async fn bound<G: Grantee>(tx: &mut Tx, cx: &Cx, holder: &mut G, arn: &str) -> Result<()> {
    policy::check_arn(arn)?;
    policy::check_attachable(tx, cx, arn).await?;
    holder.grants_mut().boundary = Some(arn.to_owned());
    principal::note_use(tx, &cx.account, holder, arn, Usage::Boundary);
    Ok(())
}
