//! Session tags, and which of them go on to the next session.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html>

use fogbank_core::{ApiError, Principal, Result};
use serde::Deserialize;

use crate::validation;

const MOST: usize = 50;

/// A tag as inputs have it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    pub key: String,
    pub value: String,
}

/// The tags of a new session.
#[derive(Debug, Default, PartialEq)]
pub struct SessionTags {
    pub tags: Vec<(String, String)>,
    pub transitive: Vec<String>,
}

/// The tags that a request passes, together with those that the caller's session hands on.
pub fn combine(caller: &Principal, passed: &[Tag], transitive: &[String]) -> Result<SessionTags> {
    check(passed)?;
    for key in transitive {
        if !passed.iter().any(|t| t.key.eq_ignore_ascii_case(key)) {
            return Err(invalid(
                "The specified transitive tag key must be included in the requested tags.",
            ));
        }
    }
    let handed = caller.session.as_ref().map(|s| s.transitive_tags.as_slice()).unwrap_or_default();
    let mut out = SessionTags { tags: Vec::new(), transitive: transitive.to_vec() };
    for key in handed {
        if passed.iter().any(|t| t.key.eq_ignore_ascii_case(key)) {
            return Err(invalid(
                "One of the specified transitive tag keys can't be set because it conflicts with a \
                 transitive tag key from the calling session.",
            ));
        }
        let tag = caller.tags.iter().find(|(k, _)| k.eq_ignore_ascii_case(key));
        out.tags.extend(tag.cloned());
        out.transitive.push(key.clone());
    }
    out.tags.extend(passed.iter().map(|t| (t.key.clone(), t.value.clone())));
    if out.tags.len() > MOST {
        return Err(too_many());
    }
    Ok(out)
}

/// Refuses keys and values that are too long, and keys that come twice.
pub fn check(tags: &[Tag]) -> Result<()> {
    if tags.len() > MOST {
        return Err(too_many());
    }
    let fits =
        |s: &str| s.chars().all(|c| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c));
    for (i, t) in tags.iter().enumerate() {
        let key_ok = (1..=128).contains(&t.key.chars().count()) && fits(&t.key);
        let system = t.key.len() >= 4 && t.key.as_bytes()[..4].eq_ignore_ascii_case(b"aws:");
        if !key_ok || system {
            return Err(validation(format!("The tag key '{}' is not valid.", t.key)));
        }
        if t.value.chars().count() > 256 || !fits(&t.value) {
            return Err(validation(format!("The value of the tag '{}' is not valid.", t.key)));
        }
        if tags[..i].iter().any(|o| o.key.eq_ignore_ascii_case(&t.key)) {
            return Err(invalid(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
    }
    Ok(())
}

fn invalid(message: &str) -> ApiError {
    ApiError::new("InvalidParameterValue", message).status(400)
}

fn too_many() -> ApiError {
    validation(format!(
        "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must \
         have length less than or equal to {MOST}"
    ))
}

#[cfg(test)]
mod tests {
    use fogbank_core::principal::Session;

    use super::*;

    fn tag(key: &str) -> Tag {
        Tag { key: key.into(), value: "new".into() }
    }

    #[test]
    fn transitive_tags_go_on_and_cannot_be_replaced() {
        let mut caller = Principal::root("000000000000");
        caller.tags = vec![("team".into(), "red".into()), ("mine".into(), "x".into())];
        let session = Session { transitive_tags: vec!["team".into()], ..Session::default() };
        caller.session = Some(Box::new(session));
        let t = combine(&caller, &[tag("a")], &["a".into()]).unwrap();
        assert_eq!(t.tags, [("team".into(), "red".into()), ("a".into(), "new".into())]);
        assert_eq!(t.transitive, ["a", "team"]);
        assert!(combine(&caller, &[tag("Team")], &[]).is_err());
        assert!(combine(&caller, &[], &["a".into()]).is_err());
        assert!(combine(&caller, &[tag("a"), tag("A")], &[]).is_err());
        assert!(combine(&caller, &[tag("aws:x")], &[]).is_err());
    }
}
