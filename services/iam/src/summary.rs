//! GetAccountSummary: what the account has and what it may have.

use std::collections::BTreeMap;

use fogbank_core::{Cx, Op, Result, ops};
use fogbank_store::{Key, Range};
use serde::{Deserialize, Serialize};

use crate::Iam;
use crate::entity::Entity;
use crate::group::Group;
use crate::instance_profile::InstanceProfile;
use crate::oidc::Provider;
use crate::policy::Policy;
use crate::role::Role;
use crate::user::User;

pub const OPS: &[Op<Iam>] = ops![GetAccountSummary => summary];

/// The quotas of a new account, and what no account of fogbank has.
const FIXED: &[(&str, i64)] = &[
    ("AccessKeysPerUserQuota", 2),
    ("AccountAccessKeysPresent", 0),
    ("AccountMFAEnabled", 0),
    ("AccountPasswordPresent", 0),
    ("AccountSigningCertificatesPresent", 0),
    ("AssumeRolePolicySizeQuota", 2048),
    ("AttachedPoliciesPerGroupQuota", 10),
    ("AttachedPoliciesPerRoleQuota", 10),
    ("AttachedPoliciesPerUserQuota", 10),
    ("GlobalEndpointTokenVersion", 2),
    ("GroupPolicySizeQuota", 5120),
    ("GroupsPerUserQuota", 10),
    ("GroupsQuota", 300),
    ("InstanceProfilesQuota", 1000),
    ("MFADevices", 0),
    ("MFADevicesInUse", 0),
    ("PoliciesQuota", 1500),
    ("PolicySizeQuota", 6144),
    ("PolicyVersionsInUseQuota", 10000),
    ("RolePolicySizeQuota", 10240),
    ("RolesQuota", 1000),
    ("ServerCertificates", 0),
    ("ServerCertificatesQuota", 20),
    ("SigningCertificatesPerUserQuota", 2),
    ("UserPolicySizeQuota", 2048),
    ("UsersQuota", 5000),
    ("VersionsPerPolicyQuota", 5),
];

#[derive(Deserialize)]
struct NoInput {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SummaryOutput {
    summary_map: BTreeMap<&'static str, i64>,
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html>
async fn summary(iam: &Iam, cx: &Cx, _: NoInput) -> Result<SummaryOutput> {
    let mut map: BTreeMap<_, _> = FIXED.iter().copied().collect();
    let policies = iam.all::<Policy>(&cx.account).await?;
    let versions: usize = policies.iter().map(|p| p.versions.len()).sum();
    map.insert("Policies", number(policies.len()));
    map.insert("PolicyVersionsInUse", number(versions));
    map.insert("Users", count::<User>(iam, cx).await?);
    map.insert("Groups", count::<Group>(iam, cx).await?);
    map.insert("Roles", count::<Role>(iam, cx).await?);
    map.insert("InstanceProfiles", count::<InstanceProfile>(iam, cx).await?);
    map.insert("Providers", count::<Provider>(iam, cx).await?);
    Ok(SummaryOutput { summary_map: map })
}

async fn count<E: Entity>(iam: &Iam, cx: &Cx) -> Result<i64> {
    let range = Range::prefix(&Key::new().str(&cx.account));
    Ok(number(iam.store.scan(E::table(), range, usize::MAX).await?.len()))
}

fn number(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
