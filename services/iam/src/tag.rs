//! Tags of users, roles, policies, instance profiles and identity providers.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html>

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Iam;
use crate::authz;
use crate::entity::Entity;
use crate::error::{invalid_input, limit_exceeded};
use crate::instance_profile::InstanceProfile;
use crate::oidc::Provider;
use crate::page::{PageOutput, cut};
use crate::policy::Policy;
use crate::role::Role;
use crate::user::User;

pub const OPS: &[Op<Iam>] = ops![
    TagUser => tag_user [authz::user],
    UntagUser => untag_user [authz::user],
    ListUserTags => list_user_tags [authz::user],
    TagRole => tag_role [authz::role],
    UntagRole => untag_role [authz::role],
    ListRoleTags => list_role_tags [authz::role],
    TagPolicy => tag_policy [authz::policy],
    UntagPolicy => untag_policy [authz::policy],
    ListPolicyTags => list_policy_tags [authz::policy],
    TagInstanceProfile => tag_profile [authz::instance_profile],
    UntagInstanceProfile => untag_profile [authz::instance_profile],
    ListInstanceProfileTags => list_profile_tags [authz::instance_profile],
    TagOpenIDConnectProvider => tag_oidc [authz::oidc],
    UntagOpenIDConnectProvider => untag_oidc [authz::oidc],
    ListOpenIDConnectProviderTags => list_oidc_tags [authz::oidc],
];

const MOST: usize = 50;

/// A tag, in records and on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    #[n(0)]
    pub key: String,
    #[n(1)]
    pub value: String,
}

/// The name or ARN of what is tagged: each operation has one of these members.
#[derive(Deserialize)]
struct Target {
    #[serde(
        alias = "UserName",
        alias = "RoleName",
        alias = "PolicyArn",
        alias = "InstanceProfileName",
        alias = "OpenIDConnectProviderArn"
    )]
    name: String,
    #[serde(default, rename = "Tags")]
    tags: Vec<Tag>,
    #[serde(default, rename = "TagKeys")]
    tag_keys: Vec<String>,
    #[serde(rename = "Marker")]
    marker: Option<String>,
    #[serde(rename = "MaxItems")]
    max_items: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagsOutput {
    tags: Vec<Tag>,
    is_truncated: bool,
    marker: Option<String>,
}

async fn tag_user(iam: &Iam, cx: &Cx, input: Target) -> Result<()> {
    tag::<User>(iam, cx, input).await
}
async fn untag_user(iam: &Iam, cx: &Cx, input: Target) -> Result<()> {
    untag::<User>(iam, cx, input).await
}
async fn list_user_tags(iam: &Iam, cx: &Cx, input: Target) -> Result<TagsOutput> {
    list::<User>(iam, cx, input).await
}
async fn tag_role(iam: &Iam, cx: &Cx, input: Target) -> Result<()> {
    tag::<Role>(iam, cx, input).await
}
async fn untag_role(iam: &Iam, cx: &Cx, input: Target) -> Result<()> {
    untag::<Role>(iam, cx, input).await
}
async fn list_role_tags(iam: &Iam, cx: &Cx, input: Target) -> Result<TagsOutput> {
    list::<Role>(iam, cx, input).await
}
async fn tag_policy(iam: &Iam, cx: &Cx, input: Target) -> Result<()> {
    tag::<Policy>(iam, cx, input).await
}
async fn untag_policy(iam: &Iam, cx: &Cx, input: Target) -> Result<()> {
    untag::<Policy>(iam, cx, input).await
}
async fn list_policy_tags(iam: &Iam, cx: &Cx, input: Target) -> Result<TagsOutput> {
    if crate::managed::is_managed(&input.name) {
        let known = crate::managed::get(&input.name).is_some();
        return if known { output(&[], &input) } else { Err(Policy::missing(&input.name)) };
    }
    list::<Policy>(iam, cx, input).await
}
async fn tag_profile(iam: &Iam, cx: &Cx, input: Target) -> Result<()> {
    tag::<InstanceProfile>(iam, cx, input).await
}
async fn untag_profile(iam: &Iam, cx: &Cx, input: Target) -> Result<()> {
    untag::<InstanceProfile>(iam, cx, input).await
}
async fn list_profile_tags(iam: &Iam, cx: &Cx, input: Target) -> Result<TagsOutput> {
    list::<InstanceProfile>(iam, cx, input).await
}
async fn tag_oidc(iam: &Iam, cx: &Cx, input: Target) -> Result<()> {
    tag::<Provider>(iam, cx, input).await
}
async fn untag_oidc(iam: &Iam, cx: &Cx, input: Target) -> Result<()> {
    untag::<Provider>(iam, cx, input).await
}
async fn list_oidc_tags(iam: &Iam, cx: &Cx, input: Target) -> Result<TagsOutput> {
    list::<Provider>(iam, cx, input).await
}

async fn tag<E: Entity>(iam: &Iam, cx: &Cx, input: Target) -> Result<()> {
    let tags = checked(input.tags)?;
    iam.edit::<E>(cx, &input.name, |e| merge(&mut e.head_mut().tags, tags)).await?;
    Ok(())
}

async fn untag<E: Entity>(iam: &Iam, cx: &Cx, input: Target) -> Result<()> {
    iam.edit::<E>(cx, &input.name, |e| {
        let gone = |t: &Tag| input.tag_keys.iter().any(|k| k.eq_ignore_ascii_case(&t.key));
        e.head_mut().tags.retain(|t| !gone(t));
        Ok(())
    })
    .await?;
    Ok(())
}

async fn list<E: Entity>(iam: &Iam, cx: &Cx, input: Target) -> Result<TagsOutput> {
    let entity: E = iam.load(&cx.account, &input.name).await?;
    output(&entity.head().tags, &input)
}

fn output(tags: &[Tag], input: &Target) -> Result<TagsOutput> {
    let mut tags = tags.to_vec();
    tags.sort_by(|a, b| a.key.cmp(&b.key));
    let (tags, PageOutput { is_truncated, marker }) =
        cut(tags, |t| &t.key, input.marker.as_deref(), input.max_items)?;
    Ok(TagsOutput { tags, is_truncated, marker })
}

/// The tags of a request, with keys, values and their number checked.
pub fn checked(tags: Vec<Tag>) -> Result<Vec<Tag>> {
    for (i, t) in tags.iter().enumerate() {
        check(t)?;
        if tags[..i].iter().any(|o| o.key.eq_ignore_ascii_case(&t.key)) {
            return Err(invalid_input(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
    }
    if tags.len() > MOST { Err(too_many()) } else { Ok(tags) }
}

fn merge(have: &mut Vec<Tag>, new: Vec<Tag>) -> Result<()> {
    for tag in new {
        match have.iter_mut().find(|t| t.key.eq_ignore_ascii_case(&tag.key)) {
            Some(old) => *old = tag,
            None => have.push(tag),
        }
    }
    if have.len() > MOST { Err(too_many()) } else { Ok(()) }
}

fn check(tag: &Tag) -> Result<()> {
    let fits =
        |s: &str| s.chars().all(|c| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c));
    let (key, value) = (&tag.key, &tag.value);
    if key.is_empty() || key.chars().count() > 128 || !fits(key) {
        return Err(invalid_input(format!(
            "The tag key '{key}' is not valid. It must have 1 to 128 letters, numbers, spaces or \
             _.:/=+-@ characters."
        )));
    }
    if value.chars().count() > 256 || !fits(value) {
        return Err(invalid_input(format!(
            "The tag value of '{key}' is not valid. It must have at most 256 letters, numbers, \
             spaces or _.:/=+-@ characters."
        )));
    }
    if key.len() >= 4 && key.as_bytes()[..4].eq_ignore_ascii_case(b"aws:") {
        return Err(invalid_input("System tags cannot be added/updated by requester."));
    }
    Ok(())
}

fn too_many() -> ApiError {
    limit_exceeded(format!("The number of tags has reached the maximum limit of {MOST}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(keys: &[&str]) -> Vec<Tag> {
        keys.iter().map(|k| Tag { key: (*k).into(), value: "v".into() }).collect()
    }

    #[test]
    fn bad_tags_are_refused() {
        assert!(checked(tags(&["a", "b:c/d", "größe", "with space"])).is_ok());
        for bad in [&["a", "A"][..], &[""], &["aws:x"], &["AWS:x"], &["a*"], &[&"k".repeat(129)]] {
            assert_eq!(checked(tags(bad)).unwrap_err().code(), "InvalidInput", "{bad:?}");
        }
        let many: Vec<String> = (0..51).map(|i| i.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(checked(tags(&many)).unwrap_err().code(), "LimitExceeded");
    }

    #[test]
    fn tagging_replaces_whatever_the_case() {
        let mut have = tags(&["Team", "b"]);
        merge(&mut have, vec![Tag { key: "team".into(), value: "w".into() }]).unwrap();
        assert_eq!(have[0], Tag { key: "team".into(), value: "w".into() });
        assert_eq!(have.len(), 2);
    }
}
