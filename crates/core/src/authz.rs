//! Authorisation as services see it: what to check, and who knows the identities.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{BoxFuture, Principal, Result, Str};

/// One question to the policy engine: may the caller do `action` on `resource`?
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Check {
    /// `service:Action` as IAM spells it (`s3:ListBucket`, not the operation's name).
    pub action: Str,
    /// The resource's ARN, or `*`.
    pub resource: String,
    /// The account that owns the resource; `None` = the caller's own.
    pub resource_account: Option<String>,
    /// The resource's own policy (bucket policy, trust policy, key policy), JSON text.
    pub resource_policy: Option<Arc<str>>,
    /// Service condition keys and their values (`s3:prefix`, `iam:PassedToService`).
    pub context: Vec<(Str, Vec<String>)>,
    /// Something other than a policy already allows it (an S3 ACL); an explicit Deny still wins.
    pub granted: bool,
    /// The resource policy alone must allow, as for trust policies and KMS key policies:
    /// without an Allow in it the answer is no, whatever identity policies say.
    pub resource_policy_required: bool,
}

impl Check {
    /// A question without resource policy or extra context.
    pub fn new(action: impl Into<Str>, resource: impl Into<String>) -> Self {
        Check { action: action.into(), resource: resource.into(), ..Check::default() }
    }

    /// Adds a condition key with one value.
    #[must_use]
    pub fn with(mut self, key: impl Into<Str>, value: impl Into<String>) -> Self {
        self.context.push((key.into(), vec![value.into()]));
        self
    }
}

/// An access key as the gateway needs it.
#[derive(Clone, Debug)]
pub struct Credential {
    pub access_key: String,
    pub secret: String,
    /// The token that must accompany a temporary key (`ASIA…`).
    pub session_token: Option<String>,
    /// When a temporary key ends, on the cloud's clock.
    pub expires: Option<Timestamp>,
    pub principal: Arc<Principal>,
}

/// The identity policies that apply to a principal, as JSON texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicySet {
    /// Inline, attached and group policies.
    pub identity: Vec<Arc<str>>,
    /// The permissions boundary, if one is set.
    pub boundary: Option<Arc<str>>,
}

/// Who knows access keys and identity policies: implemented by IAM, used by the gateway.
pub trait Identities: Send + Sync {
    /// The credential behind an access key id. A temporary key (`ASIA…`) is known by the session
    /// token that came with it. `None` when there is no such key, it is inactive, its user or role
    /// is gone, or the token is not the key's; expiry is for the caller to judge.
    fn credential<'a>(
        &'a self,
        access_key: &'a str,
        session_token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Arc<Credential>>>>;

    /// Notes that a key has signed a valid request (`GetAccessKeyLastUsed`, a role's last use).
    /// Cheap: at most one write per key and minute.
    fn used<'a>(
        &'a self,
        credential: &'a Credential,
        service: &'a str,
        region: &'a str,
    ) -> BoxFuture<'a, ()>;

    /// The identity policies of `principal` now. Empty for root, anonymous and services.
    fn policies<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, Result<Arc<PolicySet>>>;
}
