//! Versions of managed policies: at most five, one of them in force.

use fogbank_core::{ApiError, Cx, Op, Result, Time, ops};
use serde::{Deserialize, Serialize};

use crate::Iam;
use crate::authz;
use crate::document;
use crate::entity::{Entity, time};
use crate::error::{delete_conflict, limit_exceeded, no_such_entity};
use crate::managed;
use crate::page::{PageOutput, cut};
use crate::policy::{Policy, Version, check_arn, check_document, check_own};

pub const OPS: &[Op<Iam>] = ops![
    CreatePolicyVersion => create_version [authz::policy],
    GetPolicyVersion => get_version [authz::policy],
    ListPolicyVersions => list_versions [authz::policy],
    SetDefaultPolicyVersion => set_default [authz::policy],
    DeletePolicyVersion => delete_version [authz::policy],
];

const MOST: usize = 5;

/// A version in answers. Lists and CreatePolicyVersion leave out the document.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VersionView {
    document: Option<String>,
    version_id: String,
    is_default_version: bool,
    create_date: Time,
}

impl VersionView {
    pub fn full(policy: &Policy, version: &Version) -> Self {
        let document = Some(document::encode(&version.document));
        VersionView { document, ..VersionView::brief(policy, version) }
    }

    fn brief(policy: &Policy, version: &Version) -> Self {
        VersionView {
            document: None,
            version_id: format!("v{}", version.number),
            is_default_version: version.number == policy.default_version,
            create_date: time(version.created),
        }
    }

    pub fn managed(policy: &managed::Managed, full: bool) -> Self {
        VersionView {
            document: full.then(|| document::encode(policy.document)),
            version_id: policy.version_id(),
            is_default_version: true,
            create_date: time(managed::CREATED),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct VersionOutput {
    policy_version: VersionView,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateInput {
    policy_arn: String,
    policy_document: String,
    set_as_default: Option<bool>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicyVersion.html>
async fn create_version(iam: &Iam, cx: &Cx, input: CreateInput) -> Result<VersionOutput> {
    check_own(cx, &input.policy_arn)?;
    check_document(&input.policy_document)?;
    let now = cx.now.as_second();
    let policy = iam
        .edit::<Policy>(cx, &input.policy_arn, |p| {
            if p.versions.len() >= MOST {
                return Err(limit_exceeded(
                    "A managed policy can have up to 5 versions. Before you create a new version, \
                     you must delete an existing version.",
                ));
            }
            p.last_version += 1;
            let number = p.last_version;
            p.versions.push(Version { number, document: input.policy_document, created: now });
            if input.set_as_default == Some(true) {
                p.default_version = number;
            }
            p.updated = now;
            Ok(())
        })
        .await?;
    let newest = policy.versions.last().ok_or_else(|| no_version(&input.policy_arn, "v0"))?;
    Ok(VersionOutput { policy_version: VersionView::brief(&policy, newest) })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VersionInput {
    policy_arn: String,
    version_id: String,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html>
async fn get_version(iam: &Iam, cx: &Cx, input: VersionInput) -> Result<VersionOutput> {
    let (arn, id) = (&input.policy_arn, &input.version_id);
    check_arn(arn)?;
    if managed::is_managed(arn) {
        let policy = managed::get(arn).ok_or_else(|| Policy::missing(arn))?;
        if policy.version_id() != *id {
            return Err(no_version(arn, id));
        }
        return Ok(VersionOutput { policy_version: VersionView::managed(policy, true) });
    }
    let policy: Policy = iam.load(&cx.account, arn).await?;
    let at = find(&policy, arn, id)?;
    Ok(VersionOutput { policy_version: VersionView::full(&policy, &policy.versions[at]) })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    policy_arn: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListOutput {
    versions: Vec<VersionView>,
    is_truncated: bool,
    marker: Option<String>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicyVersions.html>
async fn list_versions(iam: &Iam, cx: &Cx, input: ListInput) -> Result<ListOutput> {
    let arn = &input.policy_arn;
    check_arn(arn)?;
    let mut all = if managed::is_managed(arn) {
        let policy = managed::get(arn).ok_or_else(|| Policy::missing(arn))?;
        vec![(0, VersionView::managed(policy, false))]
    } else {
        let policy: Policy = iam.load(&cx.account, arn).await?;
        let view = |v: &Version| (u64::MAX - v.number, VersionView::brief(&policy, v));
        policy.versions.iter().map(view).collect()
    };
    // The newest comes first; the marker's key has a fixed width, so that it sorts likewise.
    all.sort_by_key(|(order, _)| *order);
    let keyed: Vec<(String, VersionView)> =
        all.into_iter().map(|(o, v)| (format!("{o:020}"), v)).collect();
    let (keyed, PageOutput { is_truncated, marker }) =
        cut(keyed, |(order, _)| order, input.marker.as_deref(), input.max_items)?;
    let versions = keyed.into_iter().map(|(_, v)| v).collect();
    Ok(ListOutput { versions, is_truncated, marker })
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SetDefaultPolicyVersion.html>
async fn set_default(iam: &Iam, cx: &Cx, input: VersionInput) -> Result<()> {
    check_own(cx, &input.policy_arn)?;
    let now = cx.now.as_second();
    iam.edit::<Policy>(cx, &input.policy_arn, |p| {
        let at = find(p, &input.policy_arn, &input.version_id)?;
        p.default_version = p.versions[at].number;
        p.updated = now;
        Ok(())
    })
    .await?;
    Ok(())
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicyVersion.html>
async fn delete_version(iam: &Iam, cx: &Cx, input: VersionInput) -> Result<()> {
    check_own(cx, &input.policy_arn)?;
    iam.edit::<Policy>(cx, &input.policy_arn, |p| {
        let at = find(p, &input.policy_arn, &input.version_id)?;
        if p.versions[at].number == p.default_version {
            return Err(delete_conflict("Cannot delete the default version of a policy."));
        }
        p.versions.remove(at);
        Ok(())
    })
    .await?;
    Ok(())
}

fn find(policy: &Policy, arn: &str, id: &str) -> Result<usize> {
    let number: Option<u64> = id.strip_prefix('v').and_then(|n| n.parse().ok());
    let at = policy.versions.iter().position(|v| Some(v.number) == number);
    at.ok_or_else(|| no_version(arn, id))
}

fn no_version(arn: &str, id: &str) -> ApiError {
    no_such_entity(format!("Policy {arn} version {id} does not exist or is not attachable."))
}

#[cfg(test)]
mod tests {
    use fogbank_core::{Value, map};

    use crate::testing::{ALL, World, at};

    #[tokio::test]
    async fn versions_come_and_go() {
        let w = World::new().await;
        let made = w.ok("CreatePolicy", map! {"PolicyName" => "p", "PolicyDocument" => ALL}).await;
        let arn = at(&made, "Policy.Arn");
        let add = || map! {"PolicyArn" => arn, "PolicyDocument" => ALL, "SetAsDefault" => true};
        for n in 2..=5 {
            let made = w.ok("CreatePolicyVersion", add()).await;
            assert_eq!(at(&made, "PolicyVersion.VersionId"), format!("v{n}"));
        }
        assert!(w.err("CreatePolicyVersion", add()).await.starts_with("LimitExceeded: A managed"));
        let list = w.ok("ListPolicyVersions", map! {"PolicyArn" => arn}).await;
        assert_eq!(at(&list, "Versions.0.VersionId"), "v5");
        assert_eq!(at(&list, "Versions.4.VersionId"), "v1");
        assert_eq!(
            w.err("DeletePolicyVersion", map! {"PolicyArn" => arn, "VersionId" => "v5"}).await,
            "DeleteConflict: Cannot delete the default version of a policy."
        );
        assert!(
            w.err("DeletePolicy", map! {"PolicyArn" => arn})
                .await
                .starts_with("DeleteConflict: This policy has")
        );
        w.ok("SetDefaultPolicyVersion", map! {"PolicyArn" => arn, "VersionId" => "v2"}).await;
        for v in ["v1", "v3", "v4", "v5"] {
            w.ok("DeletePolicyVersion", map! {"PolicyArn" => arn, "VersionId" => v}).await;
        }
        assert_eq!(
            w.err("GetPolicyVersion", map! {"PolicyArn" => arn, "VersionId" => "v9"}).await,
            format!("NoSuchEntity: Policy {arn} version v9 does not exist or is not attachable.")
        );
        // A number is not given twice.
        let made = w.ok("CreatePolicyVersion", add()).await;
        assert_eq!(at(&made, "PolicyVersion.VersionId"), "v6");
    }

    #[tokio::test]
    async fn documents_have_a_size_and_aws_policies_a_version() {
        let w = World::new().await;
        let big = ALL.replace('*', &format!("s3:{}", "x".repeat(6144)));
        let input = map! {"PolicyName" => "p", "PolicyDocument" => big};
        assert_eq!(
            w.err("CreatePolicy", input).await,
            "LimitExceeded: Cannot exceed quota for PolicySize: 6144"
        );
        let arn = crate::managed::ADMINISTRATOR;
        let got = w.ok("GetPolicyVersion", map! {"PolicyArn" => arn, "VersionId" => "v1"}).await;
        assert!(at(&got, "PolicyVersion.Document").starts_with("%7B"));
        let list = w.ok("ListPolicyVersions", map! {"PolicyArn" => arn}).await;
        assert_eq!(
            list.get("Versions").unwrap().items()[0].get("IsDefaultVersion"),
            Some(&Value::Bool(true))
        );
        let input = map! {"PolicyArn" => arn, "PolicyDocument" => ALL};
        assert!(w.err("CreatePolicyVersion", input).await.starts_with("AccessDenied"));
    }
}
