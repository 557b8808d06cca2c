//! AssumeRole: a session of a role whose trust policy lets the caller in.

use fogbank_core::principal::Session;
use fogbank_core::{ApiError, Check, Cx, Kind, Op, Result, Str, Value, ops};
use fogbank_identity::Role;
use serde::{Deserialize, Serialize};

use crate::grant::{
    AssumedRoleUser, Credentials, PolicyArn, check_mfa, check_word, packed_size, role_name,
    role_seconds, role_session, whole,
};
use crate::tags::{self, Tag};
use crate::{Sts, access_denied, validation};

pub const OPS: &[Op<Sts>] = ops![AssumeRole => assume_role [checks]];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AssumeRoleInput {
    role_arn: String,
    role_session_name: String,
    #[serde(default)]
    policy_arns: Vec<PolicyArn>,
    policy: Option<String>,
    duration_seconds: Option<i64>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    transitive_tag_keys: Vec<String>,
    serial_number: Option<String>,
    token_code: Option<String>,
    source_identity: Option<String>,
    #[serde(default)]
    provided_contexts: Vec<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumeRoleOutput {
    credentials: Credentials,
    assumed_role_user: AssumedRoleUser,
    packed_policy_size: Option<i64>,
    source_identity: Option<String>,
}

/// The role's trust policy decides, and for a caller of another account its own policies too.
/// Tags and a source identity need a permission of their own.
async fn checks(sts: &Sts, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let arn = input.str("RoleArn").unwrap_or_default();
    let (account, name) = role_name(arn)?;
    let role = sts.directory.role(account, name).await?.filter(|r| r.arn == arn);
    let mut context: Vec<(Str, Vec<String>)> = Vec::new();
    for (key, member) in [
        ("sts:ExternalId", "ExternalId"),
        ("sts:RoleSessionName", "RoleSessionName"),
        ("sts:SourceIdentity", "SourceIdentity"),
    ] {
        context.extend(input.str(member).map(|v| (key.into(), vec![v.to_owned()])));
    }
    let tags = input.get("Tags").map(Value::items).unwrap_or_default();
    let mut keys = Vec::new();
    for tag in tags {
        let (Some(key), Some(value)) = (tag.str("Key"), tag.str("Value")) else { continue };
        context.push((format!("aws:RequestTag/{key}").into(), vec![value.to_owned()]));
        keys.push(key.to_owned());
    }
    if !keys.is_empty() {
        context.push(("aws:TagKeys".into(), keys));
    }
    let transitive = input.get("TransitiveTagKeys").map(Value::items).unwrap_or_default();
    if !transitive.is_empty() {
        let keys = transitive.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        context.push(("sts:TransitiveTagKeys".into(), keys));
    }
    if let Some(role) = &role {
        for (key, value) in &role.tags {
            for prefix in ["aws", "iam"] {
                let key = format!("{prefix}:ResourceTag/{key}").into();
                context.push((key, vec![value.clone()]));
            }
        }
    }
    let check = |action: &'static str| Check {
        action: action.into(),
        resource: arn.to_owned(),
        resource_account: Some(account.to_owned()),
        resource_policy: role.as_ref().map(|r| r.trust_policy.clone()),
        context: context.clone(),
        granted: false,
        resource_policy_required: true,
    };
    let mut checks = vec![check("sts:AssumeRole")];
    let handed = cx.principal.session.as_ref().is_some_and(|s| !s.transitive_tags.is_empty());
    if !tags.is_empty() || handed {
        checks.push(check("sts:TagSession"));
    }
    if input.str("SourceIdentity").is_some() || source_identity(cx).is_some() {
        checks.push(check("sts:SetSourceIdentity"));
    }
    Ok(checks)
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
async fn assume_role(sts: &Sts, cx: &Cx, input: AssumeRoleInput) -> Result<AssumeRoleOutput> {
    let name = &input.role_session_name;
    check_word("roleSessionName", name, 64)?;
    check_mfa(input.serial_number.as_deref(), input.token_code.as_deref())?;
    if !input.provided_contexts.is_empty() {
        return Err(cx.refuse_member("ProvidedContexts"));
    }
    let role = find(sts, cx, &input.role_arn).await?;
    let chained = matches!(cx.principal.kind, Kind::AssumedRole { .. });
    let seconds = role_seconds(input.duration_seconds, &role, chained)?;
    let policy = input.policy.as_deref();
    let policies = sts.session_policies(&role.account, policy, &input.policy_arns).await?;
    let tags = tags::combine(&cx.principal, &input.tags, &input.transitive_tag_keys)?;
    let packed_policy_size = packed_size(&policies, &tags)?;
    let source_identity = match (source_identity(cx), input.source_identity) {
        (Some(old), Some(new)) if *old != new => {
            return Err(validation("The source identity of a session cannot be changed."));
        }
        (Some(old), _) => Some(old.clone()),
        (None, new) => new,
    };
    if let Some(identity) = &source_identity {
        check_word("sourceIdentity", identity, 64)?;
    }
    let session = Session {
        issued: whole(cx.now),
        source_identity: source_identity.clone(),
        ..Session::default()
    };
    let (principal, assumed_role_user) = role_session(&role, name, tags, session);
    let credentials = sts.issue(cx, principal, policies, seconds);
    sts.directory.role_used(cx, &role).await?;
    Ok(AssumeRoleOutput { credentials, assumed_role_user, packed_policy_size, source_identity })
}

fn source_identity(cx: &Cx) -> Option<&String> {
    cx.principal.session.as_ref()?.source_identity.as_ref()
}

async fn find(sts: &Sts, cx: &Cx, arn: &str) -> Result<Role> {
    let (account, name) = role_name(arn)?;
    let role = sts.directory.role(account, name).await?.filter(|r| r.arn == arn);
    role.ok_or_else(|| refusal(cx, arn))
}

/// A role that does not exist is refused as one that is closed: nobody learns which.
fn refusal(cx: &Cx, arn: &str) -> ApiError {
    access_denied(format!(
        "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
        cx.principal.arn
    ))
}

#[cfg(test)]
mod tests {
    use fogbank_core::{Principal, map};
    use fogbank_testkit::handler::text_at;

    use super::*;
    use crate::testing::{ACCOUNT, ROLE, World};

    fn session_of_a_role() -> Principal {
        let session = Session {
            transitive_tags: vec!["team".into()],
            source_identity: Some("ann".into()),
            ..Session::default()
        };
        Principal {
            kind: Kind::AssumedRole {
                role_arn: "arn:aws:iam::123456789012:role/other".into(),
                role_name: "other".into(),
                session: "s".into(),
            },
            tags: vec![("team".into(), "red".into()), ("own".into(), "x".into())],
            session: Some(Box::new(session)),
            ..Principal::root(ACCOUNT)
        }
    }

    #[tokio::test]
    async fn the_session_is_the_role_with_what_was_handed_on() {
        let w = World::new("{}", None).await;
        let arns = vec![map! {"arn" => "arn:aws:iam::aws:policy/Known"}];
        let input = map! {"RoleArn" => ROLE, "RoleSessionName" => "me", "PolicyArns" => arns};
        let answer = w.run("AssumeRole", session_of_a_role(), input).await.unwrap();
        let arn = "arn:aws:sts::123456789012:assumed-role/r/me";
        assert_eq!(text_at(&answer, "AssumedRoleUser.Arn"), arn);
        assert_eq!(text_at(&answer, "AssumedRoleUser.AssumedRoleId"), "AROAEXAMPLE:me");
        assert_eq!(text_at(&answer, "SourceIdentity"), "ann");
        let grant = w.open(&answer);
        assert_eq!(grant.policy_arns, ["arn:aws:iam::aws:policy/Known"]);
        assert_eq!(grant.principal.arn, arn);
        assert_eq!(grant.principal.tags, [("team".into(), "red".into())]);
        assert_eq!(grant.principal.session.unwrap().transitive_tags, ["team"]);
        let lasts = grant.expires.duration_since(w.cloud.clock.now()).as_secs();
        assert!((3598..=3600).contains(&lasts), "{lasts}");
    }

    #[tokio::test]
    async fn bad_requests_are_refused() {
        let w = World::new("{}", None).await;
        let input = |more: Value| {
            let all = map! {"RoleArn" => ROLE, "RoleSessionName" => "me"};
            let (Value::Map(mut all), Value::Map(more)) = (all, more) else { panic!("no maps") };
            all.retain(|(k, _)| !more.iter().any(|(m, _)| m == k));
            all.extend(more);
            Value::Map(all)
        };
        let tag = || vec![map! {"Key" => "k", "Value" => "v"}];
        for (more, starts) in [
            (map! {"RoleArn" => "nonsense"}, "ValidationError: nonsense is invalid"),
            (
                map! {"RoleArn" => format!("{ROLE}x")},
                "AccessDenied: User: arn:aws:iam::123456789012:root is not authorized to perform: sts:AssumeRole on resource: ",
            ),
            (map! {"RoleSessionName" => "a b"}, "ValidationError: 1 validation error"),
            (
                map! {"DurationSeconds" => 7201},
                "ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration",
            ),
            (map! {"DurationSeconds" => 60}, "ValidationError: 1 validation error"),
            (map! {"Policy" => "{"}, "MalformedPolicyDocument: "),
            (map! {"Policy" => "x".repeat(2049)}, "ValidationError: 1 validation error"),
            (
                map! {"PolicyArns" => vec![map! {"arn" => "arn:aws:iam::aws:policy/None"}]},
                "ValidationError: Policy ",
            ),
            (
                map! {"SerialNumber" => "x", "TokenCode" => "123456"},
                "AccessDenied: MultiFactorAuthentication failed",
            ),
            (
                map! {"ProvidedContexts" => vec![map! {}]},
                "NotImplemented: sts:AssumeRole with ProvidedContexts",
            ),
            (
                map! {"Tags" => tag(), "TransitiveTagKeys" => vec!["other".into()]},
                "InvalidParameterValue: ",
            ),
            (map! {"SourceIdentity" => "a b"}, "ValidationError: "),
        ] {
            let e = w.err("AssumeRole", Principal::root(ACCOUNT), input(more)).await;
            assert!(e.starts_with(starts), "{e} does not start with {starts}");
        }
        let chained =
            w.err("AssumeRole", session_of_a_role(), input(map! {"DurationSeconds" => 3601})).await;
        assert!(chained.contains("role chaining"), "{chained}");
        let other = input(map! {"SourceIdentity" => "bob"});
        assert!(
            w.err("AssumeRole", session_of_a_role(), other).await.contains("cannot be changed")
        );
    }

    #[tokio::test]
    async fn the_trust_policy_is_asked() {
        let w = World::new("the trust policy", None).await;
        let cx = w.cloud.cx("sts", "AssumeRole", session_of_a_role());
        let tags = vec![map! {"Key" => "k", "Value" => "v"}];
        let input = map! {"RoleArn" => ROLE, "RoleSessionName" => "me", "ExternalId" => "x", "Tags" => tags};
        let checks = w.service.checks(&cx, "AssumeRole", &input).await.unwrap();
        let actions: Vec<_> = checks.iter().map(|c| c.action.as_ref()).collect();
        assert_eq!(actions, ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]);
        let check = &checks[0];
        assert_eq!(check.resource_policy.as_deref(), Some("the trust policy"));
        assert!(check.resource_policy_required && check.resource == ROLE);
        assert_eq!(check.resource_account.as_deref(), Some(ACCOUNT));
        for key in ["sts:ExternalId", "sts:RoleSessionName", "aws:RequestTag/k", "aws:TagKeys"] {
            assert!(check.context.iter().any(|(k, _)| k == key), "{key}");
        }
        let none = map! {"RoleArn" => format!("{ROLE}x"), "RoleSessionName" => "me"};
        let checks = w.service.checks(&cx, "AssumeRole", &none).await.unwrap();
        assert_eq!((&checks[0].resource_policy, checks[0].resource_policy_required), (&None, true));
    }

    #[tokio::test]
    async fn session_and_federation_tokens_are_for_lasting_keys() {
        let w = World::new("{}", None).await;
        let root = Principal::root(ACCOUNT);
        let user = Principal {
            kind: Kind::User { name: "u".into() },
            arn: "arn:aws:iam::123456789012:user/u".into(),
            ..root.clone()
        };
        let answer = w.run("GetSessionToken", user.clone(), map! {}).await.unwrap();
        let lasts = w.open(&answer).expires.duration_since(w.cloud.clock.now()).as_secs();
        assert!((43198..=43200).contains(&lasts), "{lasts}");
        let answer =
            w.run("GetSessionToken", root, map! {"DurationSeconds" => 7200}).await.unwrap();
        assert!(w.open(&answer).expires.duration_since(w.cloud.clock.now()).as_secs() <= 3600);
        let answer = w.run("GetFederationToken", user, map! {"Name" => "fed"}).await.unwrap();
        let grant = w.open(&answer);
        assert_eq!(grant.principal.arn, "arn:aws:sts::123456789012:federated-user/fed");
        assert!(matches!(grant.principal.kind, Kind::Federated { .. }));
        for (op, input) in
            [("GetSessionToken", map! {}), ("GetFederationToken", map! {"Name" => "fed"})]
        {
            let e = w.err(op, session_of_a_role(), input.clone()).await;
            assert_eq!(e, format!("AccessDenied: Cannot call {op} with session credentials"));
            let e = w.err(op, Principal::anonymous(), input).await;
            assert!(e.starts_with("MissingAuthenticationToken"), "{e}");
        }
    }
}
