//! The facts of a request that conditions and policy variables ask for.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>

use std::borrow::Cow;
use std::net::IpAddr;

use fogbank_core::{Kind, Principal, Source, Str};
use jiff::Timestamp;

/// A request's context: the principal, the circumstances, and the service's own keys.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub principal: &'a Principal,
    /// The time on the cloud's clock.
    pub now: Timestamp,
    /// `None` for calls that services make.
    pub source_ip: Option<IpAddr>,
    /// `aws:SecureTransport`.
    pub secure: bool,
    /// `aws:RequestedRegion`; empty when there is none.
    pub region: &'a str,
    /// `aws:ResourceAccount`.
    pub resource_account: &'a str,
    /// `aws:ViaAWSService`: a service makes the call in the principal's name.
    pub via_service: bool,
    /// `aws:UserAgent` and `aws:Referer`.
    pub user_agent: Option<&'a str>,
    pub referer: Option<&'a str>,
    /// `aws:SourceArn` and `aws:SourceAccount`: for whom a service calls.
    pub source: Option<&'a Source>,
    /// Service keys; these go first.
    pub keys: &'a [(Str, Vec<String>)],
    /// Whatever else the request carries.
    pub more: &'a [(Str, Vec<String>)],
}

/// The values of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values<'a> {
    /// The key is not in the context.
    Absent,
    One(Cow<'a, str>),
    Many(&'a [String]),
}

impl Values<'_> {
    /// The values in turn.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (one, many): (Option<&str>, &[String]) = match self {
            Values::Absent => (None, &[]),
            Values::One(v) => (Some(v), &[]),
            Values::Many(v) => (None, v),
        };
        one.into_iter().chain(many.iter().map(String::as_str))
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        match self {
            Values::Absent => true,
            Values::One(_) => false,
            Values::Many(v) => v.is_empty(),
        }
    }
}

impl<'a> Context<'a> {
    /// A context that knows only the principal and the time.
    #[must_use]
    pub fn new(principal: &'a Principal, now: Timestamp) -> Self {
        Context {
            principal,
            now,
            source_ip: None,
            secure: false,
            region: "",
            resource_account: "",
            via_service: false,
            user_agent: None,
            referer: None,
            source: None,
            keys: &[],
            more: &[],
        }
    }

    /// The values of `key`, which is in lower case.
    #[must_use]
    pub fn get(&self, key: &str) -> Values<'a> {
        let same = |k: &str| k.eq_ignore_ascii_case(key);
        if let Some((_, v)) = self.keys.iter().chain(self.more).find(|(k, _)| same(k)) {
            return Values::Many(v);
        }
        let p: &'a Principal = self.principal;
        if let Some(s) = &p.session
            && let Some((_, v)) = s.claims.iter().find(|(k, _)| same(k))
        {
            return Values::Many(v);
        }
        match key.strip_prefix("aws:").and_then(|k| self.global(k)) {
            Some(v) => Values::One(v),
            None => Values::Absent,
        }
    }

    /// The value of a variable: only a key with exactly one value can stand in a text.
    #[must_use]
    pub fn variable(&self, key: &str) -> Option<Cow<'a, str>> {
        match self.get(key) {
            Values::One(v) => Some(v),
            Values::Many([v]) => Some(Cow::Borrowed(v)),
            _ => None,
        }
    }

    /// A global key, without its `aws:`.
    fn global(&self, key: &str) -> Option<Cow<'a, str>> {
        let p = self.principal;
        let known = |s: &'a str| Some(s).filter(|s| !s.is_empty()).map(Cow::Borrowed);
        let truth = |b: bool| Some(Cow::Borrowed(if b { "true" } else { "false" }));
        let service = p.kind == Kind::Service;
        if let Some(tag) = key.strip_prefix("principaltag/") {
            let tag = p.tags.iter().find(|(k, _)| k.eq_ignore_ascii_case(tag));
            return tag.map(|(_, v)| Cow::Borrowed(v.as_str()));
        }
        match key {
            "currenttime" => Some(Cow::Owned(self.now.to_string())),
            "epochtime" => Some(Cow::Owned(self.now.as_second().to_string())),
            "sourceip" => self.source_ip.map(|ip| Cow::Owned(ip.to_canonical().to_string())),
            "securetransport" => truth(self.secure),
            "requestedregion" => known(self.region),
            "resourceaccount" => known(self.resource_account),
            "viaawsservice" => truth(self.via_service),
            "useragent" => self.user_agent.map(Cow::Borrowed),
            "referer" => self.referer.map(Cow::Borrowed),
            "principalisawsservice" => truth(service),
            "principalservicename" if service => known(&p.arn),
            "principalaccount" if !service => known(&p.account),
            "principaltype" => Some(Cow::Borrowed(match p.kind {
                Kind::Anonymous => "Anonymous",
                Kind::Root => "Account",
                Kind::User { .. } => "User",
                Kind::AssumedRole { .. } => "AssumedRole",
                Kind::Federated { .. } => "FederatedUser",
                Kind::Service => return None,
            })),
            "principalarn" => match &p.kind {
                Kind::Anonymous | Kind::Service => None,
                Kind::AssumedRole { role_arn, .. } => known(role_arn),
                _ => known(&p.arn),
            },
            "userid" => match p.kind {
                Kind::Anonymous => Some(Cow::Borrowed("anonymous")),
                _ => known(&p.id),
            },
            "username" => match &p.kind {
                Kind::User { name } => known(name),
                _ => None,
            },
            "tokenissuetime" => Some(Cow::Owned(p.session.as_ref()?.issued.to_string())),
            "sourceidentity" => {
                Some(Cow::Borrowed(p.session.as_ref()?.source_identity.as_deref()?))
            }
            "sourcearn" => self.source.map(|s| Cow::Borrowed(s.arn.as_str())),
            "sourceaccount" => self.source.map(|s| Cow::Borrowed(s.account.as_str())),
            "federatedprovider" => {
                Some(Cow::Borrowed(p.session.as_ref()?.federated_provider.as_deref()?))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn global_keys_come_from_the_principal() {
        let mut p = Principal::root("000000000000");
        p.kind = Kind::AssumedRole {
            role_arn: "arn:aws:iam::000000000000:role/r".into(),
            role_name: "r".into(),
            session: "s".into(),
        };
        p.tags = vec![("Team".into(), "red".into())];
        let keys = [(Str::Borrowed("s3:Prefix"), vec!["a".into(), "b".into()])];
        let c = Context { keys: &keys, ..Context::new(&p, Timestamp::UNIX_EPOCH) };
        let one = |k: &str| c.variable(k).map(Cow::into_owned);
        assert_eq!(one("aws:principalarn").as_deref(), Some("arn:aws:iam::000000000000:role/r"));
        assert_eq!(one("aws:principaltag/team").as_deref(), Some("red"));
        assert_eq!(one("aws:username"), None);
        assert_eq!(one("aws:currenttime").as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(one("s3:prefix"), None, "two values are no text");
        assert_eq!(c.get("s3:prefix").iter().count(), 2);
        assert!(c.get("s3:delimiter").is_absent());
    }
}
