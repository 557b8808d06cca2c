//! Principals in policies: parsing `Principal` and `NotPrincipal`, and whom they mean.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use fogbank_core::{Arn, Kind, Principal};

use crate::error::{Fault, Usage};
use crate::json::Json;
use crate::services;

/// One principal that a policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// `*`: everyone, anonymous callers too.
    Any,
    /// An account, by its number or its root ARN.
    Account(String),
    /// A user, role, role session or federated session by its ARN.
    Arn(String),
    /// A unique id (`AIDA…`, `AROA…`), what AWS leaves when the principal was deleted.
    Id(String),
    /// `lambda.amazonaws.com`.
    Service(String),
    /// An identity provider: an ARN or a host name.
    Federated(String),
    /// S3's canonical user id. It matches nobody: S3 replaces it by the account before it keeps a
    /// policy.
    CanonicalUser(String),
}

/// How a statement's principals mean the caller; the order is that of strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hit {
    /// Through its account: the account's own policies must allow as well.
    Account,
    /// Through the role whose session it is.
    Role,
    /// By itself, or as one of everyone.
    Direct,
}

/// A `Principal` element, or with `negated` a `NotPrincipal` element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principals {
    pub negated: bool,
    pub named: Vec<Named>,
}

impl Principals {
    pub(crate) fn parse(json: &Json, negated: bool, usage: Usage<'_>) -> Result<Self, Fault> {
        let invalid = |value: &str| Fault::Principal { kind: "AWS", value: value.into() };
        let mut named = Vec::new();
        match json {
            Json::Str(s) if s == "*" => named.push(Named::Any),
            Json::Str(s) => return Err(invalid(s)),
            Json::Map(members) if !members.is_empty() => {
                for (kind, values) in members {
                    for v in values.items() {
                        let Json::Str(v) = v else { return Err(Fault::Syntax) };
                        named.push(one(kind, v, usage)?);
                    }
                }
            }
            _ => return Err(invalid("")),
        }
        Ok(Principals { negated, named })
    }

    /// How strongly the element means `caller`; `None` when it does not.
    #[must_use]
    pub fn hit(&self, caller: &Principal) -> Option<Hit> {
        let strongest = || self.named.iter().filter_map(|n| n.hit(caller)).max();
        if self.negated {
            return if strongest().is_none() { Some(Hit::Direct) } else { None };
        }
        strongest()
    }

    /// Whether a Deny with `NotPrincipal` spares `caller`: the caller, its role and its account
    /// must all be named.
    #[must_use]
    pub fn spares(&self, caller: &Principal) -> bool {
        let has = |hit: Hit| self.named.iter().any(|n| n.hit(caller) == Some(hit));
        if self.named.contains(&Named::Any) {
            return true;
        }
        match &caller.kind {
            Kind::AssumedRole { .. } => has(Hit::Direct) && has(Hit::Role) && has(Hit::Account),
            Kind::User { .. } | Kind::Federated { .. } => has(Hit::Direct) && has(Hit::Account),
            Kind::Root => has(Hit::Account) || has(Hit::Direct),
            Kind::Anonymous | Kind::Service => has(Hit::Direct),
        }
    }
}

impl Named {
    fn hit(&self, caller: &Principal) -> Option<Hit> {
        let when = |yes: bool, hit: Hit| yes.then_some(hit);
        match self {
            Named::Any => Some(Hit::Direct),
            Named::Account(a) => {
                let known = !matches!(caller.kind, Kind::Anonymous | Kind::Service);
                when(known && *a == caller.account, Hit::Account)
            }
            Named::Arn(arn) => {
                if *arn == caller.arn {
                    return Some(Hit::Direct);
                }
                match &caller.kind {
                    Kind::AssumedRole { role_arn, .. } => when(arn == role_arn, Hit::Role),
                    _ => None,
                }
            }
            Named::Id(id) => match caller.id.split_once(':') {
                Some((role, _)) if role == id => Some(Hit::Role),
                _ => when(*id == caller.id, Hit::Direct),
            },
            Named::Service(host) => when(
                caller.kind == Kind::Service && services::means(host, &caller.arn),
                Hit::Direct,
            ),
            Named::Federated(provider) => {
                let from = caller.session.as_ref().and_then(|s| s.federated_provider.as_deref());
                when(from == Some(provider), Hit::Direct)
            }
            Named::CanonicalUser(_) => None,
        }
    }
}

fn one(kind: &str, value: &str, usage: Usage<'_>) -> Result<Named, Fault> {
    let fault = |kind| Err(Fault::Principal { kind, value: value.into() });
    match kind {
        "AWS" => match aws(value) {
            Some(n) => Ok(n),
            None => fault("AWS"),
        },
        "Service" => match value {
            v if services::is_principal(v) || usage == Usage::Stored => {
                Ok(Named::Service(v.into()))
            }
            // Everyone, said of services, still means no user.
            _ => fault("SERVICE"),
        },
        "Federated" if federated(value) => Ok(Named::Federated(value.into())),
        "Federated" => fault("FEDERATED"),
        "CanonicalUser" if !matches!(usage, Usage::Trust) && !value.is_empty() => {
            Ok(Named::CanonicalUser(value.into()))
        }
        "CanonicalUser" => fault("CANONICALUSER"),
        _ => fault("AWS"),
    }
}

fn aws(value: &str) -> Option<Named> {
    let digits = |s: &str| s.len() == 12 && s.bytes().all(|b| b.is_ascii_digit());
    if value == "*" {
        return Some(Named::Any);
    }
    if digits(value) {
        return Some(Named::Account(value.into()));
    }
    let unique = value.starts_with('A')
        && value.len() >= 16
        && value.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if unique {
        return Some(Named::Id(value.into()));
    }
    let arn = Arn::parse(value)?;
    if !digits(arn.account) || !arn.region.is_empty() || value.contains(['*', '?']) {
        return None;
    }
    if !matches!(arn.partition, "aws" | "aws-cn" | "aws-us-gov") {
        return None;
    }
    let (kind, name) = arn.resource.split_once('/').unwrap_or((arn.resource, ""));
    match (arn.service, kind) {
        ("iam", "root") if name.is_empty() => Some(Named::Account(arn.account.into())),
        ("iam", "user" | "role") | ("sts", "federated-user") if !name.is_empty() => {
            Some(Named::Arn(value.into()))
        }
        ("sts", "assumed-role") if name.contains('/') => Some(Named::Arn(value.into())),
        _ => None,
    }
}

fn federated(value: &str) -> bool {
    if let Some(arn) = Arn::parse(value) {
        let kind = arn.resource.split('/').next().unwrap_or_default();
        return arn.service == "iam"
            && !arn.account.is_empty()
            && matches!(kind, "oidc-provider" | "saml-provider");
    }
    matches!(
        value,
        "cognito-identity.amazonaws.com"
            | "www.amazon.com"
            | "graph.facebook.com"
            | "accounts.google.com"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Principals, Fault> {
        Principals::parse(&Json::parse(text).unwrap(), false, Usage::Resource)
    }

    #[test]
    fn good_and_bad_principals() {
        let named = |t: &str| parse(t).unwrap().named;
        assert_eq!(named(r#""*""#), [Named::Any]);
        assert_eq!(named(r#"{"AWS":"*"}"#), [Named::Any]);
        assert_eq!(named(r#"{"AWS":"111122223333"}"#), [Named::Account("111122223333".into())]);
        assert_eq!(
            named(r#"{"AWS":["arn:aws:iam::111122223333:root"],"Service":"s3.amazonaws.com"}"#),
            [Named::Account("111122223333".into()), Named::Service("s3.amazonaws.com".into())]
        );
        for bad in [
            r#""x""#,
            r#"{}"#,
            r#"[]"#,
            r#"1"#,
            r#"{"AWS":"x"}"#,
            r#"{"AWS":1}"#,
            r#"{"AWS":"arn:aws:iam::111122223333:user/*"}"#,
            r#"{"AWS":"11112222333"}"#,
            r#"{"AWS":"arn:aws:iam::111122223333:group/g"}"#,
            r#"{"Other":"x"}"#,
            r#"{"Service":"s3files.amazonaws.com"}"#,
            r#"{"Federated":"example.com"}"#,
            r#"{"AWS":"arn:aws:iam::111122223333:role/"}"#,
            r#"{"Service":"*"}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let Err(e) = parse(r#"{"Service":"s3files.amazonaws.com"}"#) else { panic!("accepted") };
        assert_eq!(
            e.word(Usage::Trust).message(),
            r#"Invalid principal in policy: "SERVICE":"s3files.amazonaws.com""#
        );
    }
}
