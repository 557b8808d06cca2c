//! From a policy's JSON to its compiled form, with AWS's complaints about what is wrong.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use crate::bucket;
use crate::condition::{Condition, Operator};
use crate::error::{Error, Fault, Usage};
use crate::glob::{Colons, Glob, Style};
use crate::json::Json;
use crate::policy::{Effect, Matcher, Policy, Resources, Statement};
use crate::principal::Principals;

impl Policy {
    /// Parses and compiles a document for `usage`.
    ///
    /// # Errors
    /// What AWS finds wrong with it, in AWS's words for that usage.
    pub fn parse(text: &str, usage: Usage<'_>) -> Result<Policy, Error> {
        document(text, usage).map_err(|f| f.word(usage))
    }
}

fn document(text: &str, usage: Usage<'_>) -> Result<Policy, Fault> {
    if matches!(usage, Usage::Bucket(_)) && !text.starts_with('{') {
        return Err(Fault::Json);
    }
    let Some(Json::Map(members)) = Json::parse(text) else { return Err(Fault::Json) };
    let (mut version, mut id, mut statement) = (None, None, None);
    for (name, value) in members {
        let slot = match name.as_str() {
            "Version" => &mut version,
            "Id" => &mut id,
            "Statement" => &mut statement,
            _ => return Err(Fault::Unknown(name)),
        };
        if slot.replace(value).is_some() {
            return Err(Fault::Syntax);
        }
    }
    let (variables, version) = match version {
        Some(Json::Str(v)) if v == "2012-10-17" => (true, Ok(())),
        None | Some(Json::Str(_)) if usage == Usage::Identity => (false, Err(Fault::Version)),
        Some(Json::Str(v)) if v == "2008-10-17" => (false, Ok(())),
        None => (false, Ok(())),
        Some(_) if matches!(usage, Usage::Bucket(_)) => return Err(Fault::Version),
        Some(_) => return Err(Fault::Syntax),
    };
    let id = match id {
        None => None,
        Some(Json::Str(s)) => Some(s),
        Some(_) => return Err(Fault::Syntax),
    };
    let statements = match statement {
        None => return Err(Fault::Missing("Statement")),
        Some(Json::List(l)) if l.is_empty() => return Err(Fault::Empty),
        Some(s @ (Json::List(_) | Json::Map(_))) => s
            .items()
            .iter()
            .map(|s| Raw::read(s)?.compile(usage, variables))
            .collect::<Result<Vec<_>, _>>(),
        Some(_) => return Err(Fault::Syntax),
    };
    // What is no policy at all comes first, then its version, then what it says.
    let statements = match (statements, version) {
        (Err(f), _) if f.is_syntax() => return Err(f),
        (_, Err(f)) => return Err(f),
        (statements, Ok(())) => statements?,
    };
    let mut sids: Vec<&str> = statements.iter().filter_map(|s| s.sid.as_deref()).collect();
    sids.sort_unstable();
    if sids.windows(2).any(|w| w[0] == w[1]) {
        return Err(Fault::SidTwice);
    }
    Ok(Policy { id, statements })
}

/// A statement's elements, each seen once at most.
#[derive(Default)]
struct Raw<'a> {
    sid: Option<&'a Json>,
    effect: Option<&'a Json>,
    principal: Option<&'a Json>,
    not_principal: Option<&'a Json>,
    action: Option<&'a Json>,
    not_action: Option<&'a Json>,
    resource: Option<&'a Json>,
    not_resource: Option<&'a Json>,
    condition: Option<&'a Json>,
}

impl<'a> Raw<'a> {
    fn read(json: &'a Json) -> Result<Self, Fault> {
        let Json::Map(members) = json else { return Err(Fault::Syntax) };
        let mut raw = Raw::default();
        for (name, value) in members {
            let slot = match name.as_str() {
                "Sid" => &mut raw.sid,
                "Effect" => &mut raw.effect,
                "Principal" => &mut raw.principal,
                "NotPrincipal" => &mut raw.not_principal,
                "Action" => &mut raw.action,
                "NotAction" => &mut raw.not_action,
                "Resource" => &mut raw.resource,
                "NotResource" => &mut raw.not_resource,
                "Condition" => &mut raw.condition,
                _ => return Err(Fault::Unknown(name.clone())),
            };
            if slot.replace(value).is_some() {
                return Err(Fault::Syntax);
            }
        }
        Ok(raw)
    }

    fn compile(&self, usage: Usage<'_>, variables: bool) -> Result<Statement, Fault> {
        let effect = match self.effect {
            Some(Json::Str(e)) if e == "Allow" => Effect::Allow,
            Some(Json::Str(e)) if e == "Deny" => Effect::Deny,
            Some(Json::Str(e)) => return Err(Fault::Effect(e.clone())),
            Some(_) => return Err(Fault::Syntax),
            None => return Err(Fault::Missing("Effect")),
        };
        let principals = self.principals(usage, effect)?;
        let actions = self.actions(usage)?;
        let resources = self.resources(usage, variables)?;
        let statement = Statement {
            sid: self.sid(usage)?,
            effect,
            principals,
            actions,
            resources,
            conditions: self.conditions(variables)?,
        };
        if let Usage::Bucket(name) = usage {
            let (actions, negated) = list(self.action, self.not_action, "Action")?;
            let (resources, _) = list(self.resource, self.not_resource, "Resource")?;
            bucket::validate(name, &actions, negated, &resources)?;
        }
        Ok(statement)
    }

    fn sid(&self, usage: Usage<'_>) -> Result<Option<String>, Fault> {
        match self.sid {
            None => Ok(None),
            // Resource policies may have spaces in it, identity policies not.
            Some(Json::Str(s)) => {
                let identity = matches!(usage, Usage::Identity);
                if identity && !s.bytes().all(|b| b.is_ascii_alphanumeric()) {
                    return Err(Fault::SidForm(s.clone()));
                }
                Ok(Some(s.clone()).filter(|s| !s.is_empty()))
            }
            Some(_) => Err(Fault::Syntax),
        }
    }

    fn principals(&self, usage: Usage<'_>, effect: Effect) -> Result<Option<Principals>, Fault> {
        if matches!(usage, Usage::Identity)
            && (self.principal.is_some() || self.not_principal.is_some())
        {
            return Err(Fault::Prohibited("Principal"));
        }
        match (self.principal, self.not_principal) {
            (Some(_), Some(_)) => Err(Fault::Syntax),
            (Some(p), None) => Principals::parse(p, false, usage).map(Some),
            (None, Some(_)) if usage == Usage::Trust => Err(Fault::Prohibited("NotPrincipal")),
            (None, Some(_)) if matches!(usage, Usage::Bucket(_)) && effect == Effect::Allow => {
                Err(Fault::AllowNotPrincipal)
            }
            (None, Some(p)) => Principals::parse(p, true, usage).map(Some),
            (None, None) if matches!(usage, Usage::Identity | Usage::Stored) => Ok(None),
            (None, None) => Err(Fault::Missing("Principal")),
        }
    }

    fn actions(&self, usage: Usage<'_>) -> Result<Matcher, Fault> {
        let (texts, negated) = list(self.action, self.not_action, "Action")?;
        for a in &texts {
            if usage != Usage::Stored {
                check_action(a, usage)?;
            }
        }
        let style = Style { wild: true, lower: true, ..Style::default() };
        Ok(Matcher { negated, globs: texts.iter().map(|t| Glob::new(t, style)).collect() })
    }

    fn resources(&self, usage: Usage<'_>, variables: bool) -> Result<Option<Resources>, Fault> {
        let given = self.resource.is_some() || self.not_resource.is_some();
        match usage {
            Usage::Trust if given => return Err(Fault::Prohibited("Resource")),
            // The policy of a resource may leave out what it is attached to.
            Usage::Trust | Usage::Stored | Usage::Resource if !given => return Ok(None),
            _ => {}
        }
        let (texts, negated) = list(self.resource, self.not_resource, "Resource")?;
        for r in &texts {
            if usage != Usage::Stored {
                check_resource(r)?;
            }
        }
        let style = Style { wild: true, variables, colons: Colons::Resource, ..Style::default() };
        let globs = texts.iter().map(|t| Glob::new(t, style)).collect();
        Ok(Some(Resources(Matcher { negated, globs })))
    }

    fn conditions(&self, variables: bool) -> Result<Vec<Condition>, Fault> {
        let mut out: Vec<Condition> = Vec::new();
        let Some(json) = self.condition else { return Ok(out) };
        let Json::Map(operators) = json else { return Err(Fault::Syntax) };
        for (i, (name, keys)) in operators.iter().enumerate() {
            if operators[..i].iter().any(|(n, _)| n == name) {
                return Err(Fault::Syntax);
            }
            let operator = Operator::parse(name).ok_or_else(|| Fault::Operator(name.clone()))?;
            let Json::Map(keys) = keys else { return Err(Fault::Syntax) };
            for (j, (key, values)) in keys.iter().enumerate() {
                if keys[..j].iter().any(|(k, _)| k == key) {
                    return Err(Fault::Syntax);
                }
                // A key has a vendor (`aws:`) or is a provider's host name with a claim.
                if !key.split_once(':').is_some_and(|(v, k)| !v.is_empty() && !k.is_empty()) {
                    return Err(Fault::ConditionKey(key.clone()));
                }
                let values: Option<Vec<&str>> = values.items().iter().map(Json::scalar).collect();
                let values = values.ok_or(Fault::Syntax)?;
                out.push(Condition::compile(operator, key, &values, variables)?);
            }
        }
        Ok(out)
    }
}

/// The texts of an element or of its negation; `true` with the negation. `name` is missing when
/// neither is there.
fn list<'a>(
    plain: Option<&'a Json>,
    negated: Option<&'a Json>,
    name: &'static str,
) -> Result<(Vec<&'a str>, bool), Fault> {
    let (json, not) = match (plain, negated) {
        (Some(_), Some(_)) => return Err(Fault::Syntax),
        (Some(j), None) => (j, false),
        (None, Some(j)) => (j, true),
        (None, None) => return Err(Fault::Missing(name)),
    };
    let texts: Option<Vec<&str>> = json
        .items()
        .iter()
        .map(|j| if let Json::Str(s) = j { Some(s.as_str()) } else { None })
        .collect();
    let texts = texts.ok_or(Fault::Syntax)?;
    if texts.is_empty() { Err(Fault::Missing(name)) } else { Ok((texts, not)) }
}

fn check_action(action: &str, usage: Usage<'_>) -> Result<(), Fault> {
    if matches!(action, "*" | "*:*") {
        return if usage == Usage::Trust { Err(Fault::TrustAction) } else { Ok(()) };
    }
    let Some((vendor, name)) = action.split_once(':') else {
        return Err(Fault::ActionVendor(action.into()));
    };
    if name.contains(':') {
        return Err(Fault::ActionColons(action.into()));
    }
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if vendor.is_empty() || !vendor.bytes().all(good) {
        return Err(Fault::Vendor(vendor.into()));
    }
    if name.is_empty() || !name.bytes().all(|b| good(b) || matches!(b, b'*' | b'?' | b'.')) {
        return Err(Fault::ActionVendor(action.into()));
    }
    if usage == Usage::Trust && !vendor.eq_ignore_ascii_case("sts") {
        return Err(Fault::TrustAction);
    }
    Ok(())
}

fn check_resource(resource: &str) -> Result<(), Fault> {
    if resource == "*" {
        return Ok(());
    }
    let Some(rest) = resource.strip_prefix("arn:") else {
        return Err(Fault::Resource(resource.into()));
    };
    // `arn:aws:s3:*` is short for all of it; without a star every part must be there.
    let parts: Vec<&str> = rest.splitn(5, ':').collect();
    let (partition, service) = (parts[0], parts.get(1).copied().unwrap_or_default());
    if (parts.len() < 5 && !resource.ends_with('*')) || (service.is_empty() && parts.len() > 1) {
        return Err(Fault::LegacyResource(resource.into()));
    }
    let known = matches!(partition, "aws" | "aws-cn" | "aws-us-gov" | "aws-iso" | "aws-iso-b");
    if !known && !partition.contains(['*', '?', '$']) {
        return Err(Fault::Partition { partition: partition.into(), resource: resource.into() });
    }
    Ok(())
}
