//! AWS's own managed policies: those that tools, blueprints and everyday use name.
//!
//! Documents are as AWS publishes them; ReadOnlyAccess, ViewOnlyAccess, SecurityAudit and
//! AdministratorAccess-Amplify, which list thousands of actions, are abridged to common services.
//! <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/>

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

use sha2::{Digest, Sha256};

mod list;

use list::LIST;

pub const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// When AWS published its first managed policies: 2015-02-06T18:39:46Z.
pub const CREATED: i64 = 1_423_247_986;

const PREFIX: &str = "arn:aws:iam::aws:policy";

/// A policy that AWS maintains.
#[derive(Debug)]
pub struct Managed {
    /// `/`, `/service-role/`, `/job-function/`, …
    pub path: &'static str,
    pub name: &'static str,
    pub version: u16,
    pub description: &'static str,
    pub document: &'static str,
}

impl Managed {
    pub fn arn(&self) -> String {
        format!("{PREFIX}{}{}", self.path, self.name)
    }

    pub fn version_id(&self) -> String {
        format!("v{}", self.version)
    }

    /// The unique id: AWS's own for AdministratorAccess, else one that follows from the name.
    pub fn id(&self) -> String {
        const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        if self.name == "AdministratorAccess" {
            return "ANPAIWMBCKSKIEE64ZLYK".into();
        }
        let digest = Sha256::digest(self.arn());
        let digits = digest.iter().take(17).map(|b| char::from(BASE32[usize::from(b & 31)]));
        "ANPA".chars().chain(digits).collect()
    }

    /// The document, shared by all who hold the policy.
    pub fn text(&self) -> Arc<str> {
        static TEXTS: OnceLock<HashMap<&'static str, Arc<str>>> = OnceLock::new();
        let texts =
            TEXTS.get_or_init(|| LIST.iter().map(|p| (p.document, p.document.into())).collect());
        texts.get(self.document).cloned().unwrap_or_else(|| self.document.into())
    }
}

/// Whether the ARN names a policy of AWS's rather than an account's.
pub fn is_managed(arn: &str) -> bool {
    arn.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with('/'))
}

/// The policy with this ARN; `None` for one that fogbank does not carry.
pub fn get(arn: &str) -> Option<&'static Managed> {
    static BY_ARN: LazyLock<HashMap<String, &'static Managed>> =
        LazyLock::new(|| LIST.iter().map(|p| (p.arn(), p)).collect());
    BY_ARN.get(arn).copied()
}

/// All of them, in order of name.
pub fn all() -> impl Iterator<Item = &'static Managed> {
    LIST.iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_is_a_valid_policy() {
        for policy in all() {
            let checked = crate::document::check(policy.document, crate::document::Use::Identity);
            assert_eq!(checked, Ok(()), "{}", policy.name);
            assert!(get(&policy.arn()).is_some_and(|p| p.name == policy.name));
            assert!(crate::entity::check_path(policy.path).is_ok());
        }
    }
}
