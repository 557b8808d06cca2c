//! The entry point for fuzzing: any text as a policy, for every usage.

use fogbank_core::Principal;
use jiff::Timestamp;

use crate::context::Context;
use crate::decide::{Policies, Request, decide};
use crate::error::Usage;
use crate::policy::Policy;
use crate::public::is_public;

/// Parses, and asks whatever was accepted.
pub fn document(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for usage in [Usage::Identity, Usage::Resource, Usage::Trust, Usage::Bucket("b"), Usage::Stored]
    {
        match Policy::parse(&text, usage) {
            Ok(p) => ask(&p),
            Err(e) => assert!(!e.message().is_empty(), "a refusal says why"),
        }
    }
}

fn ask(policy: &Policy) {
    let caller = Principal::root("111111111111");
    let keys = [("x:k".into(), vec!["a".to_owned(), "b".to_owned()])];
    let context = Context { keys: &keys, ..Context::new(&caller, Timestamp::UNIX_EPOCH) };
    let request = Request {
        action: "s3:GetObject",
        resource: "arn:aws:s3:::b/k",
        resource_account: "222222222222",
        granted: false,
        resource_policy_required: false,
        context: &context,
    };
    let d = decide(&request, &Policies { resource: Some(policy), ..Policies::default() });
    assert!(!(d.allowed && d.explicit), "an explicit Deny allows nothing");
    let _ = (d.message(&request), is_public(policy), policy.principals().count());
}
