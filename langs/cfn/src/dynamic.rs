//! Dynamic references: `{{resolve:service:…}}` inside texts.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html>

use crate::{Error, Result};

/// Where a value stands that only its own service knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dynamic<'a> {
    /// A plain parameter of Parameter Store.
    Ssm { name: &'a str, version: Option<&'a str> },
    /// A secure one.
    SsmSecure { name: &'a str, version: Option<&'a str> },
    /// A secret, or a member of its JSON.
    Secret {
        id: &'a str,
        json_key: Option<&'a str>,
        stage: Option<&'a str>,
        version: Option<&'a str>,
    },
}

/// A reference and the bytes of the text that it takes.
pub type Found<'a> = (std::ops::Range<usize>, Dynamic<'a>);

/// The references in a text, from left to right. A text that was put together by functions is
/// looked at when it is whole.
///
/// # Errors
/// A reference to a service that is not known, or with parts missing.
pub fn find(text: &str) -> Result<Vec<Found<'_>>> {
    const OPEN: &str = "{{resolve:";
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find(OPEN) {
        let start = from + at;
        let inner = start + OPEN.len();
        let Some(length) = text[inner..].find("}}") else { break };
        let end = inner + length + 2;
        found.push((start..end, parse(&text[inner..inner + length])?));
        from = end;
    }
    Ok(found)
}

fn parse(text: &str) -> Result<Dynamic<'_>> {
    let wrong =
        || Error(format!("Incorrect format is used in the following dynamic reference: [{text}]"));
    let (service, rest) = text.split_once(':').ok_or_else(wrong)?;
    match service {
        "ssm" | "ssm-secure" => {
            let (name, version) = match rest.rsplit_once(':') {
                Some((n, v)) if !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit()) => {
                    (n, Some(v))
                }
                _ => (rest, None),
            };
            if name.is_empty() {
                return Err(wrong());
            }
            Ok(if service == "ssm" {
                Dynamic::Ssm { name, version }
            } else {
                Dynamic::SsmSecure { name, version }
            })
        }
        "secretsmanager" => {
            // An ARN has six colons of its own before the secret's name.
            let id_end = if rest.starts_with("arn:") {
                rest.match_indices(':').nth(6).map_or(rest.len(), |(i, _)| i)
            } else {
                rest.find(':').unwrap_or(rest.len())
            };
            let id = &rest[..id_end];
            let mut parts = rest.get(id_end + 1..).unwrap_or_default().splitn(4, ':');
            let kind = parts.next().unwrap_or_default();
            let mut part = || parts.next().filter(|p| !p.is_empty());
            let (json_key, stage, version) = (part(), part(), part());
            if id.is_empty() || !matches!(kind, "" | "SecretString") {
                return Err(wrong());
            }
            Ok(Dynamic::Secret { id, json_key, stage, version })
        }
        other => Err(Error(format!(
            "Could not parse the dynamic reference: the service [{other}] is not supported"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_where_they_stand() {
        let text = "a {{resolve:ssm:/p/q:3}} b {{resolve:ssm-secure:x}}";
        let found = find(text).unwrap();
        assert_eq!(found[0].1, Dynamic::Ssm { name: "/p/q", version: Some("3") });
        assert_eq!(&text[found[0].0.clone()], "{{resolve:ssm:/p/q:3}}");
        assert_eq!(found[1].1, Dynamic::SsmSecure { name: "x", version: None });
        let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf";
        let text = format!("{{{{resolve:secretsmanager:{arn}:SecretString:password::}}}}");
        let want =
            Dynamic::Secret { id: arn, json_key: Some("password"), stage: None, version: None };
        assert_eq!(find(&text).unwrap()[0].1, want);
        let short = "{{resolve:secretsmanager:db}}";
        let want = Dynamic::Secret { id: "db", json_key: None, stage: None, version: None };
        assert_eq!(find(short).unwrap()[0].1, want);
    }

    #[test]
    fn other_texts_are_left_alone() {
        for text in ["", "{{resolve", "{{ x }}", "{{resolve:ssm:x"] {
            assert!(find(text).unwrap().is_empty(), "{text}");
        }
        for text in ["{{resolve:x:y}}", "{{resolve:ssm:}}", "{{resolve:secretsmanager:a:Binary}}"] {
            assert!(find(text).is_err(), "{text}");
        }
    }
}
