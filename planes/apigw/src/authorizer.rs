//! Lambda authorizers: what they answered, for how long that counts, and what it allows.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html>

use std::collections::HashMap;
use std::sync::Arc;

use fogbank_core::authz::PolicySet;
use fogbank_core::{Check, Kind, Principal};
use fogbank_policy::{Context, Engine};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Map, Value};

use crate::visit::Visit;

/// What an authorizer answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    pub principal: String,
    /// The policy it answered with, as JSON.
    pub policy: Option<Arc<str>>,
    /// A plain yes or no instead.
    pub simple: Option<bool>,
    /// What it tells the integration.
    pub context: Map<String, Value>,
    /// The API key that it found for the caller.
    pub usage_key: Option<String>,
}

impl Verdict {
    /// Reads an answer with a policy; `None` when it is malformed.
    #[must_use]
    pub fn of_policy(answer: &[u8]) -> Option<Self> {
        let v: Value = serde_json::from_slice(answer).ok()?;
        let document = v.get("policyDocument").filter(|p| p.is_object())?;
        let principal = match v.get("principalId") {
            Some(Value::String(s)) => s.clone(),
            Some(Value::Number(n)) => n.to_string(),
            _ => return None,
        };
        Some(Verdict {
            principal,
            policy: Some(document.to_string().into()),
            simple: None,
            context: context_of(&v)?,
            usage_key: v.get("usageIdentifierKey").and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// Reads a plain answer of an HTTP API's authorizer: `{"isAuthorized": true, "context": …}`.
    #[must_use]
    pub fn of_simple(answer: &[u8]) -> Option<Self> {
        let v: Value = serde_json::from_slice(answer).ok()?;
        let simple = Some(v.get("isAuthorized")?.as_bool()?);
        Some(Verdict { simple, context: context_of(&v)?, ..Verdict::default() })
    }
}

fn context_of(v: &Value) -> Option<Map<String, Value>> {
    match v.get("context") {
        None | Some(Value::Null) => Some(Map::new()),
        Some(Value::Object(map)) => Some(map.clone()),
        Some(_) => None,
    }
}

/// Whether a verdict lets a request for `resource` (an `execute-api` ARN) pass.
#[must_use]
pub fn allows(verdict: &Verdict, visit: &Visit, account: &str, resource: &str) -> Allowed {
    if let Some(simple) = verdict.simple {
        return if simple { Allowed::Yes } else { Allowed::No };
    }
    let Some(policy) = &verdict.policy else { return Allowed::No };
    thread_local! {
        static ENGINE: Engine = Engine::new(256);
    }
    let caller = Principal {
        account: account.to_owned(),
        arn: format!("arn:aws:iam::{account}:user/{}", verdict.principal),
        id: verdict.principal.clone(),
        kind: Kind::User { name: verdict.principal.clone() },
        tags: Vec::new(),
        session_policies: Vec::new(),
        session: None,
    };
    let context = Context {
        source_ip: Some(visit.source_ip),
        secure: true,
        user_agent: visit.header("user-agent"),
        referer: visit.header("referer"),
        ..Context::new(&caller, visit.now)
    };
    let set = PolicySet { identity: vec![Arc::clone(policy)], boundary: None };
    let check = Check::new("execute-api:Invoke", resource);
    match ENGINE.with(|e| e.check(&context, &set, &check)) {
        Ok(v) if v.decision.allowed => Allowed::Yes,
        Ok(v) if v.message.contains("explicit deny") => Allowed::Denied,
        Ok(_) => Allowed::No,
        Err(_) => Allowed::Malformed,
    }
}

/// Whether a text is a policy that an API may have.
///
/// # Errors
/// A sentence on what is wrong with it.
pub fn check_policy(text: &str) -> Result<(), String> {
    use fogbank_policy::{Policy, Usage};
    Policy::parse(text, Usage::Resource).map(|_| ()).map_err(|e| e.to_string())
}

/// What comes of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    Yes,
    No,
    /// By a `Deny`.
    Denied,
    /// The policy is none: an authorizer's mistake, answered as such.
    Malformed,
}

/// The answers that still count, by authorizer, stage and identity.
#[derive(Debug, Default)]
pub struct Answers(Mutex<HashMap<String, (Timestamp, Arc<Verdict>)>>);

/// Answers kept at most.
const MOST: usize = 10_000;

impl Answers {
    #[must_use]
    pub fn get(&self, key: &str, now: Timestamp) -> Option<Arc<Verdict>> {
        let all = self.0.lock();
        all.get(key).filter(|(until, _)| *until > now).map(|(_, v)| Arc::clone(v))
    }

    /// Keeps an answer for `seconds`.
    pub fn put(&self, key: String, verdict: Arc<Verdict>, seconds: i64, now: Timestamp) {
        if seconds <= 0 {
            return;
        }
        let Ok(until) = now.checked_add(jiff::SignedDuration::from_secs(seconds)) else { return };
        let mut all = self.0.lock();
        if all.len() >= MOST {
            all.retain(|_, (until, _)| *until > now);
            if all.len() >= MOST {
                all.clear();
            }
        }
        all.insert(key, (until, verdict));
    }

    /// Forgets what begins with `prefix`.
    pub fn forget(&self, prefix: &str) {
        self.0.lock().retain(|k, _| !k.starts_with(prefix));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let policy = br#"{"principalId":"u","policyDocument":{"Version":"2012-10-17","Statement":[]},"context":{"a":1}}"#;
        let v = Verdict::of_policy(policy).unwrap();
        assert_eq!((v.principal.as_str(), v.context.len()), ("u", 1));
        assert_eq!(Verdict::of_policy(br#"{"principalId":"u"}"#), None);
        assert_eq!(Verdict::of_policy(b"\"Unauthorized\""), None);
        assert_eq!(Verdict::of_simple(br#"{"isAuthorized":true}"#).unwrap().simple, Some(true));
        assert_eq!(Verdict::of_simple(br#"{"isAuthorized":"yes"}"#), None);
    }

    #[test]
    fn answers_end() {
        let answers = Answers::default();
        let at = |s| Timestamp::from_second(s).unwrap();
        let v = Arc::new(Verdict::default());
        answers.put("a/1".into(), Arc::clone(&v), 10, at(0));
        answers.put("a/2".into(), v, 0, at(0));
        assert!(answers.get("a/1", at(9)).is_some());
        assert!(answers.get("a/1", at(10)).is_none());
        assert!(answers.get("a/2", at(0)).is_none());
        answers.forget("a/");
        assert!(answers.get("a/1", at(0)).is_none());
    }
}
