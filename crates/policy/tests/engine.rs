//! The engine over the contract's own types, and the sentences of refusals.

use std::sync::Arc;

use fogbank_core::authz::PolicySet;
use fogbank_core::{Check, Kind, Principal};
use fogbank_policy::{Context, Engine};
use jiff::Timestamp;

fn alice() -> Principal {
    let mut p = Principal::root("111111111111");
    p.arn = "arn:aws:iam::111111111111:user/alice".into();
    p.kind = Kind::User { name: "alice".into() };
    p
}

fn text(effect: &str, action: &str) -> Arc<str> {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Sid":"S","Effect":"{effect}","Action":"{action}","Resource":"*"}}}}"#
    )
    .into()
}

fn ask(set: &PolicySet, check: &Check) -> String {
    let caller = alice();
    let context = Context::new(&caller, Timestamp::UNIX_EPOCH);
    let engine = Engine::new(1);
    let first = engine.check(&context, set, check).unwrap();
    assert_eq!(engine.check(&context, set, check).unwrap(), first, "the cache changes nothing");
    assert_eq!(first.message.is_empty(), first.decision.allowed);
    first.message
}

#[test]
fn refusals_say_what_aws_says() {
    let all = text("Allow", "*");
    let who = "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: ";
    let get = Check::new("s3:GetObject", "arn:aws:s3:::b/k");
    let none = PolicySet::default();
    assert_eq!(
        ask(&none, &get),
        format!(
            "{who}s3:GetObject on resource: \"arn:aws:s3:::b/k\" because no identity-based policy \
             allows the s3:GetObject action"
        )
    );
    let denied = PolicySet { identity: vec![all.clone(), text("Deny", "s3:*")], boundary: None };
    assert_eq!(
        ask(&denied, &get),
        format!(
            "{who}s3:GetObject on resource: \"arn:aws:s3:::b/k\" with an explicit deny in an \
             identity-based policy"
        )
    );
    let bounded = PolicySet { identity: vec![all.clone()], boundary: Some(text("Allow", "ec2:*")) };
    assert_eq!(
        ask(&bounded, &Check::new("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:1:table/t")),
        format!(
            "{who}dynamodb:GetItem on resource: arn:aws:dynamodb:us-east-1:1:table/t because no \
             permissions boundary allows the dynamodb:GetItem action"
        )
    );
    let mut assume = Check::new("sts:AssumeRole", "arn:aws:iam::111111111111:role/r");
    assume.resource_policy_required = true;
    let free = PolicySet { identity: vec![all], boundary: None };
    assert!(
        ask(&free, &assume)
            .ends_with("because no role trust policy allows the sts:AssumeRole action")
    );
    let mut foreign = get.clone();
    foreign.resource_account = Some("222222222222".into());
    assert_eq!(ask(&free, &foreign), "Access Denied");
    assert_eq!(ask(&free, &get), "");
}

#[test]
fn a_check_brings_its_own_keys() {
    let policy: Arc<str> = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*",
        "Condition":{"StringEquals":{"s3:prefix":"a/","aws:ResourceAccount":"111111111111"}}}}"#
        .into();
    let set = PolicySet { identity: vec![policy], boundary: None };
    let check = Check::new("s3:ListBucket", "arn:aws:s3:::b");
    assert_eq!(ask(&set, &check.clone().with("s3:prefix", "a/")), "");
    assert_ne!(ask(&set, &check), "");
}

#[test]
fn a_policy_that_does_not_compile_is_an_error() {
    let caller = alice();
    let context = Context::new(&caller, Timestamp::UNIX_EPOCH);
    let set = PolicySet { identity: vec!["{".into()], boundary: None };
    let check = Check::new("s3:GetObject", "arn:aws:s3:::b/k");
    assert!(Engine::default().check(&context, &set, &check).is_err());
}
