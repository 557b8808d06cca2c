//! What the operations that give sessions have in common: lifetimes, session policies, the answer.

use fogbank_core::principal::Session;
use fogbank_core::{ApiError, Arn, Cx, Kind, Principal, Result, Time};
use fogbank_identity::{Grant, Role};
use fogbank_policy::{Policy, Usage};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::tags::SessionTags;
use crate::{Sts, access_denied, validation, violated};

/// The most characters of a session policy.
const POLICY_SIZE: usize = 2048;
const POLICY_ARNS: usize = 10;
/// What all session policies and tags together may come to, in bytes; sizes are told in percent of
/// it.
const PACKED: usize = 8192;

/// Temporary credentials in answers.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: Time,
}

/// `PolicyArns` in inputs.
#[derive(Clone, Debug, Deserialize)]
pub struct PolicyArn {
    arn: Option<String>,
}

/// The role's session in answers.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumedRoleUser {
    assumed_role_id: String,
    arn: String,
}

/// Session policies that have been checked.
#[derive(Debug, Default)]
pub struct SessionPolicies {
    pub texts: Vec<String>,
    pub arns: Vec<String>,
}

impl Sts {
    /// Checks the session policies of a request for a session in `account`.
    pub(crate) async fn session_policies(
        &self,
        account: &str,
        policy: Option<&str>,
        arns: &[PolicyArn],
    ) -> Result<SessionPolicies> {
        let mut out = SessionPolicies::default();
        if let Some(text) = policy {
            if text.chars().count() > POLICY_SIZE {
                return Err(violated(
                    "policy",
                    "…",
                    "Member must have length less than or equal to 2048",
                ));
            }
            Policy::parse(text, Usage::Identity).map_err(|e| e.api())?;
            out.texts.push(text.to_owned());
        }
        if arns.len() > POLICY_ARNS {
            return Err(violated(
                "policyArns",
                &format!("[{} ARNs]", arns.len()),
                "Member must have length less than or equal to 10",
            ));
        }
        for arn in arns {
            let arn = arn.arn.as_deref().unwrap_or_default();
            let here = Arn::parse(arn).is_some_and(|a| a.account == account || a.account == "aws");
            if !here || self.directory.managed_policy(arn).await?.is_none() {
                return Err(validation(format!("Policy {arn} was not found.")));
            }
            out.arns.push(arn.to_owned());
        }
        Ok(out)
    }

    /// Issues credentials to `principal` for so many seconds.
    pub(crate) fn issue(
        &self,
        cx: &Cx,
        mut principal: Principal,
        policies: SessionPolicies,
        seconds: i64,
    ) -> Credentials {
        principal.session_policies = policies.texts;
        let expires = whole(cx.now + SignedDuration::from_secs(seconds));
        let grant = Grant { principal, policy_arns: policies.arns, expires };
        let issued = self.sessions.issue(cx.ids(), &grant);
        Credentials {
            access_key_id: issued.access_key,
            secret_access_key: issued.secret,
            session_token: issued.token,
            expiration: Time(expires),
        }
    }
}

/// How much of the room for session policies and tags is used, in percent; `None` for neither.
pub fn packed_size(policies: &SessionPolicies, tags: &SessionTags) -> Result<Option<i64>> {
    let texts = policies.texts.iter().chain(&policies.arns).map(String::len).sum::<usize>();
    let pairs = tags.tags.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>();
    if texts + pairs == 0 {
        return Ok(None);
    }
    let percent = ((texts + pairs) * 100).div_ceil(PACKED);
    if percent > 100 {
        return Err(ApiError::new(
            "PackedPolicyTooLarge",
            format!("Packed size of session tags consumes {percent}% of allotted space."),
        ));
    }
    Ok(Some(i64::try_from(percent).unwrap_or(100)))
}

/// A session's principal: `role` as `name`.
pub fn role_session(
    role: &Role,
    name: &str,
    tags: SessionTags,
    session: Session,
) -> (Principal, AssumedRoleUser) {
    let arn = format!("arn:aws:sts::{}:assumed-role/{}/{name}", role.account, role.name);
    let id = format!("{}:{name}", role.id);
    let principal = Principal {
        account: role.account.clone(),
        arn: arn.clone(),
        id: id.clone(),
        kind: Kind::AssumedRole {
            role_arn: role.arn.clone(),
            role_name: role.name.clone(),
            session: name.to_owned(),
        },
        tags: tags.tags,
        session_policies: Vec::new(),
        session: Some(Box::new(Session { transitive_tags: tags.transitive, ..session })),
    };
    (principal, AssumedRoleUser { assumed_role_id: id, arn })
}

/// How long a session of a role lasts: an hour unless the request says otherwise, at most what the
/// role allows.
pub fn role_seconds(asked: Option<i64>, role: &Role, chained: bool) -> Result<i64> {
    let seconds = asked.unwrap_or(3600);
    within("durationSeconds", seconds, 900, 43200)?;
    if chained && seconds > 3600 {
        return Err(validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
             role chaining.",
        ));
    }
    if seconds > role.max_session {
        return Err(validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    Ok(seconds)
}

pub fn within(member: &str, value: i64, least: i64, most: i64) -> Result<()> {
    let bound = match value {
        v if v < least => format!("greater than or equal to {least}"),
        v if v > most => format!("less than or equal to {most}"),
        _ => return Ok(()),
    };
    Err(violated(member, &value.to_string(), &format!("Member must have value {bound}")))
}

/// Names of sessions, federated users and source identities.
pub fn check_word(member: &str, text: &str, most: usize) -> Result<()> {
    let bound = match text.chars().count() {
        n if n < 2 => Some("greater than or equal to 2".to_owned()),
        n if n > most => Some(format!("less than or equal to {most}")),
        _ => None,
    };
    if let Some(bound) = bound {
        return Err(violated(member, text, &format!("Member must have length {bound}")));
    }
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b)) {
        return Ok(());
    }
    Err(violated(member, text, r"Member must satisfy regular expression pattern: [\w+=,.@-]*"))
}

/// No user of fogbank has a device, so no code of one can be right.
pub fn check_mfa(serial: Option<&str>, code: Option<&str>) -> Result<()> {
    if serial.is_none() && code.is_none() {
        return Ok(());
    }
    Err(access_denied("MultiFactorAuthentication failed, unable to validate MFA code."))
}

/// The account and the name in a role's ARN.
pub fn role_name(arn: &str) -> Result<(&str, &str)> {
    let parsed = Arn::parse(arn).filter(|a| {
        a.service == "iam" && a.account.len() == 12 && a.account.bytes().all(|b| b.is_ascii_digit())
    });
    let name = parsed.and_then(|a| Some((a.account, a.resource.strip_prefix("role/")?)));
    let (account, path) = name.ok_or_else(|| validation(format!("{arn} is invalid")))?;
    Ok((account, path.rsplit('/').next().unwrap_or(path)))
}

/// A time to the second, as session tokens expire.
pub fn whole(t: Timestamp) -> Timestamp {
    Timestamp::from_second(t.as_second()).unwrap_or(t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_arns_come_apart() {
        assert_eq!(role_name("arn:aws:iam::000000000000:role/a/b").unwrap(), ("000000000000", "b"));
        for bad in ["", "role", "arn:aws:iam::1:role/x", "arn:aws:iam::000000000000:user/x"] {
            assert_eq!(role_name(bad).unwrap_err().message(), format!("{bad} is invalid"));
        }
    }

    #[test]
    fn words_and_numbers_have_bounds() {
        assert!(check_word("roleSessionName", "my-session@1", 64).is_ok());
        for bad in ["", "a", "a b", "a/b", &"x".repeat(65)] {
            assert_eq!(
                check_word("roleSessionName", bad, 64).unwrap_err().code(),
                "ValidationError"
            );
        }
        assert!(within("durationSeconds", 899, 900, 43200).is_err());
        assert!(within("durationSeconds", 43201, 900, 43200).is_err());
    }

    #[test]
    fn too_much_packed_is_refused() {
        let pair = |i: usize| (format!("k{i}"), "v".repeat(250));
        let tags = SessionTags { tags: (0..50).map(pair).collect(), transitive: vec![] };
        let e = packed_size(&SessionPolicies::default(), &tags).unwrap_err();
        assert_eq!(e.code(), "PackedPolicyTooLarge");
        let none = packed_size(&SessionPolicies::default(), &SessionTags::default());
        assert_eq!(none, Ok(None));
    }
}
