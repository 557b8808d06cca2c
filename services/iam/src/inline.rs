//! Inline policies of users, groups and roles.

use fogbank_core::{ApiError, Cx, Op, Result, Value, ops};
use serde::{Deserialize, Serialize};

use crate::Iam;
use crate::authz;
use crate::document::{self, Use};
use crate::entity::{Kind, check_word};
use crate::error::{limit_exceeded, no_such_entity};
use crate::group::Group;
use crate::page::{PageOutput, cut};
use crate::principal::Grantee;
use crate::role::Role;
use crate::user::User;

pub const OPS: &[Op<Iam>] = ops![
    PutUserPolicy => put_user [authz::user],
    GetUserPolicy => get_user [authz::user],
    ListUserPolicies => list_user [authz::user],
    DeleteUserPolicy => delete_user [authz::user],
    PutGroupPolicy => put_group [authz::group],
    GetGroupPolicy => get_group [authz::group],
    ListGroupPolicies => list_group [authz::group],
    DeleteGroupPolicy => delete_group [authz::group],
    PutRolePolicy => put_role [authz::role],
    GetRolePolicy => get_role [authz::role],
    ListRolePolicies => list_role [authz::role],
    DeleteRolePolicy => delete_role [authz::role],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutInput {
    #[serde(alias = "UserName", alias = "GroupName", alias = "RoleName")]
    name: String,
    policy_name: String,
    policy_document: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetInput {
    #[serde(alias = "UserName", alias = "GroupName", alias = "RoleName")]
    name: String,
    policy_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    #[serde(alias = "UserName", alias = "GroupName", alias = "RoleName")]
    name: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NamesOutput {
    policy_names: Vec<String>,
    is_truncated: bool,
    marker: Option<String>,
}

async fn put_user(iam: &Iam, cx: &Cx, input: PutInput) -> Result<()> {
    put::<User>(iam, cx, input).await
}
async fn put_group(iam: &Iam, cx: &Cx, input: PutInput) -> Result<()> {
    put::<Group>(iam, cx, input).await
}
async fn put_role(iam: &Iam, cx: &Cx, input: PutInput) -> Result<()> {
    put::<Role>(iam, cx, input).await
}
async fn get_user(iam: &Iam, cx: &Cx, input: GetInput) -> Result<Value> {
    get::<User>(iam, cx, &input).await
}
async fn get_group(iam: &Iam, cx: &Cx, input: GetInput) -> Result<Value> {
    get::<Group>(iam, cx, &input).await
}
async fn get_role(iam: &Iam, cx: &Cx, input: GetInput) -> Result<Value> {
    get::<Role>(iam, cx, &input).await
}
async fn list_user(iam: &Iam, cx: &Cx, input: ListInput) -> Result<NamesOutput> {
    list::<User>(iam, cx, &input).await
}
async fn list_group(iam: &Iam, cx: &Cx, input: ListInput) -> Result<NamesOutput> {
    list::<Group>(iam, cx, &input).await
}
async fn list_role(iam: &Iam, cx: &Cx, input: ListInput) -> Result<NamesOutput> {
    list::<Role>(iam, cx, &input).await
}
async fn delete_user(iam: &Iam, cx: &Cx, input: GetInput) -> Result<()> {
    delete::<User>(iam, cx, &input).await
}
async fn delete_group(iam: &Iam, cx: &Cx, input: GetInput) -> Result<()> {
    delete::<Group>(iam, cx, &input).await
}
async fn delete_role(iam: &Iam, cx: &Cx, input: GetInput) -> Result<()> {
    delete::<Role>(iam, cx, &input).await
}

async fn put<G: Grantee>(iam: &Iam, cx: &Cx, input: PutInput) -> Result<()> {
    check_word("policyName", &input.policy_name, 128)?;
    document::check(&input.policy_document, Use::Identity)?;
    let holder_name = input.name;
    iam.edit::<G>(cx, &holder_name, |holder| {
        holder.check_modifiable()?;
        let inline = &mut holder.grants_mut().inline;
        inline.insert(input.policy_name, input.policy_document);
        if inline.values().map(|d| document::size(d)).sum::<usize>() > G::INLINE_SIZE {
            return Err(limit_exceeded(format!(
                "Maximum policy size of {} bytes exceeded for {} {holder_name}",
                G::INLINE_SIZE,
                G::KIND.words(),
            )));
        }
        Ok(())
    })
    .await?;
    Ok(())
}

async fn get<G: Grantee>(iam: &Iam, cx: &Cx, input: &GetInput) -> Result<Value> {
    let holder: G = iam.load(&cx.account, &input.name).await?;
    let name = holder_member(G::KIND);
    let text = holder.grants().inline.get(&input.policy_name);
    let text = text.ok_or_else(|| missing::<G>(&input.policy_name))?;
    Ok(fogbank_core::map! {
        name => holder.head().name.as_str(),
        "PolicyName" => input.policy_name.as_str(),
        "PolicyDocument" => document::encode(text),
    })
}

async fn list<G: Grantee>(iam: &Iam, cx: &Cx, input: &ListInput) -> Result<NamesOutput> {
    let holder: G = iam.load(&cx.account, &input.name).await?;
    let names = holder.grants().inline.keys().cloned().collect();
    let (policy_names, PageOutput { is_truncated, marker }) =
        cut(names, |n: &String| n, input.marker.as_deref(), input.max_items)?;
    Ok(NamesOutput { policy_names, is_truncated, marker })
}

async fn delete<G: Grantee>(iam: &Iam, cx: &Cx, input: &GetInput) -> Result<()> {
    iam.edit::<G>(cx, &input.name, |holder| {
        holder.check_modifiable()?;
        let gone = holder.grants_mut().inline.remove(&input.policy_name);
        gone.map(drop).ok_or_else(|| missing::<G>(&input.policy_name))
    })
    .await?;
    Ok(())
}

fn missing<G: Grantee>(policy: &str) -> ApiError {
    no_such_entity(format!("The {} policy with name {policy} cannot be found.", G::KIND.words()))
}

fn holder_member(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "UserName",
        Kind::Group => "GroupName",
        _ => "RoleName",
    }
}
