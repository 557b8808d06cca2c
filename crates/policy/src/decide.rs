//! The decision: identity, resource, boundary and session policies together.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::sync::Arc;

use fogbank_core::{Kind, Principal};

use crate::context::Context;
use crate::policy::{Effect, Policy, Question};
use crate::principal::Hit;

/// One request for a decision.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `s3:GetObject`, in any case.
    pub action: &'a str,
    /// The resource's ARN, or `*`.
    pub resource: &'a str,
    /// The account that owns the resource; empty = the caller's own.
    pub resource_account: &'a str,
    /// Something other than a policy allows it already (an S3 ACL).
    pub granted: bool,
    /// Only the resource's policy can allow, as for roles (trust) and KMS keys.
    pub resource_policy_required: bool,
    pub context: &'a Context<'a>,
}

/// All the policies that have a say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policies<'a> {
    pub identity: &'a [Arc<Policy>],
    pub boundary: Option<&'a Policy>,
    /// What a session was limited to; a session may do what any of them allows.
    pub session: &'a [Arc<Policy>],
    pub resource: Option<&'a Policy>,
}

/// Where a decision comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Identity,
    Resource,
    Boundary,
    Session,
    /// The caller is the root of the account.
    Root,
    /// [`Request::granted`].
    Grant,
}

/// The answer, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    /// A statement said Deny; else a refusal means that nothing said Allow.
    pub explicit: bool,
    pub source: Source,
    /// Which policy of the source, and which of its statements, decided; `None` when nothing did.
    pub statement: Option<(usize, usize)>,
    /// The statement's Sid.
    pub sid: Option<String>,
}

/// Decides. An explicit Deny wins; then every policy that limits must allow.
#[must_use]
pub fn decide(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    let lower;
    let action = if request.action.bytes().any(|b| b.is_ascii_uppercase()) {
        lower = request.action.to_ascii_lowercase();
        &*lower
    } else {
        request.action
    };
    let question = Question { action, resource: request.resource, context: request.context };
    Case { request, policies, question }.decide()
}

struct Case<'a> {
    request: &'a Request<'a>,
    policies: &'a Policies<'a>,
    question: Question<'a>,
}

impl Case<'_> {
    fn decide(&self) -> Decision {
        let Policies { identity, boundary, session, resource } = self.policies;
        let caller = self.caller();
        let limited = !matches!(caller.kind, Kind::Root | Kind::Anonymous | Kind::Service);
        if limited {
            let denied = self
                .any(Effect::Deny, identity, Source::Identity)
                .or_else(|| self.any(Effect::Deny, boundary.as_slice(), Source::Boundary))
                .or_else(|| self.any(Effect::Deny, session, Source::Session));
            if let Some((d, _)) = denied {
                return d;
            }
        }
        if !self.beyond_resource_policy()
            && let Some((d, _)) = self.any(Effect::Deny, resource.as_slice(), Source::Resource)
        {
            return d;
        }
        // A grant names its caller; a policy that only leaves it to the account's own policies
        // does not weaken it.
        let hit = match caller.kind {
            Kind::AssumedRole { .. } => Hit::Role,
            _ => Hit::Direct,
        };
        let grant = self.request.granted.then(|| (allowed(Source::Grant), hit));
        let granted = match self.any(Effect::Allow, resource.as_slice(), Source::Resource) {
            Some((_, Hit::Account)) | None if grant.is_some() => grant,
            found => found,
        };
        if self.request.resource_policy_required && granted.is_none() {
            return implicit(Source::Resource);
        }
        match caller.kind {
            Kind::Anonymous | Kind::Service => {
                granted.map_or_else(|| implicit(Source::Resource), |(d, _)| d)
            }
            Kind::Root if self.foreign() => {
                granted.map_or_else(|| implicit(Source::Resource), |(d, _)| d)
            }
            Kind::Root => allowed(Source::Root),
            _ if self.foreign() => {
                let own = self.own();
                match granted {
                    None if own.allowed => implicit(Source::Resource),
                    _ => own,
                }
            }
            _ => match granted {
                // The caller itself is named: its own policies need not allow.
                Some((d, Hit::Direct)) => d,
                // The role is named: what limits the session still does.
                Some((d, Hit::Role)) => self.limits().unwrap_or(d),
                _ => self.own(),
            },
        }
    }

    /// What the caller's own policies say, without any Deny.
    fn own(&self) -> Decision {
        let Policies { identity, session, .. } = self.policies;
        let Some((d, _)) = self.any(Effect::Allow, identity, Source::Identity) else {
            return implicit(Source::Identity);
        };
        // GetFederationToken without policies gives a session that can do nothing by itself.
        if matches!(self.caller().kind, Kind::Federated { .. }) && session.is_empty() {
            return implicit(Source::Session);
        }
        self.limits().unwrap_or(d)
    }

    /// The refusal of a boundary or a session policy that does not allow.
    fn limits(&self) -> Option<Decision> {
        let Policies { boundary, session, .. } = self.policies;
        if boundary.is_some()
            && self.any(Effect::Allow, boundary.as_slice(), Source::Boundary).is_none()
        {
            return Some(implicit(Source::Boundary));
        }
        if !session.is_empty() && self.any(Effect::Allow, session, Source::Session).is_none() {
            return Some(implicit(Source::Session));
        }
        None
    }

    /// The strongest statement of `effect` among `policies`.
    fn any<P: AsRef<Policy>>(
        &self,
        effect: Effect,
        policies: &[P],
        source: Source,
    ) -> Option<(Decision, Hit)> {
        let mut best: Option<(usize, usize, Hit)> = None;
        for (i, p) in policies.iter().enumerate() {
            let Some((s, hit)) = p.as_ref().find(effect, &self.question) else { continue };
            if best.is_none_or(|(_, _, b)| hit > b) {
                best = Some((i, s, hit));
            }
            if hit == Hit::Direct {
                break;
            }
        }
        let (policy, statement, hit) = best?;
        let sid = policies[policy].as_ref().statements[statement].sid.clone();
        let decision = Decision {
            allowed: effect == Effect::Allow,
            explicit: effect == Effect::Deny,
            source,
            statement: Some((policy, statement)),
            sid,
        };
        Some((decision, hit))
    }

    fn caller(&self) -> &Principal {
        self.request.context.principal
    }

    /// Whether the resource belongs to another account.
    fn foreign(&self) -> bool {
        let owner = self.request.resource_account;
        !owner.is_empty() && owner != self.caller().account
    }

    /// The root of the bucket's account can always mend the bucket's policy.
    fn beyond_resource_policy(&self) -> bool {
        self.caller().is_root()
            && !self.foreign()
            && matches!(
                self.question.action,
                "s3:getbucketpolicy" | "s3:putbucketpolicy" | "s3:deletebucketpolicy"
            )
    }
}

impl AsRef<Policy> for Policy {
    fn as_ref(&self) -> &Policy {
        self
    }
}

fn allowed(source: Source) -> Decision {
    Decision { allowed: true, explicit: false, source, statement: None, sid: None }
}

fn implicit(source: Source) -> Decision {
    Decision { allowed: false, explicit: false, source, statement: None, sid: None }
}
