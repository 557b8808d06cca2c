//! What a decision costs: a few statements, as on the request path. Prints nanoseconds.
#![allow(clippy::print_stdout, reason = "a bench prints its result")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use fogbank_core::authz::PolicySet;
use fogbank_core::{Check, Kind, Principal};
use fogbank_policy::{Context, Engine};
use jiff::Timestamp;

/// The fastest of so many batches is printed: the others met somebody else on the machine.
const BATCHES: u32 = 50;
const ROUNDS: u32 = 5_000;

fn main() {
    let mut caller = Principal::root("111111111111");
    caller.arn = "arn:aws:iam::111111111111:user/alice".into();
    caller.kind = Kind::User { name: "alice".into() };
    let identity: Arc<str> = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Deny","Action":["s3:DeleteBucket","iam:*"],"Resource":"*"},
        {"Effect":"Allow","Action":["ec2:Describe*","sqs:*"],"Resource":"*"},
        {"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::b/people/${aws:username}/*",
         "Condition":{"Bool":{"aws:SecureTransport":"true"},"StringLike":{"aws:PrincipalTag/team":"r*"}}},
        {"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}]}"#
        .into();
    let bucket: Arc<str> = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],
         "Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}"#
        .into();
    let set = PolicySet { identity: vec![identity], boundary: None };
    let engine = Engine::default();
    let context = Context { secure: true, ..Context::new(&caller, Timestamp::UNIX_EPOCH) };
    let mut check = Check::new("s3:GetObject", "arn:aws:s3:::b/people/alice/x.txt");
    check.resource_account = Some("111111111111".into());
    measure("identity, 4 statements", || engine.check(&context, &set, &check));
    check.resource_policy = Some(bucket);
    measure("identity and bucket", || engine.check(&context, &set, &check));
}

fn measure<T, E: std::fmt::Debug>(name: &str, f: impl Fn() -> Result<T, E>) {
    let batch = || {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(f()).expect("a decision");
        }
        start.elapsed().as_nanos() / u128::from(ROUNDS)
    };
    let best = (0..BATCHES).map(|_| batch()).min().unwrap_or_default();
    println!("{name}: {best} ns");
}
