//! Decisions over policy texts: compiles them once and keeps the compiled form.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use fogbank_core::authz::PolicySet;
use fogbank_core::{Check, Kind};
use parking_lot::RwLock;

use crate::context::Context;
use crate::decide::{Decision, Policies, Request, decide};
use crate::error::{Error, Usage};
use crate::policy::Policy;

/// Decides on texts, with a bounded cache of compiled policies: one slot per hash value, the
/// newcomer evicts. A text that changes is another text, so nothing needs to be invalidated.
pub struct Engine {
    hasher: RandomState,
    slots: Box<[RwLock<Option<Entry>>]>,
}

type Entry = (Arc<str>, Arc<Policy>);

/// A decision together with its sentence, when it is a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub decision: Decision,
    /// AWS's message of the refusal; empty when allowed.
    pub message: String,
}

impl Engine {
    /// An engine that keeps at most `slots` compiled policies (one at least).
    #[must_use]
    pub fn new(slots: usize) -> Self {
        let slots = (0..slots.max(1)).map(|_| RwLock::new(None)).collect();
        Engine { hasher: RandomState::new(), slots }
    }

    /// Answers `check` for the principal of `context`, whose identity policies are `set`. The
    /// check's context keys and the owner's account are filled in; other keys go in `more`.
    ///
    /// # Errors
    /// A stored policy that does not compile: nobody can say what it would have denied.
    pub fn check(
        &self,
        context: &Context<'_>,
        set: &PolicySet,
        check: &Check,
    ) -> Result<Verdict, Error> {
        let caller = context.principal;
        let compile = |t: &Arc<str>| self.policy(t);
        let identity = set.identity.iter().map(compile).collect::<Result<Vec<_>, _>>()?;
        let boundary = set.boundary.as_ref().map(compile).transpose()?;
        let resource = check.resource_policy.as_ref().map(compile).transpose()?;
        let session = if matches!(caller.kind, Kind::AssumedRole { .. } | Kind::Federated { .. }) {
            let texts = caller.session_policies.iter();
            texts.map(|t| self.policy_text(t)).collect::<Result<Vec<_>, _>>()?
        } else {
            Vec::new()
        };
        let owner = check.resource_account.as_deref().unwrap_or_default();
        let mut context = *context;
        context.keys = &check.context;
        context.resource_account = if owner.is_empty() { &caller.account } else { owner };
        let request = Request {
            action: &check.action,
            resource: &check.resource,
            resource_account: owner,
            granted: check.granted,
            resource_policy_required: check.resource_policy_required,
            context: &context,
        };
        let policies = Policies {
            identity: &identity,
            boundary: boundary.as_deref(),
            session: &session,
            resource: resource.as_deref(),
        };
        let decision = decide(&request, &policies);
        let message = if decision.allowed { String::new() } else { decision.message(&request) };
        Ok(Verdict { decision, message })
    }

    /// The compiled form of a policy that was accepted before.
    ///
    /// # Errors
    /// When it is no policy.
    pub fn policy(&self, text: &Arc<str>) -> Result<Arc<Policy>, Error> {
        self.find(text, || text.clone())
    }

    fn policy_text(&self, text: &str) -> Result<Arc<Policy>, Error> {
        self.find(text, || text.into())
    }

    fn find(&self, text: &str, own: impl Fn() -> Arc<str>) -> Result<Arc<Policy>, Error> {
        let hash = self.hasher.hash_one(text) % self.slots.len() as u64;
        let slot = &self.slots[usize::try_from(hash).unwrap_or_default()];
        if let Some((t, p)) = &*slot.read()
            && **t == *text
        {
            return Ok(p.clone());
        }
        let policy = Arc::new(Policy::parse(text, Usage::Stored)?);
        *slot.write() = Some((own(), policy.clone()));
        Ok(policy)
    }
}

impl Default for Engine {
    /// Room for 1024 policies.
    fn default() -> Self {
        Engine::new(1024)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({})", self.slots.len())
    }
}
