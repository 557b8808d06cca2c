//! What STS asks of IAM: roles, managed policies, identity providers.

use std::sync::Arc;

use fogbank_core::{BoxFuture, Cx, Result};

/// A role as STS needs it to decide about a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub account: String,
    pub name: String,
    pub arn: String,
    /// `AROA…`
    pub id: String,
    /// The JSON text as it was given.
    pub trust_policy: Arc<str>,
    /// In seconds.
    pub max_session: i64,
    pub tags: Vec<(String, String)>,
}

/// An OpenID Connect provider that an account trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcProvider {
    pub arn: String,
    /// Without `https://`.
    pub url: String,
    pub client_ids: Vec<String>,
}

/// The look-ups. Implemented by IAM; the binary hands it to STS, so that neither knows the other.
pub trait Directory: Send + Sync {
    /// The role `name` of `account`; `None` when there is none.
    fn role<'a>(&'a self, account: &'a str, name: &'a str) -> BoxFuture<'a, Result<Option<Role>>>;

    /// The default version of the managed policy `arn`; `None` when there is none.
    fn managed_policy<'a>(&'a self, arn: &'a str) -> BoxFuture<'a, Result<Option<Arc<str>>>>;

    /// The provider of `account` whose URL, without scheme, is `url`.
    fn oidc_provider<'a>(
        &'a self,
        account: &'a str,
        url: &'a str,
    ) -> BoxFuture<'a, Result<Option<OidcProvider>>>;

    /// The account that owns a long-term access key, active or not.
    fn key_account<'a>(&'a self, access_key: &'a str) -> BoxFuture<'a, Result<Option<String>>>;

    /// Notes that a session of the role begins, for `RoleLastUsed`.
    fn role_used<'a>(&'a self, cx: &'a Cx, role: &'a Role) -> BoxFuture<'a, Result<()>>;
}

/// Where the public keys of token issuers come from.
pub trait Issuers: Send + Sync {
    /// The JSON Web Key Set of the issuer at `url` (with its scheme); `None` when it cannot be had.
    fn keys<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Option<String>>;
}

/// No issuer can be reached: a cloud without the internet and without issuers of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoIssuers;

impl Issuers for NoIssuers {
    fn keys<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(std::future::ready(None))
    }
}
