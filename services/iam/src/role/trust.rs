//! Trust policies: who may assume a role. Every principal that they name must exist.

use fogbank_core::{Arn, Result};
use fogbank_policy::Named;

use crate::Iam;
use crate::document::{self, Use};
use crate::entity::Entity;
use crate::error::{malformed_policy, quota};
use crate::role::Role;
use crate::user::User;

/// The most characters, white space not counted.
const MOST: usize = 2048;

/// Checks a trust policy's size, grammar and principals. An account exists by being named.
pub async fn check(iam: &Iam, text: &str) -> Result<()> {
    if document::size(text) > MOST {
        return Err(quota("ACLSizePerRole", MOST));
    }
    let policy = document::parse(text, Use::Trust)?;
    for principal in policy.principals() {
        let (value, exists) = match principal {
            Named::Arn(arn) => (arn, exists(iam, arn).await?),
            Named::Id(id) => (id, false),
            _ => continue,
        };
        if !exists {
            return Err(malformed_policy(format!(
                "Invalid principal in policy: \"AWS\":\"{value}\""
            )));
        }
    }
    Ok(())
}

async fn exists(iam: &Iam, text: &str) -> Result<bool> {
    let Some(arn) = Arn::parse(text) else { return Ok(false) };
    let mut parts = arn.resource.split('/');
    let (kind, first) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let name = parts.next_back().unwrap_or(first);
    Ok(match (arn.service, kind) {
        ("iam", "user") => {
            let user: Option<User> = iam.find(arn.account, name).await?;
            user.is_some_and(|u| u.arn(arn.account) == text)
        }
        ("iam", "role") => {
            let role: Option<Role> = iam.find(arn.account, name).await?;
            role.is_some_and(|r| r.arn(arn.account) == text)
        }
        ("sts", "assumed-role") => iam.find::<Role>(arn.account, first).await?.is_some(),
        ("sts", "federated-user") => true,
        _ => false,
    })
}
