//! AssumeRoleWithWebIdentity: a session for whoever holds a token of a trusted issuer.

use fogbank_core::principal::Session;
use fogbank_core::{ApiError, Check, Cx, Op, Principal, Result, Str, Value, ops};
use fogbank_identity::{OidcProvider, Role};
use fogbank_policy::{Context, Policies, Policy, Request, Usage, decide};
use serde::{Deserialize, Serialize};

use crate::grant::{
    AssumedRoleUser, Credentials, PolicyArn, check_word, packed_size, role_name, role_seconds,
    role_session, whole,
};
use crate::jwt::Token;
use crate::tags::{self, SessionTags, Tag};
use crate::{Sts, access_denied};

pub const OPS: &[Op<Sts>] = ops![AssumeRoleWithWebIdentity => assume [by_token]];

/// Where an issuer puts session tags.
const TAGS_CLAIM: &str = "https://aws.amazon.com/tags";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    role_arn: String,
    role_session_name: String,
    web_identity_token: String,
    provider_id: Option<String>,
    #[serde(default)]
    policy_arns: Vec<PolicyArn>,
    policy: Option<String>,
    duration_seconds: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    credentials: Credentials,
    subject_from_web_identity_token: String,
    assumed_role_user: AssumedRoleUser,
    packed_policy_size: Option<i64>,
    provider: String,
    audience: String,
}

/// The request carries no signature: the token and the role's trust policy decide, below.
async fn by_token(_: &Sts, _: &Cx, _: &Value) -> Result<Vec<Check>> {
    Ok(Vec::new())
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>
async fn assume(sts: &Sts, cx: &Cx, input: Input) -> Result<Output> {
    let name = &input.role_session_name;
    check_word("roleSessionName", name, 64)?;
    if input.provider_id.is_some() {
        // Only for OAuth 2.0 access tokens of Login with Amazon and Facebook.
        return Err(cx.refuse_member("ProviderId"));
    }
    let (account, role_name) = role_name(&input.role_arn)?;
    let token = Token::parse(&input.web_identity_token)
        .ok_or_else(|| invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"))?;
    let (provider, audience) = verify(sts, cx, account, &token).await?;
    let role = sts.directory.role(account, role_name).await?;
    let role = role.filter(|r| r.arn == input.role_arn).ok_or_else(refusal)?;
    let claims = claims(&provider, &token);
    let (passed, transitive) = session_tags(&token)?;
    trusted(cx, &role, &provider, &claims, name, &passed)?;
    let seconds = role_seconds(input.duration_seconds, &role, false)?;
    let policy = input.policy.as_deref();
    let policies = sts.session_policies(account, policy, &input.policy_arns).await?;
    let session_tags: SessionTags = tags::combine(&Principal::anonymous(), &passed, &transitive)?;
    let packed_policy_size = packed_size(&policies, &session_tags)?;
    let session = Session {
        issued: whole(cx.now),
        federated_provider: Some(provider.arn.clone()),
        claims,
        ..Session::default()
    };
    let (principal, assumed_role_user) = role_session(&role, name, session_tags, session);
    let credentials = sts.issue(cx, principal, policies, seconds);
    sts.directory.role_used(cx, &role).await?;
    Ok(Output {
        credentials,
        subject_from_web_identity_token: token.text("sub").unwrap_or_default().to_owned(),
        assumed_role_user,
        packed_policy_size,
        provider: provider.arn,
        audience,
    })
}

/// Verifies issuer, signature, lifetime and audience; gives the provider and the audience.
async fn verify(
    sts: &Sts,
    cx: &Cx,
    account: &str,
    token: &Token<'_>,
) -> Result<(OidcProvider, String)> {
    let issuer = token.text("iss").ok_or_else(|| invalid("Missing a required claim: iss"))?;
    let url = issuer.strip_prefix("https://").unwrap_or(issuer).trim_end_matches('/');
    let provider = sts.directory.oidc_provider(account, url).await?.ok_or_else(|| {
        invalid(format!("No OpenIDConnect provider found in your account for {issuer}"))
    })?;
    let keys = sts.issuers.keys(issuer).await.ok_or_else(|| {
        invalid(
            "Couldn't retrieve verification key from your identity provider,  please reference \
             AssumeRoleWithWebIdentity documentation for requirements",
        )
    })?;
    if !token.is_signed_by(&keys) {
        return Err(invalid("Signature is invalid or the key that signed the token is unknown"));
    }
    if token.text("sub").is_none() {
        return Err(invalid("Missing a required claim: sub"));
    }
    let now = cx.now.as_second();
    let number = |claim: &str| token.claims.get(claim).and_then(serde_json::Value::as_f64);
    let expires = number("exp").ok_or_else(|| invalid("Missing a required claim: exp"))?;
    if expires <= now as f64 {
        return Err(ApiError::new(
            "ExpiredTokenException",
            format!(
                "Token expired: current date/time {now} must be before the expiration date/time {expires}"
            ),
        ));
    }
    if number("nbf").is_some_and(|t| t > now as f64) {
        return Err(invalid("The token is not valid yet"));
    }
    let audiences = token.texts("aud");
    let audience = audiences.into_iter().find(|a| provider.client_ids.contains(a));
    let audience = audience.ok_or_else(|| invalid("Incorrect token audience"))?;
    Ok((provider, audience))
}

/// The token's claims as condition keys: `issuer.example:sub`.
fn claims(provider: &OidcProvider, token: &Token<'_>) -> Vec<(String, Vec<String>)> {
    let of = |claim: &str| Some((format!("{}:{claim}", provider.url), token.texts(claim)));
    ["aud", "sub", "amr", "azp", "email", "oaud"]
        .into_iter()
        .filter_map(of)
        .filter(|(_, values)| !values.is_empty())
        .collect()
}

/// The session tags that the issuer has put into the token.
fn session_tags(token: &Token<'_>) -> Result<(Vec<Tag>, Vec<String>)> {
    #[derive(Default, Deserialize)]
    struct Claim {
        #[serde(default)]
        principal_tags: std::collections::BTreeMap<String, Vec<String>>,
        #[serde(default)]
        transitive_tag_keys: Vec<String>,
    }
    let Some(claim) = token.claims.get(TAGS_CLAIM) else { return Ok(Default::default()) };
    let claim: Claim = serde_json::from_value(claim.clone())
        .map_err(|_| invalid(format!("The claim {TAGS_CLAIM} is malformed")))?;
    let tag = |(key, mut values): (String, Vec<String>)| Tag {
        key,
        value: values.pop().unwrap_or_default(),
    };
    Ok((claim.principal_tags.into_iter().map(tag).collect(), claim.transitive_tag_keys))
}

/// Asks the role's trust policy about the holder of the token.
fn trusted(
    cx: &Cx,
    role: &Role,
    provider: &OidcProvider,
    claims: &[(String, Vec<String>)],
    session: &str,
    tags: &[Tag],
) -> Result<()> {
    let trust = Policy::parse(&role.trust_policy, Usage::Stored).map_err(|e| e.api())?;
    let caller = Principal {
        session: Some(Box::new(Session {
            federated_provider: Some(provider.arn.clone()),
            ..Session::default()
        })),
        ..Principal::anonymous()
    };
    let mut keys: Vec<(Str, Vec<String>)> =
        claims.iter().map(|(k, v)| (Str::from(k.clone()), v.clone())).collect();
    keys.push(("sts:RoleSessionName".into(), vec![session.to_owned()]));
    for tag in tags {
        keys.push((format!("aws:RequestTag/{}", tag.key).into(), vec![tag.value.clone()]));
    }
    let context = Context {
        source_ip: Some(cx.source_ip),
        secure: cx.secure,
        region: &cx.region,
        resource_account: &role.account,
        keys: &keys,
        ..Context::new(&caller, cx.now)
    };
    let allowed = |action: &str| {
        let request = Request {
            action,
            resource: &role.arn,
            resource_account: &role.account,
            granted: false,
            resource_policy_required: true,
            context: &context,
        };
        let policies = Policies { resource: Some(&trust), ..Policies::default() };
        decide(&request, &policies).allowed
    };
    let tagging = tags.is_empty() || allowed("sts:TagSession");
    if allowed("sts:AssumeRoleWithWebIdentity") && tagging { Ok(()) } else { Err(refusal()) }
}

fn refusal() -> ApiError {
    access_denied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidIdentityToken", message)
}

#[cfg(test)]
mod tests {
    use fogbank_core::map;
    use fogbank_testkit::handler::text_at;

    use super::*;
    use crate::jwt::tests::signed;
    use crate::testing::{ISSUER, ROLE, World};

    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
        "Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/issuer.example"},
        "Action":"sts:AssumeRoleWithWebIdentity",
        "Condition":{"StringEquals":{"issuer.example:sub":"ann","issuer.example:aud":"me"}}}]}"#;

    fn token(claims: &str) -> (String, String) {
        signed(&format!(r#"{{"iss":"{ISSUER}",{claims}}}"#))
    }

    fn input(token: &str) -> Value {
        map! {"RoleArn" => ROLE, "RoleSessionName" => "me", "WebIdentityToken" => token}
    }

    #[tokio::test]
    async fn a_token_opens_the_role() {
        let (token, keys) = token(r#""sub":"ann","aud":"me","exp":99999999999"#);
        let w = World::new(TRUST, Some(keys)).await;
        let op = "AssumeRoleWithWebIdentity";
        let answer = w.run(op, Principal::anonymous(), input(&token)).await.unwrap();
        assert_eq!(text_at(&answer, "SubjectFromWebIdentityToken"), "ann");
        assert_eq!(text_at(&answer, "Audience"), "me");
        let session = w.open(&answer).principal.session.unwrap();
        assert!(session.claims.contains(&("issuer.example:sub".into(), vec!["ann".into()])));
        assert!(session.federated_provider.is_some_and(|p| p.ends_with("/issuer.example")));
    }

    #[tokio::test]
    async fn other_tokens_do_not() {
        let op = "AssumeRoleWithWebIdentity";
        for (claims, starts) in [
            (r#""sub":"bob","aud":"me","exp":99999999999"#, "AccessDenied: Not authorized"),
            (
                r#""sub":"ann","aud":"you","exp":99999999999"#,
                "InvalidIdentityToken: Incorrect token audience",
            ),
            (r#""sub":"ann","aud":"me","exp":1"#, "ExpiredTokenException: "),
            (r#""sub":"ann","aud":"me""#, "InvalidIdentityToken: Missing"),
            (
                r#""sub":"ann","aud":"me","exp":99999999999,"nbf":99999999998"#,
                "InvalidIdentityToken: ",
            ),
            (
                r#""sub":"ann","aud":"me","exp":99999999999,"https://aws.amazon.com/tags":1"#,
                "InvalidIdentityToken: ",
            ),
            (
                r#""sub":"ann","aud":"me","exp":99999999999,"https://aws.amazon.com/tags":{"principal_tags":{"a":["b"]}}"#,
                "AccessDenied: ",
            ),
        ] {
            let (token, keys) = token(claims);
            let w = World::new(TRUST, Some(keys)).await;
            let e = w.err(op, Principal::anonymous(), input(&token)).await;
            assert!(e.starts_with(starts), "{e} does not start with {starts}");
        }
        let (good, keys) = token(r#""sub":"ann","aud":"me","exp":99999999999"#);
        let offline = World::new(TRUST, None).await;
        let e = offline.err(op, Principal::anonymous(), input(&good)).await;
        assert!(e.starts_with("InvalidIdentityToken: Couldn't retrieve verification key"), "{e}");
        let w = World::new(TRUST, Some(keys)).await;
        let (forged, _) = token(r#""sub":"ann","aud":"me","exp":99999999999"#);
        for bad in [&forged, "nonsense", "a.b.c", ""] {
            let e = w.err(op, Principal::anonymous(), input(bad)).await;
            assert!(e.starts_with("InvalidIdentityToken: "), "{e}");
        }
        let (stranger, _) = signed(r#"{"iss":"https://other.example","sub":"ann"}"#);
        let e = w.err(op, Principal::anonymous(), input(&stranger)).await;
        assert!(e.contains("No OpenIDConnect provider found in your account for"), "{e}");
    }
}
