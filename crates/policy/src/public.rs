//! Whether a bucket's policy is public, as S3's Block Public Access sees it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use crate::condition::{Condition, Family, Quantifier};
use crate::policy::{Effect, Policy, Statement};
use crate::principal::Named;

/// Keys that name who or what may call; with fixed values they make access non-public.
const FIXING: &[&str] = &[
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceowner",
    "aws:sourceaccount",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:userid",
    "aws:username",
    "aws:vpcsourceip",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:dataaccesspointarn",
    "s3:dataaccesspointaccount",
];

/// Whether some Allow gives something to everyone, with no condition that fixes who it is.
#[must_use]
pub fn is_public(policy: &Policy) -> bool {
    policy.statements.iter().any(is_public_statement)
}

fn is_public_statement(s: &Statement) -> bool {
    let open = match &s.principals {
        Some(p) => p.negated || p.named.contains(&Named::Any),
        None => false,
    };
    s.effect == Effect::Allow && open && !s.conditions.iter().any(fixes)
}

/// Whether a condition leaves only fixed callers.
fn fixes(c: &Condition) -> bool {
    let operator = c.operator();
    // What also holds when the key is absent fixes nothing.
    if operator.negated || operator.if_exists || operator.quantifier == Quantifier::All {
        return false;
    }
    let key = c.key().to_ascii_lowercase();
    match operator.family {
        // Ranges wider than these are as good as the whole internet.
        Family::Ip => {
            let narrow = c.networks().iter().all(|n| n.prefix >= if n.v6 { 32 } else { 8 });
            matches!(&*key, "aws:sourceip" | "aws:vpcsourceip") && narrow
        }
        Family::Text | Family::TextIgnoreCase => FIXING.contains(&&*key) && c.is_fixed(),
        Family::Like => {
            FIXING.contains(&&*key) && c.is_fixed()
                || key == "s3:dataaccesspointarn" && c.names_an_account()
        }
        Family::Arn => {
            let named =
                matches!(&*key, "aws:principalarn" | "aws:sourcearn" | "s3:dataaccesspointarn");
            named && (c.is_fixed() || key == "s3:dataaccesspointarn" && c.names_an_account())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Usage;

    fn public(principal: &str, condition: &str) -> bool {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},
            "Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{condition}}}]}}"#
        );
        is_public(&Policy::parse(&text, Usage::Bucket("b")).unwrap())
    }

    #[test]
    fn conditions_decide_what_is_public() {
        assert!(public(r#""*""#, "{}"));
        assert!(public(r#"{"AWS":"*"}"#, "{}"));
        assert!(!public(r#"{"AWS":"111122223333"}"#, "{}"));
        assert!(!public(r#"{"Service":"logging.s3.amazonaws.com"}"#, "{}"));
        for fixed in [
            r#"{"StringEquals":{"aws:SourceVpc":"vpc-91237329"}}"#,
            r#"{"StringEquals":{"aws:PrincipalOrgID":["o-1","o-2"]}}"#,
            r#"{"StringLike":{"aws:SourceVpce":"vpce-1"}}"#,
            r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/r"}}"#,
            r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#,
            r#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]}}"#,
            r#"{"ArnLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-west-2:111122223333:*"}}"#,
            r#"{"ForAnyValue:StringEquals":{"aws:SourceOrgPaths":"o-1/r-1/"}}"#,
        ] {
            assert!(!public(r#""*""#, fixed), "{fixed}");
        }
        for open in [
            r#"{"StringLike":{"aws:SourceVpc":"vpc-*"}}"#,
            r#"{"StringEquals":{"aws:SourceVpc":"${aws:SourceVpc}"}}"#,
            r#"{"StringNotEquals":{"aws:SourceVpc":"vpc-1"}}"#,
            r#"{"StringEqualsIfExists":{"aws:SourceVpc":"vpc-1"}}"#,
            r#"{"ForAllValues:StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#,
            r#"{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#,
            r#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","64.0.0.0/7"]}}"#,
            r#"{"IpAddress":{"aws:SourceIp":"::/0"}}"#,
            r#"{"StringLike":{"aws:Referer":"http://example.com/*"}}"#,
            r#"{"Bool":{"aws:SecureTransport":"true"}}"#,
            r#"{"ArnLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-west-2:*:*"}}"#,
        ] {
            assert!(public(r#""*""#, open), "{open}");
        }
    }

    #[test]
    fn a_deny_is_never_public() {
        let text =
            r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}}"#;
        assert!(!is_public(&Policy::parse(text, Usage::Bucket("b")).unwrap()));
    }
}
