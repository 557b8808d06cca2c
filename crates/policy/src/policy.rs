//! A compiled policy: statements, and whether they speak of a request.

use fogbank_core::Principal;

use crate::condition::Condition;
use crate::context::Context;
use crate::glob::Glob;
use crate::principal::{Hit, Named, Principals};

/// A policy document, compiled. Made by [`Policy::parse`].
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub id: Option<String>,
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub sid: Option<String>,
    pub effect: Effect,
    /// `None` in identity policies.
    pub principals: Option<Principals>,
    pub(crate) actions: Matcher,
    /// `None` where the policy's own resource is meant, as in trust policies.
    pub(crate) resources: Option<Resources>,
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

/// `Action` or `NotAction`, in lower case.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matcher {
    pub negated: bool,
    pub globs: Vec<Glob>,
}

/// `Resource` or `NotResource`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resources(pub Matcher);

/// What is asked of a policy.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// In lower case: `s3:getobject`.
    pub action: &'a str,
    /// The resource's ARN, or `*`.
    pub resource: &'a str,
    pub context: &'a Context<'a>,
}

impl Policy {
    /// The principals that the policy names, for those who must check that they exist.
    pub fn principals(&self) -> impl Iterator<Item = &Named> {
        self.statements.iter().filter_map(|s| s.principals.as_ref()).flat_map(|p| &p.named)
    }

    /// The first statement of `effect` that speaks of the question, by its position, and the
    /// strongest way in which one means the caller.
    #[must_use]
    pub fn find(&self, effect: Effect, q: &Question<'_>) -> Option<(usize, Hit)> {
        let mut best: Option<(usize, Hit)> = None;
        for (i, s) in self.statements.iter().enumerate().filter(|(_, s)| s.effect == effect) {
            let Some(hit) = s.applies(q) else { continue };
            if best.is_none_or(|(_, b)| hit > b) {
                best = Some((i, hit));
            }
            if hit == Hit::Direct || effect == Effect::Deny {
                break;
            }
        }
        best
    }
}

impl Statement {
    /// Whether the statement speaks of the question, and how it means the caller.
    #[must_use]
    pub fn applies(&self, q: &Question<'_>) -> Option<Hit> {
        let action = self.actions.globs.iter().any(|g| g.matches_plain(q.action));
        if action == self.actions.negated {
            return None;
        }
        if let Some(Resources(r)) = &self.resources {
            let lookup = |k: &str| q.context.variable(k);
            let hit = r.globs.iter().any(|g| g.matches(q.resource, lookup));
            if hit == r.negated {
                return None;
            }
        }
        let hit = self.means(q.context.principal)?;
        self.conditions.iter().all(|c| c.holds(q.context)).then_some(hit)
    }

    fn means(&self, caller: &Principal) -> Option<Hit> {
        let Some(p) = &self.principals else { return Some(Hit::Direct) };
        if p.negated && self.effect == Effect::Deny {
            return if p.spares(caller) { None } else { Some(Hit::Direct) };
        }
        p.hit(caller)
    }
}
