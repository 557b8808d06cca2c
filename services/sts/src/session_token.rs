//! Sessions of users: GetSessionToken and GetFederationToken.

use fogbank_core::principal::Session;
use fogbank_core::{Check, Cx, Kind, Op, Principal, Result, Value, ops};
use serde::{Deserialize, Serialize};

use crate::caller::known_caller;
use crate::grant::{
    Credentials, PolicyArn, SessionPolicies, check_mfa, check_word, packed_size, whole, within,
};
use crate::tags::{SessionTags, Tag, check};
use crate::{Sts, access_denied};

pub const OPS: &[Op<Sts>] = ops![
    GetSessionToken => get_session_token [no_checks],
    GetFederationToken => get_federation_token [federation_checks],
];

/// Twelve hours when the request does not say.
const DEFAULT: i64 = 43200;
/// At most 36 hours.
const MOST: i64 = 129_600;
/// Root's own sessions never last longer than an hour.
const MOST_ROOT: i64 = 3600;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SessionInput {
    duration_seconds: Option<i64>,
    serial_number: Option<String>,
    token_code: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SessionOutput {
    credentials: Credentials,
}

async fn no_checks(_: &Sts, _: &Cx, _: &Value) -> Result<Vec<Check>> {
    Ok(Vec::new())
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>
async fn get_session_token(sts: &Sts, cx: &Cx, input: SessionInput) -> Result<SessionOutput> {
    let caller = long_term(cx, "GetSessionToken")?;
    check_mfa(input.serial_number.as_deref(), input.token_code.as_deref())?;
    let seconds = seconds(caller, input.duration_seconds)?;
    let session = Session { issued: whole(cx.now), ..Session::default() };
    // The user's tags are read again when the token is opened.
    let principal =
        Principal { tags: Vec::new(), session: Some(Box::new(session)), ..caller.clone() };
    let credentials = sts.issue(cx, principal, SessionPolicies::default(), seconds);
    Ok(SessionOutput { credentials })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FederationInput {
    name: String,
    policy: Option<String>,
    #[serde(default)]
    policy_arns: Vec<PolicyArn>,
    duration_seconds: Option<i64>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FederationOutput {
    credentials: Credentials,
    federated_user: FederatedUser,
    packed_policy_size: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FederatedUser {
    federated_user_id: String,
    arn: String,
}

async fn federation_checks(_: &Sts, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let name = input.str("Name").unwrap_or("*");
    let arn = format!("arn:aws:sts::{}:federated-user/{name}", cx.account);
    let mut checks = vec![Check::new("sts:GetFederationToken", arn.clone())];
    if input.get("Tags").is_some_and(|t| !t.items().is_empty()) {
        checks.push(Check::new("sts:TagSession", arn));
    }
    Ok(checks)
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html>
async fn get_federation_token(
    sts: &Sts,
    cx: &Cx,
    input: FederationInput,
) -> Result<FederationOutput> {
    let caller = long_term(cx, "GetFederationToken")?;
    let name = &input.name;
    check_word("name", name, 32)?;
    check(&input.tags)?;
    let seconds = seconds(caller, input.duration_seconds)?;
    let account = &caller.account;
    let policies =
        sts.session_policies(account, input.policy.as_deref(), &input.policy_arns).await?;
    let tags = input.tags.into_iter().map(|t| (t.key, t.value)).collect();
    let tags = SessionTags { tags, transitive: Vec::new() };
    let packed_policy_size = packed_size(&policies, &tags)?;
    let id = format!("{account}:{name}");
    let arn = format!("arn:aws:sts::{account}:federated-user/{name}");
    let principal = Principal {
        account: account.clone(),
        arn: arn.clone(),
        id: id.clone(),
        kind: Kind::Federated { name: name.clone(), user_arn: caller.arn.clone() },
        tags: tags.tags,
        session_policies: Vec::new(),
        session: Some(Box::new(Session { issued: whole(cx.now), ..Session::default() })),
    };
    let credentials = sts.issue(cx, principal, policies, seconds);
    let federated_user = FederatedUser { federated_user_id: id, arn };
    Ok(FederationOutput { credentials, federated_user, packed_policy_size })
}

/// The caller, if it signs with a long-term key: a user or the account's root.
fn long_term<'a>(cx: &'a Cx, operation: &str) -> Result<&'a Principal> {
    let caller = known_caller(cx)?;
    let lasting = matches!(caller.kind, Kind::Root | Kind::User { .. }) && caller.session.is_none();
    if lasting {
        return Ok(caller);
    }
    Err(access_denied(format!("Cannot call {operation} with session credentials")))
}

fn seconds(caller: &Principal, asked: Option<i64>) -> Result<i64> {
    let seconds = asked.unwrap_or(DEFAULT);
    within("durationSeconds", seconds, 900, MOST)?;
    Ok(if caller.is_root() { seconds.min(MOST_ROOT) } else { seconds })
}
