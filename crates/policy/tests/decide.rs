//! Decisions, case by case. The cases are in `cases/*.txt`; this file reads them.
//!
//! A case begins with `## title`. Then come the policies (`identity`, `boundary`, `session`,
//! `resource`, each followed by a statement in JSON, or by `old` and a statement for a policy of
//! version 2008-10-17), `who` calls, `owner` of the resource, `granted` and `required`; and then
//! the questions: `allow`, `deny` (nothing allows) or `explicit` (something denies), maybe with
//! `@source`, an action, a resource, and context keys as `key=value|value`.

use std::sync::Arc;

use fogbank_core::principal::Session;
use fogbank_core::{Kind, Principal, Str};
use fogbank_policy::{Context, Policies, Policy, Request, Source, Usage, decide};

const ACCOUNT: &str = "111111111111";
const OTHER: &str = "222222222222";

#[test]
fn elements() {
    assert!(run(include_str!("cases/elements.txt")) >= 50);
}

#[test]
fn operators() {
    assert!(run(include_str!("cases/operators.txt")) >= 80);
}

#[test]
fn combinations() {
    assert!(run(include_str!("cases/combinations.txt")) >= 70);
}

#[derive(Default)]
struct Case<'a> {
    title: &'a str,
    who: &'a str,
    owner: &'a str,
    granted: bool,
    required: bool,
    identity: Vec<Arc<Policy>>,
    boundary: Vec<Arc<Policy>>,
    session: Vec<Arc<Policy>>,
    resource: Vec<Arc<Policy>>,
}

/// Runs all cases and counts the questions.
fn run(text: &str) -> usize {
    let mut case = Case::default();
    let mut asked = 0;
    for (n, line) in text.lines().enumerate() {
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match word {
            "" => {}
            "##" => case = Case { title: rest, who: "alice", ..Case::default() },
            "who" => case.who = rest,
            "owner" => case.owner = rest,
            "granted" => case.granted = true,
            "required" => case.required = true,
            "identity" => case.identity.push(policy(rest)),
            "boundary" => case.boundary.push(policy(rest)),
            "session" => case.session.push(policy(rest)),
            "resource" => case.resource.push(policy(rest)),
            _ => {
                case.ask(word, rest, n + 1);
                asked += 1;
            }
        }
    }
    asked
}

fn policy(statement: &str) -> Arc<Policy> {
    let (version, statement) = match statement.strip_prefix("old ") {
        Some(s) => ("2008-10-17", s),
        None => ("2012-10-17", statement),
    };
    let text = format!(r#"{{"Version":"{version}","Statement":[{statement}]}}"#);
    Arc::new(Policy::parse(&text, Usage::Stored).unwrap_or_else(|e| panic!("{statement}: {e}")))
}

impl Case<'_> {
    fn ask(&self, expected: &str, question: &str, line: usize) {
        let mut words = question.split_whitespace();
        let (action, resource) = (words.next().unwrap(), words.next().unwrap());
        let keys: Vec<(Str, Vec<String>)> = words
            .map(|w| {
                let (k, v) = w.split_once('=').unwrap();
                let values = v.split('|').filter(|v| !v.is_empty()).map(str::to_owned);
                (k.to_owned().into(), values.collect())
            })
            .collect();
        let caller = principal(self.who);
        let mut context = Context::new(&caller, "2020-06-15T12:00:00Z".parse().unwrap());
        context.keys = &keys;
        context.source_ip = Some("203.0.113.7".parse().unwrap());
        context.secure = true;
        context.region = "us-east-1";
        let request = Request {
            action,
            resource,
            resource_account: self.owner,
            granted: self.granted,
            resource_policy_required: self.required,
            context: &context,
        };
        let policies = Policies {
            identity: &self.identity,
            boundary: self.boundary.first().map(|p| &**p),
            session: &self.session,
            resource: self.resource.first().map(|p| &**p),
        };
        let d = decide(&request, &policies);
        let word = match (d.allowed, d.explicit) {
            (true, _) => "allow",
            (false, true) => "explicit",
            (false, false) => "deny",
        };
        let (wanted, source) = expected.split_once('@').unwrap_or((expected, ""));
        let title = self.title;
        assert_eq!(word, wanted, "line {line}: {title}: {question}\n{d:?}");
        if !source.is_empty() {
            assert_eq!(name(d.source), source, "line {line}: {title}: {question}");
        }
        assert_eq!(
            d.message(&request).contains("explicit deny"),
            d.explicit && self.speaks(action)
        );
    }

    /// S3 says no more than "Access Denied" to strangers.
    fn speaks(&self, action: &str) -> bool {
        let caller = principal(self.who);
        let foreign = !self.owner.is_empty() && self.owner != caller.account;
        !action.starts_with("s3:") || !(foreign || caller.is_anonymous())
    }
}

fn name(source: Source) -> &'static str {
    match source {
        Source::Identity => "identity",
        Source::Resource => "resource",
        Source::Boundary => "boundary",
        Source::Session => "session",
        Source::Root => "root",
        Source::Grant => "grant",
    }
}

fn principal(who: &str) -> Principal {
    let user = |name: &str, account: &str| {
        let mut p = Principal::root(account);
        p.arn = format!("arn:aws:iam::{account}:user/{name}");
        p.id = "AIDAALICEALICEALICEAA".into();
        p.kind = Kind::User { name: name.into() };
        p.tags = vec![("team".into(), "red".into()), ("Cost-Center".into(), "7".into())];
        p
    };
    let role = |account: &str| {
        let mut p = user("app", account);
        p.arn = format!("arn:aws:sts::{account}:assumed-role/app/s1");
        p.id = "AROAAPPAPPAPPAPPAPPAA:s1".into();
        p.kind = Kind::AssumedRole {
            role_arn: format!("arn:aws:iam::{account}:role/app"),
            role_name: "app".into(),
            session: "s1".into(),
        };
        p.session = Some(Box::new(Session {
            issued: "2020-06-15T11:00:00Z".parse().unwrap(),
            source_identity: Some("alice".into()),
            ..Session::default()
        }));
        p
    };
    match who {
        "alice" => user("alice", ACCOUNT),
        "bob" => user("bob", OTHER),
        "root" => Principal::root(ACCOUNT),
        "root2" => Principal::root(OTHER),
        "role" => role(ACCOUNT),
        "role2" => role(OTHER),
        "anonymous" => Principal::anonymous(),
        "lambda" => Principal::service("lambda.amazonaws.com", ACCOUNT),
        "federated" => {
            let mut p = user("fed", ACCOUNT);
            p.arn = format!("arn:aws:sts::{ACCOUNT}:federated-user/fed");
            p.kind = Kind::Federated {
                name: "fed".into(),
                user_arn: format!("arn:aws:iam::{ACCOUNT}:user/alice"),
            };
            p
        }
        "web" => {
            let mut p = Principal::anonymous();
            p.session = Some(Box::new(Session {
                federated_provider: Some(format!(
                    "arn:aws:iam::{ACCOUNT}:oidc-provider/id.example"
                )),
                claims: vec![("id.example:sub".into(), vec!["repo:x:main".into()])],
                ..Session::default()
            }));
            p
        }
        other => panic!("nobody is called {other}"),
    }
}
